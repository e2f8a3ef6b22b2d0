"""Writing to the terminal: tables, JSON and plain text, also into pipes that close early or aren't there."""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import stat
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from drawloom.display.colours import STATE_STYLES, has_colours
from drawloom.display.formats import cells, cut, format_bytes, format_seconds, format_time, one_line, shows_unicode

__all__ = [
    "Column",
    "discard",
    "flush",
    "format_bytes",
    "format_seconds",
    "format_time",
    "iso_time",
    "note",
    "output_to_stderr",
    "table",
    "tolerant",
    "warnings_as_notes",
    "write",
    "write_json",
]

_LEAST_WIDTH = 8  # of a column whose cells may be cut
_TIME = re.compile(r"^\d{4}-(\d\d-\d\d \d\d:\d\d):\d\d$")  # as `format_time` has it
_PIPED_WIDTH = 100_000  # nothing is cut or wrapped where a program may be reading


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


class Column:
    """A column of a table.

    Args:
        title: its heading.
        right: whether its cells are numbers.
        whole: whether its cells are never cut or wrapped (ids, digests).
        state: whether its cells are states, which have colours.
    """

    def __init__(self, title: str, *, right: bool = False, whole: bool = False, state: bool = False) -> None:
        self.title, self.right, self.whole, self.state = title, right, whole, state

    @property
    def kept(self) -> bool:
        """Whether its cells are shown in full on any terminal."""
        return self.right or self.whole or self.state


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Writes a table to stdout: coloured and fitted on a terminal, plain and uncut in a pipe.

    Where a terminal is too narrow for what must not be cut (ids, states, numbers), lines are longer than it: it wraps
    them, and nothing is lost. Other cells end in an ellipsis.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    lines = [[one_line(cell) for cell in row] for row in rows]
    text = io.StringIO()  # rich would write to stdout itself, and meet a reader that went away
    colours = has_colours(sys.stdout)
    width = shutil.get_terminal_size().columns if _is_terminal() else _PIPED_WIDTH
    if sum(_fitted(columns, lines, _PIPED_WIDTH)) + 2 * len(columns) > width:
        lines = [[_TIME.sub(r"\1", cell) for cell in row] for row in lines]  # the year and the seconds go first
    widths = _fitted(columns, lines, width)
    console = Console(
        file=text,
        force_terminal=colours,
        color_system="standard" if colours else None,
        width=max(width, sum(widths) + 2 * len(widths)),
        legacy_windows=False,
    )
    ellipsis = "…" if sys.stdout is not None and shows_unicode(sys.stdout) else "..."
    lines = [[cut(cell, room, ellipsis) for cell, room in zip(row, widths, strict=True)] for row in lines]
    made = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column in columns:
        made.add_column(column.title, justify="right" if column.right else "left", no_wrap=True)
    for row in lines:
        made.add_row(*[Text(cell, style=_style(column, cell)) for column, cell in zip(columns, row, strict=True)])
    console.print(made)
    write("\n".join(line.rstrip() for line in text.getvalue().splitlines()))


def _fitted(columns: Sequence[Column], lines: Sequence[Sequence[str]], room: int) -> list[int]:
    """The widths of the columns in `room` characters: the widest of those that may be cut give way first."""
    widths = [max(cells(text) for text in (column.title, *texts)) for column, *texts in zip(columns, *lines)]
    excess = sum(widths) + 2 * len(widths) - room
    while excess > 0:
        cuttable = [(width, place) for place, width in enumerate(widths) if not columns[place].kept]
        widest, place = max(cuttable, default=(0, 0))
        if widest <= _LEAST_WIDTH:
            break
        widths[place] -= 1
        excess -= 1
    return widths


def _style(column: Column, cell: str) -> str:
    return STATE_STYLES.get(cell, "") if column.state else ""


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def iso_time(at: float | None) -> Any:  # Any: a JSON value
    """Seconds since the epoch as ISO 8601 in UTC, for JSON; None for None or 0."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).isoformat() if at else None
