"""A pipeline that is refused, of tasks that need no telling."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from drawloom.dsl.tracing import trace
from drawloom.errors import DefinitionError, Diagnostic

MARK = "  # <-"  # at the line that a refusal names
_IMPORTS = "import functools, logging, math, os, zlib; from typing import Any; from work import *\n"
_WORK = """
from typing import Any

from drawloom import bounded, call_options, pipeline, task


class Box:
    value = 0


@task
def double(n: int) -> int:
    return 2 * n


@task
def halve(n: int) -> int:
    return n // 2


@task
def below(n: int, limit: int = 3) -> bool:
    return n < limit


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task
def table(n: int) -> dict[str, int]:
    return {str(n): n}


@task
def word(n: int) -> str:
    return "a" * n


@task
def anything(n: int) -> Any:
    return n


@task
def note(n: int) -> None: ...
"""


@pytest.fixture
def program(user_module: Callable[..., ModuleType]) -> Callable[[str], ModuleType]:
    """A module `flows` with a pipeline `flow`: the given one, or one with the given body and a parameter `n`."""
    user_module(_WORK, "work")

    def load(text: str) -> ModuleType:
        text = textwrap.dedent(text).strip("\n")
        if "@pipeline" not in text:
            text = "@pipeline\ndef flow(n: int) -> Any:\n" + textwrap.indent(text, "    ")
        return user_module(_IMPORTS + text, "flows")

    return load


@pytest.fixture
def refused(program: Callable[[str], ModuleType]) -> Callable[[str], tuple[Diagnostic, str]]:
    """Traces a program; gives what is said of it, and the line that it is said of."""

    def diagnosed(text: str) -> tuple[Diagnostic, str]:
        flows = program(text)
        with pytest.raises(DefinitionError) as caught:
            trace(flows.flow)
        (found,) = caught.value.diagnostics
        assert found.where is not None
        assert found.where.file == flows.__file__
        return found, Path(found.where.file).read_text(encoding="utf-8").splitlines()[found.where.line - 1]

    return diagnosed
