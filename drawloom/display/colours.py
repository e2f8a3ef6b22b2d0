"""States in colour: which colour each has, and whether a stream is shown in colours at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, TextIO

__all__ = ["STATE_STYLES", "Segment", "has_colours", "paint"]

Segment = tuple[str, str]  # a text and its style, "" for none; styles are those of `STATE_STYLES`, as rich names them

STATE_STYLES: Final = {
    "succeeded": "green",
    "cached": "cyan",
    "running": "yellow",
    "failed": "bold red",
    "cancelled": "magenta",
    "skipped": "dim",
    "pending": "dim",
    "native": "green",  # what an engine makes of a feature
    "lowered": "yellow",
    "refused": "red",
}
_CODES: Final = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "magenta": "35",
    "cyan": "36",
}


def has_colours(stream: TextIO | None) -> bool:
    """Whether `stream` is shown in colours.

    NO_COLOR says no and FORCE_COLOR yes, if they aren't empty (https://no-color.org, https://force-color.org); else
    terminals have colours, but for TERM=dumb.
    """
    if stream is None or os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def paint(line: Sequence[Segment], *, colours: bool) -> str:
    """A line with the terminal's codes for its styles, or as plain text."""
    if not colours:
        return "".join(text for text, _ in line)
    return "".join(f"\x1b[{_codes(style)}m{text}\x1b[0m" if style else text for text, style in line)


def _codes(style: str) -> str:
    return ";".join(_CODES[word] for word in style.split())
