"""The function around: where its `return`s meet."""

from __future__ import annotations

import sys
from types import CodeType, FrameType, TracebackType
from typing import Any

from drawloom.dsl.handles import Handle
from drawloom.dsl.place import refusal, span_at, user_frame
from drawloom.dsl.staging.known import known_failure
from drawloom.dsl.staging.lists import plain
from drawloom.dsl.staging.scopes import RETURN, Exit, Leave, Outcome, Scope, Stage, current_stage
from drawloom.dsl.staging.unbound import read
from drawloom.ir.operands import Apply
from drawloom.ir.types import NEVER

__all__ = ["Function", "ends_here"]

# Any: a function returns the user's value, or a handle over it

_VALUE = "the result"
_MOST_NESTED = 50  # calls of one function inside each other, behind a run-time test


def _refuse_recursion(stage: Stage, code: CodeType, caller: FrameType | None) -> None:
    frame = user_frame(caller)
    inside = sum(isinstance(scope, Function) and scope.code is code for scope in stage.scopes)
    if inside > _MOST_NESTED and stage.in_region:
        raise refusal(
            "D140",
            f"`{code.co_name}` calls itself under a run-time test; a graph must be finite",
            "write a `for _ in bounded(20):` loop, or one @task",
            None if frame is None else span_at(frame.f_code, frame.f_lasti),
        )


def ends_here(stage: Stage, outcome: Outcome) -> Any:
    """What a call is that always raises: in an operand a value that nobody gets, else the end of what is recorded.

    Raises:
        Leave: it isn't in an operand.
    """
    around = next((scope for scope in reversed(stage.scopes) if isinstance(scope, Function)), None)
    if around is None or outcome or not stage.is_in_operand(around.depths):
        raise Leave(outcome)
    return Handle(stage.tracer.block, Apply("unset", ()), NEVER)


class Function(Scope):
    """One call of a converted function, while it is traced; plain, where nothing is traced."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = current_stage()
        self.outcome: Outcome | None = None
        self.code = sys._getframe(1).f_code
        self.label = (RETURN, self)

    def __enter__(self) -> None:
        if self.stage is not None:
            _refuse_recursion(self.stage, self.code, sys._getframe(1).f_back)
            self.stage.scopes.append(self)
            self.depths = self.stage.depths()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        stage = self.stage
        if stage is None:
            return False
        recorded = any(scope.records for scope in (self, *stage.above(self)))
        stage.drop(self)
        if error is not None and not isinstance(error, Leave):
            if recorded or stage.is_in_operand(self.depths):
                known_failure(error, at, "this way through the function" if recorded else "this operand")
            stage.back_to(self.depths)
        if isinstance(error, Leave):
            self.outcome = error.outcome
            return True
        return False

    def leave(self, value: Any) -> Any:
        """What `return value` returns, where the function may be left natively.

        Raises:
            Leave: it may not, because something around is still to be recorded.
        """
        stage = self.stage
        if stage is None:
            return value
        if any(scope.block is not None or scope.records for scope in stage.above(self)):
            raise stage.leaving(self.label, {_VALUE: value})
        stage.drop(self)
        return self._joined(stage, self._exit(stage, value))

    def _exit(self, stage: Stage, value: Any) -> Outcome:
        """The end with a result, which is kept as it is now if what is open is still to be joined."""
        return (
            stage.leaving(self.label, {_VALUE: value}).outcome if self.records else {self.label: Exit({_VALUE: value})}
        )

    def result(self) -> Any:
        """What the function returns at its end."""
        if self.stage is None:
            return None
        return self._joined(self.stage, self._exit(self.stage, None) if self.outcome is None else self.outcome)

    def _joined(self, stage: Stage, outcome: Outcome) -> Any:
        if self.records:
            outcome = stage.close_records(self, outcome)
        found = outcome.get(self.label)
        if found is None:  # every way through it raises
            return ends_here(stage, outcome)
        stage.apply(found)
        return read(plain(found.values[_VALUE]), _VALUE)
