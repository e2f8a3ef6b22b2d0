"""The options of the argo compiler that say how pods are made, as plain values: from Python, TOML or a command line.

`tasks` refines them for one task: `{"train": {"memory": "16Gi", "node_selector": {"pool": "large"}}}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from drawloom.compilers.argo.pods import (
    PodSettings,
    StepPod,
    container_part,
    on_spot,
    pod_problems,
    refined,
    spec_part,
    template_part,
)
from drawloom.errors import CompileError, Diagnostic, Span, did_you_mean
from drawloom.ir.envelope import class_by_ref
from drawloom.ir.nodes import Call
from drawloom.ir.pods import Misfit, env_pairs, image_text, items_of, pod_policy, resources_policy, toleration_policy
from drawloom.ir.policies import Policies, TolerationPolicy
from drawloom.ir.program import Program
from drawloom.ir.walk import walk

__all__ = ["OF_PODS", "PodOptions", "pod_options", "pods_of"]

# Any: options as users write them

PULL_POLICIES: Final = ("IfNotPresent", "Always", "Never")
_RESOURCES: Final = ("cpu", "memory", "disk", "gpu", "gpu_type")
_POD: Final = (
    *("node_selector", "tolerations", "priority_class", "spot", "labels", "annotations", "service_account"),
    *("volumes", "env_from_secrets", "secret_env", "image_pull_secrets"),
)
OF_PODS: Final = ("image", "image_pull_policy", "env", *_RESOURCES, *_POD)


@dataclass(frozen=True, slots=True)
class PodOptions:
    """What a target says of pods.

    Args:
        base: how they are made where nothing else is said.
        spot_selector, spot_tolerations: what its machines are that may be taken away.
        tasks: task name -> options of its pods, as they were given.
    """

    base: PodSettings
    spot_selector: tuple[tuple[str, str], ...] = ()
    spot_tolerations: tuple[TolerationPolicy, ...] = ()
    tasks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def has_spot(self) -> bool:
        """Whether it says what spot is."""
        return bool(self.spot_selector or self.spot_tolerations)


def pod_options(
    program: Program,
    given: Mapping[str, Any],
    *,
    spot_selector: Any = None,
    spot_tolerations: Any = (),
    tasks: Any = None,
) -> PodOptions:
    """The options that say how pods are made.

    Args:
        program: whose tasks may be named.
        given: option -> value, those of a task; `image` and `image_pull_policy` are among them.
        spot_selector, spot_tolerations: what spot is.
        tasks: task -> options of that task.

    Raises:
        CompileError: E720, an option is wrong, or there is no such task.
    """
    problems: list[Diagnostic] = []
    base = _checked(lambda: _settings(PodSettings("", ""), given), "", problems)
    selector = _checked(lambda: pod_policy(node_selector=spot_selector or {}).node_selector, "spot_selector", problems)
    taints = _checked(lambda: _taints(spot_tolerations), "spot_tolerations", problems)
    named: dict[str, Mapping[str, Any]] = {}
    if tasks is not None and not isinstance(tasks, Mapping):
        problems.append(_wrong("tasks", tasks, "a mapping of tasks to their options"))
        tasks = None
    for name, own in (tasks or {}).items():
        problems += _task_problems(program, name, own)
        if isinstance(own, Mapping):
            _checked(lambda own=own: _settings(PodSettings("", ""), own), f"tasks.{name}.", problems)  # type: ignore[misc]  # the loop's own
            for task in _tasks_named(program, str(name)):
                named[task] = own
    everything = {**given, "spot_selector": spot_selector, "spot_tolerations": spot_tolerations, "tasks": tasks}
    problems += _templates_in(everything)
    if base is not None:
        problems += [
            Diagnostic("E720", f"an option of the argo compiler: {what}", None, fix) for what, fix in pod_problems(base)
        ]
    if problems or base is None:
        raise CompileError(problems)
    return PodOptions(base, selector or (), taints or (), named)


def _checked(make: Callable[[], Any], prefix: str, problems: list[Diagnostic]) -> Any:
    """What `make` gives; a misfit is a problem of the option, whose name begins with `prefix` or is that."""
    try:
        return make()
    except Misfit as misfit:
        name = f"{prefix}{misfit.name}" if not prefix or prefix.endswith(".") else prefix
        problems.append(_wrong(name, misfit.value, misfit.expected))
        return None


def _wrong(name: str, value: object, expected: str) -> Diagnostic:
    return Diagnostic("E720", f"the option `{name}` of the argo compiler is {value!r}", None, f"give it {expected}")


def _taints(given: Any) -> tuple[TolerationPolicy, ...]:
    return tuple(toleration_policy(one) for one in items_of("spot_tolerations", given or (), "tolerations"))


def _settings(base: PodSettings, given: Mapping[str, Any]) -> PodSettings:
    """`base` refined by options.

    Raises:
        Misfit: one of them is wrong.
    """
    kept = {name: value for name, value in given.items() if value is not None and name in OF_PODS}
    pull = kept.get("image_pull_policy", "")
    if pull not in ("", *PULL_POLICIES):
        raise Misfit("image_pull_policy", pull, f"one of {', '.join(PULL_POLICIES)}")
    return refined(
        base,
        image=image_text(kept["image"]) if "image" in kept else "",
        pull_policy=pull,
        resources=resources_policy(**{name: _typed(name, kept[name]) for name in _RESOURCES if name in kept}),
        pod=pod_policy(**{name: _typed(name, kept[name]) for name in _POD if name in kept}),
        env=env_pairs(kept.get("env", {}), by_step=False),  # there before the container starts
    )


def _typed(name: str, value: Any) -> Any:
    """A value that was typed as a text, on a command line."""
    if name == "gpu" and isinstance(value, str) and value.isdecimal():
        return int(value)
    if name == "spot" and value in ("true", "false"):
        return value == "true"
    return value


def _task_problems(program: Program, name: object, own: object) -> Iterator[Diagnostic]:
    known = [task.name for task in program.pipeline.tasks]
    found = _tasks_named(program, str(name))
    if not found and not _is_task_elsewhere(program, str(name)):
        short = [task.rpartition(":")[2] for task in known]
        what = f"the option `tasks` of the argo compiler names `{name}`, which `{program.pipeline.name}` doesn't call"
        hint = did_you_mean(str(name), [*short, *known])
        fix = f"name one of {', '.join(short) or 'no tasks'}; one of another module as `module:task`"
        yield Diagnostic("E720", f"{what}{hint}", None, fix)
    elif len(found) > 1:
        what = f"the option `tasks.{name}` of the argo compiler means {len(found)} tasks"
        yield Diagnostic("E720", what, None, f"name one in full: {', '.join(found)}")
    elif found and any(task.name == found[0] and task.engine is not None for task in program.pipeline.tasks):
        what = (
            f"the option `tasks.{name}` of the argo compiler is for what Argo has of its own: how it runs is said there"
        )
        yield Diagnostic("E720", what, None, "leave it out, and say it in the template")
    if not isinstance(own, Mapping):
        yield _wrong(f"tasks.{name}", own, f"a mapping of {', '.join(OF_PODS)}")
        return
    for option in own:
        if option not in OF_PODS:
            what = f"the argo compiler has no option `tasks.{name}.{option}`{did_you_mean(str(option), OF_PODS)}"
            yield Diagnostic("E720", what, None, f"it takes {', '.join(OF_PODS)}")


def _tasks_named(program: Program, name: str) -> list[str]:
    known = [task.name for task in program.pipeline.tasks]
    return [task for task in known if name == task] or [task for task in known if task.rpartition(":")[2] == name]


def _is_task_elsewhere(program: Program, name: str) -> bool:
    """Whether another pipeline may call a task: a target is for all of a project."""
    module, _, qualname = name.rpartition(":")
    modules = {module} if module else {task.function.module for task in program.pipeline.tasks}
    return any(_is_task(f"{one}:{qualname}") for one in modules)


def _is_task(ref: str) -> bool:
    try:
        found = class_by_ref(ref)
    except Exception:  # noqa: BLE001  # importing a user's module may raise anything
        return False
    return type(found).__module__ == "drawloom.dsl.task"  # compilers don't import the front end


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
        yield Diagnostic("E720", what, None, "Argo would read `{{` as a template: leave it out")


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
    problems: list[Diagnostic] = []
    tasks = {node.id: node.task for node in walk(program.pipeline.body) if isinstance(node, Call)}
    of_steps: dict[str, PodSettings] = {}
    seen: dict[tuple[str, int], PodSettings] = {}  # most calls of a task share its policies
    told: set[str] = set()
    for step, own in policies.items():
        key = (tasks[step], id(own))
        if key not in seen:
            seen[key] = _settings_of(own, tasks[step], options)
            found = list(_pod_diagnostics(step, seen[key], options, program.spans.get(step)))
            problems += [one for one in found if one.what not in told]
            told |= {one.what for one in found}
        of_steps[step] = seen[key]
    if problems:
        raise CompileError(problems)
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


def _settings_of(own: Policies, task: str, options: PodOptions) -> PodSettings:
    settings = refined(options.base, image=own.image, resources=own.resources, pod=own.pod)
    target = options.tasks.get(task, {})
    settings = _settings(settings, target)
    if _typed("spot", target.get("spot")) is False:  # said of this target: not there
        settings = replace(settings, pod=replace(settings.pod, spot=False))
    return on_spot(settings, options.spot_selector, options.spot_tolerations)


def _pod_diagnostics(step: str, settings: PodSettings, options: PodOptions, where: Span | None) -> Iterator[Diagnostic]:
    node = f"node `{step}`"
    if settings.pod.spot and not options.has_spot:
        what = f"{node} is to run on spot machines (spot=True), and nothing says which these are"
        fix = "give the option spot_selector (`spot_selector.cloud.example/spot=true`), or spot_tolerations"
        yield Diagnostic("E724", what, where, fix)
    for text in _texts(settings.pod):
        if "{{" in text:
            what = f"{node} has {text!r} in its pod"
            yield Diagnostic("E725", what, where, "Argo would read `{{` as a template: leave it out")
    for what, fix in pod_problems(settings):
        yield Diagnostic("E727", f"{node}: {what}", where, fix)


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
