"""`with call_options(...)`: which options a call has; `except TaskFailed`: failures that are no exception of a task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from drawloom import DefinitionError, call_options, run
from drawloom.dsl.tracing import trace
from drawloom.ir.nodes import Call
from drawloom.ir.walk import walk

Load = Callable[..., ModuleType]

OPTIONS = """
from drawloom import Retry, call_options, pipeline, task

@task(retry=Retry(max_attempts=2), cache=False)
def work(n: int) -> int: return n

@pipeline
def inner(n: int) -> int: return work(n)

def helper(n):
    return work(n)

@pipeline
def p(n: int) -> list[int]:
    before = work(n)
    with call_options(retry=Retry(max_attempts=5)):
        scoped = work(n)
        own = work.with_options(retry=Retry(max_attempts=7))(n)
        nested = inner(n)
        helped = helper(n)
        with call_options(attempt_timeout_seconds=9):
            both = work(n)
        if n > 1:
            scoped = work(n)
    after = work(n)
    return [before, scoped, own, nested, helped, both, after]
"""


def test_a_call_has_the_options_of_the_scopes_around_it(user_module: Load) -> None:
    made = trace(user_module(OPTIONS).p).program.pipeline
    (spec,) = made.tasks
    found = {n.id: n.policies or spec.policies for n in walk(made.body) if isinstance(n, Call)}
    attempts = {name: policies.retry.max_attempts for name, policies in found.items()}
    assert attempts == {
        "before": 2, "scoped": 5, "own": 7, "nested/work": 5, "work": 5, "both": 5, "scoped-2/scoped": 5, "after": 2,
    }  # fmt: skip
    assert found["both"].attempt_timeout_seconds == 9
    assert {policies.cache.enabled for policies in found.values()} == {False}


def test_scopes_are_plain_python_outside_of_a_trace(user_module: Load) -> None:
    assert user_module(OPTIONS).p.function(3) == [3, 3, 3, 3, 3, 3, 3]


def test_an_option_out_of_range_is_refused() -> None:
    with pytest.raises(DefinitionError, match="D108") as caught:
        call_options(attempt_timeout_seconds=0)
    assert caught.value.diagnostics[0].what == (
        "call_options(attempt_timeout_seconds=0) must be a number of seconds above 0"
    )


LOST = """
import os, signal, time
from drawloom import TaskFailed, pipeline, task

@task
def lost(n: int) -> int:
    if n == 1: os.kill(os.getpid(), signal.SIGKILL)
    if n == 2: raise ValueError("its own")
    if n == 3: time.sleep(60)
    return n

@pipeline
def p(n: int) -> str:
    try:
        found = f"{lost.with_options(attempt_timeout_seconds=1)(n)}"
    except TaskFailed:
        found = "lost"
    except ValueError as error:
        found = f"failed: {error}"
    return found
"""


@pytest.mark.parametrize(("n", "expected"), [(0, "0"), (1, "lost"), (2, "failed: its own"), (3, "lost")])
def test_a_lost_process_and_a_timeout_are_no_exception_of_the_task(
    user_module: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int, expected: str
) -> None:
    module = user_module(LOST)
    monkeypatch.syspath_prepend(Path(str(module.__file__)).parent)  # where the worker imports it from
    made = run(module.p, {"n": n}, catalog=str(tmp_path / "store"), executor="processes", workers=1)
    assert made.result == expected
