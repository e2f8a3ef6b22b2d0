"""What a test tells of the values it looks at: behind `x is not None`, `x` is no None.

Facts are kept for whole operands, so for parts of values and for expressions too. Standard library alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from drawloom.ir.operands import Apply, Const, Operand
from drawloom.ir.types import NEVER, NONE, Type

__all__ = ["Facts", "Told", "Truth", "facts", "narrowed", "together", "told_by"]


class Truth(NamedTuple):
    """Stands for the truth of an operand, among facts."""

    operand: Operand


# operand -> whether it is None, truth -> whether it is true; None if it can be neither: no run comes there
Facts = Mapping[Operand | Truth, bool | None]
Told = Mapping[Operand, tuple[Facts, Facts]]  # a flag -> what is known where it is false, where it is true
_NULL: Final = Const("null")
_FLAGS: Final[Mapping[Operand, bool]] = {Const("false"): False, Const("true"): True}
_NOTHING: Final[Told] = MappingProxyType({})


def facts(test: Operand, truth: bool, told: Told = _NOTHING) -> Facts:
    """What is known where a test is true, or where it is false.

    Args:
        test: the test.
        truth: whether it is true.
        told: what flags tell, if it is one.

    >>> from drawloom.ir.operands import Param
    >>> facts(Apply("not", (Apply("is_none", (Param("x"),)),)), True)[Param("x")]
    False
    """
    if isinstance(test, Const):
        return {}
    return together({Truth(test): truth}, _facts(test, truth, told))


def _facts(test: Operand, truth: bool, told: Told) -> Facts:
    if not isinstance(test, Apply):
        known = told[test][truth] if test in told else {}
        return {**known, test: False} if truth else known
    op, args = test.op, test.args
    if op == "not":
        return facts(args[0], not truth, told)
    if op == "bool":
        return facts(args[0], truth, told)
    if op == "is_none":
        return {args[0]: truth}
    if op in ("eq", "ne") and _NULL in args:
        return {args[1] if args[0] == _NULL else args[0]: truth == (op == "eq")}
    if op == ("and" if truth else "or"):
        return together(facts(args[0], truth, told), facts(args[1], truth, told))
    return {test: False} if truth and op in ("get", "attr", "select", "or") else {}


def together(one: Facts, other: Facts) -> Facts:
    """What is known where both hold."""
    if not one or not other:
        return one or other
    return {**one, **{key: known if one.get(key, known) is known else None for key, known in other.items()}}


def told_by(arms: Iterable[tuple[Facts, Operand]], told: Told) -> tuple[Facts, Facts]:
    """What is known where a flag is false, and where it is true, that one of several arms gives.

    Args:
        arms: for each, what is known in it, and the flag that it gives.
        told: what flags tell that are given in the arms.
    """
    ways: tuple[list[Facts], list[Facts]] = ([], [])
    for known, flag in arms:
        if isinstance(flag, Apply) and flag.op == "unset":  # nothing comes out of this arm
            continue
        for truth, found in enumerate(ways):
            if _FLAGS.get(flag, truth) == truth:
                way = together(known, facts(flag, bool(truth), told))
                if None not in way.values():
                    found.append(way)
    return _in_each(ways[0]), _in_each(ways[1])


def _in_each(ways: list[Facts]) -> Facts:
    if not ways:
        return {}
    first, *others = ways
    return {about: known for about, known in first.items() if all(way.get(about) is known for way in others)}


def narrowed(type_: Type, is_none: bool | None) -> Type:
    """A type, with what is known of a value of it."""
    if is_none is None:
        return NEVER
    if is_none:
        return NONE if type_.name in ("none", "any") or NONE in type_.args else NEVER
    if type_.name != "union":
        return NEVER if type_ == NONE else type_
    members = tuple(member for member in type_.args if member.name != "none")
    return members[0] if len(members) == 1 else Type("union", members)
