"""The cluster that `up` has started, its facts and its client; without one these tests aren't run.

`TEST_ARGO` is the path of its `cluster.json`.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.run import Run
from drawloom.runtimes.argo import Submitted, wait

CONFORMANCE = Path(__file__).parents[2] / "conformance"
FOLDERS = (Path(__file__).parents[1], CONFORMANCE, CONFORMANCE / "programs", Path(__file__).parent / "flows")
sys.path[:0] = [str(path) for path in FOLDERS if str(path) not in sys.path]
FACTS = os.environ.get("TEST_ARGO", "")
DEADLINE = float(os.environ.get("TEST_ARGO_DEADLINE", "inf"))  # seconds since 1970: where a run of all has a limit
collect_ignore_glob = [] if FACTS else ["test_*.py"]  # `make test-argo` starts one


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The programs last: there are many of them, and each alone tells least."""
    items.sort(key=lambda item: "test_conformance" in item.nodeid)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips what can't begin any more."""
    if time.time() > DEADLINE:
        pytest.skip("the time for tests on Argo is over (TEST_ARGO_DEADLINE)")


def _failed_pods(facts: dict[str, Any], workflow: str = "") -> str:
    """What pods that failed have printed last; of one Workflow, or of all that are there."""
    from kubernetes import client, config
    from kubernetes.client.exceptions import ApiException

    config.load_kube_config(config_file=facts["kubeconfig"])
    core, namespace, texts = client.CoreV1Api(), facts["namespace"], []
    only = f"workflows.argoproj.io/workflow={workflow}" if workflow else ""
    for pod in core.list_namespaced_pod(namespace, label_selector=only, field_selector="status.phase=Failed").items:
        try:
            said = core.read_namespaced_pod_log(pod.metadata.name, namespace, container="main", tail_lines=40)
        except ApiException as error:
            said = f"{error.status} {error.reason}"
        texts.append(f"--- pod {pod.metadata.name}\n{said}")
    return "\n".join(texts)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Tells of a test that failed what the pods say that failed and are still there, whoever's they are."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.failed and FACTS:
        with contextlib.suppress(Exception):  # the cluster may be what has failed
            report.sections.append(("pods that failed", _failed_pods(json.loads(Path(FACTS).read_text("utf-8")))))


@pytest.fixture(scope="session")
def facts() -> dict[str, Any]:
    """What `up` tells of the cluster."""
    found: dict[str, Any] = json.loads(Path(FACTS).read_text("utf-8"))
    return found


@pytest.fixture(scope="session")
def lake(facts: dict[str, Any]) -> dict[str, str]:
    """The variables that S3 is reached by, from here and from pods."""
    s3 = facts["s3"]
    found = {
        "AWS_ACCESS_KEY_ID": s3["access_key"],
        "AWS_SECRET_ACCESS_KEY": s3["secret_key"],
        "AWS_REGION": s3["region"],
        "AWS_DEFAULT_REGION": s3["region"],
        "AWS_ENDPOINT_URL": s3["endpoint"],
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    os.environ.update(found)
    return found


@pytest.fixture(scope="session")
def api(facts: dict[str, Any]) -> Any:
    """The client of the cluster."""
    from kubernetes import client, config

    config.load_kube_config(config_file=facts["kubeconfig"])
    return client.CustomObjectsApi()


@pytest.fixture
def wait_for(api: Any, facts: dict[str, Any]) -> Callable[..., Run]:
    """Waits for the end of a Workflow and removes it, with its pods: to the node, those that have ended are work, too."""

    def wait_and_remove(submitted: Submitted, catalog: Catalog, timeout_seconds: float) -> Run:
        run = wait(submitted, catalog, api=api, timeout_seconds=timeout_seconds)
        if run.state == "failed":
            print(_failed_pods(facts, submitted.name))  # shown where the test fails
        where = {"group": "argoproj.io", "version": "v1alpha1", "plural": "workflows"}
        api.delete_namespaced_custom_object(namespace=submitted.namespace, name=submitted.name, **where)
        return run

    return wait_and_remove


def _as_in_a_pod(facts: dict[str, Any], command: list[str]) -> list[str]:
    """A command that finds the files of a service account where a pod has them, and nobody else does.

    For the client's token Argo's server reads no kubeconfig: it takes the cluster to be the one it is a pod of.
    """
    files = "/var/run/secrets/kubernetes.io/serviceaccount"
    script = 'mount -t tmpfs none /var/run && mkdir -p "$0" && cp "$1" "$0/ca.crt" && echo none >"$0/token"'
    space = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    return [*space, "sh", "-c", f'{script} && shift && exec "$@"', files, facts["api"]["ca_file"], *command]


def _answers(url: str) -> bool:
    """Whether Argo's server works: it listens before what is behind its gateway does, and says 503 till then."""
    try:
        with urllib.request.urlopen(url, timeout=5, context=ssl._create_unverified_context()):  # it signs its own
            return True
    except urllib.error.HTTPError as refused:
        return refused.code < 500
    except OSError:
        return False


@pytest.fixture(scope="session")
def argo_server(facts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of Argo's own server, which takes tokens of the cluster's, over TLS."""
    sys.path.insert(0, str(Path(__file__).parent))
    from cluster.gobuild import SERVER, built

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    command = [str(built(SERVER)), "server", "--kubeconfig", facts["kubeconfig"], "-n", facts["namespace"]]
    command += ["--namespaced", "--auth-mode", "client", "--port", str(port)]
    log = tmp_path_factory.mktemp("argo-server") / "log"
    api = urlsplit(facts["api"]["server"])
    reached = {"KUBERNETES_SERVICE_HOST": str(api.hostname), "KUBERNETES_SERVICE_PORT": str(api.port or 443)}
    env = {**os.environ, **reached, "ARGO_SECURE": "true"}
    with log.open("wb") as out:
        process = subprocess.Popen(_as_in_a_pod(facts, command), stdout=out, stderr=out, env=env)
    try:
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if _answers(f"https://127.0.0.1:{port}/api/v1/version"):
                break
            time.sleep(0.2)
        else:
            pytest.fail(f"Argo's server didn't start: {log.read_text()[-2000:]}")
        yield f"https://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:  # it waits for its clients
            process.kill()
            process.wait(30)


@pytest.fixture(scope="session")
def secret(facts: dict[str, Any], lake: dict[str, str]) -> str:
    """The name of a Secret with the variables that pods reach S3 by."""
    from kubernetes import client, config

    config.load_kube_config(config_file=facts["kubeconfig"])
    name = f"lake-{uuid4().hex[:8]}"
    body = client.V1Secret(metadata=client.V1ObjectMeta(name=name), string_data=lake)
    client.CoreV1Api().create_namespaced_secret(facts["namespace"], body)
    return name


os.environ.setdefault("DRAWLOOM_SECRET_CONFORMANCE", "open-sesame")  # of the program `secret_values`
