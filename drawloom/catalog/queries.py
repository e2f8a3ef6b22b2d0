"""Questions to the index, each one or two SQL statements; `Index.ask` gives them the connection."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from drawloom.catalog.artifacts import Artifact, Made, Reader, Version
from drawloom.catalog.records import ValueRef

__all__ = [
    "FunctionVersion",
    "LoggedMetric",
    "RunFilter",
    "RunRow",
    "function_versions",
    "metrics_of",
    "param_names",
    "param_values",
    "readers_of",
    "run_rows",
    "tags_of",
    "unread_tags",
    "version_rows",
]


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as the index has it.

    Args:
        id: the run's id.
        pipeline: the pipeline's name.
        state: `pending`, `running`, `succeeded`, `failed` or `cancelled`.
        started_at, finished_at: seconds since the epoch, None if not known.
        problem: why its records can't be read, "" if they can.
        program: the digest of the program that was run.
        engine: what ran it: `local`, or an engine's name.
        executor: how a local run ran its tasks.
        logical_time: ISO 8601, "" if it has none.
        counts: state -> number of nodes; None while the run is under way: they change with every record.
    """

    id: str
    pipeline: str
    state: str
    started_at: float | None
    finished_at: float | None
    problem: str = ""
    program: str = ""
    engine: str = ""
    executor: str = ""
    logical_time: str = ""
    counts: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs; each field that is None lets all through.

    Args:
        pipeline: those of the pipeline of this name.
        state: those in this state.
        since, until: those that began at this time or later, before it; seconds since the epoch.
        params: parameter name -> digests of values, one of which the parameter must have.
        function: those that used this version of a function: the first characters of its digest.
        artifact: those that made or were given a version: (name, digest).
    """

    pipeline: str | None = None
    state: str | None = None
    since: float | None = None
    until: float | None = None
    params: Mapping[str, Collection[str]] = field(default_factory=dict)
    function: str | None = None
    artifact: tuple[str, str] | None = None

    def where(self) -> tuple[str, list[Any]]:
        """An SQL condition over `runs` and its arguments."""
        parts: list[str] = []
        arguments: list[Any] = []
        for column, test, value in (
            ("pipeline", "=", self.pipeline),
            ("state", "=", self.state),
            ("started_at", ">=", self.since),
            ("started_at", "<", self.until),
        ):
            if value is not None:
                parts.append(f"{column} {test} ?")
                arguments.append(value)
        for name, digests in self.params.items():
            marks = ", ".join("?" * len(digests))
            parts.append(f"id IN (SELECT run FROM params WHERE name = ? AND digest IN ({marks}))")  # noqa: S608  # marks
            arguments += [name, *digests]
        if self.function is not None:
            parts.append("id IN (SELECT run FROM executed WHERE substr(function, 1, ?) = ?)")
            arguments += [len(self.function), self.function]
        if self.artifact is not None:
            parts.append("id IN (SELECT run FROM made WHERE name = ? AND digest = ?)")
            arguments += self.artifact
        return " AND ".join(parts) or "1", arguments


def run_rows(db: sqlite3.Connection, wanted: RunFilter, limit: int | None = None) -> tuple[list[RunRow], list[RunRow]]:
    """The runs that a filter lets through, newest first, `limit` at most; and all whose records can't be read."""
    columns = "id, pipeline, state, started_at, finished_at, problem, program, engine, executor, logical_time, counts"
    where, arguments = wanted.where()
    order = "ORDER BY started_at IS NULL DESC, started_at DESC, id DESC"
    sql = f"SELECT {columns} FROM runs WHERE problem = '' AND {where} {order} LIMIT ?"  # noqa: S608  # texts of ours
    found = [_run_row(row) for row in db.execute(sql, [*arguments, -1 if limit is None else limit])]
    broken = db.execute(f"SELECT {columns} FROM runs WHERE problem != '' {order}")  # noqa: S608  # constants
    return found, [_run_row(row) for row in broken]


def all_runs(db: sqlite3.Connection) -> list[RunRow]:
    """Every run, newest first, those whose records can't be read among them."""
    found, broken = run_rows(db, RunFilter())
    return found + broken


def artifact_names(db: sqlite3.Connection) -> list[str]:
    """The names of all artifacts, sorted."""
    return sorted(name for (name,) in db.execute("SELECT DISTINCT name FROM made"))


def _run_row(row: Sequence[Any]) -> RunRow:
    counts = None if row[10] is None else json.loads(row[10])
    return RunRow(row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9], counts)


def param_values(db: sqlite3.Connection, name: str) -> dict[str, Any]:
    """The values runs were given for a parameter: digest -> envelope; None for one too long to lie in a record."""
    sql = "SELECT DISTINCT p.digest, r.tree FROM params p JOIN refs r ON r.key = p.ref WHERE p.name = ?"
    return {digest: None if tree is None else json.loads(tree) for digest, tree in db.execute(sql, (name,))}


def param_names(db: sqlite3.Connection) -> list[str]:
    """The names of all parameters that runs were given, sorted."""
    return [name for (name,) in db.execute("SELECT DISTINCT name FROM params ORDER BY name")]


@dataclass(frozen=True, slots=True)
class FunctionVersion:
    """A version of a task's function.

    Args:
        name: `module:qualname`.
        digest: of its code (`dsl.fingerprint`), 64 hex characters; its source is under `keys.function_key`.
        number: counts the versions of the name from 1, in the order in which they were first used.
        first_at, last_at: when it was first and last used, in seconds since the epoch.
        first_run: the run that used it first.
        runs: how many runs used it; `Catalog.runs(function=digest)` names them.
    """

    name: str
    digest: str
    number: int
    first_at: float
    last_at: float
    first_run: str
    runs: int


def function_versions(db: sqlite3.Connection) -> list[FunctionVersion]:
    """Every version of every function that a run has used, by name, the oldest first."""
    sql = (
        "SELECT name, function, MIN(at), MAX(at), MIN(printf('%020.6f', at) || run), COUNT(DISTINCT run) "
        "FROM executed WHERE function != '' GROUP BY name, function"
    )
    numbers: dict[str, int] = {}
    found: list[FunctionVersion] = []
    for name, digest, first_at, last_at, first, runs in sorted(
        db.execute(sql), key=lambda row: (row[0], row[4], row[1])
    ):
        numbers[name] = numbers.get(name, 0) + 1
        found.append(FunctionVersion(name, digest, numbers[name], first_at, last_at, first[20:], runs))
    return found


_MADE: Final = "name, digest, MIN(moment), run, node, port, function, at, cached, role, source_run, source_node, ref"
_REF: Final = "r.size_bytes, r.tree, r.object, r.type, r.media_type"


def version_rows(
    db: sqlite3.Connection,
    names: Collection[str] | None,
    tags: Mapping[str, Mapping[str, str]],
    readers: Callable[[str, str], Callable[[], tuple[Reader, ...]]],
) -> list[Artifact]:
    """Artifacts with their versions, sorted by name.

    Args:
        db: the index.
        names: which; None for all.
        tags: artifact -> tag -> value digest.
        readers: gives, for a name and a digest, what looks up the version's readers.
    """
    chosen, arguments = "", []
    if names is not None:
        chosen, arguments = f"WHERE name IN ({', '.join('?' * len(names))})", list(names)
    first = db.execute(
        f"SELECT m.*, {_REF} FROM (SELECT {_MADE} FROM made {chosen} GROUP BY name, digest) m "  # noqa: S608  # marks
        "JOIN refs r ON r.key = m.ref",
        arguments,
    ).fetchall()
    last = {
        (name, digest): (at, run)
        for name, digest, _, at, run in db.execute(
            f"SELECT name, digest, MAX(moment), at, run FROM made {chosen} GROUP BY name, digest",  # noqa: S608  # marks
            arguments,
        )
    }
    by_name: dict[str, list[tuple[Any, ...]]] = {}
    for row in first:
        by_name.setdefault(row[0], []).append(row)
    made: list[Artifact] = []
    for name in sorted(by_name):
        rows = sorted(by_name[name], key=lambda row: row[2])
        versions = [_version(n, row, last[name, row[1]], tags.get(name, {}), readers) for n, row in enumerate(rows, 1)]
        made.append(Artifact(name, tuple(versions)))
    return made


def _version(
    number: int,
    row: tuple[Any, ...],
    last: tuple[float, str],
    tags: Mapping[str, str],
    readers: Callable[[str, str], Callable[[], tuple[Reader, ...]]],
) -> Version:
    name, digest, _, run, node, port, function, at, cached, role, source_run, source_node = row[:12]
    size_bytes, tree, object_, type_, media_type = row[13:]
    ref = ValueRef(digest, size_bytes, None if tree is None else json.loads(tree), object_, type_)
    source = (source_run, source_node) if source_run else ()
    return Version(
        number=number,
        made=Made(name, run, node, port, ref, function, at, bool(cached), role, source),
        latest_at=last[0],
        latest_run=last[1],
        tags=tuple(tag for tag, tagged in tags.items() if tagged == digest),
        readers=readers(name, digest),
        media_type=media_type,
    )


def readers_of(db: sqlite3.Connection, name: str, digest: str) -> tuple[Reader, ...]:
    """The nodes that a version was handed to, of any run; the pipeline that returns it is none."""
    sql = (
        "SELECT DISTINCT e.run, e.node, e.port FROM made m JOIN edges e "
        "ON e.run = m.run AND e.source = m.node AND e.source_port = m.port "
        "WHERE m.name = ? AND m.digest = ? AND e.node != '' AND (m.node != '' OR m.role = 'param') "
        "ORDER BY e.run, e.node, e.port"
    )
    return tuple(Reader(*row) for row in db.execute(sql, (name, digest)))


@dataclass(frozen=True, slots=True)
class LoggedMetric:
    """The last value of a metric that a task logged.

    Args:
        run: the run.
        node: the node.
        index: which instance, one number for each map and loop around the node.
        name: the metric's name.
        value: its last value.
    """

    run: str
    node: str
    index: tuple[int, ...]
    name: str
    value: float


def metrics_of(db: sqlite3.Connection, run: str, node: str | None = None) -> list[LoggedMetric]:
    """The metrics that the tasks of a run, or of one node of it, logged."""
    sql = "SELECT run, node, place, name, value FROM metrics WHERE run = ? AND (? IS NULL OR node = ?)"
    found = [
        LoggedMetric(run_, node_, tuple(json.loads(place)), name, math.nan if value is None else value)
        for run_, node_, place, name, value in db.execute(sql, (run, node, node))
    ]
    return sorted(found, key=lambda metric: (metric.node, metric.index, metric.name))


def tags_of(db: sqlite3.Connection) -> dict[str, dict[str, str]]:
    """Artifact -> tag -> value digest; of several records of one tag the newest counts, and may take it away."""
    found: dict[str, dict[str, str]] = {}
    for artifact, tag, digest in db.execute("SELECT artifact, tag, digest FROM tags ORDER BY artifact, tag, at, key"):
        found.setdefault(artifact, {})[tag] = digest
    return {name: {tag: digest for tag, digest in tags.items() if digest} for name, tags in found.items()}


def unread_tags(db: sqlite3.Connection) -> set[str]:
    """The parts of keys that stand for artifacts of which a tag's record can't be read (`keys.name_digest`)."""
    return {key.split("/")[1] for (key,) in db.execute("SELECT key FROM tags WHERE artifact = ''")}
