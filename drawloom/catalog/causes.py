"""The failure that counts, of a run or of a node: the first in program order; from the states of instances."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from drawloom.catalog.facts import Instance
from drawloom.catalog.records import Decision, Index, results_of_item
from drawloom.ir.nodes import Block, Loop, Map, Node, Pipeline, Try
from drawloom.ir.walk import blocks

__all__ = ["Causes"]


class Causes:
    """Finds the innermost node instances that failures go back to.

    Args:
        pipeline: what was run.
        states: node id -> index vector -> state.
        decisions: (node id, index vector) -> what it decided.
        failed: the (node id, index vector) pairs that have a commit of a failure.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        states: Mapping[str, Mapping[Index, str]],
        decisions: Mapping[Instance, Decision],
        failed: Container[Instance],
    ) -> None:
        self._pipeline = pipeline
        self._states = states
        self._decisions = decisions
        self._failed = failed

    def of_run(self) -> Instance | None:
        """The first failure of the pipeline in program order that no `try_` handled."""
        return self._first_failed(self._pipeline.body, ())

    def of_node(self, node: Node) -> Instance | None:
        """The first failure in a node, in the order of its index vectors; None if no instance of it failed."""
        failed = [index for index, name in self._states[node.id].items() if name == "failed"]
        return self._cause(node, min(failed)) if failed else None

    def of_block(self, block: Block, index: Index) -> Instance | None:
        """The first failure in an instance of a block, None if nothing in it failed."""
        return self._first_failed(block, index)

    def _first_failed(self, block: Block, index: Index) -> Instance | None:
        for node in block.nodes:
            if self._states[node.id].get(index) == "failed":
                return self._cause(node, index)
        return None

    def _cause(self, node: Node, index: Index) -> Instance:
        """The innermost instance a failed one failed by: itself, where nothing in it failed."""
        for block, at in self._places_inside(node, index):
            found = self._first_failed(block, at)
            if found is not None:
                return found
            if isinstance(node, Map) and (results_of_item(node.id), at) in self._failed:
                break  # an item's results failed: that is the map's own failure, and comes before later items'
        return (node.id, index)

    def _places_inside(self, node: Node, index: Index) -> Iterator[tuple[Block, Index]]:
        """The blocks of an instance whose failure would be its own, in the order in which they count."""
        if isinstance(node, (Map, Loop)):
            depth = len(index)
            held = (inner for block in blocks(node) for inner in block.nodes)
            at = (i for inner in held for i in self._states[inner.id])
            for k in sorted({i[depth] for i in at if i[:depth] == index}):
                for block in blocks(node):
                    yield block, (*index, k)
        elif isinstance(node, Try):
            decision = self._decisions.get((node.id, index))
            arm = decision.value if decision is not None else 0
            if node.final is not None:
                yield node.final, index  # its failure replaces
            yield (node.handlers[arm - 1].block if 0 < arm <= len(node.handlers) else node.body), index
        else:
            for block in blocks(node):
                yield block, index
