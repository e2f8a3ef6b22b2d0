"""Which function is staged, and what it keeps of the original: names, cells, defaults, lines, its own source."""

from __future__ import annotations

import ast
import importlib
import linecache
import os
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

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


def test_a_file_edited_after_its_import_is_refused(user_module: Load) -> None:
    text = TASKS + "\n@pipeline\ndef p(n: int) -> str:\n    return 'old' if n > 2 else str(inc(n))\n"
    module = user_module(text)
    assert module.__file__ is not None
    path = Path(module.__file__)
    path.write_text(path.read_text().replace("'old'", "'NEW'"))
    os.utime(path, ns=(1, 1))
    with pytest.raises(DefinitionError, match=r"D153.*its source has changed since it was imported"):
        trace(module.p)


def test_an_edit_that_keeps_names_and_constants_is_refused(user_module: Load) -> None:
    text = TASKS + "\n@pipeline\ndef p(n: int) -> int:\n    return inc(n) if n > 2 else half(n)\n"
    module = user_module(text)
    assert module.__file__ is not None
    path = Path(module.__file__)
    path.write_text(path.read_text().replace("n > 2", "n < 2"))
    os.utime(path, ns=(1, 1))
    with pytest.raises(DefinitionError, match="D153"):
        trace(module.p)


def test_lines_above_moved_after_the_import_are_no_matter_or_refused(user_module: Load) -> None:
    text = TASKS + "\n@pipeline\ndef p(n: int) -> int:\n    return inc(n) if n > 2 else half(n)\n"
    module = user_module(text)
    assert module.__file__ is not None
    path = Path(module.__file__)
    path.write_text("# a new line\n" + path.read_text())
    os.utime(path, ns=(1, 1))
    with pytest.raises(DefinitionError, match="D153"):
        trace(module.p)


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


def test_two_lambdas_on_one_line(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
one, two = lambda n: inc(n) if n > 1 else n, lambda n: half(n) if n > 1 else n
both = [lambda n: inc(n) if n else n, lambda n: half(n) if n else n]

@pipeline
def p(n: int) -> list[int]:
    return [one(n), two(n), both[0](n), both[1](n)]
"""
    )
    same(module, {"n": 0}, {"n": 1}, {"n": 9})


def test_a_lambda_inside_a_lambda_on_one_line(user_module: Load, same: Same) -> None:
    module = user_module(
        TASKS
        + """
outer = lambda n: (lambda n: inc(n) if n > 1 else n)(half(n) if n > 5 else n)

@pipeline
def p(n: int) -> int:
    return outer(n)
"""
    )
    same(module, {"n": 0}, {"n": 1}, {"n": 9})


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


SOURCE = TASKS + "\n@pipeline\ndef p(n: int) -> int:\n    if n > 1:\n        return inc(n)\n    return n\n"


def _executed(text: str, filename: str) -> ModuleType:
    module = ModuleType("executed")
    sys.modules["executed"] = module
    exec(compile(text, filename, "exec"), module.__dict__)
    return module


@pytest.fixture
def executed() -> Any:
    yield _executed
    sys.modules.pop("executed", None)


@pytest.mark.parametrize("filename", ["<generated 1>", "<ipython-input-3-abc>", "/tmp/ipykernel_1/1234.py"])
def test_text_that_only_linecache_has_is_staged(executed: Any, same: Same, filename: str) -> None:
    linecache.cache[filename] = (len(SOURCE), None, SOURCE.splitlines(keepends=True), filename)
    try:
        made = same(executed(SOURCE, filename), {"n": 0}, {"n": 2})
        assert (made.program.spans["branch/inc"].file, made.program.spans["branch/inc"].line) == (filename, 14)
    finally:
        linecache.cache.pop(filename, None)


def test_statements_compiled_one_by_one_as_a_notebook_does_are_staged(same: Same) -> None:
    text = SOURCE.replace("LOG = []", "import math\nLOG = []").replace("if n > 1:", "if n > math.floor(1.5):")
    module = ModuleType("executed")
    sys.modules["executed"] = module
    linecache.cache["<cell>"] = (len(text), None, text.splitlines(keepends=True), "<cell>")
    try:
        for statement in ast.parse(text).body:
            exec(compile(ast.Module([statement], []), "<cell>", "exec"), module.__dict__)
        same(module, {"n": 0}, {"n": 2})
    finally:
        linecache.cache.pop("<cell>", None)
        sys.modules.pop("executed", None)


def test_text_without_a_source_is_refused_unless_it_is_straight(executed: Any) -> None:
    with pytest.raises(DefinitionError, match=r"D153.*it has no source"):
        trace(executed(SOURCE, "<string>").p)
    straight = executed(TASKS + "\n@pipeline\ndef p(n: int) -> int:\n    a = inc(n)\n    return half(a)\n", "<string>")
    assert [node.id for node in trace(straight.p).program.pipeline.body.nodes] == ["a", "half"]


def test_a_module_in_a_zip_file_is_staged(tmp_path: Path, same: Same, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "steps.zip", "w") as archive:
        archive.writestr("zipped_steps.py", SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path / "steps.zip"))
    try:
        same(importlib.import_module("zipped_steps"), {"n": 0}, {"n": 2})
    finally:
        sys.modules.pop("zipped_steps", None)


ASSERTS = """
import sys
from drawloom.dsl.tracing import trace
sys.path.insert(0, sys.argv[1])
import asserting
print([node.id for node in trace(asserting.p).program.pipeline.body.nodes])
"""


@pytest.mark.parametrize(("flags", "nodes"), [([], "['branch']"), (["-O"], "['inc']")])
def test_an_assert_is_there_as_python_has_it(tmp_path: Path, flags: list[str], nodes: str) -> None:
    text = TASKS + "\n@pipeline\ndef p(n: int) -> int:\n    assert n > 1, 'small'\n    return inc(n)\n"
    (tmp_path / "asserting.py").write_text(textwrap.dedent(text))
    command = [sys.executable, *flags, "-c", ASSERTS, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (nodes, "")
