"""Numbers and texts for people: durations, sizes, times, and texts cut to a width in a terminal.

Loads next to nothing: progress and every command import it.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import TextIO

from drawloom.values.text import format_bytes

__all__ = [
    "cells",
    "cut",
    "format_bytes",
    "format_seconds",
    "format_time",
    "one_line",
    "place_text",
    "printable",
    "shows_unicode",
]


def format_seconds(seconds: float | None) -> str:
    """A duration for people: `0.03 s`, `12.3 s`, `4 min 05 s`, `2 h 03 min`; "" for None.

    >>> format_seconds(245.2)
    '4 min 05 s'
    """
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def format_time(at: float | None) -> str:
    """Seconds since the epoch as local time, `2026-01-31 12:00:00`; "" for None or 0."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else ""


def place_text(node: str, index: tuple[int, ...]) -> str:
    """`train[3]`, as people read a node instance."""
    return (node or "the results") + (f"[{', '.join(map(str, index))}]" if index else "")


def one_line(text: str) -> str:
    """`text` without line breaks and without what would move a terminal's cursor or change its colours.

    >>> one_line("a\\n  b\\x1b[31m")
    'a b\\\\x1b[31m'
    """
    return printable(" ".join(text.split()) if any(c.isspace() for c in text) else text)


def printable(text: str) -> str:
    """`text` with everything escaped that isn't seen, or does something to a terminal; spaces stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def cells(text: str) -> int:
    """How many cells of a terminal `text` takes: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(map(_cells_of, text))


def _cells_of(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int, ellipsis: str = "…") -> str:
    """`text` in at most `width` cells, its end given up for an ellipsis where it is longer.

    >>> cut("abcdef", 4), cut("abc", 4)
    ('abc…', 'abc')
    """
    if cells(text) <= width:
        return text
    room, kept = width - cells(ellipsis), []
    for character in text:
        room -= _cells_of(character)
        if room < 0:
            break
        kept.append(character)
    return ("".join(kept) + ellipsis)[: max(width, 0)]


def shows_unicode(stream: TextIO) -> bool:
    """Whether what `stream` writes can hold the few signs drawloom draws with; ASCII stands for them where it can't."""
    try:
        "✓✗━…⠋".encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
