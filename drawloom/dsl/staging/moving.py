"""Values that leave a block which gives no results: expressions may be written out again, results of nodes may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.dsl.handles import Handle
from drawloom.dsl.splice import Splice, Unsure
from drawloom.dsl.staging.unbound import not_handed_on
from drawloom.ir.operands import Output
from drawloom.ir.walk import references

if TYPE_CHECKING:
    from drawloom.dsl.blocks import OpenBlock

__all__ = ["moved_out"]

# Any: the user's values, or handles over them


def moved_out(value: Any, block: OpenBlock, around: OpenBlock) -> Any:
    """A value of the closed `block`, in the block `around`; unreadable where it is the result of a node in there."""
    inside = {node.id for node in block.nodes}
    return not_handed_on() if _is_of(value, inside) else _moved(value, block, around)


def _is_of(value: Any, nodes: set[str]) -> bool:
    if isinstance(value, Unsure):
        return False
    if isinstance(value, Splice):
        value = value.handle
    if isinstance(value, Handle):
        return any(isinstance(ref, Output) and ref.node in nodes for ref in references(value._dl_operand))
    if type(value) in (list, tuple):
        return any(_is_of(item, nodes) for item in value)
    return type(value) is dict and any(_is_of(item, nodes) for item in value.values())


def _moved(value: Any, block: OpenBlock, around: OpenBlock) -> Any:
    if isinstance(value, Handle):
        return Handle(around, value._dl_operand, value._dl_type) if value._dl_block is block else value
    if type(value) is tuple:
        return tuple(_moved(item, block, around) for item in value)
    if type(value) is list:
        value[:] = [_moved(item, block, around) for item in value]
    elif type(value) is dict:
        for key in value:
            value[key] = _moved(value[key], block, around)
    return value
