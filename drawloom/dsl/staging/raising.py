"""`raise` under a run-time test: a call of a task that raises."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from drawloom.dsl.constants import holds_handle
from drawloom.dsl.handles import Handle, shown
from drawloom.dsl.options import Options
from drawloom.dsl.place import refusal
from drawloom.dsl.raising import raise_again, raise_error
from drawloom.dsl.staging.scopes import Leave, Outcome, Stage, current_stage
from drawloom.dsl.task import Task
from drawloom.ir.envelope import class_ref

__all__ = ["StagedException", "raised", "record_raise", "reraised"]

# Any: arguments are the user's values, or handles over them

_RAISE: Task[..., None] = Task(raise_error, Options())
_AGAIN: Task[..., None] = Task(raise_again, Options())


class StagedException:
    """An exception with its arguments, which a run will make."""

    __slots__ = ("args", "cls")

    def __init__(self, cls: type[BaseException], args: tuple[Any, ...]) -> None:
        self.cls = cls
        self.args = args


def raised(value: Any) -> BaseException:
    """What `raise value` raises natively, where it may.

    Raises:
        Leave: it may not: it is recorded.
    """
    stage = current_stage()
    if stage is None:
        made: BaseException = value
        return made
    if isinstance(value, Handle):
        raise _again(stage, value, sys._getframe(1))
    kind = _class_of(value)
    if kind is not None:
        value = StagedException(kind, ()) if _is_recorded(stage) else kind()
    if isinstance(value, StagedException):
        if not _is_recorded(stage) and not holds_handle(value.args):
            return value.cls(*value.args)
        raise Leave(_record(stage, value.cls, value.args, sys._getframe(1)))
    if _is_recorded(stage) and _is_a_failure(value):
        raise Leave(_record(stage, type(value), value.args, sys._getframe(1)))
    native: Any = value  # what isn't an exception is refused by Python
    return native  # type: ignore[no-any-return]  # see above


def _class_of(value: Any) -> type[BaseException] | None:
    """The exception class that `raise` is given in the place of an exception."""
    return value if isinstance(value, type) and issubclass(value, BaseException) else None


def _is_a_failure(value: object) -> bool:
    return isinstance(value, BaseException) and not isinstance(value, (KeyboardInterrupt, GeneratorExit))


def _is_recorded(stage: Stage) -> bool:
    """Whether something is left to a run that comes before this, or decides on it."""
    return stage.in_region or bool(stage.tracer.block.nodes)


def reraised() -> BaseException:
    """What a bare `raise` raises natively, where it may.

    Raises:
        Leave: it may not: it is recorded.
        RuntimeError: no exception is being handled, as in Python.
    """
    stage = current_stage()
    if stage is None or not stage.handled:
        raise RuntimeError("No active exception to reraise")
    found = stage.handled[-1]
    if isinstance(found, Handle):
        raise _again(stage, found, sys._getframe(1))
    native: BaseException = found
    return native


def _again(stage: Stage, failure: Handle, frame: FrameType) -> Leave:
    if failure._dl_type.name != "failure":
        what = f"{shown(failure)} is raised, which is no exception"
        raise refusal("D117", what, "raise an exception of a known class")
    stage.tracer.call(_AGAIN, (failure,), {}, frame)
    return Leave({})


def record_raise(stage: Stage, error: BaseException) -> Outcome:
    """Record the raising of an exception of known values; gives the outcome: control ends here."""
    return _record(stage, type(error), error.args, sys._getframe(1))


def _record(stage: Stage, cls: type[BaseException], args: tuple[Any, ...], frame: FrameType) -> Outcome:
    if "<locals>" in cls.__qualname__:
        raise refusal(
            "D152",
            f"`{cls.__qualname__}` is raised in a run, but a class made in a function can't be found there",
            f"define `{cls.__name__}` in the module",
        )
    stage.tracer.call(_RAISE, (class_ref(cls), list(args)), {}, frame)
    return {}
