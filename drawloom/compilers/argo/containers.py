"""The template of a container (`pods.staged`). (The containers of a `containerSet` wait for each other by files that a
killed one never writes.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from drawloom.compilers.argo.pods import StepPod
from drawloom.compilers.argo.tags import input_tag
from drawloom.compilers.pods.staged import STAGE_OUT, staged
from drawloom.errors import CompileError, Diagnostic
from drawloom.ir.container import ROOT
from drawloom.ir.nodes import Call
from drawloom.ir.program import Program
from drawloom.ir.walk import walk

__all__ = ["container_template", "refuse_images"]

# Any: Argo's objects as JSON trees

_INPUTS: Final = ("run", "step", "index")


def container_template(
    name: str, image: str, own: StepPod, base: Mapping[str, Any], stage: Callable[[str, Sequence[str]], dict[str, Any]]
) -> dict[str, Any]:
    """The template of the pods that run an image.

    Args:
        name: the template's name.
        image: the image.
        own: how the pod is made.
        base: the keys of the containers of all pods.
        stage: makes a container of a module below `drawloom.runtimes` and its arguments.
    """
    arguments = [part for given in _INPUTS for part in (f"--{given}", input_tag(given))]
    arguments += ["--attempt", "1+{{retries}}", "--root", ROOT]
    stages = (stage(module, arguments) for module in ("stage_in", STAGE_OUT))
    made = staged(image, own.container, base, *stages)
    volumes = [*made.pop("volumes"), *own.template.get("volumes", ())]
    inputs = [{"name": given} for given in _INPUTS]
    return {"name": name, "inputs": {"parameters": inputs}, **own.template, "volumes": volumes, **made}


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
