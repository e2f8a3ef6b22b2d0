"""Stores, foreign objects and what would look into a run-time value: done as plain Python does, or refused."""

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
BOX = {"v": 1}

class Box:
    def __init__(self): self.v = 1

@task
def numbers(n: int) -> list[int]: return list(range(n))
@task
def inc(n: int) -> int: return n + 1
@task
def log(value: int) -> None: LOG.append(value)
"""


def _refusal(module: ModuleType) -> Any:
    with pytest.raises(DefinitionError) as caught:
        trace(module.p)
    (found,) = caught.value.diagnostics
    return found


def _line_of(module: ModuleType, mark: str) -> int:
    with open(module.__file__ or "", encoding="utf-8") as file:
        return next(number for number, line in enumerate(file, 1) if mark in line)


UNDER = {
    "if": "if n > 2:\n        {}  # here\n    return n",
    "else": "if n > 2:\n        pass\n    else:\n        {}  # here\n    return n",
    "for": "for x in numbers(n):\n        {}  # here\n    return n",
    "behind an early return": "if n > 2:\n        return inc(n)\n    {}  # here\n    return n",
}
STORES = [
    "b.v = 2",
    "b.v += 2",
    "d['k'] = 2",
    "d['k'] += 2",
    "del d['k']",
    "d.update(k=2)",
    "s.add(2)",
    "d |= {'k': 2}",
]


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("under", UNDER)
def test_a_store_under_a_run_time_test_is_refused(user_module: Load, under: str, store: str) -> None:
    body = UNDER[under].format(store)
    module = user_module(
        f"{TASKS}\n@pipeline\ndef p(n: int) -> int:\n    b, d, s = Box(), {{'k': 1}}, set()\n    {body}\n"
    )
    found = _refusal(module)
    assert found.where.line == _line_of(module, "# here")
    assert found.code == ("D118" if (under, store[:2]) == ("for", "d ") else "D144")


@pytest.mark.parametrize("store", STORES)
def test_a_store_on_every_path_is_native(user_module: Load, same: Same, store: str) -> None:
    module = user_module(
        TASKS
        + f"""
@pipeline
def p(n: int) -> int:
    b, d, s = Box(), {{'k': 1}}, set()
    if n > 2:
        n = inc(n)
    {store}
    return n + b.v + d.get("k", 5) + (2 in s)
"""
    )
    same(module, {"n": 0}, {"n": 3})


@pytest.mark.parametrize("declared", ["nonlocal", "global"])
def test_a_store_of_an_outer_name_under_a_run_time_test_is_refused(user_module: Load, declared: str) -> None:
    outer = "k = 1" if declared == "nonlocal" else "global k; k = 1"
    module = user_module(
        TASKS
        + f"""
@pipeline
def p(n: int) -> int:
    {outer}
    def bump():
        {declared} k
        k = 7  # here
    if n > 2:
        bump()
    return k
"""
    )
    found = _refusal(module)
    assert (found.code, found.where.line) == ("D144", _line_of(module, "# here"))


def test_a_store_in_a_helper_under_a_run_time_test_is_refused(user_module: Load) -> None:
    module = user_module(
        TASKS
        + """
def put(d, n):
    d["k"] = n  # here

@pipeline
def p(n: int) -> int:
    d = {}
    if n > 2:
        put(d, n)
    return n
"""
    )
    found = _refusal(module)
    assert (found.code, found.where.line) == ("D144", _line_of(module, "# here"))


def test_objects_born_under_a_test_may_be_filled_there(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
@pipeline
def p(n: int) -> int:
    found = 0
    if n > 2:
        d = {}
        d["k"] = inc(n)
        found = d["k"]
    return found
"""
    )
    same(module, {"n": 0}, {"n": 3})


ALIASED = {
    "append": "if n > 2:\n        out.append(inc(n))\n    else:\n        alias.extend([n, n])",
    "known items by +=": "if n > 2:\n        out += [1]\n    else:\n        more(alias, inc(n))",
    "for": "for x in numbers(n):\n        out += [x]",
    "twice": "if n > 2:\n        out *= 2",
    "append in try, += in except": "try:\n        out.append(check(n))\n    except ValueError:\n        alias += [1]",
    "run-time items by +=": "if n > 2:\n        out += [inc(n)]",
    "run-time items by += in try": "try:\n        out += [check(n)]\n    except ValueError:\n        pass",
}


@pytest.mark.parametrize("grown", [*(pytest.param(body, id=name) for name, body in ALIASED.items())])
@pytest.mark.parametrize("name", ["out", "alias"])
def test_a_list_that_grows_under_a_test_stays_the_same_list(
    user_module: Load, same: Same, grown: str, name: str
) -> None:
    module = user_module(
        TASKS
        + f"""
@task
def check(n: int) -> int:
    if n > 2: raise ValueError(n)
    return n

def more(out, n):
    out += [n]

@pipeline
def p(n: int) -> tuple[list[int], list[int]]:
    out = [0]
    alias = out
    {grown}
    {name}.append(9)
    return out, alias
"""
    )
    same(module, {"n": 0}, {"n": 3})


@pytest.mark.parametrize("change", ["out.insert(0, 1)", "out.pop()", "out.sort()", "out[0] = 1", "del out[0]"])
def test_other_changes_of_a_list_under_a_test_are_refused(user_module: Load, change: str) -> None:
    module = user_module(
        f"{TASKS}\n@pipeline\ndef p(n: int) -> list[int]:\n    out = [0]\n    if n > 2:\n        {change}\n    return out\n"
    )
    assert _refusal(module).code == "D144"


# libraries


@pytest.mark.parametrize(
    "expression", ["np.array([1, 2]) * n", "n * np.array([1, 2])", "np.float64(2) + n", "np.add(1, n)"]
)
def test_numpy_does_not_take_a_run_time_value_apart(user_module: Load, expression: str) -> None:
    pytest.importorskip("numpy")
    module = user_module(
        f"import numpy as np\n{TASKS.replace('from __future__ import annotations', '')}\n@pipeline\ndef p(n: int):\n    return {expression}\n"
    )
    with pytest.raises(DefinitionError):
        trace(module.p)


@pytest.mark.parametrize("expression", ["pd.Series([1, 2]) * n", "n + pd.Series([1])", "pd.DataFrame({'a': [n]})"])
def test_pandas_does_not_take_a_run_time_value_apart(user_module: Load, expression: str) -> None:
    pytest.importorskip("pandas")
    module = user_module(
        f"import pandas as pd\n{TASKS.replace('from __future__ import annotations', '')}\n@pipeline\ndef p(n: int):\n    return {expression}\n"
    )
    with pytest.raises(DefinitionError):
        trace(module.p)


def test_a_property_of_a_users_class_is_staged(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
@task
def find(n: int) -> int | None: return n if n > 2 else None

class Holder:
    def __init__(self, v): self._v = v
    @property
    def found(self): return 0 if self._v is None else 1
    def __call__(self, n): return inc(n) if n > 3 else n

@pipeline
def p(n: int) -> int:
    held = Holder(find(n))
    return held.found + held(n)
"""
    )
    same(module, {"n": 0}, {"n": 3}, {"n": 4})


@pytest.mark.parametrize(
    ("method", "use"),
    [
        ("def __bool__(self): return self._v is None", "if h: n = inc(n)"),
        ("def __len__(self): return 1 if self._v is None else 2", "n = n + len(h)"),
        ("def __getitem__(self, k): return 1 if self._v is None else 2", "n = n + h[0]"),
        ("def __add__(self, k): return 1 if self._v is None else 2", "n = h + n"),
        ("def __eq__(self, k): return self._v is None", "n = n + int(h == n)"),
        ("def __contains__(self, k): return self._v is None", "n = n + int(3 in h)"),
        ("def __iter__(self): return iter([1 if self._v is None else 2])", "n = n + sum([x for x in h])"),
        ("def __getattr__(self, name): return 1 if self._v is None else 2", "n = n + h.other"),
        ("def __str__(self): return 'a' if self._v is None else 'bc'", "n = n + len(f'{h}')"),
        (
            "def __enter__(self): return 1 if self._v is None else 2\n    def __exit__(self, *a): pass",
            "with h as k: n = n + k",
        ),
    ],
)
def test_a_special_method_that_tests_a_run_time_value_is_never_wrong(
    user_module: Load, same: Same, method: str, use: str
) -> None:
    module = user_module(
        TASKS
        + f"""
@task
def find(n: int) -> int | None: return n if n > 2 else None

class Holder:
    def __init__(self, v): self._v = v
    {method}

@pipeline
def p(n: int) -> int:
    h = Holder(find(n))
    {use}
    return n
"""
    )
    try:
        trace(module.p)
    except DefinitionError:
        return
    same(module, {"n": 0}, {"n": 3})


@pytest.mark.parametrize(
    "expression",
    [
        "isinstance(inc(n), str)",
        "{inc(n): 1}",
        "{inc(n)} == {1}",
        "hash(inc(n))",
        "id(inc(n))",
        "type(inc(n)) is int",
        "inc(n) is n",
        "'%d' % inc(n)",
        "'{}'.format(inc(n))",
        "print(inc(n))",
        "str(n).upper()",
        "list(map(str, numbers(n)))",
        "sorted(numbers(n), key=lambda x: -x)",
        "[*numbers(n)][0].bit_length()",
        "(lambda *a: a)(*numbers(n))",
        "dict(**{'a': n}, b=[n]) and ''.join([str(n)])",
        "divmod(n, 2)",
        "round(n / 2)",
        "open(str(n))",
        "(x for x in numbers(n))",
    ],
)
def test_what_needs_the_value_itself_is_refused_or_right(user_module: Load, same: Same, expression: str) -> None:
    module = user_module(f"{TASKS}\n@pipeline\ndef p(n: int):\n    return {expression}  # here\n")
    try:
        trace(module.p)
    except DefinitionError as error:
        (found,) = error.diagnostics
        assert found.where is not None
        assert found.where.line == _line_of(module, "# here")
        assert found.fix
        return
    same(module, {"n": 1}, {"n": 3})
