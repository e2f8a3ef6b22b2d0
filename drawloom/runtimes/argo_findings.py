"""What `drawloom doctor --target` finds of an Argo: is it reached, may it be used, has it what pods are made of."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from drawloom.errors import DrawloomError, EngineError
from drawloom.ir.protocol import stub_text
from drawloom.runtimes.api_problems import ApiProblem
from drawloom.runtimes.argo_access import KubernetesAccess, ServerAccess
from drawloom.runtimes.argo_output import without_argo
from drawloom.runtimes.engines import Finding
from drawloom.storage.base import KeyMissing

if TYPE_CHECKING:
    from drawloom.catalog.catalog import Catalog
    from drawloom.runtimes.argo import ArgoClient

__all__ = ["findings", "probe"]

_KINDS: Final = ("workflows", "workflowtemplates", "cronworkflows", "workflowtaskresults")
_WANTED: Final = (("create", "workflows"), ("get", "workflows"), ("patch", "workflows"), ("get", "pods/log"))
_PROBE_SECONDS: Final = 180.0
_OF_A_PROGRAM: Final = ("arguments", "templates", "entrypoint", "onExit", "hooks")  # what the probe's Workflow has not
_INSTALL: Final = "install Argo Workflows in the cluster: https://argo-workflows.readthedocs.io/en/latest/installation/"


def findings(client: ArgoClient, options: Mapping[str, Any]) -> Iterator[Finding]:
    """The findings, in the order they should be read; after one that stands in the way of the rest there are no more.

    Args:
        client: the client.
        options: those of the compiler.
    """
    access = client.access
    namespace = access.namespace
    if isinstance(access, ServerAccess):
        try:
            version = access.ask("GET", "/api/v1/version")
            yield Finding("argo server", "ok", f"{access.place}, Argo {version.get('version', '?')}")
            client.preflight()
        except (ApiProblem, EngineError) as error:
            yield _refused("argo server", client, error)
            return
        yield Finding("namespace", "ok", f"Workflows of {namespace} may be listed")
        yield Finding("rights", "note", "Argo's server tells no more: name a kubeconfig to have the rest looked at")
    elif isinstance(access, KubernetesAccess):
        yield from _by_kubernetes(client, access, options)


def _by_kubernetes(client: ArgoClient, access: KubernetesAccess, options: Mapping[str, Any]) -> Iterator[Finding]:
    try:
        yield Finding("kubernetes", "ok", f"{access.place}, {access.version()}")
        known = access.definitions()
    except ApiProblem as problem:
        missing = problem.status == 404
        yield (
            Finding("argo", "problem", "Argo Workflows isn't installed: its kinds aren't known", _INSTALL)
            if missing
            else (_refused("kubernetes", client, problem))
        )
        return
    lacking = [kind for kind in _KINDS if kind not in known]
    if lacking:
        yield Finding("argo", "problem", f"Kubernetes doesn't know {', '.join(lacking)}", _INSTALL)
    else:
        yield Finding("argo", "ok", "its resource definitions are installed")
    namespace = access.namespace
    try:
        client.preflight()
    except EngineError as error:
        yield _refused("namespace", client, error)
        return
    yield Finding("namespace", "ok", namespace)
    yield from _rights(access, namespace)
    account = str(options.get("service_account") or "default")
    make = f"kubectl -n {namespace} create serviceaccount {account}"
    yield _is_there("service account", account, make, access.core().read_namespaced_service_account, namespace)
    for name in _texts(options.get("env_from_secrets")):
        make = f"kubectl -n {namespace} create secret generic {name} --from-literal=AWS_ACCESS_KEY_ID=..."
        yield _is_there("secret", name, make, access.core().read_namespaced_secret, namespace)


def _rights(access: KubernetesAccess, namespace: str) -> Iterator[Finding]:
    denied = []
    for verb, resource in _WANTED:
        group = "" if resource.startswith("pods") else "argoproj.io"
        try:
            if not access.review(namespace, verb, resource, group):
                denied.append(f"{verb} {resource}")
        except ApiProblem as problem:
            yield Finding("rights", "note", f"Kubernetes doesn't tell what you may do: {problem.message}")
            return
    if denied:
        fix = f"have a Role in {namespace} that allows it bound to you"
        yield Finding("rights", "problem", f"you may not {', '.join(denied)} in {namespace}", fix)
    else:
        yield Finding("rights", "ok", f"you may {', '.join(f'{verb} {what}' for verb, what in _WANTED)}")


def _is_there(kind: str, name: str, make: str, read: Callable[[str, str], object], namespace: str) -> Finding:
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    try:
        read(name, namespace)
    except ApiException as error:
        if error.status == 404:
            return Finding(kind, "problem", f"there is no {kind} {name!r} in the namespace", make)
        return Finding(kind, "note", f"whether {name!r} is there can't be seen: {error.status} {error.reason}")
    except HTTPError as error:
        return Finding(kind, "note", f"whether {name!r} is there can't be seen: {error}")
    return Finding(kind, "ok", name)


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(str, value or ()))


def _refused(name: str, client: ArgoClient, error: ApiProblem | EngineError) -> Finding:
    found = error if isinstance(error, EngineError) else client.api.problem(error, "look at it")
    first = found.diagnostics[0]
    return Finding(name, "problem", f"[{first.code}] {first.what}", first.fix)


def probe(client: ArgoClient, folder: str | os.PathLike[str], catalog: Catalog) -> Iterator[Finding]:
    """Starts a pod that reads and writes the store as a step would, and takes it away again.

    Args:
        client: the client.
        folder: where a compiler has written a program for this target; its bundle is in the store.
        catalog: the store, as it is reached from here.
    """
    from drawloom.runtimes.publish import read_engine

    engine = read_engine(folder)
    key = f"doctor/probe-{os.urandom(8).hex()}"
    catalog.storage.create(key, b"probe")
    body = _probe_workflow(folder, key, engine)
    namespace = body["metadata"].setdefault("namespace", client.access.namespace)
    name = ""
    try:
        name = client.access.create("Workflow", namespace, body)["metadata"]["name"]
        yield _answer(client, catalog, key, namespace, name)
    except ApiProblem as problem:
        yield _refused("from a pod", client, problem)
    finally:
        for left in (key, f"{key}-answer"):
            with suppress(DrawloomError, KeyMissing):
                catalog.storage.delete(left)
        with suppress(ApiProblem):
            if name:
                client.access.delete("Workflow", namespace, name)


def _probe_workflow(folder: str | os.PathLike[str], key: str, engine: Any) -> dict[str, Any]:
    """A Workflow of one pod, made as the pods of the compiled program's steps are."""
    from drawloom.runtimes.argo_objects import read_objects

    made = next(body for body in read_objects(folder, engine) if "templates" in _spec_of(body))
    whole = _spec_of(made)
    begin = next(template for template in whole["templates"] if template["name"] == "begin")
    container = begin["container"]
    place, sha = container["args"][:2]
    arguments = ["--store", engine["store"], "--project", engine["project"], "--key", key, "--out", "/tmp"]  # noqa: S108
    container = {
        **container,
        "command": ["python3", "-I", "-c", stub_text()],
        "args": [place, sha, "probe", *arguments],
    }
    spec = {name: value for name, value in whole.items() if name not in _OF_A_PROGRAM}
    template = {name: value for name, value in begin.items() if name not in ("inputs", "outputs", "retryStrategy")}
    metadata = {name: value for name, value in made["metadata"].items() if name != "name"}
    metadata["generateName"] = "drawloom-doctor-"
    spec |= {"entrypoint": "begin", "templates": [{**template, "container": container}]}
    return {**made, "kind": "Workflow", "metadata": metadata, "spec": spec}


def _spec_of(body: dict[str, Any]) -> dict[str, Any]:
    """What says how pods are made: of a CronWorkflow that of its Workflows."""
    spec: dict[str, Any] = body["spec"].get("workflowSpec", body["spec"])
    return spec


def _answer(client: ArgoClient, catalog: Catalog, key: str, namespace: str, name: str) -> Finding:
    from drawloom.runtimes.argo_nodes import held_pods, nodes_of

    deadline = time.monotonic() + _PROBE_SECONDS
    said = ""
    while time.monotonic() < deadline:
        found = client.access.read("Workflow", namespace, name) or {}
        status = found.get("status") or {}
        if status.get("phase") == "Succeeded":
            with suppress(KeyMissing):
                told = json.loads(catalog.storage.read(f"{key}-answer"))
                return Finding("from a pod", "ok", f"the store can be read and written, by Python {told['python']}")
            fix = "`store` and `catalog` of the target must be one and the same"
            return Finding(
                "from a pod", "problem", "a pod writes into a store that isn't the one that is read here", fix
            )
        if status.get("phase") in ("Failed", "Error"):
            log = "".join(_log(client, namespace, name, nodes_of(status)))[-1500:].strip()
            what = f"a pod can't use the store: {log or status.get('message') or status['phase']}"
            return Finding(
                "from a pod", "problem", what, "mend what it says: `store`, `env`, `env_from_secrets`, `image`"
            )
        held, hopeless = held_pods(nodes_of(status))
        said = "; ".join(held)
        if hopeless and deadline - time.monotonic() < _PROBE_SECONDS - 30:
            break
        time.sleep(1.0)
    what = f"no pod began: {said or 'nobody says why; does the workflow controller run?'}"
    return Finding("from a pod", "problem", what, "mend what it says: `image`, `service_account`, room in the cluster")


def _log(client: ArgoClient, namespace: str, name: str, nodes: Mapping[str, Any]) -> Iterator[str]:
    from drawloom.runtimes.argo_nodes import pod_name

    for node in nodes.values():
        if node.get("type") == "Pod":
            with suppress(ApiProblem):
                for piece in without_argo(client.access.log(namespace, name, pod_name(name, node), follow=False)):
                    yield piece.decode("utf-8", "replace")
