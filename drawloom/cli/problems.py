"""What a command says when it can't do what it was asked, and the exit code it ends with (docs/cli.md)."""

from __future__ import annotations

import importlib
import os
from typing import Final

import click

from drawloom.cli.output import note
from drawloom.errors import (
    Diagnostic,
    DrawloomError,
    EngineError,
    RunCancelled,
    RunFailed,
    Span,
    StoreError,
    did_you_mean,
)

__all__ = [
    "CANCELLED",
    "FAILED",
    "FAULT",
    "NOT_THE_USERS",
    "OK",
    "STORE",
    "TARGET",
    "USAGE",
    "exit_code_for",
    "users_traceback",
]

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
STORE: Final = 3
FAULT: Final = 70  # EX_SOFTWARE of sysexits.h: drawloom itself is wrong
TARGET: Final = "drawloom.target"  # in click's context: TARGET as given, once its pipeline is known
CANCELLED: Final = 130  # 128 + SIGINT, as shells have it

# drawloom's own files, and those of the import system
_OURS: Final = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
NOT_THE_USERS = (_OURS, "<frozen", str(importlib.__file__))
_NO_COMMAND: tuple[type[click.ClickException], ...] = tuple(
    filter(None, [getattr(click.exceptions, "NoArgsIsHelpError", None)])  # click before 8.2 shows the help itself
)
_TRACING: Final = os.path.join(_OURS, "dsl", "tracing.py")


def exit_code_for(error: BaseException) -> int:
    """Tells `error` on stderr and says what to exit with.

    Args:
        error: whatever ended a command.

    Returns:
        The exit code.
    """
    if isinstance(error, click.exceptions.Exit):
        return int(error.exit_code)
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else FAULT
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        note("cancelled")
        return CANCELLED
    if os.environ.get("DRAWLOOM_DEBUG") == "1":
        import traceback

        note("".join(traceback.format_exception(error)).rstrip())
    if isinstance(error, _NO_COMMAND):
        note(error.format_message())  # a group without a command: its help, which says what there is
        return USAGE
    if isinstance(error, click.ClickException):
        note(str(_usage(error)))
        return USAGE
    if isinstance(error, DrawloomError):
        _tell(error)
        return _code(error)
    raised_at = _in_pipeline(error)
    if raised_at is not None:
        note(users_traceback(error, since=_TRACING))
        note(str(_raised(error, raised_at)))
        return USAGE
    note(str(_fault(error)))
    return FAULT


def _code(error: DrawloomError) -> int:
    if isinstance(error, (StoreError, EngineError)):
        return STORE
    if isinstance(error, RunCancelled):
        return CANCELLED
    return FAILED if isinstance(error, RunFailed) else USAGE


def _tell(error: DrawloomError) -> None:
    if error.__cause__ is not None and any(d.code == "P614" for d in error.diagnostics):
        note(users_traceback(error.__cause__))
    for diagnostic in error.diagnostics:
        note(str(diagnostic))
    if len(error.diagnostics) > 1:
        note(f"{len(error.diagnostics)} problems")


def _usage(error: click.ClickException) -> Diagnostic:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "drawloom"
    if context is not None and TARGET in context.meta:  # the pipeline's parameters are options, too
        command = f"{command} {context.meta[TARGET]}"
    text = " ".join(error.format_message().split()).rstrip(".")  # click lists choices on lines of their own
    if isinstance(error, click.NoSuchOption):
        known = [name for p in context.command.get_params(context) for name in p.opts] if context is not None else []
        text = f"there is no option `{error.option_name}`{did_you_mean(error.option_name, known)}"
    return Diagnostic("P640", text[:1].lower() + text[1:], None, f"see `{command} --help`")


def _in_pipeline(error: BaseException) -> Span | None:
    """The user's innermost line, if the exception came out of a pipeline's function while it was traced."""
    import traceback  # an error may take its time

    frames = traceback.extract_tb(error.__traceback__)
    first = next((i for i, frame in enumerate(frames) if frame.filename == _TRACING), len(frames))
    users = [frame for frame in frames[first:] if not frame.filename.startswith(NOT_THE_USERS)]
    return Span(users[-1].filename, users[-1].lineno or 0, users[-1].name) if users else None


def _raised(error: BaseException, where: Span) -> Diagnostic:
    what = f"the pipeline's function raised {type(error).__name__} while it was traced: {error}"
    fix = "mend the function; when it is traced it runs once, with handles in place of the values"
    return Diagnostic("P615", what, where, fix)


def _fault(error: BaseException) -> Diagnostic:
    what = f"drawloom itself failed: {type(error).__name__}: {error}"
    fix = "set DRAWLOOM_DEBUG=1 to see where, and report it: this is a fault of drawloom, not of your pipeline"
    return Diagnostic("P699", what, None, fix)


def users_traceback(error: BaseException, since: str = "") -> str:
    """The traceback of an exception with drawloom's and the import system's frames left out.

    Args:
        error: the exception.
        since: leave out the frames before the first one of this file, too.
    """
    import traceback  # an error may take its time

    told = traceback.TracebackException.from_exception(error)
    first = next((i for i, frame in enumerate(told.stack) if frame.filename == since), 0)
    told.stack = traceback.StackSummary.from_list(told.stack[first:])
    link: traceback.TracebackException | None = told
    while link is not None:
        kept = [f for f in link.stack if not f.filename.startswith(NOT_THE_USERS)]
        link.stack = traceback.StackSummary.from_list(kept)
        link = link.__cause__ or link.__context__
    return "".join(told.format()).rstrip()
