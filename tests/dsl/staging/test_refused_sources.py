"""Functions whose source isn't there or isn't theirs are refused; no refusal tells what is inside of drawloom."""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from drawloom.dsl.tracing import trace
from drawloom.errors import DefinitionError, Diagnostic

_TESTED = """
from drawloom import pipeline, task


@task
def double(n: int) -> int:
    return 2 * n


@pipeline
def flow(n: int) -> int:
    if n > 3:
        return double(n)
    return 4
"""
_STRAIGHT = """
from drawloom import pipeline, task


@task
def double(n: int) -> int:
    return 2 * n


@pipeline
def flow(n: int) -> int:
    return double(double(n))
"""
_FIX = "put it in a file and import it anew, or use `branch`, `for_each`, `while_loop` and `try_`"


def _refusal(flow: object) -> Diagnostic:
    with pytest.raises(DefinitionError) as caught:
        trace(flow)  # type: ignore[arg-type]  # a pipeline of a module that was made just now
    (found,) = caught.value.diagnostics
    return found


def _executed(text: str, filename: str) -> ModuleType:
    module = ModuleType("executed")
    exec(compile(text, filename, "exec"), vars(module))
    return module


def test_a_pipeline_with_a_test_and_no_source_is_refused() -> None:
    found = _refusal(_executed(_TESTED, "<text>").flow)
    assert (found.code, found.what, found.fix) == (
        "D153",
        "`flow` can't be read: it has no source, and it does more than call tasks one after the other",
        _FIX,
    )
    assert (found.where.file, found.where.line) == ("<text>", 10)  # type: ignore[union-attr]  # it has a place


def test_a_pipeline_of_calls_alone_needs_no_source() -> None:
    assert len(trace(_executed(_STRAIGHT, "<text>").flow).program.pipeline.body.nodes) == 2


def test_a_source_that_changed_since_import_is_refused(user_module: Callable[[str], ModuleType]) -> None:
    made = user_module(_TESTED)
    path = Path(str(made.__file__))
    path.write_text(path.read_text(encoding="utf-8").replace("return 4", "return 5"), encoding="utf-8")
    linecache.checkcache(str(path))
    found = _refusal(made.flow)
    changed = "its source has changed since it was imported, and it does more than call tasks one after the other"
    assert (found.code, found.what, found.fix) == ("D153", f"`flow` can't be read: {changed}", _FIX)
    assert found.where is not None
    assert found.where.line == 10


@pytest.mark.parametrize("text", ["def flow(", "x = 1\n"], ids=["broken", "gone"])
def test_a_source_without_the_function_is_refused(text: str, user_module: Callable[[str], ModuleType]) -> None:
    made = user_module(_TESTED)
    Path(str(made.__file__)).write_text(text, encoding="utf-8")
    found = _refusal(made.flow)
    assert found.code == "D153"
    assert "its source has changed since it was imported" in found.what


def test_a_generator_is_no_pipeline(program: Callable[[str], ModuleType]) -> None:
    with pytest.raises(DefinitionError) as caught:
        program("@pipeline\ndef flow(n: int) -> Any:\n    yield double(n)")
    (found,) = caught.value.diagnostics
    assert (found.code, found.what) == ("D102", "`flow` is a generator; a pipeline returns its result")


def test_a_coroutine_is_no_pipeline(program: Callable[[str], ModuleType]) -> None:
    with pytest.raises(DefinitionError) as caught:
        program("@pipeline\nasync def flow(n: int) -> Any:\n    return double(n)")
    (found,) = caught.value.diagnostics
    assert (found.code, found.what) == ("D102", "`flow` is an async function; a pipeline returns its result")


_INSIDE = re.compile(r"0x[0-9a-f]{4}|_dl_|drawloom\.dsl|\b(Splice|Once|Unreadable|Exit|Leave|Handle|Slot|RunLoop)\b")
_ODD = {
    "an object in `except`": "try:\n    double(n)\nexcept Box():\n    pass",
    "an object in `bounded`": "for _ in bounded(Box()):\n    break",
    "an object chosen": "if below(n):\n    box = Box()\nelse:\n    box = Box()\nreturn box.value",
    "a task chosen": "if below(n):\n    chosen = double\nelse:\n    chosen = halve\nreturn chosen(n)",
    "a pipeline chosen": "if below(n):\n    chosen = flow\nelse:\n    chosen = double\nreturn chosen(n)",
    "tasks in a list": "return [double, halve][n](n)",
    "what `zip` gave to a task": "return double(zip(numbers(n), numbers(n)))",
    "what `zip` gave on one side": "pairs = zip(numbers(n), numbers(n)) if below(n) else []\nreturn list(pairs)",
    "`bounded` in `zip`": "for _, x in zip(bounded(3), numbers(n)):\n    double(x)",
    "a text of a list that grew": "grown = []\nfor k in numbers(n):\n    grown.append(k)\nreturn word('%s' % grown)",
    "a list that grew is looked into": "grown = []\nfor k in numbers(n):\n    grown.append(k)\nreturn grown.index(1)",
    "a function inside": "if below(n):\n    def inner():\n        return 1\nreturn inner()",
    "a class inside": "class Late(Exception): ...\nif below(n):\n    raise Late\nreturn 1",
    "a scope": "import threading\nwith threading.Lock():\n    x = double(n)\nreturn x",
    "a method": "if below(n):\n    raise Box().value\nreturn 1",
}


@pytest.mark.parametrize("body", _ODD.values(), ids=_ODD)
def test_no_refusal_tells_what_is_inside(body: str, refused: Callable[[str], tuple[Diagnostic, str]]) -> None:
    found, _ = refused(body)
    assert not _INSIDE.search(str(found)), str(found)
