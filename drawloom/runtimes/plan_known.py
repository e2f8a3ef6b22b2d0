"""What a plan knows of a run that didn't happen: the values cached calls made, and how blocks would end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from drawloom.catalog.records import Index, ValueRef
from drawloom.ir.canonical import Json
from drawloom.runtimes.blocks import Failure
from drawloom.values.store import Values

__all__ = ["EACH", "Flow", "Known", "Unknown"]

EACH: Final = -1  # in an index vector: each item or iteration of a number that isn't known


class Unknown(Exception):  # a state of the plan, not an error
    """A value isn't known before the nodes `nodes` have run."""

    def __init__(self, nodes: tuple[str, ...]) -> None:
        self.nodes = nodes
        super().__init__(nodes)


@dataclass(slots=True)
class Known:
    """What is known of a run that didn't happen; implements `resolve.Outcomes`."""

    params: Mapping[str, Json]
    facts: Mapping[str, Json]
    values: Values
    made: dict[tuple[str, Index], ValueRef]
    trees: dict[tuple[str, Index], Json]
    waits: dict[tuple[str, Index], tuple[str, ...]]  # what isn't known, because of which nodes
    decisions: dict[tuple[str, Index], int]
    caught_trees: dict[tuple[str, Index], Json]

    def output(self, node: str, index: Index, port: str) -> Json:  # noqa: ARG002  # a call has one port
        place = (node, index)
        if place in self.made:
            if place not in self.trees:
                self.trees[place] = self.values.tree(self.made[place])
            return self.trees[place]
        raise Unknown(self.waits.get(place, (node,)))

    def decision(self, node: str, index: Index) -> int:
        if (node, index) in self.decisions:
            return self.decisions[node, index]
        raise Unknown(self.waits.get((node, index), (node,)))

    def param(self, name: str) -> Json:
        return self.params[name]

    def info(self, field: str) -> Json:
        if field in self.facts:
            return self.facts[field]
        raise Unknown(())

    def caught(self, node: str, index: Index) -> Json:
        if (node, index) in self.caught_trees:
            return self.caught_trees[node, index]
        raise Unknown((node,))


@dataclass(slots=True)
class Flow:
    """How a block would end.

    Args:
        open: whether something in it is run, or perhaps: it may fail.
        failure: the failure that is known to happen.
        results: the results that are known.
        seconds: the longest chain in it, of what is run for sure.
    """

    open: bool = False
    failure: Failure | None = None
    results: dict[str, Json] | None = None
    seconds: float = 0.0
