"""--logical-time and --interval: which time a run is for, as ISO 8601 texts with a zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click

from drawloom.errors import Diagnostic, ProjectError

__all__ = ["take_times", "time_options"]

F = TypeVar("F", bound=Callable[..., Any])
_EXAMPLE = "2026-01-31T00:00:00Z"


def time_options(function: F) -> F:
    """--logical-time and --interval."""
    for option in (
        click.option("--interval", metavar="START/END", help="The data the run is for: two such times."),
        click.option("--logical-time", metavar="TIME", help=f"The time the run is for, with a zone: {_EXAMPLE}."),
    ):
        function = option(function)
    return function


def take_times(values: dict[str, Any]) -> dict[str, Any]:
    """The arguments `logical_time` and `interval` of `drawloom.run`, taken out of the options' values.

    Raises:
        ProjectError: R555, a text is no time of ISO 8601 with a zone; R556, the interval isn't two of them.
    """
    logical, interval = values.pop("logical_time"), values.pop("interval")
    times: dict[str, Any] = {"logical_time": None, "interval": None}
    if logical is not None:
        times["logical_time"] = _time(logical, "--logical-time")
    if interval is not None:
        parts = interval.split("/")
        if len(parts) != 2:
            what = f"`--interval {interval}` isn't START/END"
            fix = f"write two times with a `/` between them: {_EXAMPLE}/2026-02-01T00:00:00Z"
            raise ProjectError(Diagnostic("R556", what, None, fix))
        times["interval"] = (_time(parts[0], "--interval"), _time(parts[1], "--interval"))
    return times


def _time(text: str, option: str) -> datetime:
    problem = "is no time of ISO 8601"
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        found = None
    if found is not None:
        if found.utcoffset() is not None:
            return found
        problem = "has no zone"
    fix = f"write date, time and zone: {_EXAMPLE}, or 2026-01-31T00:00:00+01:00"
    raise ProjectError(Diagnostic("R555", f"`{text}`, given as {option}, {problem}", None, fix))
