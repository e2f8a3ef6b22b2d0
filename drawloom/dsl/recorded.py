"""Blocks that have been recorded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drawloom.dsl.blocks import OpenBlock
from drawloom.dsl.standing import recorded_block
from drawloom.ir.nodes import Block
from drawloom.ir.operands import Operand
from drawloom.ir.tasks import Port
from drawloom.ir.types import Type

__all__ = ["Recorded"]

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

    def with_result(self) -> tuple[tuple[Port, ...], Block]:
        """The result ports of a node that has this one block, and the block; no port if it returned nothing."""
        if self.operand is None:
            return (), self.block()
        return (Port("result", self.type),), self.block([("result", self.operand)])
