"""What is told after a run, and about one: how it went, what came out, what failed and where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.run import NodeView, Run
from drawloom.cli.documents import commits_of, seconds_of
from drawloom.cli.output import format_seconds
from drawloom.cli.values import value_text
from drawloom.errors import StoreError

__all__ = ["counts_text", "failure_lines", "summary_lines"]

_LOG_LINES: Final = 10
_MOST_FAILURES: Final = 10
_FRAME: Final = re.compile(r'^  (?:\| +)?File "(.+)", line (\d+), in (.+)$', re.MULTILINE)
_FIRST_OF_GROUP: Final = re.compile(r"^ *\+-\+-", re.MULTILINE)
# a step has the project's files unpacked from its bundle, in a folder named by the bundle's digest
_BUNDLE: Final = re.compile(r"^.*/bundles/[0-9a-f]{64}/")


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
    yield f"run     {run.id}    drawloom show {run.id}"


def counts_text(counts: Mapping[str, int]) -> str:
    """`3 succeeded, 1 failed`."""
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "no nodes"


def _results(run: Run, catalog: Catalog) -> Iterator[tuple[str, str]]:
    commit = commits_of(run, catalog).get(("", ()))
    if commit is None:
        return
    for port, ref in commit.outputs:
        yield port, value_text(ref, catalog.values)


def failure_lines(run: Run, node: NodeView, log_lines: int = _LOG_LINES) -> Iterator[str]:
    """A failed node: which, its exception, the user's file and line, and the end of its log."""
    failure = node.failure
    if failure is None:
        return
    at = f"[{', '.join(map(str, failure.index))}]" if failure.index else ""
    info = failure.info
    name = info.type.rpartition(":")[2] if info is not None else "lost"
    message = f": {info.message}" if info is not None and info.message else ""
    yield f"failed  {node.id}{at}: {name}{message}"
    raised = _raised_at(info.traceback) if info is not None else ""
    called = str(node.where) if node.where is not None else ""
    if raised or called:
        yield f"  where   {raised or called}{f' (called at {called})' if raised and called else ''}"
    label = "  log     "
    for line in _log_tail(run, node.id, log_lines):
        yield f"{label}{line}"
        label = "          "


def _raised_at(traceback: str) -> str:
    """`file:line, in function` of the innermost frame of a formatted traceback."""
    frames = _FRAME.findall(_FIRST_OF_GROUP.split(traceback)[0])
    return f"{_BUNDLE.sub('', frames[-1][0])}:{frames[-1][1]}, in {frames[-1][2]}" if frames else ""


def _log_tail(run: Run, node: str, lines: int) -> list[str]:
    try:
        text = run.logs(node)
    except StoreError:  # a log that can't be read must not hide the failure
        return ["(the log can't be read)"]
    found = text.splitlines()
    return [f"... {len(found) - lines} lines before", *found[-lines:]] if len(found) > lines else found
