"""Lines stay the user's: in tracebacks, debuggers, coverage, spans and refusals."""

from __future__ import annotations

import bdb
import linecache
import sys
import traceback
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any

import pytest

from drawloom import DefinitionError
from drawloom.dsl.tracing import trace
from drawloom.ir.walk import walk

Load = Callable[..., ModuleType]

TASKS = """
from __future__ import annotations
from drawloom import *

@task
def numbers(n: int) -> list[int]: return list(range(n))
@task
def inc(n: int) -> int: return n + 1
@task
def check(n: int) -> int: return n
@task
def big(n: int) -> bool: return n > 3
@task
def log(value: int) -> None: ...
"""


def _marked(module: ModuleType) -> dict[str, int]:
    """The comment at the end of a line -> the line's number."""
    lines = linecache.getlines(module.__file__ or "")
    return {line.rpartition("# ")[2].strip(): number for number, line in enumerate(lines, 1) if "# " in line}


def _frames(error: BaseException, module: ModuleType) -> list[tuple[str, int]]:
    """The frames from the first of the user's on: ours are told by their file."""
    found = [(f.filename, f.name, f.lineno) for f in traceback.extract_tb(error.__traceback__)]
    first = next(i for i, frame in enumerate(found) if frame[0] == module.__file__)
    return [(name if file == module.__file__ else file, line or 0) for file, name, line in found[first:]]


# tracebacks

RAISING = """
def helper(n):
    def inner(values):
        return [1 / value for value in values]  # inner
    return inner([1, 0])  # helper

@pipeline
def p(n: int) -> int:
    kept = inc(n)
    {}
    return kept
"""


@pytest.mark.parametrize(
    "statement",
    [
        "return helper(n)  # p",
        "for k in range(3):\n        helper(k)  # p",
        "[helper(k) for k in (1, 2)]  # p",
        "kept = helper(n) if len('a') else n  # p",
        "while True:\n        helper(n)  # p",
        "(lambda k: helper(k))(n)  # p",
    ],
)
def test_a_traceback_of_a_known_error_holds_the_users_frames_alone(user_module: Load, statement: str) -> None:
    module = user_module(TASKS + RAISING.format(statement))
    lines = _marked(module)
    with pytest.raises(ZeroDivisionError) as caught:
        trace(module.p)
    found = [frame for frame in _frames(caught.value, module) if frame[0] not in ("<listcomp>", "<lambda>")]
    assert found == [("p", lines["p"]), ("helper", lines["helper"]), ("inner", lines["inner"])]


HANDLING = """
def helper(n):
    return n + 1  # helper

@pipeline
def p(n: int) -> int:
    try:
        helper("k")  # tried
    except TypeError:
        return 1 / 0  # handled
    return inc(n)
"""


def test_a_traceback_of_an_error_in_a_handler_holds_the_users_frames_alone(user_module: Load) -> None:
    module = user_module(TASKS + HANDLING)
    with pytest.raises(ZeroDivisionError) as caught:
        trace(module.p)
    assert _frames(caught.value, module) == [("p", _marked(module)["handled"])]


def test_an_error_in_a_handler_keeps_the_one_that_was_handled(user_module: Load) -> None:
    module = user_module(TASKS + HANDLING)
    lines = _marked(module)
    with pytest.raises(ZeroDivisionError) as caught:
        trace(module.p)
    assert isinstance(caught.value.__context__, TypeError)
    assert _frames(caught.value.__context__, module) == [("p", lines["tried"]), ("helper", lines["helper"])]


def test_a_refusal_deep_in_helpers_is_told_at_the_innermost_line_of_the_user(user_module: Load) -> None:
    module = user_module(
        TASKS
        + """
def helper(values):
    return [
        value.lower()  # here
        for value in values
    ]

@pipeline
def p(n: int) -> list[int]:
    if n > 3:
        return helper(numbers(n))
    return []
"""
    )
    with pytest.raises(DefinitionError) as caught:
        trace(module.p)
    (found,) = caught.value.diagnostics
    assert found.where is not None
    assert (found.where.file, found.where.line) == (module.__file__, _marked(module)["here"])


# debuggers

STEPS = """
def helper(k):
    twice = k * 2  # helper
    return inc(twice)  # back

@pipeline
def p(n: int, flag: bool) -> int:
    first = inc(n)  # first
    if first > 3:  # test
        found = helper(first)  # taken
    else:
        found = 7  # other
    made = []
    for item in numbers(n):  # for
        made.append(inc(item))  # body
    try:  # try
        last = check(found)  # tried
    except ValueError as error:
        last = 0  # handler
    finally:
        log(n)  # final
    listed = [
        inc(m)  # element
        for m in made
        if m > 1  # filter
    ]
    both = flag and big(  # and
        last  # operand
    )
    for k in bounded(3):  # bounded
        if big(k):  # leaves
            break  # break
    times = 0
    while times < 1:  # while
        times += 1  # turn
    with_nothing = lambda z: inc(z)  # lambda
    return with_nothing(last)  # end
"""


class _Breakpoints(bdb.Bdb):
    """Stops at breakpoints by file and line and keeps the user's names there."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped: dict[int, dict[str, Any]] = {}

    def user_line(self, frame: FrameType) -> None:
        if self.break_here(frame):
            self.stopped.setdefault(frame.f_lineno, dict(frame.f_locals))
        self.set_continue()


def test_breakpoints_by_file_and_line_hit_with_the_users_names(user_module: Load) -> None:
    module = user_module(TASKS + STEPS)
    lines = _marked(module)
    debugger = _Breakpoints()
    for name in lines:
        assert debugger.set_break(module.__file__, lines[name]) is None
    outer = sys.gettrace()
    try:
        debugger.runcall(trace, module.p)
    finally:
        sys.settrace(outer)
    by_name = {name: debugger.stopped[line] for name, line in lines.items() if line in debugger.stopped}
    assert set(lines) - set(by_name) == set()
    assert "the result of `first`" in repr(by_name["test"]["first"])
    assert "the result of `first`" in repr(by_name["helper"]["k"])
    assert "the result of `first`" in repr(by_name["other"]["first"])
    assert "last" in by_name["and"]
    ours = {name for names in by_name.values() for name in names if name.startswith("_dl")}
    users = {name for names in by_name.values() for name in names} - ours
    assert users <= {*"n flag first found made item last error m listed both k times with_nothing z twice .0".split()}  # noqa: SIM905


def test_every_line_of_both_sides_is_run_once_traced(user_module: Load) -> None:
    module = user_module(TASKS + STEPS)
    seen: set[int] = set()

    def watch(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != module.__file__:
            return None
        if event == "line":
            seen.add(frame.f_lineno)
        return watch

    outer = sys.gettrace()
    sys.settrace(watch)
    try:
        trace(module.p)
    finally:
        sys.settrace(outer)
    lines = _marked(module)
    assert {name for name, line in lines.items() if line not in seen} == set()
    assert seen <= set(range(1, max(lines.values()) + 1))


def test_lines_of_a_known_side_that_is_not_taken_are_not_run(user_module: Load) -> None:
    module = user_module(
        TASKS
        + """
@pipeline
def p(n: int) -> int:
    if 1 > 2:  # test
        n = inc(n)  # dead
    if (
        1 > 2
        or 3 > 4
    ):
        n = inc(n)  # dead too
    elif 1 < 2:  # elif
        n = inc(n)  # taken
    else:
        n = inc(n)  # not taken
    for k in ():  # for
        n = inc(n)  # never
    try:
        k = 1  # tried
    except KeyError:
        k = 2  # handler
    while k > 2:  # while
        k = 3  # turn
    listed = [
        inc(k)  # element
        for k in ()
    ]
    return inc(n)  # end
"""
    )
    seen: set[int] = set()

    def watch(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line" and frame.f_code.co_filename == module.__file__:
            seen.add(frame.f_lineno)
        return watch

    outer = sys.gettrace()
    sys.settrace(watch)
    try:
        trace(module.p)
    finally:
        sys.settrace(outer)
    lines = _marked(module)
    assert {name for name, line in lines.items() if line in seen} == {*"test elif taken for tried while end".split()}  # noqa: SIM905


# spans


def test_each_node_stands_at_its_own_line(user_module: Load) -> None:
    module = user_module(TASKS + STEPS)
    lines = _marked(module)
    program = trace(module.p).program
    found = {node.id: program.spans[node.id].line for node in walk(program.pipeline.body)}
    expected = {
        "first": "first",
        "found": "test",
        "found/inc": "back",
        "numbers": "for",
        "made": "for",
        "made/inc": "body",
        "last": "try",
        "last/last": "tried",
        "last/log": "final",
        "listed/branch/inc": "element",
        "both": "and",
        "both/big": "and",
        "inc": "lambda",
    }
    names = {number: name for name, number in lines.items()}
    assert {node: names.get(found[node]) for node in expected} == expected


def test_spans_name_the_function_that_the_line_is_in(user_module: Load) -> None:
    module = user_module(TASKS + STEPS)
    spans = trace(module.p).program.spans
    assert {spans["first"].symbol, spans["found/inc"].symbol} == {"p", "helper"}
    assert {span.file for span in spans.values()} == {module.__file__}
