"""Moments on the command line: a date, a time, or how long ago."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Final

import click

__all__ = ["parse_moment", "read_moment"]

_SECONDS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGO: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(s|min|h|d|w)")


def parse_moment(text: str, now: float) -> float:
    """A moment in seconds since the epoch.

    Args:
        text: ISO 8601 (`2026-01-31`, `2026-01-31T12:00`; local time if it has no zone), or how long ago: `30min`, `2h`,
            `7d`, `1w`.
        now: the present moment, in seconds since the epoch.

    Raises:
        ValueError: it is neither.

    >>> parse_moment("2h", 10_000.0), parse_moment("1970-01-02T00:00:00+00:00", 0.0)
    (2800.0, 86400.0)
    """
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        return now - float(ago[1]) * _SECONDS[ago[2]]
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        fix = "give a date (2026-01-31), a time (2026-01-31T12:00), or how long ago (30min, 2h, 7d)"
        raise ValueError(f"{text!r} is no moment: {fix}") from None


def read_moment(_: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Reads an option's text; for `callback=`."""
    try:
        return None if value is None else parse_moment(value, time.time())
    except ValueError as error:
        raise click.BadParameter(str(error), param=param) from None
