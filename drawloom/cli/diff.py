"""`drawloom diff`: what differs between two runs, from the code down to the figures in a column."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click

from drawloom.cli.documents import seconds_of
from drawloom.cli.options import catalog_options, find_run, json_option, open_catalog, settings_from
from drawloom.cli.output import Column, format_seconds, format_time, iso_time, note, table, write, write_json
from drawloom.cli.summary import counts_text
from drawloom.cli.tracked import number_document, number_text
from drawloom.cli.values import shorten, value_document, value_text
from drawloom.errors import DrawloomError, StoreError

if TYPE_CHECKING:
    from drawloom.catalog.diff import GraphDiff, LineDiff, NodeDiff, RunDiff, ValueDiff
    from drawloom.catalog.diff_data import DataDiff
    from drawloom.catalog.diff_metrics import MetricDiff
    from drawloom.catalog.records import Index, ValueRef
    from drawloom.catalog.run import Run

__all__ = ["diff"]

_MOST: Final = 20  # lines of one kind; --json has all
_MOST_TABLES: Final = 10  # values whose tables are read; --node asks for those of one
_LINE: Final = 240
_LEAST_SECONDS: Final = 0.05  # below it, times of attempts are noise


@click.command()
@click.argument("run1")
@click.argument("run2")
@click.option("--node", metavar="NODE", help="Only what concerns this node.")
@click.option("--code", is_flag=True, help="Show the functions that differ as text diffs.")
@catalog_options
@json_option
def diff(run1: str, run2: str, node: str | None, code: bool, as_json: bool, **values: Any) -> None:
    """Tell what differs between two runs.

    Code, graph, parameters, inputs, environment, data, metrics, results, states and times. A RUN is a run's id, the
    beginning of it, `last`, or `last~1` for the one before: `drawloom diff last~1 last`.
    """
    catalog = open_catalog(settings_from(values), create=False)
    found = find_run(catalog, run1).diff(find_run(catalog, run2))
    if node is not None:
        found = _only(found, node)
    if as_json:
        write_json(_document(found))
        return
    _tell(found, code=code, node=node)


def _only(found: RunDiff, node: str) -> RunDiff:
    """The part of a difference that concerns one node, and the nodes in it.

    Raises:
        StoreError: S498, neither run has the node.
    """
    from drawloom.catalog.commands import command
    from drawloom.errors import Diagnostic, did_you_mean

    known = [one.id for one in found.nodes]
    if node not in known:
        what = f"neither run has a node `{node}`{did_you_mean(node, known)}"
        raise StoreError(
            Diagnostic("S498", what, None, f"name one of theirs: `{command('show', found.after.address)}`")
        )

    def concerns(name: str) -> bool:
        return name == node or name.startswith(f"{node}/")

    tasks = {one.task for view in found.nodes if concerns(view.id) for one in (view.before, view.after) if one}
    graph = found.graph
    lines = {name: tuple(line for line in getattr(graph, name) if concerns(line.name)) for name in _GRAPH}
    return replace(
        found,
        code=tuple(one for one in found.code if one.name in tasks),
        graph=replace(graph, **lines, tasks=tuple(line for line in graph.tasks if line.name in tasks)),
        params=(),
        inputs=tuple(one for one in found.inputs if concerns(one.name.partition("[")[0].partition(".")[0])),
        data=tuple(one for one in found.data if concerns(one.node)),
        metrics=tuple(one for one in found.metrics if concerns(one.node)),
        results=(),
        nodes=tuple(one for one in found.nodes if concerns(one.id)),
    )


_GRAPH: Final = ("added", "removed", "rewired", "results")


# text


def _tell(found: RunDiff, *, code: bool, node: str | None) -> None:
    before, after = found.before, found.after
    table([Column(""), *_columns(before, after)], list(_head(before, after)))
    if not found.same_pipeline:
        write("the runs are of different pipelines: nodes of the same id are compared")
    sections: list[tuple[str, Callable[[], Iterator[str]]]] = [
        ("code", lambda: _code_lines(found, code)),
        ("graph", lambda: _graph_lines(found.graph)),
        ("parameters", lambda: _value_lines(found, found.params)),
        ("inputs", lambda: _input_lines(found)),
        ("environment", lambda: _environment_lines(found)),
        ("data", lambda: _data_lines(found, node)),
        ("metrics", lambda: _metric_lines(found.metrics)),
        ("results", lambda: _value_lines(found, found.results)),
    ]
    same: list[str] = []
    for title, lines in sections:
        told = list(lines())
        if told:
            write(f"\n{title}")
            _write_lines(told)
        elif title == "environment" and not found.environment.known:
            write("\nwhat was installed isn't known of both runs")
        elif node is None or title not in ("parameters", "results"):
            same.append(title)
    _tell_nodes(found, same)
    if same:
        write(f"\nno difference in {', '.join(same)}")


def _write_lines(lines: list[str]) -> None:
    for line in lines:
        write(f"  {line}".rstrip())


def _columns(before: Run, after: Run) -> list[Column]:
    same = before.id == after.id
    return [Column("before", whole=True), Column("after" if not same else "after (the same run)", whole=True)]


def _head(before: Run, after: Run) -> Iterator[list[str]]:
    yield ["run", before.id, after.id]
    yield ["pipeline", shorten(before.pipeline, 60), shorten(after.pipeline, 60)]
    yield ["state", *(f"{run.state}{_took(run)}" for run in (before, after))]
    yield ["started", *(format_time(run.started_at) for run in (before, after))]
    yield ["ran by", *(run.record.executor or run.record.engine for run in (before, after))]


def _took(run: Run) -> str:
    seconds = seconds_of(run)
    return f" in {format_seconds(seconds)}" if seconds is not None else ""


def _plain(text: str) -> str:
    """`text` without what a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in text)


def _capped(lines: Iterator[str], most: int = _MOST) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number < most:
            yield line
        else:
            yield f"... and {1 + sum(1 for _ in lines)} more; --json has all"


def _code_lines(found: RunDiff, code: bool) -> Iterator[str]:
    for one in found.code:
        parts = [f"{change.name.rpartition(':')[2] or change.name} {change.change}" for change in one.changes]
        what = ", ".join(parts) if parts else "what its names stand for" if one.known else "its source isn't kept"
        calls = f" ({', '.join(one.nodes[:5])}{', ...' if len(one.nodes) > 5 else ''})" if one.nodes else ""
        yield _cut(f"{_plain(one.name)}{calls}: {_plain(what)}")
        if code:
            yield from (f"  {_plain(line)}" for line in one.text().splitlines())


def _graph_lines(graph: GraphDiff) -> Iterator[str]:
    yield from _capped(_cut(f"+ {line.name} = {line.after}") for line in graph.added)
    yield from _capped(_cut(f"- {line.name} = {line.before}") for line in graph.removed)
    for lines, what in ((graph.rewired, ""), (graph.tasks, "task "), (graph.results, "results of ")):
        yield from _capped((text for line in lines for text in _line_pair(line, what)), 2 * _MOST)


def _line_pair(line: LineDiff, what: str) -> Iterator[str]:
    name = f"{what}{line.name or 'the pipeline'}"
    yield _cut(f"~ {name}: {line.before or 'nothing'}")
    yield _cut(f"  {' ' * len(name)}> {line.after or 'nothing'}")


def _cut(line: str) -> str:
    return _ended(_plain(line), _LINE)


def _ended(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _value_lines(found: RunDiff, values: tuple[ValueDiff, ...]) -> Iterator[str]:
    for value in values:
        old = _text(found.before, value.before, "not given")
        new = _text(found.after, value.after, "not given")
        if old == new:  # it is in a part that a line doesn't show
            old, new = (f"{old} {ref.digest[:12]}" for ref in (value.before, value.after) if ref is not None)
        yield _plain(f"{value.name}: {old} -> {new}")


def _text(run: Run, ref: ValueRef | None, missing: str, limit: int = 90) -> str:
    return missing if ref is None else value_text(ref, run.catalog.values, limit)


def _input_lines(found: RunDiff) -> Iterator[str]:
    for one in found.inputs:
        old, new = (_version_text(*pair) for pair in (one.before, one.after))
        yield _cut(f"{one.name}: {one.kind} {old} -> {new}")


def _version_text(name: str, version: str) -> str:
    if not name:
        return "none"
    return f"{shorten(name, 80)} {version[:12] if len(version) == 64 else shorten(version, 60)}".rstrip()


def _environment_lines(found: RunDiff) -> Iterator[str]:
    for name, old, new in found.environment.facts:
        yield _plain(f"{name} {old or 'unknown'} -> {new or 'unknown'}")
    yield from _capped(
        _plain(f"{name} {old or 'not installed'} -> {new or 'not installed'}")
        for name, old, new in found.environment.packages
    )


def _data_lines(found: RunDiff, node: str | None) -> Iterator[str]:
    for number, one in enumerate(found.data[: None if node is not None else _MOST]):
        port = "" if one.port == "result" else f":{one.port}"
        at = f"{list(one.different[0])}" if one.different and one.different[0] else ""
        yield _cut(f"{one.node}{port}{_share(one)}{_because(one)}")
        if not one.different:
            continue
        old, new = (_text(run, ref, "none") for run, ref in zip(one.runs, (one.before, one.after), strict=True))
        if old != new:
            yield _plain(f"  {f'{at} ' if at else ''}{old} -> {new}")
        elif at:
            yield _plain(f"  {at} {old}")
        if number < _MOST_TABLES:
            yield from _table_lines(one)
    if node is None and len(found.data) > _MOST:
        yield f"... and {len(found.data) - _MOST} more; --json has all"


def _metric_lines(metrics: tuple[MetricDiff, ...]) -> Iterator[str]:
    yield from _capped(_plain(f"{one.name}: {_change(one.before, one.after)}") for one in metrics)


def _change(old: float | None, new: float | None) -> str:
    """`0.5 -> 0.75 (+0.25, +50.0 %)`."""
    text = " -> ".join("not logged" if value is None else number_text(value) for value in (old, new))
    if old is None or new is None or not math.isfinite(new - old):
        return text
    share = f", {100 * (new - old) / abs(old):+.1f} %" if old else ""
    return f"{text} ({new - old:+.6g}{share})"


def _share(one: DataDiff) -> str:
    parts = []
    if one.different and one.different != ((),):
        parts.append(f"{len(one.different)} of {one.equal + len(one.different)} instances differ")
    for indices, which in ((one.only_before, "before"), (one.only_after, "after")):
        if indices:
            parts.append("only " + which if indices == ((),) else f"{len(indices)} only {which}")
    return f" ({', '.join(parts)})" if parts else ""


def _because(one: DataDiff) -> str:
    if not one.different:
        return ""
    if one.unexplained:
        return ": the same code and equal inputs gave another value"
    parts = (["other code"] if one.code else []) + (["another environment"] if one.environment else [])
    if one.inputs:
        parts.append(f"other {', '.join(one.inputs)}")
    return f": {', '.join(parts)}"


def _table_lines(one: DataDiff) -> Iterator[str]:
    try:
        for change in one.tables():
            part = f"{change.part}  " if change.part else ""
            yield from (f"  {part}{line}" for line in change.lines(110))
    except DrawloomError as error:  # what can be told is told
        note(f"warning: {error.diagnostics[0].what}")


def _tell_nodes(found: RunDiff, same: list[str]) -> None:
    states = [one for one in found.nodes if not one.same_state]
    times = [one for one in found.nodes if one.same_state and _other_time(one)]
    if not states:
        same.append("states")
    if not (states or times):
        return
    write("\nstates and times" if states else "\ntimes")
    columns = [Column("node"), Column("before", state=True), Column("after", state=True)]
    columns += [Column("took before", right=True), Column("took after", right=True)]
    rows = [[one.id, *_states(one), *_seconds(one)] for one in [*states, *times]]
    table(columns, rows[:_MOST])
    if len(rows) > _MOST:
        write(f"... and {len(rows) - _MOST} more; --json has all")


def _states(one: NodeDiff) -> Iterator[str]:
    for view in (one.before, one.after):
        many = view is not None and sum(view.counts.values()) > 1 and not one.same_state
        yield "" if view is None else counts_text(view.counts) if many else view.state


def _seconds(one: NodeDiff) -> Iterator[str]:
    for view in (one.before, one.after):
        yield format_seconds(view.seconds) if view is not None and view.seconds else ""


def _other_time(one: NodeDiff) -> bool:
    """Whether it took notably longer or shorter: by a quarter, and by more than noise."""
    if one.before is None or one.after is None or one.before.kind != "call":
        return False
    old, new = one.before.seconds, one.after.seconds
    return bool(old and new) and abs(new - old) > max(_LEAST_SECONDS, 0.25 * old)


# JSON


def _document(found: RunDiff) -> dict[str, Any]:
    before, after = found.before, found.after
    return {
        "before": _run(before),
        "after": _run(after),
        "same_pipeline": found.same_pipeline,
        "different": bool(found),
        "code": [
            {
                "function": one.name,
                "nodes": list(one.nodes),
                "before": one.before,
                "after": one.after,
                "source_known": one.known,
                "changes": [
                    {"part": c.name, "kind": c.kind, "change": c.change, "diff": c.diff()} for c in one.changes
                ],
            }
            for one in found.code
        ],
        "graph": {
            name: [{"name": line.name, "before": line.before or None, "after": line.after or None} for line in lines]
            for name in (*_GRAPH, "tasks")
            for lines in [getattr(found.graph, name)]
        },
        "params": [_value(found, one) for one in found.params],
        "inputs": [
            {"name": one.name, "kind": one.kind, "before": _input(*one.before), "after": _input(*one.after)}
            for one in found.inputs
        ],
        "environment": {
            "known": found.environment.known,
            "facts": [_pair(*fact) for fact in found.environment.facts],
            "packages": [_pair(*package) for package in found.environment.packages],
        },
        "data": [_data(one, number < _MOST_TABLES) for number, one in enumerate(found.data)],
        "metrics": [_metric(one) for one in found.metrics],
        "results": [_value(found, one) for one in found.results],
        "nodes": [
            {"node": one.id, "same_state": one.same_state, "before": _node(one.before), "after": _node(one.after)}
            for one in found.nodes
        ],
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "pipeline": run.pipeline,
        "state": run.state,
        "started_at": iso_time(run.started_at),
        "seconds": seconds_of(run),
        "engine": run.record.engine,
        "executor": run.record.executor,
    }


def _pair(name: str, before: str, after: str) -> dict[str, Any]:
    return {"name": name, "before": before or None, "after": after or None}


def _value(found: RunDiff, one: ValueDiff) -> dict[str, Any]:
    return {"name": one.name, "before": _version(found.before, one.before), "after": _version(found.after, one.after)}


def _metric(one: MetricDiff) -> dict[str, Any]:
    values = {"before": one.before, "after": one.after}
    told = {side: value if value is None else number_document(value) for side, value in values.items()}
    return {"node": one.node, "index": list(one.index), "name": one.metric, **told}


def _version(run: Run, ref: ValueRef | None) -> dict[str, Any] | None:
    return None if ref is None else value_document(ref, run.catalog.values)


def _input(name: str, version: str) -> dict[str, Any] | None:
    return {"name": name, "version": version} if name else None


def _data(one: DataDiff, with_tables: bool) -> dict[str, Any]:
    def indices(found: tuple[Index, ...]) -> list[list[int]]:
        return [list(index) for index in found]

    tables: list[dict[str, Any]] = []
    if with_tables:
        try:
            tables = [change.to_json() for change in one.tables()]
        except DrawloomError as error:  # what can be told is told
            note(f"warning: {error.diagnostics[0].what}")
    return {
        "node": one.node,
        "port": one.port,
        "equal": one.equal,
        "different": indices(one.different),
        "only_before": indices(one.only_before),
        "only_after": indices(one.only_after),
        "before": _version(one.runs[0], one.before),
        "after": _version(one.runs[1], one.after),
        "because": {"code": one.code, "inputs": list(one.inputs), "environment": one.environment},
        "unexplained": one.unexplained,
        "tables": tables,
    }


def _node(view: Any) -> dict[str, Any] | None:
    if view is None:
        return None
    return {"state": view.state, "instances": dict(view.counts), "attempts": view.attempts, "seconds": view.seconds}
