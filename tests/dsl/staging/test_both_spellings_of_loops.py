"""Plain loops and comprehensions, and the explicit forms, give the same graph, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

from drawloom.dsl.tracing import trace
from drawloom.ir.canonical import canonical_json
from drawloom.ir.program import pipeline_json

SameGraph = Callable[[str, str, str], None]  # the parameters, the plain body, the explicit body

EQUAL = {
    "comprehension": (
        "n: int) -> list[int]",
        "ys = [inc(x) for x in numbers(n)]\nreturn ys",
        "ys = for_each(numbers(n), lambda x: inc(x))\nreturn ys",
    ),
    "comprehension-of-an-expression": (
        "n: int) -> list[int]",
        "return [x * 2 + n for x in numbers(n)]",
        "return for_each(numbers(n), lambda x: x * 2 + n)",
    ),
    "nested-comprehension": (
        "n: int) -> list[list[int]]",
        "ys = [[inc(x) for x in numbers(y)] for y in numbers(n)]\nreturn ys",
        "ys = for_each(numbers(n), lambda y: for_each(numbers(y), lambda x: inc(x)))\nreturn ys",
    ),
    "for-that-appends": (
        "n: int) -> list[int]",
        """
        ys = []
        for x in numbers(n):
            y = inc(x)
            ys.append(y)
        return ys
        """,
        """
        def body(x):
            y = inc(x)
            return y
        ys = for_each(numbers(n), body)
        return ys
        """,
    ),
    "if-in-a-for": (
        "n: int) -> list[int]",
        """
        ys = []
        for x in numbers(n):
            if x > 2:
                y = inc(x)
            else:
                y = half(x)
            ys.append(y)
        return ys
        """,
        """
        def body(x):
            def taken():
                y = inc(x)
                return y
            def other():
                y = half(x)
                return y
            y = branch(x > 2, taken, other)
            return y
        ys = for_each(numbers(n), body)
        return ys
        """,
    ),
    "for-of-effects": (
        "n: int) -> None",
        "for x in numbers(n):\n    log(x)",
        "for_each(numbers(n), lambda x: log(x), parallelism=1)",
    ),
    "for-of-effects-under-an-if": (
        "n: int) -> None",
        """
        for x in numbers(n):
            if big(x):
                log(x)
        """,
        """
        def body(x):
            branch(big(x), lambda: log(x))
        for_each(numbers(n), body, parallelism=1)
        """,
    ),
    "bounded-loop-without-break": (
        "n: int) -> int",
        """
        x = n
        for _ in bounded(5, on_limit="stop"):
            x = inc(x)
        return x
        """,
        """
        def body(state):
            x = inc(state)
            return x
        return while_loop(lambda state: True, body, n, max_iterations=5, on_limit="stop")
        """,
    ),
    "comprehension-with-a-filter": (
        "n: int) -> list[int]",
        "ys = [inc(x) for x in numbers(n) if big(x)]\nreturn ys",
        "ys = for_each(numbers(n), lambda x: branch(big(x), lambda: [inc(x)], lambda: []))\nreturn flatten(ys)",
    ),
    "comprehension-of-two-loops": (
        "n: int) -> list[int]",
        "ys = [inc(x) for y in numbers(n) for x in numbers(y)]\nreturn ys",
        "ys = for_each(numbers(n), lambda y: for_each(numbers(y), lambda x: inc(x)))\nreturn flatten(ys)",
    ),
    "for-that-appends-to-two-lists": (
        "n: int) -> list[int]",
        """
        ys, zs = [], []
        for x in numbers(n):
            ys.append(inc(x))
            zs.append(half(x))
        return zs
        """,
        "ys, zs = for_each(numbers(n), lambda x: (inc(x), half(x)), lists=2)\nreturn zs",
    ),
    "for-that-appends-to-two-lists-under-an-if": (
        "n: int) -> list[list[int]]",
        """
        ys, zs = [], []
        for x in numbers(n):
            if big(x):
                ys.append(inc(x))
            else:
                zs.append(half(x))
        return [ys, zs]
        """,
        """
        def body(x):
            return branch(big(x), lambda: ([inc(x)], []), lambda: ([], [half(x)]))
        ys, zs = for_each(numbers(n), body, lists=2)
        return [flatten(ys), flatten(zs)]
        """,
    ),
    "for-that-carries": (
        "xs: list[int]) -> int",
        """
        acc = 0
        for x in xs:
            acc = total([acc, x])
        return acc
        """,
        """
        def body(state):
            acc = total([state[0], xs[state[1]]])
            return acc, state[1] + 1
        acc, _ = while_loop(lambda state: state[1] < length(xs), body, (0, 0), max_iterations=2**31 - 1)
        return acc
        """,
    ),
}


@pytest.mark.parametrize("name", EQUAL)
def test_both_spellings_give_the_same_graph(same_graph: SameGraph, name: str) -> None:
    same_graph(*EQUAL[name])


def test_places_are_no_part_of_the_compared_form(user_module: Callable[..., ModuleType]) -> None:
    text = (
        "from drawloom import *\n@task\ndef inc(n: int) -> int: return n + 1\n"
        "@pipeline\ndef p(n: int) -> int: return inc(n) if n else n\n"
    )
    one, two = (trace(user_module(shift + text, "shifted").p).program for shift in ("", "\n\n\n"))
    assert one.spans["branch"].line + 3 == two.spans["branch"].line
    assert canonical_json(pipeline_json(one.pipeline)) == canonical_json(pipeline_json(two.pipeline))
