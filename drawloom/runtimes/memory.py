"""What a local run has in memory: the trees of what was made and may still be referred to. Implements `Outcomes`."""

from __future__ import annotations

from collections.abc import Mapping

from drawloom.catalog.records import Index, ValueRef
from drawloom.ir.canonical import Json
from drawloom.runtimes.blocks import BlockPlan
from drawloom.runtimes.resolve import Resolver
from drawloom.values.store import Values

__all__ = ["Memory"]


class Memory:
    """Outcomes of a run under way.

    References are lexical, so what a block's nodes made can be dropped when the block has ended.

    Args:
        params: parameter name -> tree.
        facts: `RunInfo` field -> tree.
        values: makes references to trees.
        types: parameter name -> the text of its type.
    """

    def __init__(
        self, params: Mapping[str, Json], facts: Mapping[str, Json], values: Values, types: Mapping[str, str]
    ) -> None:
        self._params = params
        self._facts = facts
        self._values = values
        self._made: dict[tuple[str, Index], tuple[Json, ValueRef]] = {}
        self.caught_trees: dict[tuple[str, Index], Json] = {}
        self.param_refs = {name: values.ref(tree, types.get(name, "")) for name, tree in params.items()}

    def put(self, node: str, index: Index, tree: Json, ref: ValueRef) -> None:
        """A call has made a value."""
        self._made[node, index] = (tree, ref)

    def ref(self, tree: Json, type_text: str) -> ValueRef:
        """The reference of a tree; a large one is stored."""
        return self._values.ref(tree, type_text)

    def load(self, ref: ValueRef) -> Json:
        """The tree of a value that is in the store."""
        return self._values.tree(ref)

    def made(self, node: str, index: Index) -> tuple[Json, ValueRef] | None:
        """The tree and the reference of what the call `node` made at `index`; None if it is no call."""
        return self._made.get((node, index))

    def drop(self, plan: BlockPlan, index: Index, resolver: Resolver) -> None:
        """A block instance has ended: nothing refers to what is in it any more."""
        for node in plan.nodes:
            self._made.pop((node.id, index), None)
        for node_id, port in plan.published:
            self.caught_trees.pop((node_id, index), None)
            resolver.known.pop((node_id, index, port), None)

    def output(self, node: str, index: Index, port: str) -> Json:  # noqa: ARG002  # a call has one port
        return self._made[node, index][0]

    def decision(self, node: str, index: Index) -> int:
        raise KeyError(f"{node}{list(index)} has not ended: its results are not known")

    def param(self, name: str) -> Json:
        return self._params[name]

    def info(self, field: str) -> Json:
        return self._facts[field]

    def caught(self, node: str, index: Index) -> Json:
        return self.caught_trees[node, index]
