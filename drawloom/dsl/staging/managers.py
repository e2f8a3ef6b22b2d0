"""`with`: options for calls; other context managers only around what is known."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from drawloom.dsl.place import refusal
from drawloom.dsl.scope import CallOptions
from drawloom.dsl.staging.scopes import Stage, current_stage

__all__ = ["manager"]

# Any: whatever a `with` is given


def manager(given: Any, shown: str) -> Any:
    """What a `with` statement enters in the place of `given`.

    Args:
        given: the context manager.
        shown: what the user wrote.
    """
    stage = current_stage()
    return given if stage is None or isinstance(given, CallOptions) else _Foreign(stage, given, shown)


class _Foreign:
    """A context manager that knows nothing of a run: what is recorded inside it would run outside of it."""

    def __init__(self, stage: Stage, given: Any, shown: str) -> None:
        self.shown = shown
        self.stage = stage
        self.given = given

    def __enter__(self) -> Any:
        self.recorded = self._count()
        return self.given.__enter__()

    def _count(self) -> int:
        tracer = self.stage.tracer
        return len(tracer.sites) + len(tracer.block.standing)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> Any:
        suppressed = self.given.__exit__(kind, error, at)
        if error is None and self._count() > self.recorded:
            raise refusal(
                "D150",
                f"tasks are called inside `with {self.shown}`, which is left while the pipeline is traced",
                "use `try` and `finally` with tasks, or put the `with` in a @task",
            )
        return suppressed
