"""Outcomes: the records a remote step writes, one create-only object each.

Of any number of attempts at a node instance, doubled, late or retried, one commit counts: the first. `commit_once`
and `decide_once` return the one that counts, whoever wrote it, and the caller reports that one. Standard library alone:
a step loads this module; `catalog.runlog` has the rest.
"""

from __future__ import annotations

import json
from typing import TypeVar

from drawloom.catalog import keys
from drawloom.catalog.records import (
    AttemptFinished,
    AttemptStarted,
    Commit,
    Decision,
    EngineObservation,
    Index,
    MustUnderstand,
    Record,
    RunFinished,
    RunStarted,
    record_from_json,
    record_to_json,
)
from drawloom.catalog.segments import newer_record
from drawloom.ir.canonical import canonical_json
from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.problems import store_error

__all__ = [
    "commit_once",
    "decide_once",
    "decode_record",
    "failures",
    "finish_attempt",
    "finish_run",
    "is_finished",
    "observe",
    "read_commit",
    "read_decision",
    "read_run",
    "read_started",
    "start_attempt",
    "write_run",
    "write_started",
]

_R = TypeVar("_R", RunStarted, RunFinished, AttemptFinished, EngineObservation, Commit, Decision)


def write_run(storage: Storage, run: RunStarted) -> RunStarted:
    """Writes the record that a run began, unless it is there.

    Args:
        storage: the project's storage.
        run: the record.

    Returns:
        The record that is there: another one if another process wrote it first.

    Raises:
        StoreError: the storage can't be written or read, or holds a record that is corrupt (S416) or too new (S415).
    """
    return _create(storage, keys.run_key(run.run), run)


def read_run(storage: Storage, run: str) -> RunStarted | None:
    """The record that a run began, None if there is no such run."""
    found = _read(storage, keys.run_key(run))
    return found if isinstance(found, RunStarted) else None


def read_started(storage: Storage, run: str, generation: int) -> RunStarted | None:
    """The record that a generation of a run began, None if it has none."""
    found = _read(storage, keys.started_key(run, generation))
    return found if isinstance(found, RunStarted) else None


def write_started(storage: Storage, run: RunStarted) -> RunStarted:
    """Writes the record that a generation of a run began, unless it is there; returns the one that counts."""
    return _create(storage, keys.started_key(run.run, run.generation), run)


def finish_run(storage: Storage, finished: RunFinished) -> RunFinished:
    """Writes the record that a generation of a run is done; returns the one that counts."""
    return _create(storage, keys.finished_key(finished.run, finished.generation), finished)


def is_finished(storage: Storage, run: str, generation: int) -> bool:
    """Whether a generation of a run has its last record."""
    return storage.exists(keys.finished_key(run, generation))


def commit_once(storage: Storage, commit: Commit) -> Commit:
    """Commits the outcome of a node instance, unless it has one.

    Args:
        storage: the project's storage.
        commit: the outcome of this attempt.

    Returns:
        The commit that counts: `commit` itself, or that of the attempt that was first.

    Raises:
        StoreError: the storage can't be written or read, or holds a record that is corrupt (S416) or too new (S415).
    """
    if commit.outcome == "failed":
        # The mark goes first: a failure without a mark would be missed by `failures`; a mark without a failure isn't
        # taken for one, because `failures` reads the commit.
        mark = canonical_json({"node": commit.node, "index": list(commit.index)}).encode("ascii")
        storage.create(keys.failure_key(commit.run, commit.generation, commit.node, commit.index), mark)
    return _create(storage, keys.commit_key(commit.run, commit.generation, commit.node, commit.index), commit)


def read_commit(storage: Storage, run: str, generation: int, node: str, index: Index) -> Commit | None:
    """The commit of a node instance, None while it has none."""
    found = _read(storage, keys.commit_key(run, generation, node, index))
    return found if isinstance(found, Commit) else None


def decide_once(storage: Storage, decision: Decision) -> Decision:
    """Writes a control node's decision, unless there is one; returns the one that counts."""
    key = keys.decision_key(decision.run, decision.generation, decision.node, decision.index)
    return _create(storage, key, decision)


def read_decision(storage: Storage, run: str, generation: int, node: str, index: Index) -> Decision | None:
    """The decision of a control node's instance, None while there is none."""
    found = _read(storage, keys.decision_key(run, generation, node, index))
    return found if isinstance(found, Decision) else None


def failures(storage: Storage, run: str, generation: int) -> list[Commit]:
    """The commits with outcome `failed` of one generation of a run, in no order that means anything."""
    found = []
    for key in storage.keys(keys.failures_prefix(run, generation)):
        try:
            mark = json.loads(storage.read(key))
            commit = read_commit(storage, run, generation, mark["node"], tuple(mark["index"]))
        except (ValueError, TypeError, LookupError):
            raise _corrupt(storage, key) from None
        if commit is not None and commit.outcome == "failed":
            found.append(commit)
    return found


def start_attempt(storage: Storage, started: AttemptStarted) -> AttemptStarted:
    """Writes that an attempt began, under the first free number from `started.attempt` on.

    Returns:
        The record as it was written: an engine that starts a step twice gives both the same number, this gives two.
    """
    while True:
        key = _attempt_key(started, "started")
        if storage.create(key, _encode(started)):
            return started
        from dataclasses import replace  # 5 ms that only a doubled start pays for

        started = replace(started, attempt=started.attempt + 1)


def finish_attempt(storage: Storage, finished: AttemptFinished) -> AttemptFinished:
    """Writes that the attempt `start_attempt` gave a number to ended; returns the record that counts."""
    return _create(storage, _attempt_key(finished, "finished"), finished)


def observe(storage: Storage, seen: EngineObservation) -> EngineObservation:
    """Writes what an engine told about an attempt; returns the record that counts."""
    key = keys.observation_key(seen.run, seen.generation, seen.node, seen.index, seen.attempt, seen.event)
    return _create(storage, key, seen)


def decode_record(data: bytes, place: str) -> Record:
    """The record in the bytes of an object.

    Args:
        data: the object.
        place: its path or URL, for the error.

    Raises:
        StoreError: S416, it is no record; S415, a newer drawloom wrote it.
    """
    try:
        return record_from_json(json.loads(data))
    except MustUnderstand as error:
        raise newer_record(place, str(error).partition(":")[0]) from error
    except (ValueError, TypeError, LookupError, AttributeError):
        raise store_error(
            "S416",
            "a record is corrupt: its text is not that of a record",
            place,
            "restore this file from a copy of the store; or move it away, and the run is shown without it",
        ) from None


def _attempt_key(record: AttemptStarted | AttemptFinished, event: str) -> str:
    return keys.attempt_key(record.run, record.generation, record.node, record.index, record.attempt, event)


def _encode(record: Record) -> bytes:
    return canonical_json(record_to_json(record)).encode("ascii")


def _create(storage: Storage, key: str, record: _R) -> _R:
    if storage.create(key, _encode(record)):
        return record
    found = _read(storage, key)
    kind: type[_R] = type(record)
    if not isinstance(found, kind):
        raise _corrupt(storage, key)
    return found


def _read(storage: Storage, key: str) -> Record | None:
    try:
        data = storage.read(key)
    except KeyMissing:
        return None
    return decode_record(data, f"{storage.url}/{key}")


def _corrupt(storage: Storage, key: str) -> Exception:
    return store_error(
        "S416",
        "a record is corrupt: it isn't of the kind its key asks for",
        f"{storage.url}/{key}",
        "restore this file from a copy of the store; or move it away, and the run is shown without it",
    )
