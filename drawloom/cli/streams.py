"""Writing to stdout and stderr, also where they are pipes that close early, or aren't there.

Loads next to nothing: every command ends here, `--help` too.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

__all__ = ["discard", "flush", "note", "output_to_stderr", "tolerant", "warnings_as_notes", "write", "write_json"]


def write(text: str, *, end: str = "\n") -> None:
    """Writes `text` to stdout; a reader that went away ends the writing, not the command."""
    _write(sys.stdout, text + end)


def note(text: str) -> None:
    """Writes `text` as a line to stderr."""
    _write(sys.stderr, text + "\n")


@contextmanager
def output_to_stderr() -> Iterator[None]:
    """Lets what writes to file descriptor 1 meanwhile reach stderr: a task's child processes, libraries in C.

    stdout is for what the command itself answers, which may be JSON.
    """
    flush()
    try:
        kept = os.dup(1)
    except OSError:  # the caller closed it
        yield
        return
    try:
        with suppress(OSError):  # stderr is closed: there is nowhere else to go
            os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Tells warnings of the block as lines on stderr, without the place in drawloom that gave them."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield
    for warning in found:
        note(f"warning: {warning.message}")


def write_json(document: object) -> None:
    """Writes one JSON document to stdout, indented."""
    import json

    write(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def flush() -> None:
    """Flushes stdout and stderr, so that a reader that went away isn't met again at exit."""
    for stream in (sys.stdout, sys.stderr):
        _write(stream, "")


def _write(stream: TextIO | None, text: str, *, needed: bool = True) -> None:
    if stream is None:  # the caller closed it: `drawloom ... >&-`
        return
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        closed = error.errno == errno.EIO and _was_terminal(stream)
        discard(stream)  # else Python meets what is left over again at exit
        gone = closed or error.errno in (errno.EPIPE, errno.EINVAL, errno.EBADF)
        if gone or not needed or stream is sys.stderr:  # nobody can be told where telling fails
            return
        from drawloom.errors import Diagnostic, ProjectError

        what = f"the output can't be written: {error.strerror}"
        fix = "make room, or send the output somewhere else"
        raise ProjectError(Diagnostic("P634", what, None, fix)) from error


def _was_terminal(stream: TextIO) -> bool:
    """Whether `stream` is, or was until its window was closed, a terminal: `isatty` no longer says so then."""
    try:
        return stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def tolerant(stream: TextIO) -> TextIO:
    """The stream for those who print while a run goes on: a reader that goes away doesn't end the run."""
    return cast("TextIO", _Tolerant(stream))


class _Tolerant:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        _write(self._stream, text, needed=False)
        return len(text)

    def flush(self) -> None:
        _write(self._stream, "", needed=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def discard(stream: TextIO) -> None:
    """Sends what is still to come into the void, Python's own flush at exit included."""
    try:
        void = os.open(os.devnull, os.O_WRONLY)
        os.dup2(void, stream.fileno())
        os.close(void)
    except (OSError, ValueError):
        return
