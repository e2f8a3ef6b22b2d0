"""What notebooks show of runs, pipelines, catalogs and artifacts; each `_repr_html_` calls a function of this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from drawloom.display.dot import dot, has_renderer, render
from drawloom.display.failure import LOG_LINES, exception_text, log_tail, next_commands, raised_at
from drawloom.display.formats import format_bytes, format_seconds, format_time, place_text
from drawloom.display.graph import NodeFacts, draw
from drawloom.display.html import Html, card, chip, details, picture, preformatted, table
from drawloom.errors import DrawloomError
from drawloom.ir.nodes import Call, Pipeline
from drawloom.ir.program import Program
from drawloom.ir.text import Printer
from drawloom.ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drawloom.catalog.artifacts import Artifact, Version
    from drawloom.catalog.catalog import Catalog
    from drawloom.catalog.run import NodeView, Run

__all__ = ["artifact_html", "catalog_html", "pipeline_html", "run_html", "version_html"]

_MOST_ROWS: Final = 200
_MOST_DRAWN: Final = 300  # nodes of a picture in a notebook
_DRAWING_SECONDS: Final = 5.0
_MOST_FAILURES: Final = 3


def run_html(run: Run) -> str:
    """A run: its state, its nodes, what failed and why, and its graph in colours."""
    from drawloom.display.run_facts import node_facts

    nodes = run.nodes()
    took = run.finished_at - run.started_at if run.started_at and run.finished_at else None
    facts = [
        ("", chip(run.state)),
        ("run", run.id),
        ("started", format_time(run.started_at)),
        ("took", format_seconds(took)),
        ("", ", ".join(f"{count:,} {state}" for state, count in run.counts.items())),
    ]
    columns = ["node", "task", "state", "instances", "attempts", "took"]
    rows = [_node_cells(node) for node in nodes[:_MOST_ROWS]]
    failed = [node for node in nodes if node.state == "failed" and node.kind == "call"][:_MOST_FAILURES]
    return card(
        run.pipeline,
        facts,
        *[_failure(run, node) for node in failed],
        details(
            f"{len(nodes):,} nodes",
            table(columns, rows, right=["attempts", "took"]),
            _more(len(nodes)),
            opened=len(nodes) <= 30,
        ),
        _graph(run.program.pipeline, node_facts(run)),
    )


def _node_cells(node: NodeView) -> list[str]:
    counts = ", ".join(f"{count:,} {state}" for state, count in node.counts.items())
    instances = counts if sum(node.counts.values()) > 1 else ""
    seconds = format_seconds(node.seconds) if node.seconds else ""
    task = node.task.rpartition(":")[2] or node.kind
    return [node.id, task, chip(node.state), instances, str(node.attempts or ""), seconds]


def _failure(run: Run, node: NodeView) -> Html:
    failure = node.failure
    if failure is None:
        return Html()
    where = raised_at(failure.info.traceback) if failure.info is not None else ""
    lines = [f"{place_text(failure.node, failure.index)}: {exception_text(failure.info)}", where]
    try:
        lines += log_tail(run.logs(failure.node, failure.index), LOG_LINES)
    except DrawloomError:
        lines.append("(the log can't be read)")
    lines += [command for command, _ in next_commands(run.address, failure.node, failure.index)]
    return preformatted("\n".join(line for line in lines if line))


def pipeline_html(name: str, where: str, program: Program | DrawloomError) -> str:
    """A pipeline: its parameters, its nodes and its graph, or why it has none.

    Args:
        name: its name.
        where: `module:qualname`.
        program: its graph, or what tracing it raised.
    """
    if isinstance(program, DrawloomError):
        return card(f"pipeline {name}", [("", where)], preformatted("\n".join(map(str, program.diagnostics))))
    pipeline = program.pipeline
    params = ", ".join(f"{port.name}: {port.type}" for port in pipeline.params)
    results = ", ".join(str(port.type) for port in pipeline.results) or "None"
    nodes = list(walk(pipeline.body))
    printer = Printer(pipeline, short=True)
    rows = []
    for node in nodes[:_MOST_ROWS]:
        span = program.spans.get(node.id)
        what = node.task.rpartition(":")[2] if isinstance(node, Call) else type(node).__name__.lower()
        rows.append([node.id, what, printer.node(node), f"{span.file.rpartition('/')[2]}:{span.line}" if span else ""])
    listed = table(["node", "task", "call", "where"], rows)
    facts = [("", f"({params}) -> {results}"), ("", where)]
    return card(
        f"pipeline {name}",
        facts,
        _graph(pipeline, {}, opened=len(nodes) <= 40),
        details(f"{len(nodes):,} nodes", listed, _more(len(nodes))),
    )


def _graph(pipeline: Pipeline, facts: Mapping[str, NodeFacts], *, opened: bool = False) -> Html:
    """The picture, where there is a program that draws it, and the graph isn't too large for a notebook."""
    if not has_renderer() or sum(1 for _ in walk(pipeline.body)) > _MOST_DRAWN:
        return Html()
    drawing = draw(pipeline, facts)
    drawing.title = ""
    try:
        svg = render(dot(drawing), "svg", timeout_seconds=_DRAWING_SECONDS).decode()
    except DrawloomError:  # the picture is an extra
        return Html()
    return details("graph", picture(svg), opened=opened)


def _more(count: int) -> str:
    return f"and {count - _MOST_ROWS:,} more" if count > _MOST_ROWS else ""


def catalog_html(catalog: Catalog) -> str:
    """A catalog: where it is, its latest runs, its artifacts."""
    runs = catalog.runs(limit=10)
    run_rows = [
        [
            run.id,
            run.pipeline,
            chip(run.state),
            format_time(run.started_at),
            ", ".join(f"{n:,} {s}" for s, n in run.counts.items()),
        ]
        for run in runs
    ]
    artifacts = catalog.artifacts()
    cells = [_artifact_cells(artifact) for artifact in artifacts[:_MOST_ROWS]]
    right = ["versions", "latest", "size"]
    columns = ["name", "versions", "latest", "type", "size", "made", "run"]
    return card(
        "catalog",
        [("", catalog.url), ("project", catalog.project)],
        details("latest runs", table(["run", "pipeline", "state", "started", "nodes"], run_rows), opened=True),
        details(f"{len(artifacts):,} artifacts", table(columns, cells, right=right), _more(len(artifacts))),
    )


def _artifact_cells(artifact: Artifact) -> list[str]:
    latest = artifact.latest
    facts = [latest.type, format_bytes(latest.size_bytes), format_time(latest.latest_at), latest.latest_run]
    return [artifact.name, str(len(artifact.versions)), str(latest.number), *facts]


def artifact_html(artifact: Artifact) -> str:
    """An artifact: its versions, by which run each was made and by which nodes it was read."""
    columns = ["version", "digest", "type", "size", "made", "run", "read by", "tags"]
    rows = [_version_cells(version) for version in artifact.versions[-_MOST_ROWS:]]
    facts = [("", artifact.latest.type), ("latest", str(artifact.latest.number))]
    return card(artifact.name, facts, table(columns, rows, right=["version", "size"]))


def _version_cells(version: Version) -> list[str]:
    readers = ", ".join(sorted({reader.node for reader in version.read_by}))
    facts = [
        version.digest[:12],
        version.type,
        format_bytes(version.size_bytes),
        format_time(version.made.at),
        version.made.run,
    ]
    return [str(version.number), *facts, readers, ", ".join(version.tags)]


def version_html(version: Version) -> str:
    """A version of an artifact: what it is, who made it and who read it."""
    made = version.made
    rows = [
        ("digest", version.digest),
        ("type", version.type),
        ("size", format_bytes(version.size_bytes)),
        ("made", f"{format_time(made.at)} by {made.node or made.port} of run {made.run}"),
        ("read by", ", ".join(sorted({f"{reader.node} ({reader.run})" for reader in version.read_by}))),
        ("tags", ", ".join(version.tags)),
    ]
    return card(f"{made.name} version {version.number}", (), table(["", ""], [row for row in rows if row[1]]))
