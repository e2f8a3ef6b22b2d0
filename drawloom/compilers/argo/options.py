"""The options of the argo compiler that say how pods are made, and what Argo can't do with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from drawloom.compilers.argo.pods import StepPod, spec_part, template_part
from drawloom.compilers.pods.options import OF_PODS, PodOptions, pod_options, settings_of_steps
from drawloom.compilers.pods.printed import container_part
from drawloom.compilers.pods.settings import PodSettings
from drawloom.compilers.task_options import task_options
from drawloom.errors import CompileError, Diagnostic
from drawloom.ir.nodes import Call
from drawloom.ir.policies import Policies
from drawloom.ir.program import Program
from drawloom.ir.walk import walk

__all__ = ["argo_pods", "pods_of"]

# Any: options as users write them

_TEMPLATE_FIX: Final = "Argo would read `{{` as a template: leave it out"
# what Argo's own containers and a step's answers use
_TAKEN_PATHS: Final = ("/tmp/", "/var/run/argo/")  # noqa: S108  # the pod's own
_ARGO: Final = "workflows.argoproj.io/"


def argo_pods(program: Program, given: Mapping[str, Any]) -> PodOptions:
    """What a target of Argo's says of pods.

    Args:
        program: whose tasks may be named.
        given: option -> value, as the compiler was called.

    Raises:
        CompileError: E720, an option is wrong, or there is no such task.
    """
    tasks, problems = task_options("argo", program, given["tasks"], OF_PODS)
    of_pods = {name: given[name] for name in OF_PODS if name in given}
    spot = {name: given[name] for name in ("spot_selector", "spot_tolerations")}
    options, found = pod_options("argo", of_pods, tasks, _broken_rules, **spot)
    problems += [*found, *_templates_in({**of_pods, **spot, "tasks": given["tasks"]})]
    if problems:
        raise CompileError(problems)
    return options


def _broken_rules(settings: PodSettings) -> Iterator[tuple[str, str, str]]:
    pod = settings.pod
    for path in (volume.mount_path for volume in pod.volumes):
        if f"{path}/".startswith(_TAKEN_PATHS):
            yield "E727", f"a volume is mounted at {path}, which Argo and the step use", "mount it elsewhere"
    for name, pairs in (("label", pod.labels), ("annotation", pod.annotations)):
        for key, _ in pairs:
            if key.startswith(_ARGO):
                yield "E727", f"the {name} {key!r} is one of Argo's own", "choose another key"


def _rules_of_steps(settings: PodSettings) -> Iterator[tuple[str, str, str]]:
    for text in _texts(settings.pod):
        if "{{" in text:
            yield "E725", f"its pod has {text!r}", _TEMPLATE_FIX
    yield from _broken_rules(settings)


def _templates_in(tree: Any, path: str = "") -> Iterator[Diagnostic]:
    """What Argo would take for a template of its own."""
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            yield from _templates_in(name, path)
            yield from _templates_in(value, f"{path}.{name}" if path else str(name))
    elif isinstance(tree, (list, tuple)):
        for item in tree:
            yield from _templates_in(item, path)
    elif isinstance(tree, str) and "{{" in tree:
        what = f"the option `{path}` of the argo compiler is {tree!r}"
        yield Diagnostic("E720", what, None, _TEMPLATE_FIX)


def pods_of(
    program: Program, policies: Mapping[str, Policies], options: PodOptions
) -> tuple[dict[str, StepPod], dict[str, Any]]:
    """How the pods of steps are made that are made otherwise than most, by step id; and what the Workflow's spec says.

    Args:
        program: the program.
        policies: step id -> the policies of the call it runs.
        options: what the target says.

    Raises:
        CompileError: E724, a task is to run on spot machines, and the target doesn't say what these are; E725, a text
            of a task's would be a template to Argo; E727, Argo can't make such a pod.
    """
    of_steps = settings_of_steps(program, policies, options, _rules_of_steps)
    tasks = {node.id: node.task for node in walk(program.pipeline.body) if isinstance(node, Call)}
    used: dict[PodSettings, set[str]] = {}
    for step, settings in of_steps.items():
        used.setdefault(settings, set()).add(tasks[step])
    made = {
        settings: StepPod(_label(names), container_part(settings), template_part(settings, options.base))
        for settings, names in used.items()
        if settings != options.base
    }
    pull_secrets = [name for settings in used for name in settings.pod.image_pull_secrets]
    steps = {step: made[settings] for step, settings in of_steps.items() if settings in made}
    return steps, spec_part(options.base, pull_secrets)


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, tuple):
        for item in tree:
            yield from _texts(item)
    elif hasattr(tree, "__frozen_fields__"):
        for name, _ in tree.__frozen_fields__:
            yield from _texts(getattr(tree, name))


def _label(tasks: set[str]) -> str:
    """The name of the one task whose steps are made so."""
    return next(iter(tasks)).rpartition(":")[2] if len(tasks) == 1 else "pods"
