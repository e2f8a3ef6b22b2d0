"""The JSON documents that `--json` prints; docs/cli.md fixes their fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from drawloom.catalog.artifacts import Artifact, Version
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.facts import Facts
from drawloom.catalog.queries import FunctionVersion, RunRow
from drawloom.catalog.records import Commit, EngineObservation, Index
from drawloom.catalog.run import NodeView, Run
from drawloom.catalog.runlog import read_records
from drawloom.catalog.state import FailurePlace
from drawloom.cli.output import iso_time
from drawloom.cli.tracked import logged_documents, metric_documents, told_by
from drawloom.cli.values import value_document
from drawloom.errors import Diagnostic, Span

__all__ = [
    "artifact_document",
    "commits_of",
    "diagnostic_document",
    "function_document",
    "node_document",
    "run_document",
    "run_line_document",
    "run_row_document",
    "seconds_of",
    "version_document",
]


def seconds_of(run: Run) -> float | None:
    """How long a run took, None while that isn't known."""
    if run.started_at is None or run.finished_at is None:
        return None
    return max(0.0, run.finished_at - run.started_at)


def run_line_document(run: Run) -> dict[str, Any]:
    """A run in a list of runs."""
    return {
        "run": run.id,
        "pipeline": run.pipeline,
        "state": run.state,
        "started_at": iso_time(run.started_at),
        "finished_at": iso_time(run.finished_at),
        "seconds": seconds_of(run),
        "engine": run.record.engine,
        "executor": run.record.executor,
        "counts": dict(run.counts),
    }


def run_row_document(row: RunRow, counts: Mapping[str, int]) -> dict[str, Any]:
    """A run in a list of runs, from the index."""
    ended = row.started_at is not None and row.finished_at is not None
    return {
        "run": row.id,
        "pipeline": row.pipeline,
        "state": row.state,
        "started_at": iso_time(row.started_at),
        "finished_at": iso_time(row.finished_at),
        "seconds": max(0.0, (row.finished_at or 0.0) - (row.started_at or 0.0)) if ended else None,
        "engine": row.engine,
        "executor": row.executor,
        "counts": dict(counts),
    }


def run_document(run: Run, catalog: Catalog) -> dict[str, Any]:
    """A run with its parameters, nodes, failures, result, and what its tasks logged."""
    params = [{"name": name, **value_document(ref, catalog.values)} for name, ref in run.record.params]
    nodes = run.nodes()
    told = told_by(run)
    return {
        **run_line_document(run),
        "program": run.record.program,
        "resumed": run.record.resumed or None,
        "params": params,
        "nodes": [node_document(node) for node in nodes],
        "failures": [failure for node in nodes if (failure := _failure(node.failure)) is not None],
        "results": _results(run, catalog),
        "metrics": metric_documents(told),
        "logged": logged_documents(told, catalog),
        "logical_time": run.record.logical_time or None,
        "interval": list(run.record.interval) or None,
        "deployed_to": run.record.deployed_to or None,
        "engine_ids": dict(run.record.engine_ids),
        "observations": [_observation(one) for one in _in_order(run.facts.observations)],
        "catalog": catalog.url,
    }


def _in_order(seen: Iterable[EngineObservation]) -> list[EngineObservation]:
    return sorted(seen, key=lambda one: (one.at, one.node, one.index, one.attempt, one.event))


def _observation(one: EngineObservation) -> dict[str, Any]:
    """What an engine told of a node instance."""
    where = {"node": one.node, "index": list(one.index), "attempt": one.attempt}
    return {**where, "event": one.event, "detail": one.detail, "at": iso_time(one.at)}


def commits_of(run: Run, catalog: Catalog) -> Mapping[tuple[str, Index], Commit]:
    """The commit of each node instance of a run that has one; of the run itself under `("", ())`."""
    return Facts(read_records(catalog.storage, run.id)).commits


def _results(run: Run, catalog: Catalog) -> list[dict[str, Any]]:
    commit = commits_of(run, catalog).get(("", ()))
    outputs = commit.outputs if commit is not None else ()
    return [{"port": port, **value_document(ref, catalog.values)} for port, ref in outputs]


def node_document(node: NodeView) -> dict[str, Any]:
    """A node of a run."""
    return {
        "node": node.id,
        "kind": node.kind,
        "task": node.task,
        "state": node.state,
        "instances": dict(node.counts),
        "attempts": node.attempts,
        "seconds": node.seconds,
        "where": _span(node.where),
    }


def _failure(failure: FailurePlace | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {
        "node": failure.node,
        "index": list(failure.index),
        "type": failure.info.type if failure.info is not None else None,
        "message": failure.info.message if failure.info is not None else None,
        "traceback": failure.info.traceback if failure.info is not None else None,
    }


def artifact_document(artifact: Artifact) -> dict[str, Any]:
    """An artifact in a list of artifacts."""
    latest = artifact.latest
    return {
        "name": artifact.name,
        "versions": len(artifact.versions),
        "latest": version_document(latest),
    }


def version_document(version: Version) -> dict[str, Any]:
    """A version of an artifact."""
    return {
        "version": version.number,
        "digest": version.digest,
        "type": version.type,
        "size_bytes": version.size_bytes,
        "media_type": version.media_type,
        "role": version.made.role,
        "run": version.made.run,
        "node": version.made.node,
        "made_at": iso_time(version.made.at),
        "latest_run": version.latest_run,
        "latest_at": iso_time(version.latest_at),
        "tags": list(version.tags),
        "read_by": [{"run": reader.run, "node": reader.node, "port": reader.port} for reader in version.read_by],
    }


def function_document(version: FunctionVersion) -> dict[str, Any]:
    """A version of a function."""
    return {
        "name": version.name,
        "version": version.number,
        "digest": version.digest,
        "first_at": iso_time(version.first_at),
        "first_run": version.first_run,
        "last_at": iso_time(version.last_at),
        "runs": version.runs,
    }


def diagnostic_document(diagnostic: Diagnostic) -> dict[str, Any]:
    """A problem; what an engine refuses also with the feature and the engines that accept it."""
    document: dict[str, Any] = {
        "code": diagnostic.code,
        "what": diagnostic.what,
        "where": _span(diagnostic.where),
        "fix": diagnostic.fix,
        "excerpt": diagnostic.excerpt,
    }
    if diagnostic.feature:
        document |= {"feature": diagnostic.feature, "engines": list(diagnostic.engines)}
    return document


def _span(span: Span | None) -> dict[str, Any] | None:
    return None if span is None else {"file": span.file, "line": span.line, "symbol": span.symbol}
