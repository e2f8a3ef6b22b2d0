"""What a pipeline declares: its name and kind, parameters, results, the interfaces of its tasks, and all policies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drawloom.errors import did_you_mean
from drawloom.frozen import dataclass, field_defaults
from drawloom.ir.assign import const_fits
from drawloom.ir.checks.context import Context, Ports
from drawloom.ir.nodes import KNOWN_FEATURES, Call, Map, Port
from drawloom.ir.notation import cut, format_ref, printable
from drawloom.ir.policies import INFRA, TIMEOUT, Policies, RetryPolicy, SchedulePolicy
from drawloom.ir.problems import TypeProblem
from drawloom.ir.tasks import InputPath, InputText, TaskSpec, how_it_runs
from drawloom.ir.types import ANY, TYPE_NAMES, Type

__all__ = [
    "Interface",
    "check_interface",
    "check_map_policies",
    "check_node_policies",
    "check_policies",
    "repeated",
    "sound",
]

_KINDS = {"batch": "", "serve": "reserved for a later version", "stream": "reserved for a later version"}
_PARALLEL_SCOPES = ("loop",)


@dataclass(frozen=True, slots=True)
class Interface:
    """A task's interface, ready for its calls.

    Args:
        inputs: (name, type) in the order of the function's parameters.
        required: the names of those without a default.
        ports: the one port `result`.
    """

    inputs: tuple[tuple[str, Type], ...]
    required: frozenset[str]
    ports: Ports


def check_interface(context: Context) -> dict[str, Interface]:
    """Checks all that is declared; returns the interfaces of the tasks by name."""
    pipeline = context.pipeline
    if not pipeline.name.strip():
        context.report("G201", "the pipeline has no name", "give it one: artifacts are named after it")
    _check_kind(context)
    for feature in pipeline.requires:
        if feature not in KNOWN_FEATURES:
            what = f"the pipeline requires the feature `{feature}`, which this drawloom doesn't know"
            context.report(
                "G226", f"{what}{did_you_mean(feature, KNOWN_FEATURES)}", "use a newer drawloom, or do without it"
            )
    _check_ports(context, pipeline.params, "the parameter `{}` of the pipeline")
    context.params = {p.name: sound(context, p.type, f"the parameter `{p.name}`") for p in pipeline.params}
    repeated(context, [p.name for p in pipeline.results], "the pipeline declares the result `{}` twice")
    _check_seconds(context, pipeline.policies.run_timeout_seconds, "run_timeout_seconds of the pipeline")
    _check_schedule(context, pipeline.policies.schedule)
    return _interfaces(context)


def _check_schedule(context: Context, schedule: SchedulePolicy | None) -> None:
    if schedule is None:
        return
    from drawloom.ir.cron import BadCron, Cron, UnknownZone, zone_of  # few pipelines have one

    try:
        Cron(schedule.cron)
    except BadCron as problem:
        context.report("D165", f"the schedule {schedule.cron!r} is wrong: {problem.what}", problem.fix)
    try:
        zone_of(schedule.zone)
    except UnknownZone:
        what = f"there is no time zone {schedule.zone!r}, as the schedule has it"
        context.report("G235", what, "name one of the IANA data base, such as `Europe/Berlin` or `UTC`")
    for name, values in (("catch_up", ("none", "latest", "all")), ("overlap", ("skip", "replace", "allow"))):
        if getattr(schedule, name) not in values:
            what = f"the schedule has {name}={getattr(schedule, name)!r}"
            context.report("D165", what, f"use one of {', '.join(values)}")


def _check_kind(context: Context) -> None:
    kind = context.pipeline.kind
    if kind != "batch":
        reason = _KINDS.get(kind) or f"unknown{did_you_mean(kind, _KINDS)}"
        context.report("G227", f"the pipeline's kind `{kind}` is {reason}", "use `batch`")


def _check_ports(context: Context, ports: Sequence[Port], what: str) -> None:
    repeated(context, [p.name for p in ports], f"{what} is declared twice")
    for port in ports:
        if port.default is None:
            continue
        try:
            fits = const_fits(port.default, sound(context, port.type, what.format(port.name)))
        except TypeProblem as problem:
            context.problem(problem)
            continue
        if not fits:
            got = cut(printable(port.default), 40)
            text = f"the default of {what.format(port.name)} must be {port.type}, got {got}"
            context.report("G225", text, f"give a default of type {port.type}, or declare another type")


def _interfaces(context: Context) -> dict[str, Interface]:
    found: dict[str, Interface] = {}
    for spec in context.pipeline.tasks:
        name = format_ref(spec.name)
        if spec.name in found:
            what = f"two tasks are named `{name}`"
            context.report("G214", what, "a task's name is its `module:qualname`: list each function once")
            continue
        _check_ports(context, spec.inputs, f"the input `{{}}` of `{name.replace('{', '{{').replace('}', '}}')}`")
        check_policies(context, spec.policies, f"`{name}`", runs=how_it_runs(spec))
        _check_container(context, spec, name)
        found[spec.name] = Interface(
            inputs=tuple((p.name, sound(context, p.type, f"the input `{p.name}` of `{name}`")) for p in spec.inputs),
            required=frozenset(p.name for p in spec.inputs if p.default is None),
            ports={"result": sound(context, spec.result, f"the result of `{name}`")},
        )
    return found


def _check_container(context: Context, spec: TaskSpec, name: str) -> None:
    inputs = [port.name for port in spec.inputs]
    parts = [part for argument in (spec.container.command if spec.container else ()) for part in argument]
    for part in parts:
        if isinstance(part, (InputPath, InputText)) and part.name not in inputs:
            what = f"the container of `{name}` is given `{printable(part.name)}`, which is none of its inputs"
            context.report(
                "G204", f"{what}{did_you_mean(part.name, inputs)}", f"its parameters are {', '.join(inputs)}"
            )


def repeated(context: Context, names: Iterable[str], what: str) -> None:
    """Reports the names that occur more than once; `what` has a `{}` for the name."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            context.report("G230", what.format(name), "give each its own name")
        seen.add(name)


def sound(context: Context, type_: Type, what: str) -> Type:
    """The type, if it is well formed; else reports it and gives `any`."""
    reason = _malformed(type_)
    if reason is None:
        return type_
    if (what, reason) not in context.reported:
        context.reported.add((what, reason))
        context.report("G228", f"the type of {what} is malformed: {reason}", "use the forms in drawloom.ir.types")
    return ANY


def _malformed(type_: Type) -> str | None:
    if type_.name not in TYPE_NAMES:
        return f"there is no type `{printable(type_.name)}`{did_you_mean(type_.name, TYPE_NAMES)}"
    wanted = TYPE_NAMES[type_.name]
    if wanted is not None and len(type_.args) != wanted:
        return f"`{type_.name}` takes {wanted} type argument{'s' * (wanted != 1)}, got {len(type_.args)}"
    if type_.name == "union" and not type_.args:
        return "`union` has no members"
    for inner in (*type_.args, *(t for _, t in type_.fields)):
        reason = _malformed(inner)
        if reason is not None:
            return reason
    return None


# policies


def check_policies(context: Context, policies: Policies, what: str, *, runs: str) -> None:
    """Checks the policies of a task or a call; `what` names it in messages, `runs` is as for `how_it_runs`."""
    if runs == "engine":
        _check_engine_policies(context, policies, what)
        return
    for option in ("env", "image", "packages") if runs == "container" else ():
        if getattr(policies, option):
            text = f"{what} runs a container, and is given `{option}`: what is in it is said by `run_image`"
            context.report("G236", text, "give it to `run_image`, or take the call out of the options around it")
    _check_retry(context, policies.retry, what)
    _check_seconds(context, policies.attempt_timeout_seconds, f"attempt_timeout_seconds of {what}")
    _check_seconds(context, policies.node_timeout_seconds, f"node_timeout_seconds of {what}")


def _check_engine_policies(context: Context, policies: Policies, what: str) -> None:
    for option, standard in field_defaults(Policies):
        if getattr(policies, option) != standard:
            text = f"{what} runs what an engine has of its own, and is given `{option}`: how that runs is said there"
            context.report("G237", text, "say it there, or take the call out of the options around it")


def _check_retry(context: Context, retry: RetryPolicy, what: str) -> None:
    if retry.max_attempts < 1:
        text = f"retry of {what} has max_attempts={retry.max_attempts}; the first try counts too"
        context.report("G222", text, "use at least 1 (1 means: no retry)")
    for name in ("delay_seconds", "factor", "max_delay_seconds"):
        value = getattr(retry, name)
        if not value >= 0:  # NaN too
            context.report("G222", f"retry of {what} has {name}={value}", "use a number that isn't negative")
    for name in retry.on:
        if ":" not in name and name not in (INFRA, TIMEOUT):
            text = f"retry of {what} is on `{name}`, which is neither `module:qualname` of an exception class"
            text = f"{text} nor `{INFRA}` or `{TIMEOUT}`{did_you_mean(name, (INFRA, TIMEOUT))}"
            context.report("G222", text, "name the class in full: `builtins:ValueError`")


def _check_seconds(context: Context, seconds: float | None, what: str) -> None:
    if seconds is not None and not seconds > 0:
        context.report("G223", f"{what} is {seconds}", "use a number of seconds above 0, or None for no limit")


def check_map_policies(context: Context, node: Map) -> None:
    """Checks how a map is spread."""
    if node.batch_size < 1:
        context.report("G224", f"the map `{node.id}` has batch_size={node.batch_size}", "use at least 1")
    parallelism = node.parallelism
    if parallelism is not None and parallelism.limit < 1:
        text = f"the map `{node.id}` has parallelism={parallelism.limit}"
        context.report("G224", text, "use at least 1, or leave it out for no limit")
    if parallelism is not None and parallelism.scope not in _PARALLEL_SCOPES:
        text = f"the map `{node.id}` counts its parallelism within `{parallelism.scope}`"
        context.report("G224", f"{text}{did_you_mean(parallelism.scope, _PARALLEL_SCOPES)}", "use the scope `loop`")


def check_node_policies(context: Context, node: Call) -> None:
    """Checks the policies a call has of its own; those it shares with calls before it are told once."""
    runs = context.runs.get(node.task, "function")
    if node.policies is not None and (id(node.policies), runs) not in context.sound_policies:
        known = len(context.found)
        check_policies(context, node.policies, f"`{node.id}`", runs=runs)
        if len(context.found) == known:
            context.sound_policies.add((id(node.policies), runs))
