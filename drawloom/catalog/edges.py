"""Edges: which port of which node, or which parameter, fed each input in one run.

What only passes a value on (a nested pipeline, a branch, a loop, a try) is looked through, as a step does that resolves
its inputs: by the run's decisions, down to the call or the map that made the value, or to the parameter. A part of a
value (`x.field`, `x[0]`) counts as that value, and every reference of an expression counts, because a node waits for
each of them. A map isn't looked through: its list is a value of its own, made of its items' results.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from drawloom.catalog.facts import Facts, Instance
from drawloom.catalog.records import Index
from drawloom.ir.layout import layout
from drawloom.ir.nodes import Block, Branch, Call, Loop, Map, Node, Pipeline
from drawloom.ir.operands import Carried, Item, Operand, Output, Param, Reference
from drawloom.ir.sources import Results, Source
from drawloom.ir.walk import blocks, references

__all__ = ["OK", "Edge", "Wiring", "answered_whole", "edges", "wiring"]

OK = frozenset({"succeeded", "cached"})
_LOOKED_THROUGH = frozenset({"group", "branch", "loop", "try"})
_References = tuple[Reference, ...]
_Origin = tuple[str, str, Index]  # (node, port, index) of a call or a map; ("", name, ()) of a parameter


class Edge(NamedTuple):
    """A value went from one place to another.

    Args:
        source: the node that made it; "" for a parameter of the run.
        source_port: its port, or the parameter's name.
        node: the node that read it; "" for the pipeline, which returned it.
        port: the input it went to; of control nodes `test` (a branch, a loop), `items` (a map), and for a map the
            result that the values of its items are collected in.
    """

    source: str
    source_port: str
    node: str
    port: str


class Wiring(NamedTuple):
    """What of a pipeline is needed to follow values.

    Args:
        sources: node id -> where its results come from, in program order.
        inputs: (node, (port, references) pairs) of each call and container.
        maps: (map, references of its items, (port, references) pairs of its results).
        tests: (branch, the references of each case's test).
        loops: (loop, the references of its test).
        results: (port, references) pairs of the pipeline.
        inner_first: the nodes that are looked through, those inside others first.
    """

    sources: Mapping[str, Source]
    inputs: tuple[tuple[str, tuple[tuple[str, _References], ...]], ...]
    maps: tuple[tuple[str, _References, tuple[tuple[str, _References], ...]], ...]
    tests: tuple[tuple[str, tuple[_References, ...]], ...]
    loops: tuple[tuple[str, _References], ...]
    results: tuple[tuple[str, _References], ...]
    inner_first: tuple[str, ...]

    def inside(self, node: str) -> list[str]:
        """The nodes that a control node holds itself."""
        return [source.id for source in self.sources.values() if source.parent == node]


def wiring(pipeline: Pipeline) -> Wiring:
    """The wiring of a pipeline; runs of the same program share it."""
    inner_first = list(_inner_first(pipeline.body))
    sources = layout(pipeline)
    return Wiring(
        sources=sources,
        inputs=tuple((n.id, _by_port(n.inputs)) for n in inner_first if isinstance(n, Call)),
        maps=tuple((n.id, _references(n.items), _by_port(n.body.results)) for n in inner_first if isinstance(n, Map)),
        tests=tuple((n.id, tuple(_references(c.test) for c in n.cases)) for n in inner_first if isinstance(n, Branch)),
        loops=tuple(
            (n.id, tuple(r for _, operand in n.test.results for r in _references(operand)))
            for n in inner_first
            if isinstance(n, Loop)
        ),
        results=_by_port(pipeline.body.results),
        inner_first=tuple(n.id for n in inner_first if sources[n.id].kind in _LOOKED_THROUGH),
    )


def edges(wired: Wiring, facts: Facts) -> set[Edge]:
    """Every edge over which a value went in a run, instances of a node taken together.

    Args:
        wired: of the pipeline that was run.
        facts: the run's records.
    """
    return _Follower(wired, facts).edges()


def answered_whole(wired: Wiring, facts: Facts, place: Instance) -> bool:
    """Whether a map was answered from an earlier one as a whole: the calls in it have no commits of their own then."""
    source, commit, decision = wired.sources.get(place[0]), facts.commits.get(place), facts.decisions.get(place)
    if source is None or source.kind != "map" or commit is None or decision is None:
        return False
    return commit.outcome == "cached" and decision.value > 0


class _Unknown(Exception):  # a state of the run: what a value depends on wasn't decided
    pass


class _Follower:
    """Follows references of one run to where their values were made."""

    def __init__(self, wired: Wiring, facts: Facts) -> None:
        self._wired = wired
        self._sources = wired.sources
        self._commits = facts.commits
        self._decisions = {place: decision.value for place, decision in facts.decisions.items()}
        self._passed: dict[tuple[str, Index, str], frozenset[_Origin]] = {}
        self._carried: dict[Instance, list[dict[str, frozenset[_Origin]]]] = {}
        self._read: dict[str, list[Index]] = {}
        for (node, index), commit in facts.commits.items():
            if commit.outcome in OK or (commit.outcome == "failed" and commit.inputs):
                self._read.setdefault(node, []).append(index)
        self._whole = {place for place in facts.commits if answered_whole(wired, facts, place)}
        for node, index in self._whole:
            for inner in wired.inside(node):  # what it read then it reads now, each item alike
                self._read.setdefault(inner, []).append((*index, 0))

    def edges(self) -> set[Edge]:
        """All of them."""
        self._pass_on()
        found: set[Edge] = set()
        for node, ports in self._wired.inputs:
            for index in self._read.get(node, ()):
                self._add(found, node, ports, index)
        decided: dict[str, list[Index]] = {}
        for node, index in self._decisions:
            decided.setdefault(node, []).append(index)
        for node, cases in self._wired.tests:
            for index in decided.get(node, ()):
                for case in cases[: self._decisions[node, index] + 1]:
                    self._add(found, node, (("test", case),), index)
        for node, test in self._wired.loops:
            for index in decided.get(node, ()):
                if len(index) > self._sources[node].depth:  # else it is the number of iterations
                    self._add(found, node, (("test", test),), index)
        for node, items, results in self._wired.maps:
            for index in decided.get(node, ()):
                self._add(found, node, (("items", items),), index)
                found |= self._collected(node, results, index)
        if () in self._read.get("", ()):
            self._add(found, "", self._wired.results, ())
        return found

    def _pass_on(self) -> None:
        """Looks through control nodes in program order, so that a long row of them is no deep recursion later."""
        decided: dict[str, list[Index]] = {}
        for node, index in self._decisions:
            decided.setdefault(node, []).append(index)
        for node in self._wired.inner_first:
            source = self._sources[node]
            indexes = [()] if source.kind == "group" and source.depth == 0 else decided.get(node, [])
            ports = [name for name, _ in source.results[-1]]
            for index in indexes:
                for port in ports:
                    try:
                        self._output(node, port, index[: source.depth])
                    except _Unknown:
                        continue

    def _add(self, found: set[Edge], node: str, ports: Iterable[tuple[str, _References]], index: Index) -> None:
        for port, wanted in ports:
            for reference in wanted:
                try:
                    origins = self._origins(reference, index)
                except _Unknown:
                    continue
                found.update(Edge(source, source_port, node, port) for source, source_port, _ in origins)

    def _collected(self, node: str, ports: tuple[tuple[str, _References], ...], index: Index) -> set[Edge]:
        """The edges into a map's list; none where it was never whole."""
        commit = self._commits.get((node, index))
        if commit is not None and commit.outcome not in OK:
            return set()
        found: set[Edge] = set()
        try:
            for k in range(1 if (node, index) in self._whole else self._decisions[node, index]):
                for port, wanted in ports:
                    for reference in wanted:
                        for source, source_port, at in self._origins(reference, (*index, k)):
                            if not self._is_there(source, at):
                                return set()
                            found.add(Edge(source, source_port, node, port))
        except _Unknown:
            return set()
        return found

    def _is_there(self, node: str, index: Index) -> bool:
        commit = self._commits.get((node, index))
        if node == "" or (commit is None and self._sources[node].kind == "map"):
            return True
        if (self._sources[node].parent, index[:-1]) in self._whole:
            return True
        return commit is not None and commit.outcome in OK

    def _origins(self, reference: Reference, index: Index) -> frozenset[_Origin]:
        if isinstance(reference, Output):
            return self._output(reference.node, reference.port, index[: self._sources[reference.node].depth])
        if isinstance(reference, Param):
            return frozenset({("", reference.name, ())})
        if isinstance(reference, Item):
            source = self._sources[reference.map]
            assert source.items is not None, f"{source.id} is no map"
            return self._operand(source.items, index[: source.depth])
        if isinstance(reference, Carried):
            source = self._sources[reference.loop]
            return self._level(source, index[: source.depth], index[source.depth], reference.name)
        return frozenset()  # a fact about the run, or the failure a handler was chosen for: no node's value

    def _operand(self, operand: Operand, index: Index) -> frozenset[_Origin]:
        return frozenset(o for reference in _references(operand) for o in self._origins(reference, index))

    def _output(self, node: str, port: str, index: Index) -> frozenset[_Origin]:
        source = self._sources[node]
        if source.kind not in _LOOKED_THROUGH:
            return frozenset({(node, port, index)})
        place = (node, index, port)
        if place not in self._passed:
            self._passed[place] = self._through(source, port, index)
        return self._passed[place]

    def _through(self, source: Source, port: str, index: Index) -> frozenset[_Origin]:
        if source.kind == "group":
            return self._result(source.results[0], port, index)
        chosen = self._decisions.get((source.id, index), -1)
        if chosen < 0:
            raise _Unknown
        if source.kind == "loop":
            return self._level(source, index, chosen, port)
        return self._result(source.results[chosen], port, index)

    def _level(self, loop: Source, outer: Index, k: int, name: str) -> frozenset[_Origin]:
        """What a loop carries into iteration `k`, from the first one upwards: each needs the one before alone."""
        levels = self._carried.setdefault((loop.id, outer), [])
        while len(levels) <= k:
            last = len(levels) - 1
            results, index = (loop.results[0], outer) if last < 0 else (loop.results[1], (*outer, last))
            level: dict[str, frozenset[_Origin]] = {}
            for carried, operand in results:
                try:
                    level[carried] = self._operand(operand, index)
                except _Unknown:  # perhaps nobody asks for this one
                    continue
            levels.append(level)
        if name not in levels[k]:
            raise _Unknown
        return levels[k][name]

    def _result(self, results: Results, port: str, index: Index) -> frozenset[_Origin]:
        for name, operand in results:
            if name == port:
                return self._operand(operand, index)
        raise _Unknown


def _inner_first(block: Block) -> Iterator[Node]:
    for node in block.nodes:
        for inner in blocks(node):
            yield from _inner_first(inner)
        yield node


def _references(operand: Operand) -> _References:
    return tuple(dict.fromkeys(references(operand)))


def _by_port(pairs: Iterable[tuple[str, Operand]]) -> tuple[tuple[str, _References], ...]:
    return tuple((port, _references(operand)) for port, operand in pairs)
