"""What a command says when it can't do what it was asked, and the exit code it ends with (docs/cli.md)."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Final

import click

from drawloom.cli.output import note
from drawloom.errors import Diagnostic, DrawloomError, RunCancelled, RunFailed, StoreError

__all__ = ["CANCELLED", "FAILED", "FAULT", "OK", "STORE", "USAGE", "exit_code_for", "users_traceback"]

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
STORE: Final = 3
FAULT: Final = 70  # EX_SOFTWARE of sysexits.h: drawloom itself is wrong
CANCELLED: Final = 130  # 128 + SIGINT, as shells have it

_PACKAGE = str(Path(__file__).resolve().parents[1])


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
        note("".join(traceback.format_exception(error)).rstrip())
    if isinstance(error, click.ClickException):
        note(str(_usage(error)))
        return USAGE
    if isinstance(error, DrawloomError):
        _tell(error)
        return _code(error)
    note(str(_fault(error)))
    return FAULT


def _code(error: DrawloomError) -> int:
    if isinstance(error, StoreError):
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
    text = error.format_message().rstrip(".")
    return Diagnostic("P640", text[:1].lower() + text[1:], None, f"see `{command} --help`")


def _fault(error: BaseException) -> Diagnostic:
    what = f"drawloom itself failed: {type(error).__name__}: {error}"
    fix = "set DRAWLOOM_DEBUG=1 to see where, and report it: this is a fault of drawloom, not of your pipeline"
    return Diagnostic("P699", what, None, fix)


def users_traceback(error: BaseException) -> str:
    """The traceback of an exception with drawloom's and the import system's frames left out."""
    told = traceback.TracebackException.from_exception(error)
    link: traceback.TracebackException | None = told
    while link is not None:
        kept = [f for f in link.stack if not f.filename.startswith((_PACKAGE, "<frozen importlib"))]
        link.stack = traceback.StackSummary.from_list(kept)
        link = link.__cause__ or link.__context__
    return "".join(told.format()).rstrip()
