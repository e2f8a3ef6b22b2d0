"""What a run-time value answers with an expression, and what it refuses because Python would need the value."""

from __future__ import annotations

import copy
import math
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from drawloom import (
    DefinitionError,
    and_,
    choose,
    contains,
    is_none,
    length,
    not_,
    or_,
    pipeline,
    task,
)
from drawloom.dsl.blocks import MAX_DEPTH, MAX_OPERATORS
from drawloom.dsl.current import CURRENT
from drawloom.dsl.handles import Handle
from drawloom.dsl.tracer import Tracer
from drawloom.dsl.tracing import trace
from drawloom.ir.interpret import interpret
from drawloom.ir.operands import Apply, Const, Field, Key, Operand, Output, Param
from drawloom.ir.types import INT, Type


@dataclass
class Score:
    value: float
    name: str

    def twice(self) -> float:
        return 2 * self.value


@task
def number(n: int) -> int:
    return n


@task
def score(n: int) -> Score:
    return Score(n / 2, "s")


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task
def anything(n: int) -> Any:
    return {"k": [n]}


def operand_of(make: Callable[[Any, Any, Any], Any]) -> Operand:
    """What `make` returns, given an int, a list and a `Score`, as an operand; its source isn't rewritten."""
    tracer = Tracer()
    token = CURRENT.set(tracer)
    try:
        x, y = Handle(tracer.block, Param("x"), INT), Handle(tracer.block, Param("y"), Type("list", (INT,)))
        operand, _ = tracer.result_operand(make(x, y, score(x)), "the result")
    finally:
        CURRENT.reset(token)
        tracer.block.close()
    assert operand is not None
    return operand


X, Y, S = Param("x"), Param("y"), "score"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda x, y, s: x + 1, Apply("add", (X, Const("1")))),
        (lambda x, y, s: 1 - x, Apply("sub", (Const("1"), X))),
        (lambda x, y, s: 2 * x / 3, Apply("truediv", (Apply("mul", (Const("2"), X)), Const("3")))),
        (lambda x, y, s: x // 2 % 3, Apply("mod", (Apply("floordiv", (X, Const("2"))), Const("3")))),
        (lambda x, y, s: 2**-x, Apply("pow", (Const("2"), Apply("neg", (X,))))),
        (lambda x, y, s: abs(+x), Apply("abs", (Apply("pos", (X,)),))),
        (lambda x, y, s: x == s.value, Apply("eq", (X, Output(S, path=(Field("value"),))))),
        (lambda x, y, s: x < 3, Apply("lt", (X, Const("3")))),
        (lambda x, y, s: x >= 3, Apply("ge", (X, Const("3")))),
        (lambda x, y, s: x != None, Apply("ne", (X, Const("null")))),  # noqa: E711
        (lambda x, y, s: y[0], Param("y", (Key(0),))),
        (lambda x, y, s: y[-1], Param("y", (Key(-1),))),
        (lambda x, y, s: (x + 1).real, Apply("attr", (Apply("add", (X, Const("1"))), Const('"real"')))),
        (lambda x, y, s: y[x], Apply("get", (Param("y"), X))),
        (lambda x, y, s: (y.__add__([x]))[0], Apply("get", (Apply("add", (Y, Apply("list", (X,)))), Const("0")))),
        (lambda x, y, s: y[1:], Apply("slice", (Y, Const("1"), Const("null"), Const("null")))),
        (lambda x, y, s: y[x::2], Apply("slice", (Y, X, Const("null"), Const("2")))),
        (lambda x, y, s: length(y), Apply("len", (Y,))),
        (lambda x, y, s: not_(x), Apply("not", (X,))),
        (lambda x, y, s: and_(x, y), Apply("and", (X, Y))),
        (lambda x, y, s: or_(x, 3), Apply("or", (X, Const("3")))),
        (lambda x, y, s: and_(True, x), X),
        (lambda x, y, s: is_none(x), Apply("is_none", (X,))),
        (lambda x, y, s: contains(y, x), Apply("contains", (Y, X))),
        (lambda x, y, s: contains([1, x], 2), Apply("contains", (Apply("list", (Const("1"), X)), Const("2")))),
        (lambda x, y, s: choose(x > 1, x, 0), Apply("select", (Apply("gt", (X, Const("1"))), X, Const("0")))),
    ],
)
def test_operators_give_expressions(make: Callable[..., Any], expected: Operand) -> None:
    assert operand_of(make) == expected


def test_expression_functions_are_plain_python_on_plain_values() -> None:
    assert (length([1, 2]), not_(0), and_(0, 1), and_(2, 1), or_(0, 1), or_(2, 1)) == (2, True, 0, 1, 1, 2)
    assert (is_none(None), contains([1], 2), choose([], 1, 2)) == (True, False, 2)


def test_in_place_operators_on_scalars_make_new_values() -> None:
    def traced(x: int, y: list[int]) -> int:
        total = number(x)
        total += 1
        total *= x
        return total

    made = trace(pipeline(traced))
    assert interpret(made.program.pipeline, made.functions, {"x": 3, "y": []}).result == traced(3, [])


def test_arrays_and_frames_leave_the_operator_to_the_run_time_value() -> None:
    for known in (np.array([1, 2]), pd.Series([1, 2])):
        with pytest.raises(DefinitionError) as caught:
            operand_of(lambda x, y, s, known=known: known * x)
        assert caught.value.diagnostics[0].code == "D113"  # an array is no constant: one refusal, not two products


def refused(make: Callable[[Any, Any, Any], Any]) -> str:
    with pytest.raises(DefinitionError) as caught:
        operand_of(make)
    (found,) = caught.value.diagnostics
    assert found.where is not None
    assert found.where.file == __file__
    return f"{found.code} {found.what} | {found.fix}"


VALUE = "the parameter `x` (int)"
LIST = "the parameter `y` (list[int])"
CHANGED = "make the changed value in a @task and return it"


def _loop(x: Any) -> None:
    for _ in x:
        pass


def _while(x: Any) -> None:
    while x:
        pass


def _assign(x: Any) -> None:
    x["k"] = 1


def _delete(x: Any) -> None:
    del x["k"]


def _set(x: Any) -> None:
    x.k = 1


def _with(x: Any) -> None:
    with x:
        pass


CONDITION = (
    f"{VALUE} is used as a condition, but its value is known only at run time | "
    "use `branch(test, then, otherwise)`, `and_`, `or_`, `not_`, or test inside a @task"
)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda x, y, s: 1 if x else 2, CONDITION),
        (lambda x, y, s: x and y, CONDITION),
        (lambda x, y, s: x or y, CONDITION),
        (lambda x, y, s: not x, CONDITION),
        (lambda x, y, s: _while(x), CONDITION),
        (lambda x, y, s: 1 < x < 3, CONDITION.replace(VALUE, "an expression (`gt`) (bool)")),
        (lambda x, y, s: x in [1, 2], CONDITION.replace(VALUE, "an expression (`eq`) (bool)")),
        (
            lambda x, y, s: x in y,
            f"`in` looks into {LIST}, but its value is known only at run time | use `contains(container, item)`",
        ),
        (
            lambda x, y, s: _loop(y),
            (
                f"{LIST} is iterated over, but its items are known only at run time | "
                "use `for_each(items, body)`, or loop inside a @task"
            ),
        ),
        (
            lambda x, y, s: [*y],
            (
                f"{LIST} is iterated over, but its items are known only at run time | "
                "use `for_each(items, body)`, or loop inside a @task"
            ),
        ),
        (
            lambda x, y, s: len(y),
            (
                f"`len()` is taken of {LIST}, but its value is known only at run time | "
                "use `length(x)`, which gives a run-time number"
            ),
        ),
        (
            lambda x, y, s: f"{x}",
            f"{VALUE} is put into an f-string, but its value is known only at run time | make the text in a @task",
        ),
        (
            lambda x, y, s: str(x),
            f"the text of {VALUE} is asked for, but its value is known only at run time | make the text in a @task",
        ),
        (
            lambda x, y, s: int(x),
            f"`int()` is called on {VALUE}, but its value is known only at run time | convert it in a @task",
        ),
        (
            lambda x, y, s: float(x),
            f"`float()` is called on {VALUE}, but its value is known only at run time | convert it in a @task",
        ),
        (
            lambda x, y, s: [1, 2][x],
            (
                f"{VALUE} is used as an index or a count, but its value is known only at run time | "
                "index a run-time value with it, or use `for_each`; else do it in a @task"
            ),
        ),
        (
            lambda x, y, s: range(x),
            (
                f"{VALUE} is used as an index or a count, but its value is known only at run time | "
                "index a run-time value with it, or use `for_each`; else do it in a @task"
            ),
        ),
        (
            lambda x, y, s: {x: 1},
            (
                f"{VALUE} is used as a dict key or a set item, but its value is known only at run time | "
                "build the dict or set in a @task"
            ),
        ),
        (
            lambda x, y, s: {x},
            (
                f"{VALUE} is used as a dict key or a set item, but its value is known only at run time | "
                "build the dict or set in a @task"
            ),
        ),
        (
            lambda x, y, s: round(x),
            f"`round()` is called on {VALUE}, but its value is known only at run time | round it in a @task",
        ),
        (
            lambda x, y, s: math.trunc(x),
            f"{VALUE} is truncated, but its value is known only at run time | convert it in a @task",
        ),
        (
            lambda x, y, s: divmod(x, 2),
            f"`divmod()` is called on {VALUE}, but its value is known only at run time | use `//` and `%`, or a @task",
        ),
        (
            lambda x, y, s: os.fspath(x),
            f"{VALUE} is used as a path, but its value is known only at run time | open it in a @task",
        ),
        (
            lambda x, y, s: copy.deepcopy(x),
            f"{VALUE} is copied or pickled, but its value is known only at run time | give it to a @task instead",
        ),
        (
            lambda x, y, s: pickle.dumps(x),
            f"{VALUE} is copied or pickled, but its value is known only at run time | give it to a @task instead",
        ),
        (
            lambda x, y, s: _assign(y),
            f"an item of {LIST} is assigned, but its value is known only at run time | {CHANGED}",
        ),
        (
            lambda x, y, s: _delete(y),
            f"an item of {LIST} is deleted, but its value is known only at run time | {CHANGED}",
        ),
        (
            lambda x, y, s: _set(x),
            f"an attribute of {VALUE} is assigned, but its value is known only at run time | {CHANGED}",
        ),
        (
            lambda x, y, s: _with(x),
            f"{VALUE} is used in a `with`, but its value is known only at run time | open it in a @task",
        ),
        (
            lambda x, y, s: next(x),
            f"`next()` is called on {VALUE}, but its value is known only at run time | take the item in a @task",
        ),
        (
            lambda x, y, s: sorted(y),
            (
                f"{LIST} is iterated over, but its items are known only at run time | "
                "use `for_each(items, body)`, or loop inside a @task"
            ),
        ),
    ],
)
def test_what_needs_the_value_itself_is_refused(make: Callable[..., Any], text: str) -> None:
    assert refused(make) == f"D110 {text}"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda x, y, s: s.valeu,
            (
                "Score has no field `valeu`, did you mean `value`? | "
                "its fields are `value`, `name`; compute anything else in a @task"
            ),
        ),
        (lambda x, y, s: (x + 1).reel, "int has no field `reel`, did you mean `real`? | compute it in a @task"),
        (lambda x, y, s: y["a"], "list[int] has no key 'a': it is indexed by int | index it with a number"),
    ],
)
def test_a_part_that_is_not_there_is_refused(make: Callable[..., Any], text: str) -> None:
    assert refused(make) == f"D116 {text}"


def test_calling_a_method_of_a_run_time_value_is_refused() -> None:
    assert refused(lambda x, y, s: anything(x).head(3)) == (
        "D117 the method `.head()` of a run-time value is called, but it would run on a value that isn't known yet | "
        "put the call in a @task"
    )
    assert refused(lambda x, y, s: x(3)) == (
        f"D117 {VALUE} is called, but it would run on a value that isn't known yet | put the call in a @task"
    )


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda x, y, s: x & 1, f"the operator `&` is used on {VALUE} | use `and_`, or a @task"),
        (lambda x, y, s: ~x, f"the operator `~` is used on {VALUE} | use `not_`, or a @task"),
        (lambda x, y, s: x @ y, f"the operator `@` is used on {VALUE} | use a @task"),
        (lambda x, y, s: pow(x, 2, 3), f"`pow()` with a modulus is called on {VALUE} | compute it in a @task"),
        (
            lambda x, y, s: y.__iadd__([1]),
            f"`+=` would change {LIST} in place | write `x = x + y`, which makes a new value",
        ),
    ],
)
def test_an_operator_without_a_word_in_the_ir_is_refused(make: Callable[..., Any], text: str) -> None:
    assert refused(make) == f"D118 {text}"


def test_an_expression_that_grows_without_bound_is_refused() -> None:
    def doubled(x: Any, y: Any, s: Any) -> Any:
        for _ in range(30):
            x = x + x
        return x

    def summed(x: Any, y: Any, s: Any) -> Any:
        return sum([x] * (MAX_DEPTH + 1))

    text = (
        f"D119 an expression over run-time values grows beyond {MAX_OPERATORS} operators or {MAX_DEPTH} levels | "
        "compute it in a @task: pass the values as a list"
    )
    assert refused(doubled) == text
    assert refused(summed) == text


def test_a_wide_list_of_run_time_values_is_no_deep_expression() -> None:
    assert len(operand_of(lambda x, y, s: [x] * 5_000).args) == 5_000  # type: ignore[union-attr]


def test_probing_attributes_are_missing_and_the_repr_is_quiet() -> None:
    def look(x: Any, y: Any, s: Any) -> Any:
        assert not hasattr(x, "_repr_html_")
        assert not hasattr(x, "__array__")
        assert repr(s) == "\u27e8run-time value the result of `score`: Score\u27e9"
        return x

    assert operand_of(look) == X
