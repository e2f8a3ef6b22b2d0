"""Plain `if`, operators and `try`, and the explicit forms, give the same graph, byte for byte."""

from __future__ import annotations

from collections.abc import Callable

import pytest

SameGraph = Callable[[str, str, str], None]  # the parameters, the plain body, the explicit body

EQUAL = {
    "if-else": (
        "n: int) -> int",
        """
        if n > 3:
            x = inc(n)
        else:
            x = half(n)
        return x
        """,
        """
        def taken():
            x = inc(n)
            return x
        def other():
            x = half(n)
            return x
        x = branch(n > 3, taken, other)
        return x
        """,
    ),
    "if-without-else": (
        "n: int) -> int",
        """
        x = n
        if n > 3:
            x = inc(n)
        return x
        """,
        """
        def taken():
            x = inc(n)
            return x
        x = branch(n > 3, taken, lambda: n)
        return x
        """,
    ),
    "if-of-effects": ("n: int) -> None", "if n > 3:\n    log(n)", "branch(n > 3, lambda: log(n))"),
    "elif": (
        "n: int) -> int",
        """
        if n > 3:
            x = inc(n)
        elif n > 2:
            x = half(n)
        else:
            x = inc(inc(n))
        return x
        """,
        """
        def first():
            x = inc(n)
            return x
        def second():
            x = half(n)
            return x
        def third():
            x = inc(inc(n))
            return x
        def other():
            x = branch(n > 2, second, third)
            return x
        x = branch(n > 3, first, other)
        return x
        """,
    ),
    "early-return": (
        "n: int) -> int",
        "if n > 3:\n    return inc(n)\nreturn half(n)",
        "return branch(n > 3, lambda: inc(n), lambda: half(n))",
    ),
    "conditional-expression-with-calls": (
        "n: int) -> int",
        "x = inc(n) if n > 3 else half(n)\nreturn x",
        "x = branch(n > 3, lambda: inc(n), lambda: half(n))\nreturn x",
    ),
    "conditional-expression-without-calls": (
        "n: int) -> int",
        "x = 1 if n > 3 else n\nreturn x",
        "x = choose(n > 3, 1, n)\nreturn x",
    ),
    "narrowed-by-is-not-none": (
        "n: int, o: int | None) -> int",
        "return inc(o) if o is not None else n",
        "return branch(not_(is_none(o)), lambda: inc(o), lambda: n)",
    ),
    "and-with-a-call": (
        "n: int) -> bool",
        "x = n > 3 and big(n)\nreturn x",
        "x = branch(n > 3, lambda: big(n), lambda: n > 3)\nreturn x",
    ),
    "or-with-a-call": (
        "n: int) -> bool",
        "x = n > 3 or big(n)\nreturn x",
        "x = branch(n > 3, lambda: n > 3, lambda: big(n))\nreturn x",
    ),
    "and-or-not-without-calls": (
        "n: int) -> bool",
        "return n > 3 and n < 9 or not n",
        "return or_(and_(n > 3, n < 9), not_(n))",
    ),
    "chained-comparison": ("n: int) -> bool", "v = inc(n)\nreturn 1 < v < 5", "v = inc(n)\nreturn and_(1 < v, v < 5)"),
    "len-and-in": (
        "n: int) -> bool",
        "xs = numbers(n)\nreturn 3 in xs and len(xs) > 1",
        "xs = numbers(n)\nreturn and_(contains(xs, 3), length(xs) > 1)",
    ),
    "try-except": (
        "n: int) -> int",
        """
        try:
            x = check(n)
        except ValueError:
            x = half(n)
        return x
        """,
        """
        def body():
            x = check(n)
            return x
        def handler(failure):
            x = half(n)
            return x
        x = try_(body, {ValueError: handler})
        return x
        """,
    ),
    "try-except-as": (
        "n: int) -> str | int",
        """
        try:
            return check(n)
        except ValueError as error:
            return str(error)
        """,
        "return try_(lambda: check(n), {ValueError: lambda failure: failure.message})",
    ),
    "try-finally": (
        "n: int) -> int",
        """
        try:
            return check(n)
        finally:
            log(n)
        """,
        "return try_(lambda: check(n), finally_=lambda: log(n))",
    ),
    "try-except-finally": (
        "n: int) -> int",
        """
        try:
            x = check(n)
        except ValueError:
            x = half(n)
        except LookupError:
            x = inc(n)
        finally:
            log(n)
        return x
        """,
        """
        def body():
            x = check(n)
            return x
        def one(failure):
            x = half(n)
            return x
        def two(failure):
            x = inc(n)
            return x
        x = try_(body, {ValueError: one, LookupError: two}, lambda: log(n))
        return x
        """,
    ),
    "names-joined-by-if": (
        "n: int) -> int",
        """
        if n > 3:
            x = inc(n)
            y = half(n)
        else:
            x = half(n)
            y = inc(n)
        return x + y
        """,
        """
        def taken():
            x = inc(n)
            y = half(n)
            return x, y
        def other():
            x = half(n)
            y = inc(n)
            return x, y
        x, y = branch(n > 3, taken, other)
        return x + y
        """,
    ),
    "names-joined-by-try": (
        "n: int) -> int",
        """
        try:
            x = check(n)
            y = half(n)
        except ValueError:
            x = half(n)
            y = inc(n)
        return x + y
        """,
        """
        def body():
            x = check(n)
            y = half(n)
            return x, y
        def handler(failure):
            x = half(n)
            y = inc(n)
            return x, y
        x, y = try_(body, {ValueError: handler})
        return x + y
        """,
    ),
    "early-return-of-a-tuple": (
        "n: int) -> tuple[int, int]",
        "if n > 3:\n    return inc(n), 1\nreturn half(n), 2",
        "return branch(n > 3, lambda: (inc(n), 1), lambda: (half(n), 2))",
    ),
    "conditional-expression-of-tuples": (
        "n: int) -> int",
        "x, y = (inc(n), n) if n > 3 else (half(n), n)\nreturn x + y",
        "x, y = branch(n > 3, lambda: (inc(n), n), lambda: (half(n), n))\nreturn x + y",
    ),
    "names-that-are-the-same-on-both-sides": (
        "n: int) -> int",
        """
        if n > 3:
            x, y = n, inc(n)
        else:
            x, y = n, half(n)
        return x + y
        """,
        "x, y = branch(n > 3, lambda: (n, inc(n)), lambda: (n, half(n)))\nreturn x + y",
    ),
    "raise-on-one-side": (
        "n: int) -> int",
        """
        if n > 3:
            raise ValueError("large")
        else:
            x = half(n)
        return x
        """,
        """
        def taken():
            raise ValueError("large")
        def other():
            x = half(n)
            return x
        x = branch(n > 3, taken, other)
        return x
        """,
    ),
}


@pytest.mark.parametrize("name", EQUAL)
def test_both_spellings_give_the_same_graph(same_graph: SameGraph, name: str) -> None:
    same_graph(*EQUAL[name])
