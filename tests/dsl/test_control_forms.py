"""`for_each`, `branch`, `while_loop`, `try_`: the same outcome as plain Python, traced or not."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from drawloom import BoundReached, DefinitionError, Failure, branch, for_each, try_, while_loop
from drawloom.dsl.tracing import trace
from drawloom.ir.check import check_pipeline
from drawloom.ir.interpret import interpret
from drawloom.ir.nodes import Branch, Call, Loop, Map, Try
from drawloom.ir.operands import Apply, Carried, Const, Item, Output, Param
from drawloom.ir.policies import Parallelism
from drawloom.ir.types import FLOAT, INT, STR, Type
from drawloom.ir.walk import walk

Load = Callable[..., ModuleType]

TASKS = """
from __future__ import annotations
from typing import Any
from drawloom import *

LOG = []

@task
def numbers(n: int) -> list[int]: return list(range(n))
@task
def inc(n: int) -> int: return n + 1
@task
def half(n: float) -> float: return n / 2
@task
def text(value: Any) -> str: return str(value)
@task
def fail(kind: str) -> str:
    if kind == "": return "fine"
    raise {"v": ValueError, "k": KeyError, "z": ZeroDivisionError}[kind](kind)
@task
def log(value: Any) -> None: LOG.append(value)
@task
def clock() -> int: return 7
"""


def same(user_module: Load, text: str, *params: dict[str, Any]) -> Any:
    """Checks that the interpreter gives what the plain function gives, and returns the traced pipeline."""
    module = user_module(TASKS + text)
    made = trace(module.p)
    assert check_pipeline(made.program) == []
    for given in params:
        module.LOG.clear()
        try:
            expected: Any = ("result", module.p(**given))
        except Exception as error:
            expected = (type(error), str(error))
        effects = list(module.LOG)
        module.LOG.clear()
        outcome = interpret(made.program.pipeline, made.functions, given)
        failure = outcome.failure
        assert (("result", outcome.result) if failure is None else (type(failure), str(failure))) == expected
        assert effects == module.LOG
    return made.program.pipeline


# for_each


def test_for_each_over_a_run_time_list_is_a_map(user_module: Load) -> None:
    made = same(
        user_module,
        """
@pipeline
def p(n: int, k: int = 2) -> list[str]:
    items = numbers(n)
    sums = for_each(items, lambda x: inc(x) + k, parallelism=2, batch_size=3)
    return for_each(sums, text)
""",
        {"n": 0},
        {"n": 1},
        {"n": 5, "k": 7},
    )
    _, sums, second = made.body.nodes
    assert sums == Map(
        "sums",
        Output("items"),
        sums.body,
        sums.results,
        INT,
        3,
        Parallelism(2),
    )
    assert sums.results[0].type == Type("list", (INT,))
    assert sums.body.nodes[0] == Call("sums/inc", f"{made.tasks[0].name}", (("n", Item("sums")),))
    assert dict(sums.body.results) == {"result": Apply("add", (Output("sums/inc"), Param("k")))}
    assert [n.id for n in second.body.nodes] == ["for_each/text"]
    assert second.item == INT


def test_for_each_over_known_values_just_loops(user_module: Load) -> None:
    made = same(
        user_module,
        """
@pipeline
def p(n: int) -> list[int]:
    return for_each([1, n, inc(n)], lambda x: inc(x))
""",
        {"n": 4},
    )
    assert [type(n) for n in made.body.nodes] == [Call] * 4


def test_for_each_over_known_values_with_a_bound_is_a_map(user_module: Load) -> None:
    made = same(
        user_module,
        "\n@pipeline\ndef p(n: int) -> list[int]:\n    return for_each(range(3), inc, parallelism=1)\n",
        {"n": 4},
    )
    assert [type(n) for n in made.body.nodes] == [Map]


def test_for_each_may_give_several_values_for_an_item(user_module: Load) -> None:
    made = same(
        user_module,
        """
@pipeline
def p(n: int) -> Any:
    pairs = for_each(numbers(n), lambda x: (inc(x), {"text": text(x)}))
    return for_each(pairs, lambda pair: pair[0] + 1), pairs
""",
        {"n": 0},
        {"n": 3},
    )
    assert made.body.nodes[1].results[0].type == Type("list", (Type("tuple", (INT, Type("dict", (STR, STR)))),))


def test_for_each_nests_and_keeps_ids_apart(user_module: Load) -> None:
    made = same(
        user_module,
        """
@pipeline
def p(n: int) -> list[list[int]]:
    def row(i):
        inner = for_each(numbers(i), lambda x: inc(x) + i)
        return inner
    table = for_each(numbers(n), row)
    return table
""",
        {"n": 0},
        {"n": 4},
    )
    ids = [n.id for n in walk(made.body)]
    assert ids == ["numbers", "table", "table/numbers", "table/inner", "table/inner/inc"]


def test_a_body_of_effects_keeps_its_order_and_gives_nothing(user_module: Load) -> None:
    made = same(
        user_module,
        """
@pipeline
def p(n: int) -> int:
    log("first")
    done = for_each(numbers(n), lambda x: log(x))
    late = clock.after(done)()
    log("last")
    return late
""",
        {"n": 0},
        {"n": 2},
    )
    by_id = {n.id: n for n in made.body.nodes}
    assert by_id["done"].results == ()
    assert (by_id["done"].after, by_id["late"].after, by_id["log-2"].after) == (("log",), ("done",), ("done",))


# branch


def test_branch_on_a_run_time_test_traces_both_sides(user_module: Load) -> None:
    made = same(
        user_module,
        """
@pipeline
def p(n: int) -> int | str | None:
    found = branch(inc(n) > 3, lambda: inc(n), lambda: branch(n, lambda: text(n)))
    return found
""",
        {"n": 0},
        {"n": 1},
        {"n": 9},
    )
    found = made.body.nodes[1]
    assert isinstance(found, Branch)
    assert found.results[0].type == Type("union", (INT, STR, Type("none")))
    inner = found.otherwise.nodes[0]
    assert isinstance(inner, Branch)
    assert inner.id == "found/branch"
    assert inner.cases[0].test == Apply("bool", (Param("n"),))
    assert dict(inner.otherwise.results) == {"result": Const("null")}


def test_branch_on_a_known_test_picks(user_module: Load) -> None:
    made = same(
        user_module,
        "\n@pipeline\ndef p(n: int) -> int | None:\n    return branch(1 > 0, lambda: inc(n), lambda: 1 / 0)\n",
        {"n": 1},
    )
    assert [n.id for n in made.body.nodes] == ["inc"]


def test_branch_sides_share_the_ordinals_of_names(user_module: Load) -> None:
    made = same(
        user_module,
        """
@pipeline
def p(n: int) -> int:
    b = branch(n > 1, lambda: inc(n), lambda: inc(inc(n)))
    return b + 1
""",
        {"n": 1},
        {"n": 3},
    )
    assert [n.id for n in walk(made.body)] == ["b", "b/inc", "b/inc-2", "b/inc-3"]


# while_loop


def test_while_loop_carries_its_state(user_module: Load) -> None:
    made = same(
        user_module,
        """
@pipeline
def p(n: int) -> tuple[int, list[int]]:
    i, seen = while_loop(
        lambda s: inc(s[0]) <= n,
        lambda s: (inc(s[0]), s[1] + [s[0]]),
        (0, [n]),
        max_iterations=4,
    )
    last = while_loop(lambda x: x > 1.0, lambda x: half(x), i, max_iterations=50)
    return i, seen
""",
        {"n": 0},
        {"n": 3},
        {"n": 4},
        {"n": 5},
    )
    loop, last = made.body.nodes
    assert isinstance(loop, Loop)
    assert [(c.name, c.initial, c.type) for c in loop.carried] == [
        ("state_0", Const("0"), INT),
        ("state_1", Apply("list", (Param("n"),)), Type("list", (INT,))),
    ]
    assert loop.body.results[1] == (
        "state_1",
        Apply("add", (Carried("while_loop", "state_1"), Apply("list", (Carried("while_loop", "state_0"),)))),
    )
    # the state is an int first and a float then: traced again with both
    assert (last.id, last.carried[0].name, last.carried[0].type) == ("last", "state", Type("union", (INT, FLOAT)))


@pytest.mark.parametrize("on_limit", ["fail", "stop"])
def test_while_loop_at_its_bound(user_module: Load, on_limit: str) -> None:
    same(
        user_module,
        f"""
@pipeline
def p(n: int) -> int:
    return while_loop(lambda x: x < n, lambda x: inc(x), 0, max_iterations=3, on_limit={on_limit!r})
""",
        {"n": 2},
        {"n": 3},
        {"n": 4},
    )


def test_while_loop_outside_a_trace_is_plain_python() -> None:
    assert while_loop(lambda x: x < 3, lambda x: x + 1, 0, max_iterations=3) == 3
    assert while_loop(lambda x: x < 9, lambda x: x + 1, 0, max_iterations=3, on_limit="stop") == 3
    with pytest.raises(BoundReached, match="still true after max_iterations=3 iterations"):
        while_loop(lambda x: x < 9, lambda x: x + 1, 0, max_iterations=3)


# try_


TRY = """
@pipeline
def p(kind: str) -> str:
    answer = try_(
        lambda: fail(kind) + "!",
        {LookupError: lambda failure: failure.message + text(failure.type), ValueError: lambda failure: text("v")},
        finally_=lambda: log("end"),
    )
    return answer
"""


def test_try_picks_the_first_handler_that_matches(user_module: Load) -> None:
    made = same(user_module, TRY, {"kind": ""}, {"kind": "v"}, {"kind": "k"}, {"kind": "z"})
    (answer,) = made.body.nodes
    assert isinstance(answer, Try)
    assert [h.exceptions for h in answer.handlers] == [("builtins:LookupError",), ("builtins:ValueError",)]
    assert [n.id for n in walk(made.body)] == ["answer", "answer/fail", "answer/text", "answer/text-2", "answer/log"]
    assert answer.results[0].type == STR


def test_try_with_finally_alone(user_module: Load) -> None:
    same(
        user_module,
        "\n@pipeline\ndef p(kind: str) -> str:\n    return try_(lambda: fail(kind), finally_=lambda: log(kind))\n",
        {"kind": ""},
        {"kind": "v"},
    )


def test_try_outside_a_trace_is_plain_python() -> None:
    seen: list[Any] = []

    def fail() -> int:
        raise KeyError("k")

    assert try_(fail, {LookupError: seen.append}, finally_=lambda: seen.append("end")) is None
    assert seen == [Failure("builtins:KeyError", "'k'"), "end"]
    with pytest.raises(KeyError):
        try_(fail, {ValueError: seen.append})


def test_the_forms_outside_a_trace_are_plain_python() -> None:
    assert for_each(range(3), lambda x: x + 1, parallelism=1) == [1, 2, 3]
    assert branch([], lambda: 1) is None
    assert branch([1], lambda: 1, lambda: 2) == 1


def test_for_each_gives_as_many_lists_as_asked_for(user_module: Load) -> None:
    made = same(
        user_module,
        """
@pipeline
def p(n: int) -> list[list[int]]:
    ups, twices = for_each(numbers(n), lambda x: (inc(x), x * 2), lists=2)
    (ones,) = for_each(numbers(n), lambda x: (inc(x),), lists=1)
    return [ups, twices, ones]
""",
        {"n": 0},
        {"n": 3},
    )
    first = next(node for node in made.body.nodes if isinstance(node, Map))
    assert [(port.name, port.type) for port in first.results] == [
        ("result_0", Type("list", (INT,))),
        ("result_1", Type("list", (INT,))),
    ]
    assert for_each([], lambda x: (x, x), lists=2) == ([], [])
    assert for_each([1, 2], lambda x: (x, str(x)), lists=2) == ([1, 2], ["1", "2"])


def test_a_branch_of_tuples_gives_each_item_for_itself(user_module: Load) -> None:
    made = same(
        user_module,
        """
@pipeline
def p(n: int) -> tuple[int, tuple[str, int], int]:
    made = branch(n > 1, lambda: (inc(n), ("a", n), 1), lambda: (n, ("b", n), 1))
    return made
""",
        {"n": 1},
        {"n": 2},
    )
    (only,) = (node for node in made.body.nodes if isinstance(node, Branch))
    assert [port.type for port in only.results] == [INT, STR]  # the rest is the same on both sides


def test_a_side_that_raises_leaves_the_other_one(user_module: Load) -> None:
    same(
        user_module,
        """
def refuse(n: int) -> int:
    raise ValueError(n)

@pipeline
def p(n: int) -> int:
    first = branch(n > 1, lambda: refuse(n), lambda: inc(n))
    return try_(lambda: refuse(first), {ValueError: lambda failure: inc(first)})
""",
        {"n": 1},
        {"n": 2},
    )


def test_a_try_of_known_values_is_handled_while_it_is_traced(user_module: Load) -> None:
    made = same(
        user_module,
        """
def find(key: str) -> int:
    return {"a": 1}[key]

@pipeline
def p(n: int) -> list[int]:
    known = try_(lambda: find("b"), {LookupError: lambda failure: len(failure.message)})
    fine = try_(lambda: find("a"), {LookupError: lambda failure: 0}, lambda: log(n))
    return [known, fine, inc(n)]
""",
        {"n": 1},
    )
    assert [type(node) for node in made.body.nodes] == [Call, Call]


def test_an_error_of_known_values_behind_a_call_is_left_to_the_run_with_it(user_module: Load) -> None:
    same(
        user_module,
        """
def after(n: int) -> int:
    log(n)
    return {"a": 1}["b"]

@pipeline
def p(n: int) -> int:
    found = try_(lambda: after(n), {LookupError: lambda failure: inc(n)}, lambda: log(0))
    return try_(lambda: after(found), {ValueError: lambda failure: 0})
""",
        {"n": 1},
    )


def test_what_raises_while_a_side_is_traced_is_refused_there(user_module: Load) -> None:
    module = user_module(TASKS + "@pipeline\ndef p(n: int) -> int: return branch(n > 1, lambda: {}[3], lambda: n)\n")
    with pytest.raises(DefinitionError) as caught:
        trace(module.p)
    (found,) = caught.value.diagnostics
    assert f"{found.code} {found.what}" == (
        "D147 this line raises KeyError (3) whenever `then` of this `branch` is reached"
    )


@pytest.mark.parametrize(
    ("form", "where"),
    [
        (
            "while_loop(lambda s: s < n, lambda s: inc(inc(s) * (0 // 0)), 0, max_iterations=3)",
            "the body of this `while_loop`",
        ),
        ("while_loop(lambda s: s < 0 // 0, lambda s: inc(s), n, max_iterations=3)", "the test of this `while_loop`"),
        ("for_each(numbers(n), lambda i: inc(i) * (0 // 0))[0]", "the body of this `for_each`"),
    ],
)
def test_what_raises_while_a_loop_is_traced_is_refused_there_and_no_try_takes_it(
    user_module: Load, form: str, where: str
) -> None:
    source = (
        f"@pipeline\ndef p(n: int) -> int:\n    return try_(lambda: {form}, {{ArithmeticError: lambda failure: n}})\n"
    )
    module = user_module(TASKS + source)
    with pytest.raises(DefinitionError) as caught:
        trace(module.p)
    (found,) = caught.value.diagnostics
    what = "integer division or modulo by zero"
    assert (
        f"{found.code} {found.what}" == f"D147 this line raises ZeroDivisionError ({what}) whenever {where} is reached"
    )


def test_operands_of_a_comparison_keep_their_sides(user_module: Load) -> None:
    made = same(
        user_module,
        "@pipeline\ndef p(n: int, xs: list[int]) -> bool: return n < length(xs)\n",
        {"n": 1, "xs": [1, 2]},
    )
    (result,) = made.body.results
    assert result[1] == Apply("lt", (Param("n"), Apply("len", (Param("xs"),))))


# refusals


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: for_each([1], str, parallelism=0),
            (
                "for_each(parallelism=0) must be a whole number of at least 1 | "
                "pass a whole number of at least 1 as `parallelism`"
            ),
        ),
        (
            lambda: for_each([1], str, batch_size=1.5),  # type: ignore[arg-type]
            (
                "for_each(batch_size=1.5) must be a whole number of at least 1 | "
                "pass a whole number of at least 1 as `batch_size`"
            ),
        ),
        (
            lambda: for_each([1], str, lists=0),  # type: ignore[arg-type]
            "for_each(lists=0) must be a whole number of at least 1 | pass a whole number of at least 1 as `lists`",
        ),
        (
            lambda: for_each([1], str, lists=2),  # type: ignore[arg-type]
            (
                "`for_each` is to make 2 lists, but its body returns one value | "
                "return a tuple of as many values as `lists` says"
            ),
        ),
        (
            lambda: for_each([1], lambda x: (x, x, x), lists=2),  # type: ignore[arg-type,return-value]
            (
                "`for_each` is to make 2 lists, but its body returns 3 values | "
                "return a tuple of as many values as `lists` says"
            ),
        ),
        (
            lambda: while_loop(bool, int, 1, max_iterations=0),
            (
                "while_loop(max_iterations=0) must be a whole number of at least 1 | "
                "pass a whole number of at least 1 as `max_iterations`"
            ),
        ),
        (
            lambda: while_loop(bool, int, 1, max_iterations=1, on_limit="go"),  # type: ignore[arg-type]
            'while_loop(on_limit=\'go\') must be "fail" or "stop" | pass "fail" or "stop" as `on_limit`',
        ),
        (
            lambda: try_(int, {}),
            "`try_` has neither handlers nor `finally_` | call the body itself, or give one of them",
        ),
        (
            lambda: try_(int, {3: str}),  # type: ignore[dict-item]
            (
                "try_(handlers=3) must be exception classes with their functions | "
                "pass exception classes with their functions as `handlers`"
            ),
        ),
    ],
)
def test_a_bad_argument_of_a_form_is_refused(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        make()
    (found,) = caught.value.diagnostics
    assert f"{found.code} {found.what} | {found.fix}" == f"D124 {text}"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            "lambda s: (s[0],)",
            (
                "the body of `while_loop` returns 1 values, but its state has 2 | "
                "return a tuple of as many values as `initial` has"
            ),
        ),
        (
            "lambda s: inc(s[0])",
            (
                "the body of `while_loop` returns one value, but its state is a tuple | "
                "return a tuple of as many values as `initial` has"
            ),
        ),
        (
            "lambda s: ([s[0]], s[1])",
            (
                "the type of `while_loop`'s state doesn't settle: "
                "int | list[int] | list[int | list[int]] | list[int | list[int] | list[int | list[int]]], "
                "int after 3 rounds"
                " | let the body return the types that `initial` has"
            ),
        ),
    ],
)
def test_a_loop_whose_state_changes_its_shape_is_refused(user_module: Load, body: str, text: str) -> None:
    module = user_module(
        TASKS
        + f"""
@pipeline
def p(n: int):
    return while_loop(lambda s: s[1] > 1, {body}, (n, n), max_iterations=3)
"""
    )
    with pytest.raises(DefinitionError) as caught:
        trace(module.p)
    (found,) = caught.value.diagnostics
    assert f"{found.code} {found.what} | {found.fix}" == f"D125 {text}"


def test_a_value_of_a_body_is_refused_outside_it(user_module: Load) -> None:
    module = user_module(
        TASKS
        + """
@pipeline
def p(n: int):
    kept = []
    for_each(numbers(n), lambda x: kept.append(inc(x)))
    return kept
"""
    )
    with pytest.raises(DefinitionError) as caught:
        trace(module.p)
    (found,) = caught.value.diagnostics
    assert found.code == "D111"
    assert found.what == (
        "the result of `p` is \u27e8run-time value the result of `for_each/inc`: int\u27e9, "
        "which was made in another trace or in a block that is closed"
    )


def test_an_error_in_a_body_leaves_the_trace_as_it_was(user_module: Load) -> None:
    made = same(
        user_module,
        """
def broken(x):
    inc(x)
    raise RuntimeError("while tracing")
@pipeline
def p(n: int) -> int:
    if n is None: return 0
    try:
        for_each([inc(n)], broken)
    except RuntimeError:
        pass
    return inc(n)
""",
        {"n": 1},
    )
    assert [n.id for n in made.body.nodes] == ["branch"]  # behind an early return everything lies in its other side
