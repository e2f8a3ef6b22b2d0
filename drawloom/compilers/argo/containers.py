"""The pod of a container: init containers that stage files in and run the image, and one that stages files out.

Kubernetes runs init containers one after the other, and whatever ends badly ends the pod: a command that takes the
whole container with it, for its memory say, leaves nothing that waits. (The containers of a `containerSet` wait for
each other by files that a killed one never writes.) What a pod must have is the most any of them needs, not the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from drawloom.compilers.argo.pods import StepPod
from drawloom.compilers.argo.tags import input_tag
from drawloom.errors import CompileError, Diagnostic
from drawloom.ir.container import ROOT
from drawloom.ir.nodes import Call
from drawloom.ir.program import Program
from drawloom.ir.walk import walk

__all__ = ["container_template", "refuse_images"]

# Any: Argo's objects as JSON trees

_VOLUME: Final = "drawloom"
_INPUTS: Final = ("run", "step", "index")
_VARIABLES: Final = ("env", "envFrom")


def container_template(
    name: str, image: str, own: StepPod, base: Mapping[str, Any], stage: Callable[[str, Sequence[str]], dict[str, Any]]
) -> dict[str, Any]:
    """The template of the pods that run an image.

    Args:
        name: the template's name.
        image: the image.
        own: how the pod is made.
        base: the keys of the containers of all pods: the image gets none of their variables, which open the store.
        stage: makes a container of a module below `drawloom.runtimes` and its arguments.
    """
    arguments = [part for given in _INPUTS for part in (f"--{given}", input_tag(given))]
    arguments += ["--attempt", "1+{{retries}}", "--root", ROOT]
    mount = {"name": _VOLUME, "mountPath": ROOT}
    run = {**own.container, **_variables(own, base), "image": image, "command": ["/bin/sh", f"{ROOT}/run.sh"]}
    return {
        "name": name,
        "inputs": {"parameters": [{"name": given} for given in _INPUTS]},
        **own.template,
        "volumes": [{"name": _VOLUME, "emptyDir": {}}, *own.template.get("volumes", ())],
        "initContainers": [
            {"name": "stage-in", **_mounted(stage("stage_in", arguments), mount)},
            {"name": "run", **_mounted({key: value for key, value in run.items() if value}, mount)},
        ],
        "container": _mounted(stage("stage_out", arguments), mount),
    }


def _variables(own: StepPod, base: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What of a pod's variables is its task's own."""
    return {key: [one for one in own.container.get(key, ()) if one not in base.get(key, ())] for key in _VARIABLES}


def _mounted(container: Mapping[str, Any], mount: Mapping[str, str]) -> dict[str, Any]:
    return {**container, "volumeMounts": [mount, *container.get("volumeMounts", ())]}


def refuse_images(program: Program) -> None:
    """Refuses images whose names Argo would read as templates.

    Raises:
        CompileError: E736, for each call of such a container.
    """
    images = {task.name: task.container.image for task in program.pipeline.tasks if task.container is not None}
    calls = [node for node in walk(program.pipeline.body) if isinstance(node, Call) and node.task in images]
    bad = [node for node in calls if "{{" in images[node.task]]
    if bad:
        raise CompileError(
            Diagnostic(
                "E736",
                f"node `{node.id}` runs the image {images[node.task]!r}, and Argo would read `{{{{` as a template",
                program.spans.get(node.id),
                "name the image without braces",
            )
            for node in bad
        )
