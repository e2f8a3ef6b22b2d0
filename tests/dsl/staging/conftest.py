"""What a staged pipeline gives beside what its plain function gives; pipelines that are refused."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from drawloom.dsl.tracing import Trace, trace
from drawloom.errors import DefinitionError, Diagnostic
from drawloom.ir.canonical import canonical_json, digest_json
from drawloom.ir.check import check_pipeline
from drawloom.ir.interpret import interpret
from drawloom.ir.program import pipeline_json


class _Outcome(NamedTuple):
    end: tuple[Any, ...]
    failed: bool
    effects: list[Any]
    calls: list[Any]


def _outcome(module: ModuleType, call: Callable[[], Any]) -> _Outcome:
    effects, calls = getattr(module, "LOG", []), getattr(module, "CALLS", [])
    effects.clear()
    calls.clear()
    try:
        result = call()
    except Exception as error:
        return _Outcome((type(error), str(error)), True, list(effects), [])
    return _Outcome((result,), False, list(effects), sorted(calls))


def _interpreted(made: Trace, given: dict[str, Any]) -> Any:
    outcome = interpret(made.program.pipeline, made.functions, given)
    if outcome.failure is not None:
        raise outcome.failure
    return outcome.result


@pytest.fixture
def same() -> Callable[..., Trace]:
    """Checks that `module.p`, traced, gives for each parameters what its plain function gives.

    Results and exceptions are compared, and what tasks have put into `module.LOG`, in order, and into `module.CALLS`.
    Beside a failure, what doesn't depend on it may or may not be done (docs/decisions/0007).
    """

    def check(module: ModuleType, *params: dict[str, Any]) -> Trace:
        made = trace(module.p)
        assert check_pipeline(made.program) == []
        for given in params:
            expected = _outcome(module, partial(module.p.function, **given))
            found = _outcome(module, partial(_interpreted, made, given))
            if expected.failed:
                found = found._replace(effects=found.effects[: len(expected.effects)])
            assert found == expected, given
        return made

    return check


_TASKS = """
from __future__ import annotations
from drawloom import *

@task
def numbers(n: int) -> list[int]: return list(range(n))
@task
def inc(n: int) -> int: return n + 1
@task
def half(n: int) -> int: return n // 2
@task
def big(n: int) -> bool: return n > 3
@task
def check(n: int) -> int:
    if n > 5: raise ValueError(n)
    return n
@task
def log(value: int) -> None: ...
@task
def total(values: list[int]) -> int: return sum(values)
"""


def _pipeline(head: str, body: str) -> str:
    return f"\n@pipeline\ndef p({head}:\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"


@pytest.fixture
def same_graph(user_module: Callable[..., ModuleType]) -> Callable[[str, str, str], None]:
    """Checks that two bodies of a pipeline with the same parameters give the same graph, byte for byte."""

    def check(head: str, plain: str, explicit: str) -> None:
        text = f"{_TASKS}{_pipeline(head, plain)}plain = p\n{_pipeline(head, explicit)}explicit = p\n"
        module = user_module(text)
        programs = [trace(module.plain).program, trace(module.explicit).program]
        assert [check_pipeline(program) for program in programs] == [[], []]
        one, two = (pipeline_json(program.pipeline) for program in programs)
        assert canonical_json(one) == canonical_json(two)
        assert digest_json(one) == digest_json(two)

    return check


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
