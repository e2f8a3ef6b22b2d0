"""What a staged pipeline gives, beside what its plain function gives."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from drawloom.dsl.tracing import Trace, trace
from drawloom.ir.check import check_pipeline
from drawloom.ir.interpret import interpret


def _outcome(call: Callable[[], Any], log: list[Any]) -> tuple[object, ...]:
    log.clear()
    try:
        result = call()
    except Exception as error:
        return type(error), str(error), list(log)
    return "result", result, list(log)


def _interpreted(made: Trace, given: dict[str, Any]) -> Any:
    outcome = interpret(made.program.pipeline, made.functions, given)
    if outcome.failure is not None:
        raise outcome.failure
    return outcome.result


@pytest.fixture
def same() -> Callable[..., Trace]:
    """Checks that `module.p`, traced, gives for each parameters what its plain function gives.

    Results, exceptions and what tasks put into `module.LOG` are compared.
    """

    def check(module: ModuleType, *params: dict[str, Any]) -> Trace:
        made = trace(module.p)
        assert check_pipeline(made.program) == []
        log = getattr(module, "LOG", [])
        for given in params:
            expected = _outcome(lambda given=given: module.p.function(**given), log)  # type: ignore[misc]  # mypy can't infer the default's type
            assert _outcome(lambda given=given: _interpreted(made, given), log) == expected, given  # type: ignore[misc]
        return made

    return check
