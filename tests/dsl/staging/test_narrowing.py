"""What tests tell of None holds where Python and a type checker know it, also behind statements that were left."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

from drawloom.dsl.tracing import Trace

Load = Callable[..., ModuleType]
Same = Callable[..., Trace]

HEAD = """
from __future__ import annotations
from drawloom import *

@task
def inc(n: int) -> int: return n + 1
@task
def big(n: int) -> bool: return n > 3
@task
def numbers(n: int) -> list[int]: return list(range(n))
@task
def log(n: int) -> None: ...
"""
BODIES = {
    "left-in-the-side-that-goes-on": """
    if n:
        if o is None:
            return 0
        log(o)
    else:
        return 1
    return inc(o)
    """,
    "left-on-both-sides": """
    if big(n):
        if o is None:
            return 0
    else:
        if o is None:
            return 1
    return inc(o)
    """,
    "left-in-a-try": """
    try:
        if o is None:
            return inc(n)
    finally:
        log(n)
    return inc(o)
    """,
    "left-in-a-handler-too": """
    try:
        if o is None:
            return inc(n)
        log(o)
    except ValueError:
        return 0
    return inc(o)
    """,
    "left-in-the-else-of-a-try": """
    try:
        m = inc(n)
        if m > 3:
            return 7
    except ZeroDivisionError:
        return 5
    else:
        if o is None:
            return 3
    log(n)
    return inc(o)
    """,
    "left-behind-another-way-out": """
    try:
        if o is None:
            if n > 3:
                m = inc(n)
            elif n > 2:
                return 5
        else:
            log(n)
        if o is None:
            return 3
    finally:
        log(4)
    if n:
        log(o)
    return inc(o)
    """,
    "raised-in-the-other-side": """
    if o is not None:
        log(o)
    else:
        raise ValueError("nothing")
    if n:
        return inc(o)
    return o
    """,
    "what-is-none-is-given-on": """
    if o is None:
        return 0 if (o and o) is None else 1
    return o
    """,
    "a-test-that-can-not-be": """
    if o is None:
        if o is not None:
            return inc(o)
        return inc(n)
    return o
    """,
    "a-flag-of-the-users": """
    there = o is not None and big(o)
    if not there:
        return inc(n)
    return inc(o)
    """,
    "two-tests-of-a-loop": """
    total = 0
    for x in numbers(n):
        if o is None:
            break
        total = inc(total + o + x)
    return total
    """,
    "compared-though-it-may-be-none": """
    same = o == n and big(n)
    if same is True:
        return inc(n)
    return 0
    """,
}


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in BODIES.items()])
def test_a_value_is_what_the_tests_before_leave_of_it(user_module: Load, same: Same, body: str) -> None:
    module = user_module(f"{HEAD}\n@pipeline\ndef p(n: int, o: int | None) -> int:{body}")
    same(module, *({"n": n, "o": o} for n in (0, 1, 5) for o in (None, 0, 1, 5)))
