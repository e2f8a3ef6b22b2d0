"""The options of compilers that say how pods are made, as plain values: from Python, TOML or a command line.

`tasks` refines them for one task: `{"train": {"memory": "16Gi", "node_selector": {"pool": "large"}}}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from drawloom.compilers.pods.settings import PodSettings, on_spot, refined
from drawloom.compilers.task_options import TaskOptions, wrong_option
from drawloom.errors import CompileError, Diagnostic, Span
from drawloom.ir.nodes import Call
from drawloom.ir.pods import Misfit, env_pairs, image_text, items_of, pod_policy, resources_policy, toleration_policy
from drawloom.ir.policies import Policies, TolerationPolicy
from drawloom.ir.program import Program
from drawloom.ir.walk import walk

__all__ = ["OF_PODS", "PodOptions", "Rules", "pod_options", "settings_of_steps"]

# Any: options as users write them

Rules = Callable[[PodSettings], Iterable[tuple[str, str, str]]]
"""What an engine can't do with a pod: (code, what, fix) of each."""

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
    engine: str,
    given: Mapping[str, Any],
    tasks: Sequence[TaskOptions],
    rules: Rules,
    *,
    spot_selector: Any = None,
    spot_tolerations: Any = (),
) -> tuple[PodOptions, list[Diagnostic]]:
    """The options that say how pods are made, and what is wrong with them (E720).

    Args:
        engine: whose options they are.
        given: option -> value, those of a task; `image` and `image_pull_policy` are among them.
        tasks: what is said of one task.
        rules: what the engine can't do.
        spot_selector, spot_tolerations: what spot is.
    """
    problems: list[Diagnostic] = []

    def checked(make: Callable[[], Any], prefix: str) -> Any:
        """What `make` gives; a misfit is a problem of the option, whose name begins with `prefix` or is that."""
        try:
            return make()
        except Misfit as misfit:
            name = f"{prefix}{misfit.name}" if not prefix or prefix.endswith(".") else prefix
            problems.append(wrong_option(engine, name, misfit.value, misfit.expected))
            return None

    nothing = PodSettings("", "")
    base = checked(lambda: _settings(nothing, given), "")
    selector = checked(lambda: pod_policy(node_selector=spot_selector or {}).node_selector, "spot_selector")
    taints = checked(lambda: _taints(spot_tolerations), "spot_tolerations")
    for one in tasks:
        checked(lambda one=one: _settings(nothing, one.options), f"tasks.{one.written}.")  # type: ignore[misc]  # the loop's own
    if base is not None:
        problems += [
            Diagnostic("E720", f"an option of the {engine} compiler: {what}", None, fix) for _, what, fix in rules(base)
        ]
    named = {task: one.options for one in tasks for task in one.tasks}
    return PodOptions(base or nothing, selector or (), taints or (), named), problems


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


def settings_of_steps(
    program: Program,
    policies: Mapping[str, Policies],
    options: PodOptions,
    rules: Rules,
    *,
    chooses_machines: bool = True,
) -> dict[str, PodSettings]:
    """How the pods of steps are made, by step id.

    Args:
        program: the program.
        policies: step id -> the policies of the call it runs.
        options: what the target says.
        rules: what the engine can't do.
        chooses_machines: whether it has any machines to choose from; else spot is whatever there is.

    Raises:
        CompileError: E724, a task is to run on spot machines, and the target doesn't say what these are; and what
            `rules` tells of.
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
            lacks_spot = seen[key].pod.spot and chooses_machines and not options.has_spot
            found = list(_problems(step, seen[key], rules, program.spans.get(step), lacks_spot=lacks_spot))
            problems += [one for one in found if one.what not in told]
            told |= {one.what for one in found}
        of_steps[step] = seen[key]
    if problems:
        raise CompileError(problems)
    return of_steps


def _settings_of(own: Policies, task: str, options: PodOptions) -> PodSettings:
    settings = refined(options.base, image=own.image, resources=own.resources, pod=own.pod)
    target = options.tasks.get(task, {})
    settings = _settings(settings, target)
    if _typed("spot", target.get("spot")) is False:  # said of this target: not there
        settings = replace(settings, pod=replace(settings.pod, spot=False))
    return on_spot(settings, options.spot_selector, options.spot_tolerations)


def _problems(
    step: str, settings: PodSettings, rules: Rules, where: Span | None, *, lacks_spot: bool
) -> Iterator[Diagnostic]:
    node = f"node `{step}`"
    if lacks_spot:
        what = f"{node} is to run on spot machines (spot=True), and nothing says which these are"
        fix = "give the option spot_selector (`spot_selector.cloud.example/spot=true`), or spot_tolerations"
        yield Diagnostic("E724", what, where, fix)
    for code, what, fix in rules(settings):
        yield Diagnostic(code, f"{node}: {what}", where, fix)
