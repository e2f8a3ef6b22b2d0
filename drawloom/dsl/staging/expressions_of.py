"""Expressions over handles, made by staging itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.dsl.blocks import sized_expression
from drawloom.dsl.handles import Handle
from drawloom.dsl.staging.values import computed
from drawloom.ir.operands import Apply

if TYPE_CHECKING:
    from drawloom.dsl.blocks import OpenBlock
    from drawloom.dsl.staging.scopes import Stage
    from drawloom.ir.types import Type

__all__ = ["apply_to", "as_handle", "get_item"]

# Any: the user's values, or handles over them


def apply_to(stage: Stage, op: str, *values: Any) -> Any:
    """The expression `op` over known values and handles."""
    return computed(stage, op, *values)


def as_handle(value: Any) -> Handle:
    """A value that is known to be a handle."""
    assert isinstance(value, Handle)
    return value


def get_item(block: OpenBlock, container: Handle, index: Any, type_: Type) -> Handle:
    """`container[index]`, of a type that is known."""
    tracer = block.tracer
    args = (tracer.operand(container, "a list"), tracer.operand(index, "an index"))
    return sized_expression(block, Apply("get", args), type_, (container, index))
