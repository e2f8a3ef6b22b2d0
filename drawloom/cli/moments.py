"""Moments and ages on the command line: a date, a time, how long ago, how old."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Final

import click

__all__ = ["parse_age", "parse_moment", "read_moment"]

_SECONDS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(s|min|m|h|d|w)", re.ASCII)


def parse_age(text: str) -> float | None:
    """The seconds of an age: `30d`, `12h`, `2w`, `1.5h`, `90min`, `90m`, `10s`; None if it is none.

    >>> parse_age("1.5 h"), parse_age("soon")
    (5400.0, None)
    """
    found = _AGE.fullmatch(text.strip().lower())
    return None if found is None else float(found[1]) * _SECONDS[found[2]]


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
    ago = parse_age(text)
    if ago is not None:
        return now - ago
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
