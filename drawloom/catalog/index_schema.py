"""The tables of the index, and how a run's rows and a tag get into them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from drawloom.catalog.artifacts import Made
from drawloom.catalog.media import codec_of, media_type
from drawloom.catalog.projection import Projection
from drawloom.catalog.records import Tag, ValueRef
from drawloom.ir.canonical import canonical_json, digest_bytes

__all__ = ["SCHEMA_VERSION", "forget", "moment", "prepare", "storable", "transaction", "write_run_rows", "write_tag"]

SCHEMA_VERSION: Final = 2
_SCHEMA: Final = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, mark TEXT NOT NULL, stamp TEXT NOT NULL, pipeline TEXT NOT NULL, state TEXT NOT NULL,
    started_at REAL, finished_at REAL, problem TEXT NOT NULL, program TEXT NOT NULL, engine TEXT NOT NULL,
    executor TEXT NOT NULL, logical_time TEXT NOT NULL, counts TEXT
) WITHOUT ROWID;
CREATE TABLE params (
    run TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, ref TEXT NOT NULL, PRIMARY KEY (run, name)
) WITHOUT ROWID;
CREATE TABLE refs (
    key TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, type TEXT NOT NULL, media_type TEXT NOT NULL,
    codec TEXT NOT NULL, object TEXT NOT NULL, tree TEXT
);
CREATE TABLE made (
    name TEXT NOT NULL, digest TEXT NOT NULL, moment TEXT NOT NULL, at REAL NOT NULL, run TEXT NOT NULL,
    node TEXT NOT NULL, port TEXT NOT NULL, role TEXT NOT NULL, function TEXT NOT NULL, cached INTEGER NOT NULL,
    source_run TEXT NOT NULL, source_node TEXT NOT NULL, ref TEXT NOT NULL
);
CREATE INDEX made_by_name ON made (name, digest, moment, run);
CREATE INDEX made_by_digest ON made (digest);
CREATE INDEX made_by_run ON made (run, node, port);
CREATE TABLE executed (
    run TEXT NOT NULL, node TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, function TEXT NOT NULL,
    instances INTEGER NOT NULL, cached INTEGER NOT NULL, source_run TEXT NOT NULL, source_node TEXT NOT NULL,
    seconds REAL NOT NULL, at REAL NOT NULL, PRIMARY KEY (run, node)
) WITHOUT ROWID;
CREATE INDEX executed_by_function ON executed (function, name, at, run) WHERE function != '';
CREATE TABLE edges (
    run TEXT NOT NULL, source TEXT NOT NULL, source_port TEXT NOT NULL, node TEXT NOT NULL, port TEXT NOT NULL,
    PRIMARY KEY (run, source, source_port, node, port)
) WITHOUT ROWID;
CREATE INDEX edges_by_node ON edges (run, node);
CREATE TABLE metrics (
    run TEXT NOT NULL, node TEXT NOT NULL, place TEXT NOT NULL, name TEXT NOT NULL, value REAL,
    PRIMARY KEY (run, node, place, name)
) WITHOUT ROWID;
CREATE TABLE tags (
    key TEXT PRIMARY KEY, artifact TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX tags_by_artifact ON tags (artifact, tag, at, key);
"""
_OF_RUN: Final = ("params", "made", "executed", "edges", "metrics")


def prepare(db: sqlite3.Connection) -> None:
    """Makes the tables, in a new file; refuses one of another version."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == SCHEMA_VERSION:
        return
    if version != 0:
        raise sqlite3.DatabaseError(f"schema version {version}")
    with transaction(db):
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:  # else another process was quicker
            for statement in _SCHEMA.strip().split(";\n"):
                db.execute(statement.removesuffix(";"))
            db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of the block or nothing of it; whoever else writes meanwhile waits."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def moment(at: float, run: str) -> str:
    """A text that sorts by time, then by run."""
    return f"{max(at, 0.0):020.6f} {run}"


def forget(db: sqlite3.Connection, run: str) -> None:
    """Removes a run."""
    db.execute("DELETE FROM runs WHERE id = ?", (run,))
    for table in _OF_RUN:
        db.execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608  # a name of ours


def write_run_rows(db: sqlite3.Connection, found: Projection, mark: str, stamp: str) -> None:
    """Puts a run in, in place of what was there of it.

    Args:
        db: the index, in a transaction.
        found: the run.
        mark: what the run's files were when it was read.
        stamp: how its folders looked then, "" if that can't be relied on.
    """
    forget(db, found.run)
    _insert_run(db, found, mark, stamp)
    refs: dict[str, tuple[object, ...]] = {}
    made = [_made_row(one, _ref_key(one.ref, refs)) for one in found.made]
    record = found.record
    params = [(found.run, name, ref.digest, _ref_key(ref, refs)) for name, ref in record.params] if record else []
    db.executemany("INSERT OR IGNORE INTO refs VALUES (?, ?, ?, ?, ?, ?, ?)", refs.values())
    db.executemany("INSERT INTO made VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", made)
    db.executemany("INSERT OR REPLACE INTO params VALUES (?, ?, ?, ?)", params)
    executed = [(found.run, *one[:5], int(one.cached), *one[6:]) for one in found.executed]
    db.executemany("INSERT INTO executed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", executed)
    db.executemany("INSERT INTO edges VALUES (?, ?, ?, ?, ?)", [(found.run, *edge) for edge in sorted(found.edges)])
    metrics = [(found.run, m.node, json.dumps(m.index), storable(m.name), m.value) for m in found.metrics]
    db.executemany("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?, ?)", metrics)


def _insert_run(db: sqlite3.Connection, found: Projection, mark: str, stamp: str) -> None:
    record = found.record
    of_record = ("", "", "", "")
    if record is not None:
        of_record = (record.program, record.engine, record.executor, record.logical_time)
    db.execute(
        "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            found.run,
            mark,
            stamp,
            record.pipeline if record is not None else "",
            found.state,
            found.started_at,
            found.finished_at,
            storable(found.problem),
            *of_record,
            json.dumps(found.counts) if found.counts is not None else None,
        ),
    )


def _made_row(one: Made, ref: str) -> tuple[object, ...]:
    source_run, source_node = one.source or ("", "")
    return (
        storable(one.name),
        one.ref.digest,
        moment(one.at, one.run),
        one.at,
        one.run,
        one.node,
        storable(one.port),
        one.role,
        one.function,
        int(one.cached),
        source_run,
        source_node,
        ref,
    )


def _ref_key(ref: ValueRef, refs: dict[str, tuple[object, ...]]) -> str:
    """The key of a reference, which is kept once however many runs came to it."""
    tree = canonical_json(ref.tree) if not ref.object else None
    key = digest_bytes(f"{ref.digest} {ref.size_bytes} {ref.object} {ref.type}\n{tree}".encode())[:40]
    kind = media_type(ref.tree) if tree is not None else "application/json"
    codec = codec_of(ref.tree) if tree is not None else ""
    refs[key] = (key, ref.size_bytes, ref.type, kind, codec, ref.object, tree)
    return key


def write_tag(db: sqlite3.Connection, key: str, tag: Tag) -> None:
    """Puts a record of a tag in."""
    row = (key, storable(tag.artifact), storable(tag.tag), tag.digest, tag.at)
    db.execute("INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?, ?)", row)


def storable(text: str) -> str:
    """`text` as SQLite takes it: half a surrogate pair, as in the path of a badly named file, is written out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
