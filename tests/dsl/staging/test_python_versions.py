"""Syntax and bytecode that differ between Python 3.11, 3.12 and 3.13."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from drawloom.dsl.staging.straight import is_straight
from drawloom.dsl.tracing import Trace, trace

Load = Callable[..., ModuleType]
Same = Callable[..., Trace]

TASKS = """
from drawloom import *

@task
def inc(n: int) -> int: return n + 1
@task
def add(a: int, b: int = 1, *, c: int = 2) -> int: return a + b + c
@task
def numbers(n: int) -> list[int]: return list(range(n))
@task
def log(n: int) -> None: ...
"""
STRAIGHT = {
    "calls": "a = inc(n)\n    b = inc(a)\n    return inc(b)",
    "names read at once": "a = inc(n)\n    b = inc(n)\n    return a + b",
    "keywords": "a = add(n, b=inc(n), c=3)\n    return add(a=a)",
    "constants": "a = [1, 2, 3]\n    b = (1, 2)\n    return add(n, 2)",
    "operators": "return -(n + 1) * 2 - n // 3",
    "comparison": "a = n > 3\n    return a",
    "order": "a = log(n)\n    return inc.after(a)(n)",
    "options": "return inc.with_options(packages=['x'])(n)",
    "nothing": "inc(n)",
}
OTHER = {
    "test": "return inc(n) if n else n",
    "and": "return n and inc(n)",
    "in place": "n += 1\n    return inc(n)",
    "item": "return numbers(n)[0]",
    "attribute": "return n.real",
    "loop": "for x in (1, 2):\n        n = inc(n)\n    return n",
    "comprehension": "return [inc(x) for x in (1, 2)]",
    "text": "return f'{n}'",
    "not": "return not n",
    "is": "return n is None",
    "in": "return n in (1, 2)",
    "unpacking": "a, b = n, 1\n    return [*numbers(n), a]",
    "other call": "return len(numbers(n))",
    "try": "try:\n        return inc(n)\n    finally:\n        log(n)",
    "assert": "assert n\n    return inc(n)",
    "walrus in a call": "return inc((a := n) if n else 1)",
    "star": "return add(*(n, 1))",
}


@pytest.mark.parametrize("body", STRAIGHT.values(), ids=STRAIGHT)
def test_straight_functions_are_told(user_module: Load, body: str) -> None:
    module = user_module(f"{TASKS}\n@pipeline\ndef p(n: int):\n    {body}\n")
    assert is_straight(module.p.function)
    trace(module.p)


@pytest.mark.parametrize("body", OTHER.values(), ids=OTHER)
def test_functions_that_are_not_straight_are_told(user_module: Load, body: str) -> None:
    module = user_module(f"{TASKS}\n@pipeline\ndef p(n: int):\n    {body}\n")
    assert not is_straight(module.p.function)


def test_nodes_are_named_after_their_variables(user_module: Load) -> None:
    many = "".join(f"    v{i} = inc(n)\n" for i in range(20))  # more than 16: other instructions from 3.13 on
    module = user_module(
        TASKS
        + f"""
@pipeline
def p(n: int) -> int:
{many}    a = inc(n); b = inc(a)
    c = d = inc(b)
    def inner(): return c
    e: int = inc(c)
    if n:
        g = inc(e)
    else:
        g = inc(n)
    _ = inc(inner())
    return inc(g)
"""
    )
    top = [node.id for node in trace(module.p).program.pipeline.body.nodes]
    assert top == [*(f"v{i}" for i in range(20)), "a", "b", "c", "e", "g", "inc", "inc-2"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="syntax of Python 3.12")
def test_type_parameters_and_nested_quotes(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
def first[T](items: list[T], other: T) -> T:
    kept: T = items[0] if items else other
    return kept

class Held[T]:
    def __init__(self, value: T) -> None: self.__value = value
    def get[S](self, other: S) -> T | S: return self.__value if other else other

type Number = int

@pipeline
def p(n: int) -> str:
    x: Number = first([inc(n)], 2)
    y = Held(x).get(n)
    return f"{'yes' if y > 2 else f"{x + 1}"}"
"""
    )
    same(module, {"n": 0}, {"n": 3})


def test_comprehensions_see_and_keep_names(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
@pipeline
def p(n: int) -> list[int]:
    x = 5
    k = 2
    made = [inc(x) + k for x in numbers(n) if x > 0]
    nested = [[x + y for y in numbers(x)] for x in [1, x]]
    fs = [lambda: x + i for i in (1, 2)]
    return made + [x, k] + nested[0] + [f() for f in fs] + [z := inc(n), z]
"""
    )
    same(module, {"n": 0}, {"n": 3})


@pytest.mark.skipif(sys.version_info < (3, 13), reason="`python -c` keeps its text from Python 3.13 on")
def test_a_pipeline_in_the_text_of_a_command_is_staged() -> None:
    text = f"{TASKS}\n@pipeline\ndef p(n: int) -> int:\n    return inc(n) if n else n\n"
    text += "from drawloom.dsl.tracing import trace\nprint(trace(p).program.pipeline.body.nodes[0].id)\n"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("branch", "")
