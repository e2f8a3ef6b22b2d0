"""The times a run is for: which of them a pipeline asks for, and what is said where the run has them not.

A run that a schedule starts has two. `logical_time` is the time of the schedule that it was started for, however late
it began; the interval ends there, and begins at the time of the schedule before. Both are in the schedule's zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from drawloom.errors import Diagnostic, Span

if TYPE_CHECKING:
    from datetime import datetime

    from drawloom.ir.nodes import Pipeline
    from drawloom.ir.operands import Operand

__all__ = ["missing_time", "scheduled_times", "times_asked"]

_FIXES: Final = {
    "logical_time": "give the run a `logical_time` (`--logical-time 2026-01-31T00:00:00Z`)",
    "interval_start": "give the run an `interval` (`--interval 2026-01-30T00:00:00Z/2026-01-31T00:00:00Z`)",
}
_FIXES["interval_end"] = _FIXES["interval_start"]


def times_asked(pipeline: Pipeline) -> dict[str, str]:
    """The times that a pipeline asks for (fields of `RunInfo`), each with the node that asks first, "" for none."""
    from drawloom.ir.operands import RunInfo
    from drawloom.ir.walk import references

    found: dict[str, str] = {}
    for node, operand in _operands(pipeline):
        for reference in references(operand):
            if isinstance(reference, RunInfo) and reference.field in _FIXES:
                found.setdefault(reference.field, node)
    return found


def _operands(pipeline: Pipeline) -> Iterator[tuple[str, Operand]]:
    from drawloom.ir.walk import operands, walk

    for node in walk(pipeline.body):
        for operand in operands(node):
            yield node.id, operand
    for _, operand in pipeline.body.results:
        yield "", operand


def missing_time(pipeline: str, field: str, where: Span | None = None) -> Diagnostic:
    """R557: a pipeline asks for a time that its run hasn't."""
    return Diagnostic("R557", f"`{pipeline}` asks for `run_info.{field}`, and the run has none", where, _FIXES[field])


def scheduled_times(cron: str, zone: str, moment: datetime) -> tuple[datetime, tuple[datetime, datetime]]:
    """The logical time and the interval of a run that was started at a moment, or for it.

    Args:
        cron: the expression.
        zone: the zone it is in.
        moment: the time it was started for; for a run that somebody started by hand, when that was: such a run is for
            the last time of the schedule.

    Raises:
        UnknownZone: there is no such zone here.
    """
    from drawloom.ir.cron import Cron, zone_of

    made, here = Cron(cron), zone_of(zone)
    end = made.latest(moment, here)
    return end, (made.before(end, here), end)
