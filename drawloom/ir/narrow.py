"""What a test tells of the values it looks at: behind `x is not None`, `x` is no None.

Facts are kept for whole operands, so for parts of values and for expressions too. Standard library alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from drawloom.ir.operands import Apply, Const, Operand
from drawloom.ir.types import NEVER, NONE, Type

__all__ = ["Facts", "facts", "narrowed"]

Facts = Mapping[Operand, bool]  # operand -> whether it is None
_NULL: Final = Const("null")


def facts(test: Operand, truth: bool) -> dict[Operand, bool]:
    """What is known where a test is true, or where it is false.

    >>> from drawloom.ir.operands import Param
    >>> facts(Apply("not", (Apply("is_none", (Param("x"),)),)), True)
    {Param(name='x', path=()): False}
    """
    if not isinstance(test, Apply):
        return {test: False} if truth and not isinstance(test, Const) else {}
    op, args = test.op, test.args
    if op == "not":
        return facts(args[0], not truth)
    if op == "bool":
        return facts(args[0], truth)
    if op == "is_none":
        return {args[0]: truth}
    if op in ("eq", "ne") and _NULL in args:
        return {args[1] if args[0] == _NULL else args[0]: truth == (op == "eq")}
    if op == ("and" if truth else "or"):
        return facts(args[0], truth) | facts(args[1], truth)
    return {test: False} if truth and op in ("get", "attr", "select", "or") else {}


def narrowed(type_: Type, is_none: bool) -> Type:
    """A type, with what is known of a value of it."""
    if is_none:
        return NONE if type_.name in ("none", "any") or NONE in type_.args else NEVER
    if type_.name != "union":
        return NEVER if type_ == NONE else type_
    members = tuple(member for member in type_.args if member.name != "none")
    return members[0] if len(members) == 1 else Type("union", members)
