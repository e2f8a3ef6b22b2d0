"""Blocks that have been recorded, and their results put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from drawloom.dsl.blocks import OpenBlock
from drawloom.dsl.standing import recorded_block
from drawloom.ir.assign import union_of
from drawloom.ir.nodes import Block
from drawloom.ir.operands import Const, Operand
from drawloom.ir.tasks import Port
from drawloom.ir.types import Type

__all__ = ["Recorded", "joined"]

# Any: what a block's function returned is the user's value, or a handle over it


class Recorded:
    """A block that has been recorded and closed.

    Attributes:
        open: the block, its nodes and what it does to the order of effects.
        returned: what the user's function returned.
        operand: that as an operand, None if it returned nothing.
        type: its type.
    """

    __slots__ = ("open", "operand", "returned", "type")

    def __init__(self, block: OpenBlock, returned: Any, operand: Operand | None, type_: Type) -> None:
        self.open = block
        self.returned = returned
        self.operand = operand
        self.type = type_

    def block(self, results: Iterable[tuple[str, Operand]] = ()) -> Block:
        """The block in the IR, giving `results`."""
        return recorded_block(self.open, results)


def joined(recorded: Sequence[Recorded]) -> tuple[tuple[Port, ...], list[Block]]:
    """The result ports of a control node and its blocks, one of which gives the result.

    Where one block gives a value and another nothing, the other gives None, as the functions do.
    """
    if all(r.operand is None for r in recorded):
        return (), [r.block() for r in recorded]
    blocks = [r.block([("result", _NOTHING if r.operand is None else r.operand)]) for r in recorded]
    filled = [r.type for r in recorded if r.operand != _EMPTY]  # a list of nothing is a list of anything
    return (Port("result", union_of(filled or [r.type for r in recorded])),), blocks


_NOTHING = Const("null")
_EMPTY = Const("[]")
