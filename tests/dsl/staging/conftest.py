"""What a staged pipeline gives, beside what its plain function gives."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from drawloom.dsl.tracing import Trace, trace
from drawloom.ir.check import check_pipeline
from drawloom.ir.interpret import interpret


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
