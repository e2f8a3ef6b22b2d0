"""The times a run is for, and whether it is given those its pipeline asks for: found out before it begins."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Final

from drawloom.errors import Diagnostic, RunRefused
from drawloom.ir.canonical import Json
from drawloom.ir.envelope import encode
from drawloom.ir.operands import Operand, RunInfo
from drawloom.ir.program import Program
from drawloom.ir.walk import operands, references, walk

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["refuse_missing_times", "times_given"]

_FIXES: Final = {
    "logical_time": "give the run a `logical_time` (`--logical-time 2026-01-31T00:00:00Z`)",
    "interval_start": "give the run an `interval` (`--interval 2026-01-30T00:00:00Z/2026-01-31T00:00:00Z`)",
}
_FIXES["interval_end"] = _FIXES["interval_start"]


def refuse_missing_times(program: Program, given: Collection[str]) -> None:
    """Refuses a run without a time that the pipeline asks for.

    Args:
        program: the pipeline.
        given: the fields of `RunInfo` the run knows, besides its id.

    Raises:
        RunRefused: R557, for each field that is asked for and isn't given, where it is asked for first.
    """
    problems: dict[str, Diagnostic] = {}
    for node, operand in _operands(program):
        for reference in references(operand):
            if isinstance(reference, RunInfo) and reference.field in _FIXES and reference.field not in given:
                field = reference.field
                what = f"`{program.pipeline.name}` asks for `run_info.{field}`, and the run has none"
                where = program.spans.get(node, program.spans.get(""))
                problems.setdefault(field, Diagnostic("R557", what, where, _FIXES[field]))
    if problems:
        raise RunRefused(problems.values())


def _operands(program: Program) -> Iterator[tuple[str, Operand]]:
    body = program.pipeline.body
    for node in walk(body):
        for operand in operands(node):
            yield node.id, operand
    for _, operand in body.results:
        yield "", operand


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
