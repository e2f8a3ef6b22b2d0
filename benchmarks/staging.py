"""Staging functions of many statements: rewriting, once for a function, and the trace with its check, each time."""

from __future__ import annotations

import ast
import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.timing import median_ms
from drawloom.dsl.staging import convert
from drawloom.dsl.tracing import trace
from drawloom.ir.check import check_pipeline

_HEAD = """from drawloom import pipeline, task

@task
def step(n: int) -> int:
    return n + 1

"""
STATEMENTS = 1_000


def _straight() -> Iterator[str]:
    for i in range(STATEMENTS):
        yield f"n = step(n)  # {i}"
    yield "return n"


def _branching() -> Iterator[str]:
    """200 `if` of five lines each."""
    for i in range(STATEMENTS // 5):
        yield from (f"if n > {i}:", "    m = step(n)", "else:", "    m = step(1)", "n = step(m)")
    yield "return n"


def _mapping() -> Iterator[str]:
    """200 comprehensions and loops among plain calls."""
    yield "xs = [n, 1]"
    for _ in range(STATEMENTS // 5):
        yield from ("ys = [step(x) for x in items if x > 1]", "for y in ys:", "    n = n + y", "n = step(n)")
    yield "return n"


def _module(name: str, lines: Iterator[str], folder: str, parameters: str) -> ModuleType:
    body = "\n".join(f"    {line}" for line in lines)
    path = Path(folder) / f"{name}.py"
    path.write_text(f"{_HEAD}@pipeline\ndef flow({parameters}) -> int:\n{body}\n")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _convert(function: Any) -> None:
    code = convert.converted_code(function)
    assert code is not None


def _trace_and_check(pipeline: Any) -> None:
    check_pipeline(trace(pipeline).program)


def _parse_and_compile(text: str) -> None:
    compile(ast.parse(text), "text", "exec")


def rows() -> Iterator[tuple[str, str, str, str]]:
    """The figures: the floor of rewriting is parsing and compiling the same text."""
    programs = {
        "calls in a row": (_straight, "n: int"),
        "of them 200 `if`": (_branching, "n: int"),
        "of them 200 maps and 200 loops": (_mapping, "n: int, items: list[int]"),
    }
    with tempfile.TemporaryDirectory() as folder:
        for what, (lines, parameters) in programs.items():
            module = _module(f"staged_{len(what)}", lines(), folder, parameters)
            text = Path(str(module.__file__)).read_text()
            took = median_ms(partial(_convert, module.flow.function))
            yield (
                f"rewriting {STATEMENTS:,} statements, {what}",
                f"{took:.0f} ms",
                f"{median_ms(partial(_parse_and_compile, text)):.0f} ms",
                "",
            )
            traced = median_ms(partial(_trace_and_check, module.flow))
            yield f"trace + check of them, {what}", f"{traced:.0f} ms", "", ""
