"""What commands print: tables and times, and the writing of `streams`."""

from __future__ import annotations

import io
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from drawloom.cli.streams import discard, flush, note, output_to_stderr, tolerant, warnings_as_notes, write, write_json
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
