"""Coming back to a run: finding its pipeline again, and what of it need not be done again.

A run's record names the *target* its pipeline came from, relative to the project, so that it is found on another
machine too; where that leads nowhere, the source line of the program does.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drawloom.catalog.commands import command
from drawloom.catalog.outcomes import read_run
from drawloom.catalog.records import Commit, Index, RunStarted
from drawloom.catalog.run import Run
from drawloom.catalog.run_problems import RunNames, no_node
from drawloom.catalog.runlog import is_alive
from drawloom.dsl.pipeline import Pipeline
from drawloom.dsl.place import function_span
from drawloom.errors import Diagnostic, ProjectError, RunRefused, StoreError, did_you_mean
from drawloom.graphs import checked
from drawloom.ir.canonical import Json
from drawloom.ir.envelope import encode
from drawloom.ir.layout import layout
from drawloom.ir.nodes import Block, Call, Node
from drawloom.ir.nodes import Pipeline as PipelineNode
from drawloom.ir.tasks import TaskSpec
from drawloom.ir.types import Type
from drawloom.ir.walk import walk
from drawloom.project.origin import attribute, origin, project_root

if TYPE_CHECKING:
    from drawloom.dsl.tracing import Trace

__all__ = [
    "Resumption",
    "adoptable",
    "find_pipeline",
    "params_again",
    "refuse_other_kinds",
    "resumption",
    "retraced",
    "times_again",
    "unfinished",
]

AnyPipeline = Pipeline[..., Any]  # Any: whatever the pipeline returns
_LOCAL_ID = re.compile(r"\d{8}-\d{6}-")
_SHOWN = 5
_NOT_THERE = {"P610", "P611", "P613"}


def find_pipeline(run: Run, target: str | None = None) -> AnyPipeline:
    """The pipeline a run was made of, as it is now.

    Args:
        run: the run.
        target: where it is, as on the command line; None for where the run's record says.

    Raises:
        ProjectError: P660, it can't be found; P610-P614, the target given leads nowhere, or importing it fails.
    """
    from drawloom.cli.target import load_target  # only here: whoever has the pipeline needs no target
    from drawloom.project import find_project

    project = find_project(Path.cwd())
    if target is not None:
        return load_target(target, project)
    tried: list[str] = []
    for place in _places(run):
        found = _already_loaded(place)
        try:
            found = found or load_target(place, project)
        except ProjectError as error:
            if not {d.code for d in error.diagnostics} <= _NOT_THERE:  # it is there, and broken: that must be told
                raise
        if found is not None and found.name == run.pipeline:  # else another project's file of the same name
            return found
        tried.append(place)
    what = f"the pipeline `{run.pipeline}` of run {run.id} can't be found again"
    what += f": it isn't at {', '.join(tried)}" if tried else ": its record names no file or module"
    raise ProjectError(
        Diagnostic("P660", what, run.program.spans.get(""), "say where it is: --pipeline file.py:name, or `pipeline=`")
    )


def _places(run: Run) -> Iterator[str]:
    """Targets, the likeliest first."""
    target = run.record.target
    place, _, name = target.rpartition(":")
    if place.endswith(".py"):
        yield f"{Path(project_root(), place)}:{name}"
    elif place:
        yield target
    span = run.program.spans.get("")
    if span is not None and span.file.endswith(".py") and span.symbol and "<" not in span.symbol:
        found = f"{span.file}:{span.symbol}"
        if found != f"{Path(project_root(), place)}:{name}":
            yield found


def _already_loaded(target: str) -> AnyPipeline | None:
    """The pipeline of a target whose module this process has imported."""
    place, _, name = target.rpartition(":")
    if place.endswith(".py"):
        path = os.path.realpath(place)
        modules = [m for m in list(sys.modules.values()) if _is_file_of(m, path)]
    else:
        modules = [sys.modules[place]] if place in sys.modules else []
    for module in modules:
        found = attribute(module, name)
        if isinstance(found, Pipeline):
            return found
    return None


def _is_file_of(module: object, path: str) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and os.path.basename(file) == os.path.basename(path) and os.path.realpath(file) == path


# its graph and its parameters, as they are now


def retraced(run: Run, pipeline: AnyPipeline) -> Trace:
    """The pipeline traced again with the compile-time parameters of a run, and checked.

    Raises:
        RunRefused: R552, a compile-time parameter no longer fits.
        DefinitionError: it can't be traced (D1..).
        CheckFailed: its graph is wrong (G2..).
    """
    from drawloom.dsl.tracing import trace

    values = run.catalog.values
    known = pipeline.signature().static
    given: dict[str, object] = {}
    problems: list[str] = []
    for name, ref in run.record.static:
        if name not in known:
            problems.append(f"it has no compile-time parameter `{name}`{did_you_mean(name, known)}")
            continue
        given[name] = values.decode(values.tree(ref))
        problems += _misfit(name, given[name], known[name])
    if problems:
        raise _no_fit(run, pipeline, problems)
    return checked(trace(pipeline, given))


def params_again(run: Run, pipeline: AnyPipeline, now: PipelineNode) -> dict[str, Json]:
    """The trees of a run's parameters, for the pipeline as it is now; new ones take their defaults.

    Raises:
        RunRefused: R552, a parameter is gone, is of another type, or is new and has no default.
    """
    values = run.catalog.values
    ports = {port.name: port for port in now.params}
    before = {port.name: port.type for port in run.program.pipeline.params}
    given = dict(run.record.params)
    problems = [f"it has no parameter `{name}`{did_you_mean(name, ports)}" for name in given if name not in ports]
    trees: dict[str, Json] = {}
    for name, port in ports.items():
        if name in given:
            trees[name] = values.tree(given[name])
            if before.get(name) != port.type:
                problems += _misfit(name, values.decode(trees[name]), port.type)
        elif port.default is not None:
            trees[name] = json.loads(port.default)
        else:
            problems.append(f"its parameter `{name}` is new and has no default")
    if problems:
        raise _no_fit(run, pipeline, problems)
    return trees


def _misfit(name: str, value: object, type_: Type) -> list[str]:
    from drawloom.values.conform import conform

    problem = conform(value, type_)
    return [] if problem is None else [f"its parameter `{name}` is {type_} now: {problem}"]


def _no_fit(run: Run, pipeline: AnyPipeline, problems: list[str]) -> RunRefused:
    where = function_span(pipeline.function)
    fix = "run the pipeline anew with `drawloom run`: what is unchanged is answered from the cache"
    return RunRefused(
        Diagnostic("R552", f"the parameters of run {run.id} no longer fit `{pipeline.name}`: {text}", where, fix)
        for text in problems
    )


def refuse_other_kinds(run: Run, node: str, now: PipelineNode | None = None) -> tuple[Call, TaskSpec]:
    """The call a node is, and its task.

    Args:
        run: the run the node is of.
        node: its id.
        now: the pipeline as it is now; None to look into the run's own.

    Raises:
        StoreError: S454, the run has no such node; S496, it isn't a call of a task.
        RunRefused: R553, the pipeline as it is now has no such call.
    """
    pipeline = now or run.program.pipeline
    nodes: dict[str, Node] = {n.id: n for n in walk(pipeline.body)}
    found = nodes.get(node)
    if isinstance(found, Call):
        return found, next(spec for spec in pipeline.tasks if spec.name == found.task)
    where = run.program.spans.get(node)
    if now is not None:
        fix = "give the node its name back, or run the pipeline again and debug that run"
        what = f"`{now.name}` no longer has the call `{node}` of run {run.id}{did_you_mean(node, nodes)}"
        raise RunRefused(Diagnostic("R553", what, where, fix))
    names = RunNames(run.address, run.pipeline, run.program.spans)
    if found is None:
        raise StoreError(no_node(names, node, list(nodes)))
    inside = [n.id for n in walk(Block((found,))) if isinstance(n, Call)]
    shown = ", ".join(f"`{name}`" for name in inside[:_SHOWN])
    what = f"`{node}` is a {layout(pipeline)[node].kind}, and only a call of a task can be made again"
    fix = f"name a call in it: {shown}" if inside else "name a call of a task; `drawloom show` lists them"
    raise StoreError(Diagnostic("S496", what, where, fix))


def times_again(record: RunStarted) -> dict[str, Json]:
    """The facts about a run that its caller knew, as trees by `RunInfo` field."""
    from datetime import datetime

    texts = {"logical_time": record.logical_time} if record.logical_time else {}
    if record.interval:
        texts |= {"interval_start": record.interval[0], "interval_end": record.interval[-1]}
    return {name: encode(datetime.fromisoformat(text)) for name, text in texts.items()}


# what a run has left


@dataclass(frozen=True, slots=True)
class Resumption:
    """What goes on with a run.

    Args:
        run: the run that is gone on with: the last one of its chain.
        trace: its pipeline as it is now.
        params: the trees of its parameters.
        info: the facts about it that its caller knew.
        adopt: the commits that may be adopted.
        told: what the new run's record says of itself.
    """

    run: Run
    trace: Trace
    params: dict[str, Json]
    info: dict[str, Json]
    adopt: dict[tuple[str, Index], Commit]
    told: dict[str, Any]


def resumption(run: Run, pipeline: AnyPipeline | str | None, *, force: bool = False) -> Resumption:
    """What goes on with a run, or with the last one that went on with it.

    Args:
        run: the run.
        pipeline: its pipeline, or its target; None for where its record says.
        force: as for `unfinished`.

    Raises:
        RunRefused, ProjectError, DefinitionError, CheckFailed: as `drawloom.resume`.
    """
    from drawloom.parameters.requirements import refuse_unmet

    chain = unfinished(run, force=force)
    last = chain[-1]
    made = pipeline if isinstance(pipeline, Pipeline) else find_pipeline(last, pipeline)
    trace = retraced(last, made)
    now = trace.program.pipeline
    refuse_unmet(trace.program)
    values = last.catalog.values
    static = {name: values.decode(values.tree(ref)) for name, ref in last.record.static}
    return Resumption(
        run=last,
        trace=trace,
        params=params_again(last, made, now),
        info=times_again(last.record),
        adopt=adoptable(chain, now),
        told={**origin(made, static, values), "resumed": last.id},
    )


def unfinished(run: Run, *, force: bool = False) -> list[Run]:
    """A run and those it goes on with or that went on with it, oldest first: the last one is what to resume.

    Args:
        run: any of them.
        force: whether one that nobody knows to have ended counts as ended.

    Raises:
        RunRefused: R554, the last of them succeeded or is still going.
    """
    chain = [run]
    while chain[0].record.resumed and all(r.id != chain[0].record.resumed for r in chain):
        try:
            chain.insert(0, run.catalog.run(chain[0].record.resumed))
        except StoreError:  # it was removed; what went on with it has what it adopted
            break
    later = _resumed_later(run)
    while chain[-1].id in later:
        chain.append(run.catalog.run(later[chain[-1].id]))
    last = chain[-1]
    about = f"run {run.id}" if last is run else f"run {run.id} was resumed by run {last.id}, which"
    state = last.state
    if state == "succeeded":
        fix = "run the pipeline with `drawloom run`: what is unchanged is answered from the cache"
        raise RunRefused(Diagnostic("R554", f"{about} succeeded: nothing of it is left", None, fix))
    if state in ("pending", "running") and not (force and is_alive(last.catalog.storage, last.id) is not True):
        fix = f"wait for it, or end it; `{command('show', last.address)}` tells how far it is"
        if is_alive(last.catalog.storage, last.id) is None:
            fix += "; if it has been ended and nobody wrote so, resume it with --force"
        raise RunRefused(Diagnostic("R554", f"{about} is still {state}", None, fix))
    return chain


def _resumed_later(run: Run) -> dict[str, str]:
    """run -> the newest run that resumes it, among those that began after `run`; only local runs do so."""
    storage = run.catalog.storage
    since = time.strftime("%Y%m%d-%H%M%S", time.gmtime(run.record.at - 1))  # ids are made before records
    found: dict[str, str] = {}
    for name in storage.folders("runs/"):
        if _LOCAL_ID.match(name) and name[: len(since)] >= since:
            record = read_run(storage, name)
            if record is not None and record.resumed:
                found[record.resumed] = name
    return found


def adoptable(chain: list[Run], now: PipelineNode) -> dict[tuple[str, Index], Commit]:
    """The commits that a run which goes on with a chain of runs may adopt, by node instance.

    Args:
        chain: of `unfinished`.
        now: the pipeline as it is now.

    Raises:
        RunRefused: R553, something that succeeded is no longer in the graph, or lies in other maps and loops.
    """
    nodes: dict[str, Node] = {node.id: node for node in walk(now.body)}
    places = layout(now)
    found: dict[tuple[str, Index], Commit] = {}
    gone: dict[str, None] = {}
    for run in chain:
        old = {node.id for node in walk(run.program.pipeline.body) if isinstance(node, Call)}
        for (name, index), commit in run.commits().items():
            if name not in old or commit.outcome not in ("succeeded", "cached"):
                continue
            if isinstance(nodes.get(name), Call) and places[name].depth == len(index):
                found[name, index] = commit
            else:
                gone[name] = None
    if gone:
        raise RunRefused(_gone(chain[-1], now, list(gone), list(nodes)))
    return found


def _gone(run: Run, now: PipelineNode, gone: list[str], known: list[str]) -> Diagnostic:
    shown = ", ".join(f"`{name}`{did_you_mean(name, known)}" for name in gone[:_SHOWN])
    shown += f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
    return Diagnostic(
        "R553",
        f"`{now.name}` no longer has what succeeded in run {run.id} where it was: {shown}",
        run.program.spans.get(""),
        "give the node its name back; or run the pipeline anew with `drawloom run`: what is cacheable is answered",
    )
