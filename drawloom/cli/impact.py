"""`drawloom impact`: what would be stale if a function or an artifact changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from drawloom.catalog.impact import (
    Impact,
    PipelineImpact,
    StaleNode,
    Subject,
    artifact_impact,
    function_impact,
    is_function,
)
from drawloom.cli.options import catalog_options, json_option, settings_from
from drawloom.cli.output import write, write_json
from drawloom.cli.reason_lines import source_place, wrapped
from drawloom.cli.target import load_target
from drawloom.errors import StoreError
from drawloom.project import find_project

__all__ = ["impact"]


@click.command()
@click.argument("subject", metavar="FUNCTION|ARTIFACT")
@click.option("--in", "targets", multiple=True, metavar="TARGET", help="Look at this pipeline as it is now, too.")
@catalog_options
@json_option
def impact(subject: str, targets: tuple[str, ...], as_json: bool, **values: Any) -> None:
    """Tell what would be stale if a function or an artifact changed.

    FUNCTION is module:name or file.py:name of a task, or of a helper, class or constant that a task reaches. ARTIFACT
    is a name of `drawloom catalog ls`. The latest run of each pipeline in the catalog is looked at.
    """
    storage, subjects = _subjects(values, targets)
    found = function_impact(storage, subjects, subject) if is_function(subject) else artifact_impact(subjects, subject)
    if as_json:
        write_json(impact_document(found))
    else:
        _write(found)


def _subjects(values: dict[str, Any], targets: tuple[str, ...]) -> tuple[Any, list[Subject]]:
    from drawloom.catalog.catalog import Catalog
    from drawloom.catalog.history import latest_runs
    from drawloom.catalog.programs import load_program
    from drawloom.dsl.tracing import trace
    from drawloom.storage.overlay import Overlay

    settings = settings_from(values)
    given = [Subject(trace(load_target(target, find_project(Path.cwd()))).program) for target in targets]
    try:
        catalog = Catalog.open(settings.catalog, settings.project, create=False, allow_pickle=settings.allow_pickle)
    except StoreError as error:
        if given and all(diagnostic.code == "S411" for diagnostic in error.diagnostics):
            return Overlay(None), given
        raise
    traced = {subject.program.pipeline.name for subject in given}
    for name, run in latest_runs(catalog.storage, catalog.values).items():
        if run.pipeline is not None and name not in traced:  # a TARGET tells what the code is now
            given.append(Subject(load_program(catalog.storage, run.started.program), run.id, run))
    return catalog.storage, given


def _write(found: Impact) -> None:
    if not found.pipelines:
        write(f"{', '.join(found.subject)}: nothing would be stale in {', '.join(found.looked_at) or 'no pipeline'}")
    for number, pipeline in enumerate(found.pipelines):
        write(("\n" if number else "") + "\n".join(_lines(pipeline)))


def _lines(found: PipelineImpact) -> Iterator[str]:
    of = f"run {found.run}" if found.run else "as it is now"
    yield f"{found.pipeline}: {len(found.nodes)} node{'s' if len(found.nodes) != 1 else ''} stale ({of})"
    rows = [(node.id, _what(node), source_place(node.where), _because(node)) for node in found.nodes]
    rows += [(name, "result", "", "") for name in found.results]
    widths = [min(32, max((len(row[column]) for row in rows), default=0)) for column in range(3)]
    for row in rows:
        padded = (text.ljust(width) for text, width in zip(row, widths, strict=False))
        yield from wrapped("  ".join([*padded, row[3]]).rstrip(), 2)


def _what(node: StaleNode) -> str:
    return node.task.rpartition(":")[2] or node.kind


def _because(node: StaleNode) -> str:
    by = ", ".join(node.because[:3]) + (f", {len(node.because) - 3} more" if len(node.because) > 3 else "")
    return f"{'reaches' if node.task and node.direct and ':' in by else 'by'} {by}"


def impact_document(found: Impact) -> dict[str, Any]:
    """An answer as a JSON object."""
    return {
        "kind": found.kind,
        "subject": list(found.subject),
        "looked_at": list(found.looked_at),
        "pipelines": [
            {
                "pipeline": pipeline.pipeline,
                "run": pipeline.run or None,
                "tasks": list(pipeline.tasks),
                "nodes": [_node_document(node) for node in pipeline.nodes],
                "results": list(pipeline.results),
            }
            for pipeline in found.pipelines
        ],
    }


def _node_document(node: StaleNode) -> dict[str, Any]:
    where = node.where
    return {
        "node": node.id,
        "kind": node.kind,
        "task": node.task,
        "because": list(node.because),
        "direct": node.direct,
        "where": None if where is None else {"file": where.file, "line": where.line, "symbol": where.symbol},
    }
