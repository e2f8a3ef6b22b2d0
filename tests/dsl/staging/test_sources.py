"""Where the source of a staged function comes from: files, edited files, linecache, zip files, cells of notebooks."""

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
