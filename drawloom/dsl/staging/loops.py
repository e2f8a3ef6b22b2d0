"""`for` and `while` over known values: unrolled, each iteration run natively; jumps on run-time tests are records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

from drawloom.dsl.handles import Handle
from drawloom.dsl.place import refusal
from drawloom.dsl.staging.scopes import BREAK, CONTINUE, FALL, Leave, Outcome, Scope, Stage, current_stage, relabelled
from drawloom.dsl.staging.unpacking import unpack
from drawloom.dsl.staging.values import run_time

__all__ = ["KnownLoop", "While"]

# Any: names hold the user's values, or handles over them

_MOST_OPEN = 100  # iterations of a `while` behind a run-time `break`: each is a branch inside the one before


class KnownLoop(Scope):
    """A loop that is unrolled.

    Args:
        stage: the stage of the trace, None where nothing is traced.
        names: the names it binds.

    Attributes:
        over: whether no further iteration is to be made.
    """

    staged = False

    def __init__(self, stage: Stage | None, names: tuple[str, ...]) -> None:
        super().__init__()
        self.stage: Any = stage  # Any: all that needs it is reached in a trace only
        self.names = names
        self.iteration = Scope()
        self.outcome: Outcome | None = None  # of an iteration that left
        self.pending: Outcome | None = None  # of the loop
        self.over = False
        self.broken = False
        if stage is not None:
            stage.scopes.append(self)

    def each(self, items: Iterable[Any], shape: object) -> Iterator[Any]:
        """The items, an iteration for each."""
        for item in items:
            self.new_iteration()
            yield unpack(item, shape) if shape is not None else item

    def new_iteration(self) -> None:
        """Begin an iteration; the one before has ended, by `continue` perhaps."""
        if self.stage is not None:
            self.stage.drop(self.iteration)
            self.stage.scopes.append(self.iteration)

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if isinstance(error, Leave) and self.stage is not None:
            self.outcome = error.outcome
            return True
        return False

    @property
    def turning(self) -> bool:
        """Whether an iteration ended in something that is to be joined."""
        return self.outcome is not None or bool(self.iteration.records)

    def turn(self, held: Mapping[str, Any]) -> tuple[Any, ...]:
        """End an iteration; gives the names as they are from here on."""
        stage, iteration = self.stage, self.iteration
        outcome, self.outcome = self.outcome, None
        again = (CONTINUE, self)
        continues = any(again in record.other for record in iteration.records) or (
            outcome is not None and again in outcome
        )
        if outcome is None and not continues:
            self.records += iteration.records
            iteration.records = []
            return self._as_they_are(stage, held)
        if outcome is None:
            outcome = stage.fallen(self.names, held)
        for record in iteration.records:
            record.other = relabelled(record.other, again, FALL)
        outcome = stage.close_records(iteration, relabelled(outcome, again, FALL))
        stage.drop(iteration)
        if FALL in outcome:
            made: tuple[Any, ...] = stage.settle(outcome, self.names)
            return made
        self.pending, self.over, self.broken = outcome, True, True
        return self._as_they_are(stage, held)

    def _as_they_are(self, stage: Stage, held: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(stage.fallen(self.names, held)[FALL].values.values())

    def breaks(self, held: Mapping[str, Any]) -> bool:
        """Whether `break` may be made natively.

        Raises:
            Leave: it may not.
        """
        if self.stage is not None and not self._is_bare():
            raise self._jump(BREAK, held)
        self.broken = True
        return True

    def continues(self, held: Mapping[str, Any]) -> bool:
        """Whether `continue` may be made natively.

        Raises:
            Leave: it may not.
        """
        if self.stage is not None and not self._is_bare():
            raise self._jump(CONTINUE, held)
        return True

    def _is_bare(self) -> bool:
        return self.stage.around is self.iteration and not self.iteration.records

    def _jump(self, kind: str, held: Mapping[str, Any]) -> Leave:
        made: Leave = self.stage.leaving((kind, self), self.stage.fallen(self.names, held)[FALL].values)
        return made

    @property
    def last(self) -> _Last:
        """What `else` is run in."""
        return _Last(self)

    def finished(self) -> bool:
        """Whether the loop came to its end without `break`."""
        if self.stage is not None:
            self.stage.drop(self.iteration)
        return not self.broken

    @property
    def joining(self) -> bool:
        """Whether what left the loop is to be joined with what comes behind it."""
        if self.stage is None:
            return False
        self.stage.drop(self.iteration)
        if self.pending is None and not self.records:
            self.stage.drop(self)
            return False
        return True

    def join(self, held: Mapping[str, Any]) -> tuple[Any, ...]:
        """End the loop; gives the names as they are behind it.

        Raises:
            Leave: it was left for good.
        """
        stage, left = self.stage, (BREAK, self)
        stage.drop(self)
        if self.pending is None and not any(left in record.other for record in self.records):
            stage.around.records += self.records
            return self._as_they_are(stage, held)
        outcome = self.pending if self.pending is not None else stage.fallen(self.names, held)
        for record in self.records:
            record.other = relabelled(record.other, left, FALL)
        made: tuple[Any, ...] = stage.settle(stage.close_records(self, relabelled(outcome, left, FALL)), self.names)
        return made


class _Last:
    """The `else` of a loop: what leaves it has left the loop."""

    def __init__(self, loop: KnownLoop) -> None:
        self.loop = loop

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if isinstance(error, Leave) and self.loop.stage is not None:
            self.loop.pending = error.outcome
            return True
        return False


class While(KnownLoop):
    """A `while` statement, whose test must be known.

    Args:
        names: the names it binds.
        endless: whether its test is a constant.
    """

    def __init__(self, names: tuple[str, ...], endless: bool) -> None:
        super().__init__(current_stage(), names)
        self.endless = endless

    def test(self, value: Any) -> bool:
        """Whether another iteration is to be made.

        Raises:
            DefinitionError: that is known only at run time (D139).
        """
        if self.stage is None:
            return bool(value)
        if isinstance(run_time(self.stage, value), Handle):
            raise refusal(
                "D139",
                "this `while` tests a run-time value and has no bound",
                "write `for _ in bounded(20):` with `if not ...: break` as its first statement",
            )
        if self.records and (self.endless or len(self.records) > _MOST_OPEN):
            raise refusal(
                "D139",
                "this `while` is left on a run-time test only and has no bound",
                "write `for _ in bounded(20):` in its place",
            )
        go_on = bool(value)
        if go_on:
            self.new_iteration()
        return go_on
