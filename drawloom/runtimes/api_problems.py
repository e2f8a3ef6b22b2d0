"""Requests to an engine's API that failed, as every client tells them; the engines say what they mean."""

from __future__ import annotations

from typing import Final

__all__ = ["PASSING", "ApiProblem", "plainly"]

PASSING: Final = (0, 408, 429, 500, 502, 503, 504)  # what may be better in a moment


class ApiProblem(Exception):
    """A request that failed.

    Args:
        status: the HTTP status; 0 where there was no answer.
        message: what the other side said, or why there was no answer.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


def plainly(error: BaseException) -> str:
    """The innermost reason of a connection that failed: urllib3 wraps it several times."""
    reason = getattr(error, "reason", None)
    while isinstance(reason, BaseException) and getattr(reason, "reason", None) is not None:
        reason = reason.reason  # type: ignore[attr-defined]  # just looked for
    return str(reason if reason is not None else error)
