"""What can be wrong with a run, or with what is asked of it, as diagnostics; each text in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from drawloom.catalog.commands import RunAddress, command
from drawloom.catalog.raising import describe
from drawloom.catalog.records import Index
from drawloom.catalog.state import FailurePlace, RunState
from drawloom.errors import Diagnostic, Span, did_you_mean
from drawloom.frozen import dataclass

__all__ = ["RunNames", "cancelled", "failed", "needs_index", "no_node", "no_start", "no_value", "not_ended"]

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class RunNames:
    """What a run and the places in its pipeline are called."""

    address: RunAddress
    pipeline: str
    spans: Mapping[str, Span]


def failed(names: RunNames, details: RunState) -> Diagnostic:
    """S470: the run failed, and where."""
    failure = details.failure or FailurePlace("")
    node = f"node `{failure.node}`{_at(failure.index)}" if failure.node else ""
    if details.lost and failure.info is not None and failure.info.type == "infra":
        during = f" while {node} ran" if node else ""
        what = f"run {names.address.run} of `{names.pipeline}` was cut off: its process ended{during}"
    else:
        what = f"run {names.address.run} of `{names.pipeline}` failed: {node or 'its result'}: {describe(failure.info)}"
    logs = command("logs", names.address, *([failure.node] if failure.node else []))
    return Diagnostic(
        code="S470",
        what=what,
        where=names.spans.get(failure.node),
        fix=f"`{logs}` shows what it printed; mend it and run again: what succeeded is answered from the cache",
    )


def cancelled(names: RunNames) -> Diagnostic:
    """S471: the run was cancelled."""
    return Diagnostic(
        code="S471",
        what=f"run {names.address.run} of `{names.pipeline}` was cancelled before it had a result",
        where=names.spans.get(""),
        fix="run it again: what succeeded is answered from the cache",
    )


def not_ended(names: RunNames, details: RunState) -> Diagnostic:
    """S472: the run has no result yet."""
    counts = ", ".join(f"{count} {name}" for name, count in details.counts.items()) or "no nodes"
    about = f"run {names.address.run} of `{names.pipeline}`"
    return Diagnostic(
        code="S472",
        what=f"{about} is {details.state} and has no result yet: {counts}",
        where=names.spans.get(""),
        fix=f"ask again when it has ended; `{command('show', names.address)}` tells how far it is",
    )


def no_start(run: str, url: str) -> Diagnostic:
    """S457: a run without the record it should begin with."""
    return Diagnostic(
        code="S457",
        what=f"run {run} has no record of its start",
        where=Span(f"{url}/runs/{run}", 0),
        fix="its writer was killed as it began, or the file was removed: run the pipeline again",
    )


def no_node(names: RunNames, node: str, known: list[str]) -> Diagnostic:
    """S454: the pipeline has no such node."""
    more = ", ..." if len(known) > _SHOWN else ""
    return Diagnostic(
        code="S454",
        what=f"`{names.pipeline}` has no node `{node}`{did_you_mean(node, known)}",
        where=names.spans.get(""),
        fix=f"its nodes are {', '.join(known[:_SHOWN])}{more}" if known else "it has none",
    )


def needs_index(names: RunNames, node: str, known: list[Index], depth: int) -> Diagnostic:
    """S455: which instance of a node in a map or a loop is meant."""
    example = known[0] if known else (0,) * depth
    return Diagnostic(
        code="S455",
        what=f"node `{node}` lies in a map or a loop and has {len(known)} instances",
        where=names.spans.get(node),
        fix=f"say which one: `run.load({node!r}, index={example!r})`",
    )


def no_value(names: RunNames, wanted: tuple[str, Index, str], ports: list[str], state: str) -> Diagnostic:
    """S456: a node instance has no such value.

    Args:
        names: the run.
        wanted: (node, index, port).
        ports: the ports the instance does have.
        state: what the instance is.
    """
    node, index, port = wanted
    name = f"node `{node}`{_at(index)}" if node else f"`{names.pipeline}`"
    where = names.spans.get(node)
    if ports:
        shown = ", ".join(f"`{name}`" for name in ports)
        return Diagnostic("S456", f"{name} has no port `{port}`{did_you_mean(port, ports)}", where, f"it has {shown}")
    fix = f"`{command('show', names.address)}` tells what became of each node"
    return Diagnostic("S456", f"{name} has no value `{port}`: it is {state}", where, fix)


def _at(index: Index) -> str:
    return f" at {list(index)}" if index else ""
