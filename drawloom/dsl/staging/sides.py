"""Sides that are functions, as the explicit forms take them; recorded and joined as those of statements are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from drawloom.dsl.handles import Effect
from drawloom.dsl.staging.joins import Side, close_side
from drawloom.dsl.staging.known import known_failure
from drawloom.dsl.staging.lists import copied
from drawloom.dsl.staging.raising import record_raise
from drawloom.dsl.staging.scopes import FALL, Exit, Leave, Outcome, current_stage
from drawloom.dsl.staging.unbound import read
from drawloom.errors import DrawloomError
from drawloom.ir.operands import Output
from drawloom.ir.types import NONE

if TYPE_CHECKING:
    from drawloom.dsl.tracer import Tracer

__all__ = ["Tried", "called_result", "called_side"]

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
        outcome = _fallen(body())
    except (Leave, Exception) as error:  # noqa: BLE001  # what isn't an outcome is raised again
        outcome = known_failure(error, error.__traceback__, what)
    return close_side(tracer, outcome)


class Tried:
    """The body of a `try_`, called once: recorded into a block, unless it came to its end natively.

    Args:
        tracer: the trace.
        open_block: opens its block.
        body: the user's function.

    Attributes:
        side: what was recorded, None if nothing of it is left to a run.

    Raises:
        DefinitionError: the function can't be traced (D1..).
    """

    def __init__(self, tracer: Tracer, open_block: Callable[[], object], body: Callable[[], Any]) -> None:
        stage = current_stage()
        assert stage is not None  # a trace is under way
        depths = stage.depths()
        open_block()
        block = tracer.block
        self._error: Exception | None = None
        self._returned: Any = None
        self.side: Side | None = None
        outcome: Outcome | None = None
        try:
            self._returned = body()
        except Leave as left:
            outcome = left.outcome
        except DrawloomError:
            raise
        except Exception as error:  # noqa: BLE001  # a handler may take it, here or in a run
            stage.back_to(depths)
            self._error = error
        if outcome is None and not block.nodes and not block.standing:
            tracer.give_up_block()
            return
        if self._error is not None:  # what came before it is left to a run, and so is the exception
            outcome = record_raise(stage, self._error)
        self.side = close_side(tracer, _fallen(self._returned) if outcome is None else outcome)

    def natively(self) -> Any:
        """Return, or raise, what the body did; of one that has no side."""
        if self._error is not None:
            raise self._error
        return self._returned


def _fallen(returned: Any) -> Outcome:
    return {FALL: Exit({_RESULT: None if isinstance(returned, Effect) else copied(returned)})}


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
