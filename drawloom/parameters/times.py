"""The times a run is for, and whether it is given those its pipeline asks for: found out before it begins."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from drawloom.errors import Diagnostic, RunRefused
from drawloom.ir.canonical import Json
from drawloom.ir.envelope import encode
from drawloom.ir.program import Program
from drawloom.ir.times import missing_time, times_asked

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["refuse_missing_times", "times_given"]


def refuse_missing_times(program: Program, given: Collection[str]) -> None:
    """Refuses a run without a time that the pipeline asks for.

    Args:
        program: the pipeline.
        given: the fields of `RunInfo` the run knows, besides its id.

    Raises:
        RunRefused: R557, for each field that is asked for and isn't given, where it is asked for first.
    """
    pipeline, spans = program.pipeline, program.spans
    missing = {field: node for field, node in times_asked(pipeline).items() if field not in given}
    if missing:
        raise RunRefused(
            missing_time(pipeline.name, field, spans.get(node, spans.get(""))) for field, node in missing.items()
        )


def times_given(logical_time: datetime | None, interval: tuple[datetime, datetime] | None) -> dict[str, Json]:
    """The facts about a run that its caller knows, as trees by `RunInfo` field.

    Args:
        logical_time: the time the run is for.
        interval: the (start, end) of the data it is for.

    Raises:
        RunRefused: R544, a time has no zone; R556, the interval ends before it begins.
    """
    given = {"logical_time": logical_time}
    if interval is not None:
        given |= {"interval_start": interval[0], "interval_end": interval[1]}
    naive = {name: time for name, time in given.items() if time is not None and time.utcoffset() is None}
    if naive:
        raise RunRefused(
            Diagnostic("R544", f"`{name}` is {time}, which has no zone", None, "give it one: `.replace(tzinfo=UTC)`")
            for name, time in naive.items()
        )
    if interval is not None and interval[0] > interval[1]:
        what = f"the interval ends at {interval[1]}, before it begins at {interval[0]}"
        raise RunRefused(Diagnostic("R556", what, None, "give the begin first: (start, end)"))
    return {name: encode(time) for name, time in given.items() if time is not None}
