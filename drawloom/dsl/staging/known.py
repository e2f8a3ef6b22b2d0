"""Errors of known values in a place that a run may never reach."""

from __future__ import annotations

from types import TracebackType

from drawloom.dsl.place import span_at
from drawloom.dsl.source import is_users
from drawloom.dsl.staging.scopes import Leave, Outcome
from drawloom.errors import DefinitionError, Diagnostic, DrawloomError, Span

__all__ = ["known_failure"]


def known_failure(error: BaseException, at: TracebackType | None, where: str) -> Outcome:
    """What a side ends in that an exception left: the outcome of a jump.

    Args:
        error: the exception.
        at: where it was raised.
        where: the side, for the message: "this branch".

    Raises:
        DefinitionError: it is an error of known values, which happens in a run only if the side is taken (D147).
        BaseException: `error` itself, if it is about the pipeline and not of its work.
    """
    if isinstance(error, Leave):
        return error.outcome
    if isinstance(error, DrawloomError) or not isinstance(error, Exception):
        raise error
    raise DefinitionError(
        Diagnostic(
            "D147",
            f"this line raises {type(error).__name__} ({error}) whenever {where} is reached",
            _place(at),
            "mend it, or `raise` the exception there yourself",
        )
    ) from error


def _place(at: TracebackType | None) -> Span | None:
    found = None
    while at is not None:
        if is_users(at.tb_frame.f_code.co_filename):
            found = span_at(at.tb_frame.f_code, at.tb_lasti)
        at = at.tb_next
    return found
