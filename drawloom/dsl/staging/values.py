"""Known values and handles, told apart; a list with a run-time part in it is a run-time value too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.dsl.blocks import sized_expression
from drawloom.dsl.constants import holds_handle, value_type
from drawloom.dsl.handles import Effect, Handle
from drawloom.dsl.staging.lists import has_splice, reading
from drawloom.dsl.staging.once import Once
from drawloom.ir.operands import Apply, Operand
from drawloom.ir.types import BOOL

if TYPE_CHECKING:
    from drawloom.dsl.blocks import OpenBlock
    from drawloom.dsl.staging.scopes import Stage
    from drawloom.dsl.tracer import Tracer
    from drawloom.ir.types import Type

__all__ = ["computed", "get_item", "is_run_time", "known_items", "open_ended", "run_time", "truth"]

# Any: the user's values, or handles over them


def run_time(stage: Stage, value: Any) -> Any:
    """A handle in the place of a list with a run-time part; any other value as it is."""
    if type(value) is list:
        reading(stage.tracer, value)
    if has_splice(value):
        operand = stage.tracer.operand(value, "a list")
        return Handle(stage.tracer.block, operand, value_type(value))
    if isinstance(value, Effect):
        return None
    return value


def truth(tracer: Tracer, test: Any, what: str) -> Operand:
    """The operand of a test: a bool, or the truth of what isn't one."""
    operand = tracer.operand(test, what)
    return operand if value_type(test) == BOOL else Apply("bool", (operand,))


def computed(stage: Stage, op: str, *values: Any) -> Any:
    """The expression `op` over known values and handles."""
    return stage.tracer.block.apply(op, tuple(run_time(stage, value) for value in values))


def open_ended(value: object) -> bool:
    """Whether a value is a handle that has as many items as only a run knows."""
    return isinstance(value, Handle) and value._dl_type.name not in ("tuple", "namedtuple")


def known_items(value: Any) -> tuple[Any, ...] | None:
    """The items of a tuple, or of a handle over one; None if it is neither."""
    is_tuple = type(value) is tuple or (isinstance(value, Handle) and not open_ended(value))
    return tuple(value) if is_tuple else None


def get_item(block: OpenBlock, container: Handle, index: Any, type_: Type) -> Handle:
    """`container[index]`, of a type that is known."""
    tracer = block.tracer
    args = (tracer.operand(container, "a list"), tracer.operand(index, "an index"))
    return sized_expression(block, Apply("get", args), type_, (container, index))


def is_run_time(value: Any) -> bool:
    """Whether a value is known only at run time, or holds one that is."""
    return isinstance(value, (Handle, Once)) or holds_handle(value) or has_splice(value)
