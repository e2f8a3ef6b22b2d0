"""Sides that are functions, as the explicit forms take them; recorded and joined as those of statements are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from drawloom.dsl.handles import Effect
from drawloom.dsl.staging.joins import Side, close_side
from drawloom.dsl.staging.known import known_failure
from drawloom.dsl.staging.lists import copied
from drawloom.dsl.staging.scopes import FALL, Exit, Leave, Outcome, current_stage
from drawloom.dsl.staging.unbound import read
from drawloom.ir.operands import Output
from drawloom.ir.types import NONE

if TYPE_CHECKING:
    from drawloom.dsl.tracer import Tracer

__all__ = ["called_result", "called_side"]

# Any: functions return the user's values, or handles over them

_RESULT = "the result"


def called_side(tracer: Tracer, open_block: Callable[[], object], body: Callable[[], Any], what: str) -> Side:
    """A side recorded by calling a function once.

    Args:
        tracer: the trace.
        open_block: opens the side's block.
        body: the user's function, its arguments bound.
        what: the side, for messages: "`then` of `branch`".

    Raises:
        DefinitionError: the function can't be traced (D1..).
    """
    open_block()
    try:
        returned = body()
        outcome = {FALL: Exit({_RESULT: None if isinstance(returned, Effect) else copied(returned)})}
    except (Leave, Exception) as error:  # noqa: BLE001  # what isn't an outcome is raised again
        outcome = known_failure(error, error.__traceback__, what)
    return close_side(tracer, outcome)


def called_result(tracer: Tracer, node: str, outcome: Outcome, what: str) -> Any:
    """What a control form with called sides returns; of one that gives nothing what `.after(...)` takes.

    Args:
        tracer: the trace.
        node: the control node's id.
        outcome: what its sides came to, joined.
        what: the result, for messages: "the result of `branch`".

    Raises:
        Leave: no side goes on behind it.
        DefinitionError: the sides give what no run can choose between (D146).
    """
    stage = current_stage()
    assert stage is not None  # a trace is under way
    (found,) = stage.settle(outcome, (_RESULT,))
    result = read(found, what)
    if result is None and node in tracer.sites:
        return Effect(tracer.block, Output(node), NONE)
    return result
