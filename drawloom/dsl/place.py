"""Where in the user's source something happens, and refusals that say so.

Imports nothing at the top: `dsl.task` needs it, and a user's module that decorates tasks must load fast in a step.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drawloom.errors import DefinitionError, Diagnostic, Span

__all__ = ["OWN_MODULES", "function_span", "problem", "refusal", "span_at", "symbol_of", "user_frame", "user_span"]

OWN_MODULES = "drawloom.dsl."


def user_frame(frame: FrameType | None = None) -> FrameType | None:
    """The innermost frame, from `frame` outwards, that isn't this package's own."""
    found = sys._getframe(1) if frame is None else frame
    while found is not None and found.f_globals.get("__name__", "").startswith(OWN_MODULES):
        found = found.f_back  # type: ignore[assignment]  # the outermost frame's is None
    return found


def span_at(code: CodeType, offset: int) -> Span:
    """The place of the instruction at the byte `offset` of `code`."""
    from drawloom.errors import Span  # lazy: see the module docstring

    line = code.co_firstlineno
    for start, end, found in code.co_lines():
        if start <= offset < end and found is not None:
            line = found
    return Span(code.co_filename, line, symbol_of(code))


def symbol_of(code: CodeType) -> str:
    """The name of the function that a code object belongs to, "" for a module."""
    return "" if code.co_name == "<module>" else code.co_qualname


def user_span() -> Span | None:
    """The place in the user's source that is being executed: libraries they called in between are passed over."""
    from drawloom.dsl.source import is_users  # lazy: see the module docstring

    innermost = frame = user_frame(sys._getframe(1))
    while frame is not None and not is_users(frame.f_code.co_filename):
        frame = frame.f_back
    found = frame or innermost
    return None if found is None else span_at(found.f_code, found.f_lasti)


def function_span(function: Any) -> Span | None:  # Any: whatever a decorator was given
    """The place where a function is defined, None if it isn't a Python function."""
    from drawloom.errors import Span  # lazy: see the module docstring

    code = getattr(function, "__code__", None)
    return None if code is None else Span(code.co_filename, code.co_firstlineno, code.co_qualname)


def problem(code: str, what: str, fix: str, where: Span | None = None) -> Diagnostic:
    """A diagnostic; `where` is the user's line being executed unless given."""
    from drawloom.errors import Diagnostic  # lazy: see the module docstring

    return Diagnostic(code, what, user_span() if where is None else where, fix)


def refusal(code: str, what: str, fix: str, where: Span | None = None) -> DefinitionError:
    """The exception to raise where a task or a pipeline is declared or traced wrongly."""
    from drawloom.errors import DefinitionError  # lazy: see the module docstring

    return DefinitionError(problem(code, what, fix, where))
