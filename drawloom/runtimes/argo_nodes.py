"""What the status of a Workflow tells of node instances: of pods that no process lived to speak for.

A step says itself how it ended, by its exit code and its records. What is looked for here is the rest: a container that
was killed for its memory, a pod that was evicted or deleted, a step that never began because one before it failed, or
because somebody stopped the Workflow.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from drawloom.catalog.records import Index
from drawloom.ir.protocol import DONE, FAILED_FINAL, FAILED_RETRY, SKIPPED, parse_indices
from drawloom.runtimes.engines import Observed
from drawloom.runtimes.step import LOST

__all__ = ["NodeWatch", "held_pods", "node_pods", "nodes_of", "pod_name"]

# Any: objects of Kubernetes as JSON trees

_SPOKEN: Final = frozenset(map(str, (DONE, FAILED_RETRY, FAILED_FINAL, SKIPPED)))
_ENDED_BADLY: Final = ("Failed", "Error")
_ATTEMPT: Final = re.compile(r"\((\d+)\)$")
_SAME_INDEX: Final = ("-", "{{inputs.parameters.index}}")
_EVICTED: Final = ("evicted", "low on resource", "preempt", "node shutdown", "node is shutting down")
# what Kubernetes waits for and nobody mends but the user; a machine that is too small may be joined by a larger one
_HOPELESS: Final = (
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
)
_GIVE: Final = ":give"  # the end of the id of a step that lies beside what Argo has of its own
_Place = tuple[str, tuple[Index, ...]]
_LONGEST_PREFIX: Final = 253 - 10  # of a pod's name, as Argo has it
_DETAIL_CHARACTERS: Final = 2000


def nodes_of(status: Mapping[str, Any]) -> dict[str, Any]:
    """The nodes of a Workflow's status: a large one has them packed."""
    packed = status.get("compressedNodes")
    if packed:
        found: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed)))
        return found
    return dict(status.get("nodes") or {})


class NodeWatch:
    """Tells of each node of a Workflow once."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def look(
        self, workflow: Mapping[str, Any], nodes: Mapping[str, Any], said: Callable[[str], str]
    ) -> Iterator[Observed]:
        """What is new.

        Args:
            workflow: the object.
            nodes: those of its status, by id.
            said: the line that tells most of what a pod has printed, by the pod's name; "" if none can be had.
        """
        stopped = bool(workflow.get("spec", {}).get("shutdown"))
        tasks: dict[str, dict[str, Any]] | None = None
        for id_, node in nodes.items():
            if id_ in self._told:
                continue
            phase, kind = node.get("phase"), node.get("type")
            if kind == "Pod" and phase in _ENDED_BADLY:
                self._told.add(id_)
                yield from _of_pod(node, stopped, workflow, said)
            elif phase == "Omitted":
                self._told.add(id_)
                if tasks is None:
                    tasks = _tasks(workflow)
                yield from _of_omitted(node, nodes, tasks)


def _of_pod(
    node: Mapping[str, Any], stopped: bool, workflow: Mapping[str, Any], said: Callable[[str], str]
) -> Iterator[Observed]:
    step, at = _place(node)
    if not step:
        return
    code = str((node.get("outputs") or {}).get("exitCode", ""))
    if code in _SPOKEN:
        return
    message = str(node.get("message", ""))
    event = _event(message, stopped)
    if code == str(LOST):  # the step has said itself why it couldn't do its work
        message = ": ".join(filter(None, (message, said(pod_name(workflow["metadata"]["name"], node)))))
    found = _ATTEMPT.search(node.get("displayName", ""))
    attempt = int(found[1]) + 1 if found else 1
    for index in at:
        yield Observed(step.partition(":")[0], index, attempt, event, message[:_DETAIL_CHARACTERS])


def _event(message: str, stopped: bool) -> str:
    lowered = message.lower()
    if "oomkilled" in lowered:
        return "out_of_memory"
    if any(word in lowered for word in _EVICTED):
        return "evicted"
    return "cancelled" if stopped or "workflow shutdown" in lowered else "lost"


def _of_omitted(
    node: Mapping[str, Any], nodes: Mapping[str, Any], tasks: Mapping[str, Mapping[str, Any]]
) -> Iterator[Observed]:
    """A step of the same block as one that failed; of what lies in maps and loops that never began nothing is said."""
    around = nodes.get(node.get("boundaryID", ""), {})
    task = tasks.get(around.get("templateName", ""), {}).get(node.get("displayName", ""))
    given = _given(task.get("arguments")) if task is not None else {}
    step, index = given.get("step", ""), given.get("index", "")
    if not step or ":" in step or index not in _SAME_INDEX:  # a call; what else is skipped follows from calls
        return
    if index != "-":
        index = _given(around.get("inputs")).get("index", "")
    for one in _indices(index):
        yield Observed(step, one, 1, "skipped", str(node.get("message", ""))[:_DETAIL_CHARACTERS])


def _tasks(workflow: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Template -> task -> the task, of a Workflow's DAGs."""
    status = workflow.get("status", {})
    spec = status.get("storedWorkflowTemplateSpec") or workflow.get("spec", {})
    return {
        template["name"]: {task["name"]: task for task in template["dag"]["tasks"]}
        for template in spec.get("templates", ())
        if "dag" in template
    }


def _place(node: Mapping[str, Any]) -> _Place:
    """The step a pod runs, and for which index vectors; "" if it is none of a program's steps."""
    given = _given(node.get("inputs"))
    step = given.get("step", "")
    if not step or step.startswith(":"):
        return "", ()
    return step, _indices(given.get("index", ""))


def _owner(node: Mapping[str, Any], nodes: Mapping[str, Any], owners: Mapping[str, _Place]) -> _Place:
    """The place of the engine node that a pod of Argo's own belongs to."""
    around = node.get("boundaryID", "")
    while around:
        if around in owners:
            return owners[around]
        around = nodes.get(around, {}).get("boundaryID", "")
    return "", ()


def _indices(text: str) -> tuple[Index, ...]:
    try:
        return tuple(parse_indices(text))
    except ValueError:
        return ()


def _given(holder: Any) -> dict[str, str]:
    parameters = (holder or {}).get("parameters") or ()
    return {one["name"]: str(one["value"]) for one in parameters if "value" in one}


def held_pods(nodes: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    """Why pods can't start, and whether nothing but such pods is left.

    Args:
        nodes: of a Workflow's status, by id.
    """
    held: dict[str, None] = {}
    hopeless = going = 0
    for node in nodes.values():
        if node.get("type") != "Pod":
            continue
        phase, message = node.get("phase"), str(node.get("message", ""))
        if phase == "Running":
            going += 1
        elif phase == "Pending" or phase is None:
            reason = message.partition(":")[0]
            if reason in _HOPELESS:
                hopeless += 1
            else:
                going += 1
            if reason in _HOPELESS or reason == "Unschedulable":
                held[" ".join(message.split())] = None
    return tuple(held), bool(hopeless) and not going


def node_pods(nodes: Mapping[str, Any], workflow: str, node: str, index: Index | None) -> list[tuple[str, str, str]]:
    """(title, pod, phase) of the pods that have run a node of the pipeline, or run it, in the order they began.

    Args:
        nodes: of a Workflow's status, by id.
        workflow: its name.
        node: a call's or a control node's id.
        index: which instance; None for all.
    """
    found = []
    owners = {one.get("boundaryID"): _place(one) for one in nodes.values() if _place(one)[0].endswith(_GIVE)}
    for one in nodes.values():
        if one.get("type") != "Pod":
            continue
        step, at = _place(one)
        if not step and owners:
            step, at = _owner(one, nodes, owners)
        inside = step.partition(":")[0] == node or step.startswith(f"{node}/")
        if inside and (index is None or any(have[: len(index)] == index for have in at)):
            label = one.get("displayName", one["id"])
            found.append((str(one.get("startedAt") or "9"), label, pod_name(workflow, one), str(one.get("phase", ""))))
    return [(label, pod, phase) for _, label, pod, phase in sorted(found)]


def pod_name(workflow: str, node: Mapping[str, Any]) -> str:
    """The name of a node's pod, as Argo makes it (workflow/util/pod_name.go)."""
    if node["name"] == workflow:
        return workflow
    template = (node.get("templateRef") or {}).get("template") or node.get("templateName")  # one of another object
    prefix = f"{workflow}-{template}" if template else workflow
    return f"{prefix[: _LONGEST_PREFIX - 1]}-{_fnv32a(node['name'].encode('utf-8'))}"


def _fnv32a(data: bytes) -> int:
    made = 0x811C9DC5
    for byte in data:
        made = (made ^ byte) * 0x01000193 & 0xFFFFFFFF
    return made
