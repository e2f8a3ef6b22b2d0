"""Which function is staged, and what it keeps of the original: names, cells, defaults, lines."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from drawloom import DefinitionError
from drawloom.dsl.staging.convert import converted
from drawloom.dsl.tracing import Trace, trace

Load = Callable[..., ModuleType]
Same = Callable[..., Trace]

TASKS = """
from drawloom import *

LOG = []

@task
def inc(n: int) -> int: return n + 1
@task
def half(n: int) -> int: return n // 2
"""


def test_recursion_at_module_level_with_a_known_end(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
def power(n, k):
    if k == 0:
        return n
    return power(inc(n) if n > 2 else n, k - 1)

@pipeline
def p(n: int) -> int:
    return power(n, 3)
"""
    )
    same(module, {"n": 0}, {"n": 5})


def test_recursion_under_a_run_time_test_is_refused(user_module: Load) -> None:
    module = user_module(
        TASKS
        + """
def fact(n):
    if n == 0:
        return 1
    return n * fact(n - 1)

@pipeline
def p(n: int) -> int:
    return fact(inc(n))
"""
    )
    with pytest.raises(DefinitionError, match=r"D140.*`fact` calls itself under a run-time test") as caught:
        trace(module.p)
    (found,) = caught.value.diagnostics
    assert found.where is not None
    assert found.where.symbol == "fact"


def test_equal_helpers_on_equal_lines_of_two_files_are_told_apart(user_module: Load, same: Same) -> None:
    helper = "from {} import value\ndef helper(n, f):\n    if n > 2:\n        return f(n) + value\n    return value\n"
    user_module("value = 1", "first_values")
    user_module("value = 2", "second_values")
    user_module(helper.format("first_values"), "first_helper")
    user_module(helper.format("second_values"), "second_helper")
    first, second = (sys.modules[f"{name}_helper"].helper for name in ("first", "second"))
    assert converted(first).__code__.co_filename != converted(second).__code__.co_filename
    module = user_module(
        TASKS
        + """
import first_helper, second_helper

@pipeline
def p(n: int) -> int:
    return first_helper.helper(n, inc) * 10 + second_helper.helper(n, inc)
"""
    )
    same(module, {"n": 0}, {"n": 3})


def test_private_names_and_super_in_methods(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
class Base:
    def step(self, n):
        return inc(n) if n > 1 else n

class Steps(Base):
    def __init__(self, by): self.__by = by
    def __twice(self, n): return n * self.__by
    def step(self, n):
        if n > 2:
            return self.__twice(super().step(n))
        return __class__.__name__ == "Steps"

@pipeline
def p(n: int) -> int | bool:
    return Steps(2).step(n)
"""
    )
    same(module, {"n": 0}, {"n": 2}, {"n": 3})


METHODS = """
class Base:
    def go(self, n): return inc(n)

class Steps(Base):
    kinds = 0
    def __init__(self): self.__by = 2
    def go(self, n): return super(Steps, self).go(n) if n > Steps.kinds + 1 else n
    def made(self):
        def inner(n): return inc(n) if n > self.__by else n
        return inner
    def given(self): return lambda n: inc(n) if n > self.__by else n
    def above(self):
        def inner(self, n): return super().go(n) if n > 1 else n
        return inner
    class Inner:
        def __init__(self): self.__of = 3
        def go(self, n): return inc(n) if n > self.__of else n

def local():
    class Local:
        kinds = 1
        def __init__(self): self.__by = 2
        def go(self, n): return inc(n) if n > self.__by - Local.kinds else n
    return Local()

MADE, GIVEN, ABOVE = Steps().made(), Steps().given(), Steps().above()
INNER, LOCAL = Steps.Inner(), local()
"""


@pytest.mark.parametrize(
    "call",
    ["Steps().go(n)", "MADE(n)", "GIVEN(n)", "ABOVE(Steps(), n)", "Steps().made()(n)", "INNER.go(n)", "LOCAL.go(n)"],
)
def test_functions_made_in_a_class_know_its_names(user_module: Load, same: Same, call: str) -> None:
    module = user_module(f"{TASKS}{METHODS}\n@pipeline\ndef p(n: int) -> int:\n    return {call}\n")
    same(module, {"n": 0}, {"n": 2}, {"n": 4})


def test_a_method_of_wrapped_functions_keeps_its_own_names(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
import functools

class Steps:
    def __init__(self): self.__by = 2
    def go(self, n): return inc(n) if n > self.__by else n

def logged(method):
    __kept = 1
    @functools.wraps(method)
    def wrapper(self, n):
        return method(self, n) if n > __kept else n
    return wrapper

Steps.go = logged(Steps.go)

@pipeline
def p(n: int) -> int:
    return Steps().go(n)
"""
    )
    same(module, {"n": 0}, {"n": 2}, {"n": 3})


def test_static_and_class_methods(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
class Steps:
    by = 3
    @classmethod
    def more(cls, n): return inc(n) + cls.by if n > 1 else n
    @staticmethod
    def less(n): return half(n) if n > 1 else n

@pipeline
def p(n: int) -> int:
    return Steps.more(n) + Steps.less(n) + Steps().more(n)
"""
    )
    same(module, {"n": 0}, {"n": 2})


def test_a_decorator_below_pipeline_is_staged_with_what_it_wraps(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
import functools

def doubled(function):
    @functools.wraps(function)
    def wrapper(n: int) -> int:
        found = function(n)
        return inc(found) if found > 3 else found * 2
    return wrapper

@pipeline
@doubled
def p(n: int) -> int:
    if n > 2:
        return inc(n)
    return n
"""
    )
    same(module, {"n": 0}, {"n": 2}, {"n": 3})


def test_defaults_and_annotations_are_not_evaluated_again(user_module: Load, same: Same) -> None:
    module = user_module(
        """
from drawloom import *
LOG = []
EVALUATED = []

def seen(what):
    EVALUATED.append(what)
    return what

@task
def inc(n: int) -> int: return n + 1

def helper(n: seen(int), by: seen(int) = seen(2), *, more=seen(3)) -> seen(int):
    return inc(n) + by + more if n > 1 else by

@pipeline
def p(n: int) -> int:
    return helper(n) + helper(n, more=4)
"""
    )
    before = list(module.EVALUATED)
    same(module, {"n": 0}, {"n": 2})
    assert before == module.EVALUATED


def test_globals_are_live(user_module: Load) -> None:
    module = user_module(
        TASKS
        + "\nby = 1\ndef helper(n): return inc(n) if n > by else n\n@pipeline\ndef p(n: int) -> int: return helper(n)"
    )
    tests = []
    for by in (1, 7):
        module.by = by
        tests.append(str(trace(module.p).program.pipeline.body.nodes[0].cases[0].test))
    assert "'7'" in tests[1]
    assert tests[0] == tests[1].replace("'7'", "'1'")


def test_nonlocal_cells_are_shared_with_the_original(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
def counter():
    calls = 0
    def count(n):
        nonlocal calls
        calls += 1
        return (inc(n) if n > 1 else n) + calls
    def read(): return calls
    return count, read

@pipeline
def p(n: int) -> int:
    count, read = counter()
    one = count(n)
    two = count(n)
    return one * two * read()
"""
    )
    same(module, {"n": 0}, {"n": 2})


@pytest.mark.parametrize("call", ["cast(int, inc(n))", "assert_type(inc(n), int)", "cast('list[int]', [inc(n)])[0]"])
def test_what_only_type_checkers_read_is_passed_over(user_module: Load, same: Same, call: str) -> None:
    module = user_module(
        f"{TASKS}\nfrom typing import assert_type, cast\n@pipeline\ndef p(n: int) -> int:\n    return {call} if n else n\n"
    )
    same(module, {"n": 0}, {"n": 2})


def test_annotations_of_the_future(user_module: Load, same: Same) -> None:
    module = user_module(
        f"from __future__ import annotations\n{TASKS}"
        """
def helper(n: Nowhere, k: Nothing = 2) -> Nobody:
    made: Unknown = inc(n) if n > k else n
    return made

@pipeline
def p(n: int) -> int:
    return helper(n)
"""
    )
    same(module, {"n": 0}, {"n": 3})


def test_definitions_under_a_condition(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
if LOG:
    def helper(n):
        return 0 if n else inc(n)
else:
    def helper(n):
        return inc(n) if n else 0

@pipeline
def p(n: int) -> int:
    return helper(n)
"""
    )
    same(module, {"n": 0}, {"n": 3})


def test_decorators_over_several_lines(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
def named(
    name,
):
    return lambda function: function

@pipeline
@named(
    "p",
)
@named(
    name="q"
)
def p(n: int) -> int:
    if n > 1:
        return inc(n)
    return n
"""
    )
    made = same(module, {"n": 0}, {"n": 2})
    lines = linecache.getlines(module.__file__ or "")
    assert lines[made.program.spans["branch/inc"].line - 1].strip() == "return inc(n)"
    assert converted(module.p.function).__code__.co_firstlineno == module.p.function.__code__.co_firstlineno


def test_a_function_indented_around_unindented_text(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + '''
class Steps:
    def step(self, n):
        """
unindented
        """
        return inc(n) if n > 1 else n

@pipeline
def p(n: int) -> int:
    return Steps().step(n)
'''
    )
    same(module, {"n": 0}, {"n": 2})
