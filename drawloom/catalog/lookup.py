"""The value of any node instance of a run, found from its commits and decisions.

A call's value is in its commit, a map's often too; those of other control nodes are written nowhere: a decision leads
to the operand they come from. This works on Python values, for people; `runtimes.resolve` does the same on envelopes,
for steps.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from drawloom.catalog.facts import Facts
from drawloom.catalog.records import Index, ValueRef
from drawloom.ir.evaluate import evaluate, follow, map_items
from drawloom.ir.layout import layout
from drawloom.ir.nodes import Pipeline
from drawloom.ir.operands import Carried, Caught, Const, Item, Operand, Output, Param, Reference
from drawloom.ir.sources import Results, Source
from drawloom.values.failure import Failure

__all__ = ["Lookup", "NoValueError"]


class NoValueError(LookupError):
    """A node instance has no value: it wasn't run, failed, or has no such port."""

    def __init__(self, node: str, index: Index, port: str) -> None:
        super().__init__(node, index, port)
        self.node = node
        self.index = index
        self.port = port


class Lookup:
    """Finds values of one run.

    Args:
        pipeline: what was run.
        facts: the run's records.
        decode: makes a value of an envelope.
        load: makes a value of a reference.
    """

    def __init__(
        self, pipeline: Pipeline, facts: Facts, decode: Callable[[Any], Any], load: Callable[[ValueRef], Any]
    ) -> None:
        self._pipeline = pipeline
        self._facts = facts
        self._decode = decode
        self._load = load
        self._sources = layout(pipeline)
        self._items: dict[tuple[str, Index], list[Any]] = {}
        self._levels: dict[tuple[str, Index], list[dict[str, Any]]] = {}  # (loop, its index) -> by iteration, by name

    def value(self, node: str, index: Index, port: str) -> Any:
        """The value under `port` of a node instance; of node `""`, a result of the pipeline.

        Raises:
            NoValueError: there is none.
        """
        commit = self._facts.commits.get((node, index))
        outputs = dict(commit.outputs) if commit is not None else {}
        if port in outputs:
            return self._load(outputs[port])
        source = self._sources.get(node)
        if source is None or source.kind == "call" or (commit is not None and commit.outcome in ("failed", "skipped")):
            raise NoValueError(node, index, port)
        return self._control(source, index, port)

    def _control(self, source: Source, index: Index, port: str) -> Any:
        if source.kind == "group":
            return self._result(source, 0, index, port)
        decision = self._facts.decisions.get((source.id, index))
        if decision is None or decision.value < 0:
            raise NoValueError(source.id, index, port)
        if source.kind == "map":
            return [self._result(source, 0, (*index, k), port) for k in range(decision.value)]
        if source.kind == "loop":
            return self._carried(source, index, decision.value, port)
        return self._result(source, decision.value, index, port)

    def _result(self, source: Source, arm: int, index: Index, port: str) -> Any:
        for name, operand in source.results[arm]:
            if name == port:
                return self.operand(operand, index)
        raise NoValueError(source.id, index, port)

    def _carried(self, source: Source, outer: Index, k: int, name: str) -> Any:
        """What a loop carries into iteration `k`, from the first iteration upwards: each needs the one before alone."""
        levels = self._levels.setdefault((source.id, outer), [])
        while len(levels) <= k:
            last = len(levels) - 1
            levels.append(
                self._level(source.results[0], outer) if last < 0 else self._level(source.results[1], (*outer, last))
            )
        if name not in levels[k]:
            raise NoValueError(source.id, outer, name)
        return levels[k][name]

    def _level(self, results: Results, index: Index) -> dict[str, Any]:
        level = {}
        for name, operand in results:
            with suppress(NoValueError):  # perhaps nobody asks for this one
                level[name] = self.operand(operand, index)
        return level

    def operand(self, operand: Operand, index: Index) -> Any:
        """The value an operand has at an index vector; whatever an operator raises gets through."""
        return evaluate(operand, lambda reference: self._reference(reference, index), self._constant)

    def _constant(self, constant: Const) -> Any:
        return self._decode(json.loads(constant.json))

    def _reference(self, reference: Reference, index: Index) -> Any:
        if isinstance(reference, Output):
            found = self.value(reference.node, index[: self._sources[reference.node].depth], reference.port)
        elif isinstance(reference, Param):
            found = self._param(reference.name)
        elif isinstance(reference, Item):
            found = self._item(self._sources[reference.map], index)
        elif isinstance(reference, Carried):
            source = self._sources[reference.loop]
            found = self._carried(source, index[: source.depth], index[source.depth], reference.name)
        elif isinstance(reference, Caught):
            found = self._caught(self._sources[reference.node], index)
        else:
            return self._info(reference.field)
        return follow(found, reference.path)

    def _param(self, name: str) -> Any:
        given = dict(self._facts.started.params) if self._facts.started is not None else {}
        if name not in given:
            raise NoValueError("", (), name)
        return self._load(given[name])

    def _item(self, source: Source, index: Index) -> Any:
        assert source.items is not None, f"{source.id} is no map"
        outer, k = index[: source.depth], index[source.depth]
        if (source.id, outer) not in self._items:
            self._items[source.id, outer] = map_items(self.operand(source.items, outer))
        return self._items[source.id, outer][k]

    def _caught(self, source: Source, index: Index) -> Failure:
        outer = index[: source.depth]
        decision = self._facts.decisions.get((source.id, outer))
        if decision is None or decision.caught is None:
            raise NoValueError(source.id, outer, "caught")
        return Failure(decision.caught.type, decision.caught.message)

    def _info(self, name: str) -> Any:
        from datetime import datetime  # lazy: few pipelines ask for these facts

        started = self._facts.started
        assert started is not None, "a run that has values has begun"
        if name == "run_id":
            return started.run
        interval = started.interval or ("", "")
        text = {"logical_time": started.logical_time, "interval_start": interval[0], "interval_end": interval[-1]}[name]
        return datetime.fromisoformat(text) if text else None
