"""`bounded`: the loop that plain Python and every engine end at the same point.

Imports nothing at the top: a user's module names it where a step loads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

__all__ = ["Bounded", "bounded"]


class Bounded:
    """The numbers below a limit; beyond it the loop has failed, or ends. Made by `bounded`."""

    __slots__ = ("limit", "next_number", "on_limit")

    def __init__(self, limit: int, on_limit: str) -> None:
        self.limit = limit
        self.on_limit = on_limit
        self.next_number = 0

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        number = self.next_number
        if number == self.limit:
            if self.on_limit == "stop":
                raise StopIteration
            from drawloom.errors import BoundReached  # lazy: see the module docstring

            raise BoundReached(self.limit)
        self.next_number += 1
        return number


def bounded(max_iterations: int, *, on_limit: Literal["fail", "stop"] = "fail") -> Iterator[int]:
    """The numbers 0, 1, ... of a loop that must be left by `break` within so many iterations.

    `for _ in bounded(20): if not test(x): break; ...` is the `while test(x): ...` that is sure to end.

    Args:
        max_iterations: how often the body may run; at least 1.
        on_limit: what an end without `break` is: `fail`, or `stop` to go on behind the loop.

    Raises:
        BoundReached: the body ran `max_iterations` times without a `break`, and `on_limit` is `fail`.
        DefinitionError: an argument is wrong (D124).
    """
    if type(max_iterations) is not int or max_iterations < 1:
        raise _bad("max_iterations", max_iterations, "a known whole number of at least 1")
    if on_limit not in ("fail", "stop"):
        raise _bad("on_limit", on_limit, '"fail" or "stop"')
    return Bounded(max_iterations, on_limit)


def _bad(name: str, value: object, expected: str) -> Exception:
    from drawloom.dsl.place import refusal  # lazy: see the module docstring

    shown = repr(value) if isinstance(value, (int, float, str)) else "..."
    return refusal("D124", f"bounded({name}={shown}) must be {expected}", f"pass {expected} as `{name}`")
