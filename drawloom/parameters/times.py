"""Whether a run is given the times its pipeline asks for: found out before it begins, not in the middle."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from drawloom.errors import Diagnostic, RunRefused
from drawloom.ir.operands import Operand, RunInfo
from drawloom.ir.program import Program
from drawloom.ir.walk import operands, references, walk

__all__ = ["refuse_missing_times"]

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
