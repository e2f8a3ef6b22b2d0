"""What is told after a run, and about one: how it went, what came out, what failed and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.commands import command
from drawloom.catalog.run import NodeView, Run
from drawloom.catalog.state import FailurePlace
from drawloom.cli.documents import commits_of, seconds_of
from drawloom.cli.values import value_text
from drawloom.display.failure import LOG_LINES, exception_lines, log_tail, next_commands, raised_at
from drawloom.display.formats import format_seconds, one_line, place_text
from drawloom.errors import StoreError

__all__ = ["counts_text", "failure_lines", "next_lines", "summary_lines"]

_MOST_FAILURES: Final = 10


def summary_lines(run: Run, catalog: Catalog) -> Iterator[str]:
    """A run in a few lines, for the end of `drawloom run`."""
    took = seconds_of(run)
    seconds = f" in {format_seconds(took)}" if took is not None else ""
    yield f"{run.pipeline} {run.state}{seconds}: {counts_text(run.counts)}"
    for port, text in _results(run, catalog):
        yield f"{port:<8}{text}"
    failed = run.nodes(state="failed")
    for node in failed[:_MOST_FAILURES]:
        if node.kind == "call" or len(failed) == 1:
            yield from failure_lines(run, node)
    if len(failed) > _MOST_FAILURES:
        yield f"        and {len(failed) - _MOST_FAILURES} failed nodes more"
    calls = [node for node in failed if node.kind == "call"] or failed
    if run.state == "failed":
        yield from next_lines(run, calls[0].failure if calls else None)
    yield f"run     {run.id}    {command('show', run.address)}"


def counts_text(counts: Mapping[str, int]) -> str:
    """`3 succeeded, 1 failed`."""
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "no nodes"


def _results(run: Run, catalog: Catalog) -> Iterator[tuple[str, str]]:
    commit = commits_of(run, catalog).get(("", ()))
    if commit is None:
        return
    for port, ref in commit.outputs:
        yield port, value_text(ref, catalog.values)


def failure_lines(run: Run, node: NodeView, log_lines: int = LOG_LINES) -> Iterator[str]:
    """A failed node: which, its exception, the user's file and line, and the end of its log."""
    failure = node.failure
    if failure is None:
        return
    first, *rest = exception_lines(failure.info)
    yield f"failed  {one_line(place_text(failure.node or node.id, failure.index))}: {first}"
    yield from rest
    raised = raised_at(failure.info.traceback) if failure.info is not None else ""
    called = str(node.where) if node.where is not None else ""
    if raised or called:
        yield f"  where   {raised or called}{f' (called at {called})' if raised and called else ''}"
    label = "  log     "
    for line in _log_tail(run, failure, log_lines):
        yield f"{label}{line}"
        label = "          "


def next_lines(run: Run, failure: FailurePlace | None) -> Iterator[str]:
    """What somebody whose node failed may want to do next."""
    label = "  next    "
    node, index = (failure.node, failure.index) if failure is not None else ("", ())
    for line, what in next_commands(run.address, node, index):
        yield f"{label}{line}    {what}"
        label = "          "


def _log_tail(run: Run, failure: FailurePlace, lines: int) -> list[str]:
    if not lines or not failure.node:
        return []
    try:
        text = run.logs(failure.node, failure.index)
    except StoreError:  # a log that can't be read must not hide the failure
        return ["(the log can't be read)"]
    return log_tail(text, lines)
