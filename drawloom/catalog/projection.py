"""A run's part of the index: its rows, made from its records and its program, and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from drawloom.catalog.artifacts import Made, logged_name, made_by
from drawloom.catalog.edges import Edge, Wiring, answered_whole, edges, wiring
from drawloom.catalog.facts import Facts
from drawloom.catalog.programs import load_program
from drawloom.catalog.records import Index, RunStarted
from drawloom.catalog.sifting import Sifted, Tally
from drawloom.catalog.state import run_state
from drawloom.errors import DrawloomError
from drawloom.ir.nodes import Call, Pipeline
from drawloom.ir.walk import walk
from drawloom.storage.base import Storage

__all__ = ["Executed", "Metric", "Programs", "Projection", "project"]


class Executed(NamedTuple):
    """A node of a run with something to tell of: a call with commits, a control node that read values.

    Args:
        node: its id; "" for the pipeline, which reads its own results.
        kind: `call`, `map`, `branch`, `loop`, or `pipeline`.
        name: `module:qualname` of a call's function.
        function: its digest.
        instances: how many of its instances have an outcome.
        cached: whether all of them were answered from earlier commits.
        source_run, source_node: where from, if it is one place.
        seconds: the time its attempts took, added up.
        at: when its last instance was committed, in seconds since the epoch.
    """

    node: str
    kind: str
    name: str = ""
    function: str = ""
    instances: int = 0
    cached: bool = False
    source_run: str = ""
    source_node: str = ""
    seconds: float = 0.0
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Metric:
    """The last value of a metric that a node instance logged."""

    node: str
    index: Index
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Projection:
    """The rows of one run; `problem` says why its records can't be read, "" if they can."""

    run: str
    state: str = "pending"
    problem: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    record: RunStarted | None = None
    counts: Mapping[str, int] | None = None
    made: tuple[Made, ...] = ()
    executed: tuple[Executed, ...] = ()
    metrics: tuple[Metric, ...] = ()
    edges: frozenset[Edge] = field(default_factory=frozenset)


class Programs:
    """The pipelines that runs name, each loaded and taken apart once."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: dict[str, tuple[Pipeline, Wiring]] = {}

    def get(self, digest: str) -> tuple[Pipeline, Wiring]:
        """A pipeline and its wiring.

        Raises:
            StoreError: S452, it can't be had.
        """
        if digest not in self._known:
            pipeline = load_program(self._storage, digest).pipeline
            self._known[digest] = (pipeline, wiring(pipeline))
        return self._known[digest]


def project(storage: Storage, run: str, alive: bool | None, programs: Programs) -> Projection | None:
    """The rows of a run as its records are now; None of one that never began: its writer was killed before.

    Args:
        storage: the project's storage.
        run: the run.
        alive: whether its writer lives (`runlog.is_alive`).
        programs: where its pipeline is had from.
    """
    try:
        sifted = Sifted(storage, run)
        started = sifted.base.started
        if sifted.empty:
            return None
        if started is None:
            return Projection(run, problem="it has no record of its start")
        pipeline, wired = programs.get(started.program)
    except DrawloomError as problem:
        return Projection(run, problem=str(problem))
    return _project(run, sifted, started, (pipeline, wired), alive)


def _project(
    run: str, sifted: Sifted, started: RunStarted, program: tuple[Pipeline, Wiring], alive: bool | None
) -> Projection:
    pipeline, wired = program
    facts = sifted.facts(pipeline)
    found = frozenset(edges(wired, facts))
    base = sifted.base
    # while a run is under way its nodes change with every record: who wants them reads the run
    going = facts.finished is None and alive is not False and not facts.empty
    whole = None if going else run_state(pipeline, facts, alive=alive)
    own = started.generation == facts.generation
    return Projection(
        run=run,
        state="running" if whole is None else whole.state,
        started_at=((started.at if own else facts.first_at) or None) if whole is None else whole.started_at,
        finished_at=None if whole is None else whole.finished_at,
        record=started,
        counts=None if whole is None else whole.counts,
        made=(*made_by(started, base), *_logged(started, base)),
        executed=tuple(_executed(pipeline, wired, _tallies(sifted, wired), found)),
        metrics=tuple(_metrics(base)),
        edges=found,
    )


def _logged(started: RunStarted, facts: Facts) -> Iterator[Made]:
    for (node, index), commit in sorted(facts.commits.items(), key=lambda item: item[0]):
        for name, ref in commit.logged:
            cached = commit.outcome == "cached"
            where = logged_name(started.pipeline, node, index, name)
            source = commit.source[:2] if cached else ()
            yield Made(where, started.run, node, f":{name}", ref, commit.function, commit.at, cached, "logged", source)


def _metrics(facts: Facts) -> Iterator[Metric]:
    for (node, index), commit in sorted(facts.commits.items(), key=lambda item: item[0]):
        for name, value in commit.metrics:
            yield Metric(node, index, name, float(value))  # a text where JSON has no number for it


def _tallies(sifted: Sifted, wired: Wiring) -> dict[str, Tally]:
    """What each node did; the calls in a map that was answered as a whole are answered from the calls in that one."""
    found = sifted.tallies()
    facts = sifted.base
    for (node, index), commit in facts.commits.items():
        if answered_whole(wired, facts, (node, index)) and len(commit.source) > 1:
            for inner in wired.inside(node):
                tally = found.setdefault(inner, Tally())
                count = facts.decisions[node, index].value
                tally.instances += count
                tally.cached += count
                tally.at = max(tally.at, commit.at)
                tally.origins.add((commit.source[0], commit.source[1] + inner.removeprefix(node)))
    return found


def _executed(
    pipeline: Pipeline, wired: Wiring, tallies: Mapping[str, Tally], found: Iterable[Edge]
) -> Iterator[Executed]:
    functions = {task.name: task.function for task in pipeline.tasks}
    known: dict[str, tuple[str, str]] = {}
    for node in walk(pipeline.body):
        if isinstance(node, Call):
            function = functions[node.task]
            known[node.id] = (f"{function.module}:{function.qualname}", function.digest)
    calls: dict[str, Executed] = {}
    for node_id, tally in tallies.items():
        if node_id in wired.sources and wired.sources[node_id].kind == "call":
            calls[node_id] = _call(node_id, *known.get(node_id, ("", "")), tally)
    yield from calls.values()
    for node_id in sorted({edge.node for edge in found} - calls.keys()):
        source = wired.sources.get(node_id)
        if source is None:
            yield Executed("", "pipeline", at=tallies[""].at if "" in tallies else 0.0)
        else:
            inside = [call for call in calls.values() if _lies_in(call.node, node_id, wired)]
            yield _control(node_id, source.kind, inside, tallies.get(node_id))


def _call(node: str, name: str, function: str, tally: Tally) -> Executed:
    cached = tally.instances > 0 and tally.cached == tally.instances
    run, source = next(iter(tally.origins)) if cached and len(tally.origins) == 1 else ("", "")
    function = tally.function or function
    return Executed(node, "call", name, function, tally.instances, cached, run, source, tally.seconds, tally.at)


def _control(node: str, kind: str, inside: list[Executed], own: Tally | None) -> Executed:
    """A map, a branch or a loop is answered from an earlier run where all calls in it are, from one."""
    origins = {(call.source_run, call.source_node.removesuffix(call.node.removeprefix(node))) for call in inside}
    cached = bool(inside) and all(call.cached for call in inside)
    run, source = next(iter(origins)) if cached and len(origins) == 1 else ("", "")
    seconds, at = sum(call.seconds for call in inside), max([call.at for call in inside], default=0.0)
    return Executed(
        node,
        kind,
        instances=own.instances if own is not None else 0,
        cached=cached,
        source_run=run if source else "",
        source_node=source if run else "",
        seconds=seconds,
        at=max(at, own.at if own is not None else 0.0),
    )


def _lies_in(node: str, holder: str, wired: Wiring) -> bool:
    while node:
        node = wired.sources[node].parent
        if node == holder:
            return True
    return False
