"""What Python can't overload, as functions: `length(x)`, `not_(x)`, `a and b`, `x in y`, `x if test else y`.

On plain values they do what Python does; on run-time values they give an expression.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sized
from typing import Any, TypeVar

from drawloom.dsl.constants import holds_handle
from drawloom.dsl.current import CURRENT
from drawloom.dsl.handles import Handle

__all__ = ["and_", "choose", "contains", "flatten", "is_none", "length", "not_", "or_"]

A = TypeVar("A")
B = TypeVar("B")


def length(value: Sized) -> int:
    """`len(value)`, also of a run-time value.

    Args:
        value: anything with a length.
    """
    return _apply("len", value) if _staged(value) else len(value)


def not_(value: object) -> bool:
    """`not value`, also of a run-time value.

    Args:
        value: anything with a truth value.
    """
    return _apply("not", value) if _staged(value) else not value


def and_(first: A, second: B) -> A | B:
    """`first and second`, also of run-time values.

    Args:
        first: given back if it is false.
        second: given back else. Calls in it are made in any case: use `branch` to make them only if `first` is true.
    """
    if not _staged(first):
        return second if first else first
    made: A | B = _apply("and", first, second)
    return made


def or_(first: A, second: B) -> A | B:
    """`first or second`, also of run-time values.

    Args:
        first: given back if it is true.
        second: given back else. Calls in it are made in any case: use `branch` to make them only if `first` is false.
    """
    if not _staged(first):
        return first or second
    made: A | B = _apply("or", first, second)
    return made


def is_none(value: object) -> bool:
    """`value is None`, also of a run-time value.

    Args:
        value: anything.
    """
    return _apply("is_none", value) if _staged(value) else value is None


def contains(container: Container[Any], item: object) -> bool:  # Any: whatever Python's `in` takes
    """`item in container`, also of run-time values.

    Args:
        container: a list, dict, set, tuple or text.
        item: what is looked for.
    """
    if _staged(container) or _staged(item):
        made: bool = _apply("contains", container, item)
        return made
    return item in container


def choose(test: object, first: A, second: B) -> A | B:
    """`first if test else second`, also of run-time values.

    Args:
        test: what decides.
        first: given back if it is true. Calls in it are made in any case: use `branch` to make only one side's.
        second: given back if it is false.
    """
    if not _staged(test):
        return first if test else second
    made: A | B = _apply("select", test, first, second)
    return made


def flatten(lists: Iterable[Iterable[A]]) -> list[A]:
    """The items of several lists as one list, also of a run-time value: `[x for items in lists for x in items]`.

    Args:
        lists: the lists, in order.
    """
    if _staged(lists):
        made: list[A] = _apply("flatten", lists)
        return made
    return [item for items in lists for item in items]


def _staged(value: object) -> bool:
    return isinstance(value, Handle) or holds_handle(value)


def _apply(op: str, *values: Any) -> Any:
    tracer = CURRENT.get()
    if tracer is None:  # a handle that outlived its trace: its block says so
        return next(v for v in values if isinstance(v, Handle))._dl_block.apply(op, values)
    return tracer.block.apply(op, values)
