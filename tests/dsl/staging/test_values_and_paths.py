"""Values on the paths that a run may take: none leaks from a path not taken, none is lost, no error goes missing."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from drawloom import DefinitionError
from drawloom.dsl.tracing import Trace, trace

Load = Callable[..., ModuleType]
Same = Callable[..., Trace]

TASKS = """
from __future__ import annotations
from drawloom import *

LOG: list[int] = []
CALLS: list[int] = []

@task
def numbers(n: int) -> list[int]: return list(range(n))
@task
def inc(n: int) -> int:
    CALLS.append(n)
    return n + 1
@task
def check(n: int) -> int:
    if n > 5: raise ValueError(f"{n} is much")
    if n == 5: raise KeyError(n)
    return n
@task
def log(value: int) -> None: LOG.append(value)
"""


def _refusal(module: ModuleType) -> Any:
    with pytest.raises(DefinitionError) as caught:
        trace(module.p)
    (found,) = caught.value.diagnostics
    return found


# what a path leaves behind


def test_a_returned_list_is_kept_as_it_was_when_it_left(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
@pipeline
def p(n: int) -> tuple[int, list[int]]:
    out = [n]
    if n > 2:
        return inc(n), out
    out.append(inc(n))
    if n > 1:
        return 1, out
    out.append(7)
    return 2, out
"""
    )
    same(module, {"n": 0}, {"n": 2}, {"n": 3})


def test_a_list_returned_on_two_ways_beside_another_value_holds_what_it_did_on_each(
    user_module: Load, same: Same
) -> None:
    module = user_module(
        TASKS
        + """
@pipeline
def p(n: int, m: int) -> list[int]:
    out = []
    if m:
        out += [1]
        return out
    elif n > m:
        m = inc(m)
    else:
        out.append(inc(n))
        return out
    return [m, n]
"""
    )
    same(module, {"n": -1, "m": 0}, {"n": 1, "m": 0}, {"n": 1, "m": 2})


def test_a_list_in_a_returned_dict_is_kept_as_it_was(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
@pipeline
def p(n: int) -> dict[str, list[int]]:
    out: list[int] = []
    if n > 2:
        return {"out": out}
    out.append(inc(n))
    return {"out": out}
"""
    )
    same(module, {"n": 0}, {"n": 3})


def test_a_name_of_a_path_that_was_left_does_not_leak(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
@pipeline
def p(n: int) -> int:
    c = 0
    for k in range(3):
        if inc(n) > k + 1:
            break
        c = inc(k)
    return c
"""
    )
    same(module, {"n": 0}, {"n": 1}, {"n": 2}, {"n": 9})


def test_a_name_bound_only_where_the_path_is_left_is_unbound_behind(user_module: Load) -> None:
    module = user_module(
        TASKS
        + """
@pipeline
def p(n: int) -> int:
    if n > 2:
        c = inc(n)
        return c
    return c
"""
    )
    with pytest.raises((DefinitionError, UnboundLocalError)):
        trace(module.p)


def test_a_name_bound_on_one_side_is_refused_where_it_is_used_and_only_there(user_module: Load, same: Same) -> None:
    same(
        user_module(TASKS + "\n@pipeline\ndef p(n: int) -> int:\n    if n > 2:\n        c = inc(n)\n    return n"),
        {"n": 3},
    )
    module = user_module(TASKS + "\n@pipeline\ndef p(n: int) -> int:\n    if n > 2:\n        c = inc(n)\n    return c")
    found = _refusal(module)
    assert found.code == "D138"
    assert "`c` may be unbound" in found.what


def test_a_loop_invariant_name_is_no_carry(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
@pipeline
def p(n: int) -> list[int]:
    k = 3
    out = []
    for x in numbers(n):
        if False:
            k = 4
        out.append(inc(x) + k)
    return out
"""
    )
    made = same(module, {"n": 0}, {"n": 2})
    assert [type(node).__name__ for node in made.program.pipeline.body.nodes] == ["Call", "Map"]


# errors


def test_the_error_of_an_unused_expression_is_kept(user_module: Load, same: Same) -> None:
    module = user_module(TASKS + "\n@pipeline\ndef p(n: int) -> int:\n    q = 1 / n\n    log(7)\n    return inc(7)")
    same(module, {"n": 1}, {"n": 0})


@pytest.mark.parametrize(
    "line", ["numbers(n)[0]", "[1, 2][n]", "{1: 2}[n]", "10 % n", "10 // n", "float(f'{n}x')", "int(f'a{n}')"]
)
def test_an_expression_that_raises_stops_what_comes_behind_it(user_module: Load, same: Same, line: str) -> None:
    module = user_module(TASKS + f"\n@pipeline\ndef p(n: int) -> int:\n    {line}\n    log(7)\n    return inc(7)")
    same(module, {"n": 1}, {"n": 0}, {"n": 9})


@pytest.mark.parametrize("line", ["b = 1 // (n - 6)", "b = [1, 2][n - 5]"])
def test_a_used_expression_that_raises_stops_what_comes_behind_it(user_module: Load, same: Same, line: str) -> None:
    module = user_module(TASKS + f"\n@pipeline\ndef p(n: int) -> int:\n    {line}\n    log(7)\n    return inc(b)")
    same(module, {"n": 6}, {"n": 5}, {"n": 8})


IGNORED = [
    "any(1 // x > 0 for x in (n, m))",
    "all(1 // x > 5 for x in (n, m))",
    "any(never(1 // x) for x in (n, m))",
    "any([n > 0, 1 // m > 0])",
    "n > 0 or never(1 // m)",
    "n > 3 and never(1 // m)",
    "1 if n > 0 else never(1 // m)",
    "never(1 // m) if n > 3 else 2",
    "0 < n < never(1 // m)",
    "not (n > 1 and never(1 // m))",
    "n > 0 and (m > 5 or 1 // m) > 2",
    "[never(1 // x) if x else 2 for x in (n, m)]",
]


@pytest.mark.parametrize("form", IGNORED)
def test_an_operand_that_raises_does_so_if_it_is_reached_whoever_takes_its_value(
    user_module: Load, same: Same, form: str
) -> None:
    module = user_module(
        TASKS + "\ndef never(q):\n    return 0\n\n@pipeline\ndef p(n: int, m: int) -> object:\n    return " + form
    )
    same(module, *({"n": n, "m": m} for n in (0, 1, 5, -1) for m in (0, 1, 2)))


def test_of_two_errors_that_of_the_task_before_counts(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS + "\n@pipeline\ndef p(n: int) -> int:\n    a = check(n)\n    b = 1 // (n - 6)\n    return a + b"
    )
    same(module, {"n": 6}, {"n": 5}, {"n": 1})


def test_of_two_errors_that_of_the_expression_before_counts(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS + "\n@pipeline\ndef p(n: int) -> int:\n    b = 1 // (n - 6)\n    a = check(n)\n    return a + b"
    )
    same(module, {"n": 5}, {"n": 1}, {"n": 6})


def test_a_known_error_under_a_run_time_test_is_told_at_its_line(user_module: Load) -> None:
    module = user_module(
        TASKS
        + """
@pipeline
def p(n: int) -> int:
    if n > 3:
        return {}["missing"]
    return inc(n)
"""
    )
    found = _refusal(module)
    assert (found.code, "KeyError ('missing')" in found.what) == ("D147", True)
    assert found.where.line == TASKS.count("\n") + 5


# loops


def test_the_number_of_a_bounded_loop_is_bound_behind_it(user_module: Load, same: Same) -> None:
    text = "\n@pipeline\ndef p(n: int) -> int:\n    for k in bounded(9):\n        if inc(k) > n:\n            break\n    return k"
    same(user_module(TASKS + text), {"n": 0}, {"n": 3})


def test_len_of_a_list_that_the_loop_appends_to(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
@pipeline
def p(n: int) -> list[int]:
    out: list[int] = []
    for x in numbers(n):
        if len(out) < 2:
            out.append(inc(x))
    return out
"""
    )
    same(module, {"n": 0}, {"n": 1}, {"n": 4})


def test_an_endless_while_over_a_run_time_test_is_refused(user_module: Load) -> None:
    found = _refusal(
        user_module(
            TASKS + "\n@pipeline\ndef p(x: int) -> int:\n    while inc(x) < 4:\n        x = inc(x)\n    return x"
        )
    )
    assert "no bound" in found.what
    assert "bounded(" in found.fix


def test_while_true_left_by_a_run_time_break_is_refused(user_module: Load) -> None:
    found = _refusal(
        user_module(
            TASKS
            + """
@pipeline
def p(x: int) -> int:
    while True:
        x = inc(x)
        if x > 3:
            break
    return x
"""
        )
    )
    assert "bounded(" in found.fix


@pytest.mark.parametrize(
    "made",
    [
        "[i + b for i, (a, b) in enumerate(pairs) if b > 1]",
        "[i + a for i, (a, *b) in enumerate([(1, 2, 3)])]",
        "[a + c for (a, b), c in zip(pairs, numbers(n))]",
        "sum(a * b for a, b in pairs if inc(a) > 1)",
    ],
)
def test_nested_targets(user_module: Load, same: Same, made: str) -> None:
    module = user_module(
        TASKS
        + f"""
@task
def pair(n: int) -> list[tuple[int, int]]: return [(i, i * 2) for i in range(n)]

@pipeline
def p(n: int) -> int | list[int]:
    pairs = pair(n)
    return {made}
"""
    )
    same(module, {"n": 0}, {"n": 1}, {"n": 3})


def test_nested_targets_of_statements(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
@task
def pair(n: int) -> list[tuple[int, tuple[int, int]]]: return [(i, (i, i * 2)) for i in range(n)]

@pipeline
def p(n: int) -> list[int]:
    out = []
    for i, (a, (b, c)) in enumerate(pair(n)):
        d, (e, f) = a, (b, c)
        out.append(inc(i) + d + e * f)
    return out
"""
    )
    same(module, {"n": 0}, {"n": 3})


QUANTIFIED = [
    "any(inc(x) > 2 for x in xs)",
    "all(inc(x) < 3 for x in xs)",
    "all(inc(x) < k for x in xs for k in (3,))",
    "any(inc(x) > k for x in xs for k in ())",
    "any(inc(x) > 2 for x in xs if 1 > 2)",
    "all(inc(x) < 3 for k in (1,) if k for x in (n, 2, n + 1))",
]


@pytest.mark.parametrize("form", QUANTIFIED)
def test_any_and_all_stop_at_the_first_item_that_decides(user_module: Load, same: Same, form: str) -> None:
    module = user_module(TASKS + f"\n@pipeline\ndef p(n: int) -> bool:\n    xs = numbers(n)\n    return {form}")
    same(module, {"n": 0}, {"n": 2}, {"n": 6})


# try


def test_a_bare_except_around_a_staged_return_does_not_take_it(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
@pipeline
def p(n: int) -> str:
    try:
        if inc(n) > 3:
            return "big"
        else:
            return "little"
    except:
        return "caught"
"""
    )
    same(module, {"n": 0}, {"n": 3})


def test_except_exception_does_not_take_a_refusal(user_module: Load) -> None:
    module = user_module(
        TASKS
        + """
@pipeline
def p(n: int) -> int:
    try:
        found = bool(inc(n).lower())
    except Exception:
        found = 3
    return found
"""
    )
    assert _refusal(module).code.startswith("D")


@pytest.mark.parametrize("given", ["", "LookupError", "(KeyError, OSError)", "BaseException"])
def test_the_name_of_except_is_unbound_behind_it(user_module: Load, same: Same, given: str) -> None:
    as_ = f" {given} as e" if given else " ValueError as e"
    module = user_module(
        TASKS
        + f"""
@pipeline
def p(n: int) -> int | str:
    try:
        found = check(n)
    except{as_}:
        try:
            found = check(n + 1)
        except{as_}:
            found = str(e)
    return found
"""
    )
    same(module, {"n": 0}, {"n": 4}, {"n": 5}, {"n": 6})


def test_reading_the_name_of_except_behind_it_is_an_error(user_module: Load) -> None:
    module = user_module(
        TASKS
        + """
@pipeline
def p(n: int) -> str:
    e = "kept"
    try:
        found = check(n)
    except ValueError as e:
        pass
    return e
"""
    )
    assert _refusal(module).code == "D138"


def test_each_node_is_made_once_and_in_order(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
@pipeline
def p(n: int) -> int:
    found = inc(n) if inc(n + 10) > 12 and not inc(n + 20) > 24 else inc(n + 30)
    if 1 < inc(found) < 9 or inc(n + 40):
        log(found)
    return {inc(1): inc(2)}[2] + [inc(3), inc(4)][1]
"""
    )
    same(module, {"n": 0}, {"n": 2}, {"n": 5})
