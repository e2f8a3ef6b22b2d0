"""A live Argo: submits compiled programs, watches them, and says what no step lived to write.

Through the official `kubernetes` client, against the Kubernetes API alone: a Workflow is an object like any other.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.outcomes import finish_run, read_run
from drawloom.catalog.records import FailureInfo, RunFinished
from drawloom.catalog.run import Run
from drawloom.errors import Diagnostic, RunRefused
from drawloom.ir.canonical import Json
from drawloom.runtimes.begin import run_name
from drawloom.runtimes.publish import begin_text, publish_program, read_engine, read_files

if TYPE_CHECKING:
    from kubernetes.client import CustomObjectsApi

__all__ = ["Submitted", "submit", "wait"]

# Any: objects of Kubernetes as JSON trees

_KIND: Final[dict[str, Any]] = {"group": "argoproj.io", "version": "v1alpha1", "plural": "workflows"}
_ENGINE: Final = "argo"
_ENDED: Final = ("Succeeded", "Failed", "Error")
_CLOSED: Final = ("succeeded", "failed", "cancelled")
_POLL_SECONDS: Final = 1.0


class Submitted:
    """A Workflow that Argo has been given.

    Attributes:
        name, namespace, uid: the object.
        run: the id of the run that it is in the catalog, once it has begun.
    """

    def __init__(self, made: Mapping[str, Any]) -> None:
        metadata = made["metadata"]
        self.name: str = metadata["name"]
        self.namespace: str = metadata["namespace"]
        self.uid: str = metadata["uid"]
        self.run = run_name(_ENGINE, [["workflow", self.name], ["uid", self.uid]])


def submit(
    folder: str | os.PathLike[str],
    params: Mapping[str, Json],
    catalog: Catalog,
    *,
    api: CustomObjectsApi,
    namespace: str = "default",
    logical_time: str = "",
    interval: tuple[str, ...] = (),
    change: Callable[[dict[str, Any]], object] | None = None,
) -> Submitted:
    """Publishes a compiled program and gives its Workflow to Argo.

    Args:
        folder: where `compile(pipeline, "argo", ...).write(...)` has put it.
        params: parameter name -> envelope tree (`Values.encode`), its objects in the store already.
        catalog: the store that the program was compiled for, as it is reached from here.
        api: the client.
        namespace: where it runs, unless the Workflow says so itself.
        logical_time, interval: the times the run is for, ISO 8601.
        change: changes the object before it is given away.

    Raises:
        RunRefused: E716, the folder holds no program of this engine; E723, Kubernetes refuses the object.
    """
    engine, workflow = read_engine(folder, _ENGINE), _workflow(folder)
    publish_program(catalog.storage, read_files(folder), engine["program"])
    asked = begin_text(catalog, params, _ENGINE, (), logical_time, interval)
    workflow["spec"]["arguments"]["parameters"] = [{"name": "run", "value": asked}]
    namespace = workflow["metadata"].setdefault("namespace", namespace)
    if change is not None:
        change(workflow)
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    try:
        made: Any = api.create_namespaced_custom_object(namespace=namespace, body=workflow, **_KIND)
    except ApiException as error:
        what = f"Kubernetes refuses the Workflow of `{engine['pipeline']}`: {_reason(error)}"
        fix = "see that the namespace is there, that Argo is installed, and that you may create Workflows"
        raise RunRefused(Diagnostic("E723", what, None, fix)) from error
    except HTTPError as error:
        what = f"Kubernetes can't be reached for the Workflow of `{engine['pipeline']}`: {error}"
        raise RunRefused(Diagnostic("E723", what, None, "see that KUBECONFIG names the right cluster")) from error
    return Submitted(made)


def wait(submitted: Submitted, catalog: Catalog, *, api: CustomObjectsApi, timeout_seconds: float | None = None) -> Run:
    """Waits for the end of a Workflow.

    Args:
        submitted: the Workflow.
        catalog: the store that the program was compiled for, as it is reached from here.
        api: the client.
        timeout_seconds: how long at most; None for ever.

    Returns:
        The run, also when it failed. One that was ended before its last step is closed here.

    Raises:
        RunRefused: E717, the run couldn't begin.
        TimeoutError: it hasn't ended in time.
    """
    found = _ended(submitted, api, timeout_seconds)
    status = found["status"]
    if read_run(catalog.storage, submitted.run) is None:
        what = f"Workflow {submitted.name} ended as {status['phase']} before the run began: {_told(status)}"
        fix = f"see `kubectl -n {submitted.namespace} describe workflow {submitted.name}`, and the log of its first pod"
        raise RunRefused(Diagnostic("E717", what, None, fix))
    if catalog.run(submitted.run).state not in _CLOSED:  # its last step was never run
        stopped = found["spec"].get("shutdown")  # `Stop` or `Terminate`: somebody asked for it
        failure = None if stopped else FailureInfo("infra", _told(status))
        outcome = "cancelled" if stopped else "failed"
        finish_run(catalog.storage, RunFinished(submitted.run, outcome, failure=failure, at=time.time()))
    return catalog.run(submitted.run)


def _ended(submitted: Submitted, api: CustomObjectsApi, timeout_seconds: float | None) -> dict[str, Any]:
    """The Workflow, once it has ended."""
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while True:
        found: Any = api.get_namespaced_custom_object(name=submitted.name, namespace=submitted.namespace, **_KIND)
        phase = found.get("status", {}).get("phase")
        if phase in _ENDED:
            made: dict[str, Any] = found
            return made
        if deadline is not None and time.monotonic() > deadline:
            raise TimeoutError(f"Workflow {submitted.name} is {phase or 'not begun'} after its time")
        time.sleep(_POLL_SECONDS)


def _workflow(folder: str | os.PathLike[str]) -> dict[str, Any]:
    import yaml

    with open(os.path.join(folder, "workflow.yaml"), encoding="utf-8") as file:
        made: dict[str, Any] = yaml.safe_load(file)
    return made


def _reason(error: Any) -> str:
    try:
        return str(json.loads(error.body)["message"])
    except (KeyError, TypeError, ValueError):
        return f"{error.status} {error.reason}"


def _told(status: Mapping[str, Any]) -> str:
    nodes = status.get("nodes", {}).values()
    messages = [f"{node['displayName']}: {node['message']}" for node in nodes if node.get("message")]
    return "; ".join(dict.fromkeys([status.get("message", ""), *messages])).strip("; ") or "it says nothing"
