"""A live Argo: submits compiled programs, tells how they are, and ends them (`runtimes.engines.EngineClient`).

Through the Kubernetes API alone, or through Argo's own server (`runtimes.argo_access`).
"""

from __future__ import annotations

import json
import os
import secrets
import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.commands import command
from drawloom.catalog.records import Index
from drawloom.catalog.run import Run
from drawloom.errors import ConnectionLost, Diagnostic, DrawloomError, EngineError, RunRefused
from drawloom.ir.canonical import Json
from drawloom.runtimes.api_problems import PASSING, Api, ApiProblem, ended_already, gone
from drawloom.runtimes.argo_access import Access, KubernetesAccess, access_to
from drawloom.runtimes.argo_nodes import NodeWatch, held_pods, node_pods, nodes_of
from drawloom.runtimes.argo_objects import anew, give_asked, in_place_of, is_same, read_objects
from drawloom.runtimes.argo_output import without_argo
from drawloom.runtimes.begin import run_name
from drawloom.runtimes.engines import SETTLED_LOOKS, Applied, Connection, EngineRun, Finding, Status, Submission
from drawloom.runtimes.publish import begin_text, publish_program, read_engine, read_files
from drawloom.runtimes.step_errors import telling_line
from drawloom.runtimes.watching import watch

if TYPE_CHECKING:
    from kubernetes.client import CustomObjectsApi

__all__ = ["ArgoClient", "Submitted", "connect", "submit", "wait"]

# Any: objects of Kubernetes as JSON trees

_KIND: Final[dict[str, Any]] = {"group": "argoproj.io", "version": "v1alpha1", "plural": "workflows"}
_ENGINE: Final = "argo"
_ENDED: Final = ("Succeeded", "Failed", "Error")
_ORDER: Final = ("WorkflowTemplate", "CronWorkflow", "Workflow")  # a run begins once all else is there
_POLL_SECONDS: Final = 1.0
_TOLD_BYTES: Final = 64 << 10  # of a pod's output, from its end: what a step finds wrong it says last


def connect(connection: Connection) -> ArgoClient:
    """A client of the Argo that a target names."""
    return ArgoClient(access_to(connection), connection.target)


class ArgoClient:
    """`EngineClient`, for Argo Workflows.

    Args:
        access: how it is reached.
        target: the target's name, for messages and records.
    """

    def __init__(self, access: Access, target: str = "") -> None:
        self.access = access
        self.target = target
        self._watches: dict[str, NodeWatch] = {}

    def preflight(self) -> None:
        """Refuses what can't be reached, a token that isn't taken, a namespace that isn't there."""
        namespace = self.access.namespace
        with self.asking(f"list Workflows in the namespace {namespace}"):
            self.access.look(namespace)

    # giving

    def submit(self, folder: str | os.PathLike[str], asked: Mapping[str, Any], *, run: bool) -> Submission:
        """Creates the Workflow, creates or replaces what else there is; what fails half-way is taken back."""
        engine = read_engine(folder, _ENGINE)
        bodies = read_objects(folder, engine)
        bodies.sort(key=lambda body: _ORDER.index(body["kind"]))
        wanted = [body for body in bodies if run or body["kind"] != "Workflow"]
        return self._give(wanted, asked, engine["pipeline"])

    def again(self, run: EngineRun, asked: Mapping[str, Any]) -> Submission:
        """A Workflow of the same templates."""
        return self._give([anew(self._object(run))], asked, run.pipeline)

    def _give(self, bodies: Sequence[dict[str, Any]], asked: Mapping[str, Any], pipeline: str) -> Submission:
        done: list[Applied] = []
        undo: list[tuple[str, Callable[[], object]]] = []
        started: EngineRun | None = None
        try:
            for body in bodies:
                namespace = body["metadata"].setdefault("namespace", self.access.namespace)
                give_asked(body, asked)
                if self.target:
                    body["metadata"].setdefault("annotations", {})["drawloom/target"] = self.target
                if body["kind"] == "Workflow":
                    made = self._create_workflow(body, namespace, undo)
                    started = self._started(made, pipeline)
                    done.append(Applied("Workflow", made["metadata"]["name"], namespace, "created"))
                else:
                    done.append(self._apply(body, namespace, undo))
        except BaseException as error:
            left = _undone(undo)
            if isinstance(error, DrawloomError) and (undo or left):
                raise EngineError([*error.diagnostics, _half_way([name for name, _ in undo], left)]) from error
            raise
        return Submission(started, tuple(done))

    def _create_workflow(
        self, body: dict[str, Any], namespace: str, undo: list[tuple[str, Callable[[], object]]]
    ) -> dict[str, Any]:
        """Creates it under a name of our own, so that an answer that is lost can be asked for again."""
        metadata = body["metadata"]
        name = metadata["name"] = f"{metadata['generateName']}{secrets.token_hex(4)}"
        try:
            with self.asking(f"create the Workflow in the namespace {namespace}", giving=True):
                made = self.access.create("Workflow", namespace, body)
        except ConnectionLost as lost:
            undo.append((f"Workflow {name}", lambda: self._delete_if_there("Workflow", namespace, name)))
            found = None
            with suppress(ApiProblem):
                found = self.access.read("Workflow", namespace, name)
            if found is None:
                raise lost
            made = found
            undo.pop()
        undo.append((f"Workflow {name}", lambda: self.access.delete("Workflow", namespace, name)))
        return made

    def _delete_if_there(self, kind: str, namespace: str, name: str) -> None:
        if self.access.read(kind, namespace, name) is not None:
            self.access.delete(kind, namespace, name)

    def _apply(self, body: dict[str, Any], namespace: str, undo: list[tuple[str, Callable[[], object]]]) -> Applied:
        kind, name = body["kind"], body["metadata"]["name"]
        with self.asking(f"look for the {kind} {name} in the namespace {namespace}"):
            there = self.access.read(kind, namespace, name)
        if there is None:
            with self.asking(f"create the {kind} {name} in the namespace {namespace}", giving=True):
                self.access.create(kind, namespace, body)
            undo.append((f"{kind} {name}", lambda: self.access.delete(kind, namespace, name)))
            return Applied(kind, name, namespace, "created")
        if is_same(there, body):
            return Applied(kind, name, namespace, "unchanged")
        if _owner(there) != _owner(body):
            whose = "another pipeline of drawloom's" if any(_owner(there)) else "not drawloom's"
            what = f"the namespace {namespace} has a {kind} {name} already, and it is {whose}"
            delete = f"kubectl -n {namespace} delete {kind.lower()} {name}"
            fix = f"name the pipeline otherwise, or another `namespace` of the target; or delete it: `{delete}`"
            raise EngineError(Diagnostic("E759", what, None, fix))
        with self.asking(f"replace the {kind} {name} in the namespace {namespace}", giving=True):
            self.access.replace(kind, namespace, in_place_of(there, body))
        undo.append((f"{kind} {name}, as it was", lambda: self._put_back(kind, namespace, there)))
        return Applied(kind, name, namespace, "replaced")

    def _put_back(self, kind: str, namespace: str, before: Mapping[str, Any]) -> None:
        now = self.access.read(kind, namespace, before["metadata"]["name"])
        if now is not None:
            self.access.replace(kind, namespace, in_place_of(now, before))

    def _started(self, made: Mapping[str, Any], pipeline: str) -> EngineRun:
        metadata = made["metadata"]
        ids = (("workflow", metadata["name"]), ("uid", metadata["uid"]), ("namespace", metadata["namespace"]))
        return EngineRun(run_name(_ENGINE, [list(pair) for pair in ids[:2]]), ids, pipeline, self.target)

    def remove(self, submission: Submission) -> None:
        """Deletes the Workflow that was created, its pods with it; templates stay as they are."""
        for one in submission.objects:
            if one.kind == "Workflow" and one.done == "created":
                with self.asking(f"delete the Workflow {one.name}"):
                    self._delete_if_there(one.kind, one.namespace, one.name)

    # looking

    def status(self, run: EngineRun) -> Status:
        """How a Workflow is."""
        found = self._object(run)
        status = found.get("status") or {}
        nodes = nodes_of(status)
        phase = str(status.get("phase") or "")
        held, hopeless = held_pods(nodes)
        return Status(
            phase=phase,
            ended=phase in _ENDED,
            stopped=bool(found["spec"].get("shutdown")),
            message=_told(status, nodes),
            observed=tuple(self._watches.setdefault(run.run, NodeWatch()).look(found, nodes, partial(self._said, run))),
            held=held,
            hopeless=hopeless,
            suspended=bool(found["spec"].get("suspend")),
        )

    def logs(
        self, run: EngineRun, node: str, index: Index | None, *, follow: bool, settled: Callable[[], bool]
    ) -> Iterator[str]:
        """What the pods of a node print; with `follow` until it is settled."""
        printed: dict[str, int] = {}
        ended: set[str] = set()
        looks = SETTLED_LOOKS  # a pod may still print after its node has its outcome, and may have other nodes' items
        while True:
            over = settled()  # first: what is written after it is asked for is read below
            looks -= over
            found = self._object(run)
            pods = node_pods(nodes_of(found.get("status") or {}), run.id("workflow"), node, index)
            for title, pod, phase in pods:
                if pod in ended or phase in ("", "Pending"):
                    continue
                if len(pods) > 1 and pod not in printed:
                    yield f"--- {title}\n"
                stream = follow and not over and phase == "Running"
                passing = (400, *(() if over else PASSING)) if follow else ()  # 400: its container is about to start
                if (yield from self._printed(run, pod, printed, stream, passing)) and (stream or phase != "Running"):
                    ended.add(pod)
            late = any(  # Argo may learn of a short step after its end
                phase in ("", "Pending") or (looks > 0 and phase == "Running" and pod not in ended)
                for _, pod, phase in pods
            )
            if not follow or (over and not late) or (found.get("status") or {}).get("phase") in _ENDED:
                break
            time.sleep(_POLL_SECONDS)
        if not printed:
            what = f"Argo has no pod of `{node}` whose output could be read"
            inside, state = command("logs", run.address, node), command("watch", run.address)
            fix = f"`{inside}` prints what the catalog has; `{state}` tells more"
            raise EngineError(Diagnostic("E749", what, None, fix))

    def _printed(
        self, run: EngineRun, pod: str, printed: dict[str, int], follow: bool, passing: tuple[int, ...]
    ) -> Generator[str, None, bool]:
        """What a pod prints and hasn't been given yet; returns whether there will be no more."""
        skip, read = printed.setdefault(pod, 0), 0
        decoder = getincrementaldecoder("utf-8")("replace")
        pieces = without_argo(self.access.log(self._namespace(run), run.id("workflow"), pod, follow=follow))
        try:
            for piece in pieces:
                new = piece[max(0, skip - read) :]  # a log that is read again begins at its beginning
                read += len(piece)
                if new:
                    printed[pod] += len(new)
                    yield decoder.decode(new)
        except ApiProblem as problem:
            if problem.status == 404:  # the pod is gone, and its output with it
                return True
            if problem.status not in passing:
                raise self.api.problem(problem, f"read the output of the pod {pod}") from problem
            return False
        return True

    def _said(self, run: EngineRun, pod: str) -> str:
        """The line a pod printed that tells why it ended; "" if its output can't be had any more."""
        printed = b""
        try:
            for piece in without_argo(self.access.log(self._namespace(run), run.id("workflow"), pod, follow=False)):
                printed = (printed + piece)[-_TOLD_BYTES:]
        except ApiProblem:
            return ""
        return telling_line(printed.decode("utf-8", "replace").split("\n"))

    def name_of(self, run: EngineRun) -> str:
        """`Workflow argo/churn-x1`."""
        return f"Workflow {self._namespace(run)}/{run.id('workflow')}"

    # telling

    def cancel(self, run: EngineRun, *, now: bool) -> None:
        """Stops or terminates the Workflow."""
        self._order(run, "terminate" if now else "stop")

    def suspend(self, run: EngineRun) -> None:
        """Suspends the Workflow."""
        self._order(run, "suspend")

    def unsuspend(self, run: EngineRun) -> None:
        """Resumes the Workflow, in Argo's words."""
        self._order(run, "resume")

    def _order(self, run: EngineRun, verb: str) -> None:
        if self.status_phase(run) in _ENDED:
            raise ended_already(run, self.name_of(run), "stop" if verb == "terminate" else verb)
        with self.asking(f"{verb} the {self.name_of(run)}"):
            self.access.order(self._namespace(run), run.id("workflow"), verb)

    def status_phase(self, run: EngineRun) -> str:
        """Argo's word for how a Workflow is."""
        return str((self._object(run).get("status") or {}).get("phase") or "")

    # doctor

    def findings(self, options: Mapping[str, Any]) -> Iterator[Finding]:
        """See `runtimes.argo_findings`."""
        from drawloom.runtimes.argo_findings import findings

        return findings(self, options)

    def probe(self, folder: str | os.PathLike[str], catalog: Catalog) -> Iterator[Finding]:
        """See `runtimes.argo_findings`."""
        from drawloom.runtimes.argo_findings import probe

        return probe(self, folder, catalog)

    # asking

    def _namespace(self, run: EngineRun) -> str:
        return run.id("namespace") or self.access.namespace

    def _object(self, run: EngineRun) -> dict[str, Any]:
        name, namespace = run.id("workflow"), self._namespace(run)
        with self.asking(f"read the Workflow {namespace}/{name}"):
            found = self.access.read("Workflow", namespace, name)
        uid = run.id("uid")
        if found is None or (uid and found["metadata"]["uid"] != uid):
            why = "one of another `uid` has its name" if found is not None else "it was deleted, or lies elsewhere"
            raise gone(run, f"Workflow {namespace}/{name}", why)
        return found

    @property
    def api(self) -> Api:
        """Where requests go to."""
        return Api(
            place=self.access.place,
            target=self.target,
            certificate="name the authority of its certificate: `ca_file` of the target, or in the kubeconfig",
            login="your token",
            anew="get a new token (`argo auth token`), or log in to the cluster again",
            rights="see that the namespace and Argo are there, and your rights: `drawloom doctor --target NAME` looks",
            looked_at="Workflow",
        )

    def asking(self, doing: str, *, giving: bool = False) -> AbstractContextManager[None]:
        """Tells a request that fails as what it means (`Api.asking`)."""
        return self.api.asking(doing, giving=giving)


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

    def as_run(self) -> EngineRun:
        """It, as a client of an engine has it."""
        ids = (("workflow", self.name), ("uid", self.uid), ("namespace", self.namespace))
        return EngineRun(self.run, ids)


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
        RunRefused: E717, the run couldn't begin; E744, its pods can't start.
        EngineError: E740, the connection was lost for too long.
        TimeoutError: it hasn't ended in time.
    """
    client = ArgoClient(KubernetesAccess(api.api_client))
    return watch(client, submitted.as_run(), catalog, timeout_seconds=timeout_seconds)


def _workflow(folder: str | os.PathLike[str]) -> dict[str, Any]:
    found = read_objects(folder, read_engine(folder, _ENGINE))
    return next(body for body in found if body["kind"] == "Workflow")


def _undone(undo: Sequence[tuple[str, Callable[[], object]]]) -> list[str]:
    """Takes back what was done, the last first; what couldn't be."""
    left = []
    for name, back in reversed(undo):
        try:
            back()
        except ApiProblem as problem:
            left.append(f"{name} ({problem.message})")
    return left


def _half_way(names: Sequence[str], left: Sequence[str]) -> Diagnostic:
    if left:
        what = f"the deployment failed half-way, and this couldn't be taken back: {', '.join(left)}"
        return Diagnostic("E746", what, None, "look for it with kubectl, and delete it")
    what = f"the deployment failed half-way; it was taken back: {', '.join(names)}"
    return Diagnostic("E746", what, None, "mend what is said above, and deploy again: nothing of it runs")


def _owner(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Whose object it is: the pipeline, its store and its project, as the compiler writes them."""
    told = body["metadata"].get("annotations") or {}
    return tuple(told.get(f"drawloom/{name}", "") for name in ("pipeline", "store", "project"))


def _reason(error: Any) -> str:
    try:
        return str(json.loads(error.body)["message"])
    except (KeyError, TypeError, ValueError):
        return f"{error.status} {error.reason}"


def _told(status: Mapping[str, Any], nodes: Mapping[str, Any]) -> str:
    messages = [f"{node['displayName']}: {node['message']}" for node in nodes.values() if node.get("message")]
    return "; ".join(dict.fromkeys([status.get("message", ""), *messages])).strip("; ") or "it says nothing"
