"""Commits and decisions: of any number of attempts, the first one counts, for all of them."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.catalog import keys
from drawloom.catalog.records import (
    AttemptFinished,
    AttemptStarted,
    Commit,
    Decision,
    EngineObservation,
    FailureInfo,
    RunFinished,
    RunStarted,
    ValueRef,
)
from drawloom.catalog.runlog import (
    commit_once,
    decide_once,
    failures,
    finish_attempt,
    finish_run,
    observe,
    read_commit,
    read_decision,
    read_records,
    read_run,
    start_attempt,
    write_run,
)
from drawloom.errors import StoreError
from drawloom.storage.base import Storage
from drawloom.storage.local import LocalStorage
from drawloom.storage.problems import is_key

MINE = Commit("r1", "map.Train", (3, 0), outputs=(("result", ValueRef("a" * 64, 1, 7)),), attempt=1)
LATE = replace(MINE, outputs=(("result", ValueRef("b" * 64, 1, 8)),), attempt=2)


def test_the_first_commit_counts_for_everyone(storage: Storage) -> None:
    assert read_commit(storage, "r1", 0, "map.Train", (3, 0)) is None
    assert commit_once(storage, MINE) == MINE
    assert commit_once(storage, LATE) == MINE
    assert read_commit(storage, "r1", 0, "map.Train", (3, 0)) == MINE


def test_instances_and_generations_are_apart(storage: Storage) -> None:
    others = [replace(MINE, index=(3, 1)), replace(MINE, node="map.train"), replace(MINE, generation=1)]
    for commit in (MINE, *others):
        assert commit_once(storage, commit) == commit
    for commit in (MINE, *others):
        assert read_commit(storage, "r1", commit.generation, commit.node, commit.index) == commit


def test_decisions_are_made_once(storage: Storage) -> None:
    caught = FailureInfo("builtins:ValueError", "no", ("builtins:ValueError", "builtins:Exception"))
    first = Decision("r1", "try", (1,), value=1, caught=caught)
    assert read_decision(storage, "r1", 0, "try", (1,)) is None
    assert decide_once(storage, first) == first
    assert decide_once(storage, Decision("r1", "try", (1,), value=0)) == first
    assert read_decision(storage, "r1", 0, "try", (1,)) == first


def test_eight_attempts_commit_and_report_one_outcome(storage: Storage) -> None:
    start = threading.Barrier(8)

    def attempt(number: int) -> Commit:
        start.wait()
        return commit_once(storage, replace(MINE, attempt=number))

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(attempt, range(1, 9)))
    assert found == {read_commit(storage, "r1", 0, "map.Train", (3, 0))}


def test_failures_are_those_that_counted(storage: Storage) -> None:
    failed = replace(MINE, outcome="failed", failure=FailureInfo("builtins:ValueError", "no"))
    skipped = replace(MINE, node="behind", outcome="skipped")
    commit_once(storage, failed)
    commit_once(storage, skipped)
    commit_once(storage, replace(MINE, node="fine"))
    commit_once(storage, replace(failed, node="fine"))  # late: marked, but the commit that counts is fine
    killed = keys.failure_key("r1", 0, "killed", ())
    storage.create(killed, b'{"node":"killed","index":[]}')  # killed between its mark and its commit
    assert failures(storage, "r1", 0) == [failed]
    assert failures(storage, "r1", 1) == []


def test_a_run_begins_and_ends_once(storage: Storage) -> None:
    started = RunStarted("r1", "p", "d" * 64, params=(("n", ValueRef("a" * 64, 1, 1)),), at=1.5)
    assert read_run(storage, "r1") is None
    assert write_run(storage, started) == started
    assert write_run(storage, replace(started, at=2.5)) == started
    assert read_run(storage, "r1") == started
    finished = RunFinished("r1", "succeeded", at=3.5)
    assert finish_run(storage, finished) == finished
    assert finish_run(storage, replace(finished, outcome="failed")) == finished
    assert read_records(storage, "r1") == [started, finished]


def test_doubled_attempts_get_numbers_of_their_own(storage: Storage) -> None:
    first = start_attempt(storage, AttemptStarted("r1", "n", (2,), worker="a"))
    second = start_attempt(storage, AttemptStarted("r1", "n", (2,), worker="b"))
    assert (first.attempt, second.attempt) == (1, 2)
    ended = [finish_attempt(storage, AttemptFinished("r1", "n", (2,), number, seconds=0.5)) for number in (1, 2)]
    lost = observe(storage, EngineObservation("r1", "n", "out_of_memory", (2,), 2, detail="137"))
    found = read_records(storage, "r1")
    assert {type(record).__name__ for record in found} == {"AttemptStarted", "AttemptFinished", "EngineObservation"}
    assert [record for record in found if isinstance(record, AttemptStarted)] == [first, second]
    assert [record for record in found if isinstance(record, AttemptFinished)] == ended
    assert [record for record in found if isinstance(record, EngineObservation)] == [lost]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b'{"kind":"commit","outputs":[1]}', b"\xff"])
def test_a_corrupt_record_is_told(tmp_path: Path, text: bytes) -> None:
    storage = LocalStorage(str(tmp_path))
    key = keys.commit_key("r1", 0, "map.Train", (3, 0))
    storage.write(key, text)
    for ask in (
        lambda: read_commit(storage, "r1", 0, "map.Train", (3, 0)),
        lambda: commit_once(storage, MINE),
        lambda: read_records(storage, "r1"),
    ):
        with pytest.raises(StoreError) as caught:
            ask()
        assert str(caught.value) == (
            "error[S416] a record is corrupt: its text is not that of a record\n"
            f"  where  {tmp_path}/{key}\n"
            "  fix    restore this file from a copy of the store; or move it away, and the run is shown without it"
        )


def test_a_record_of_another_kind_is_corrupt(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    decide_once(storage, Decision("r1", "n"))
    storage.write(keys.commit_key("r1", 0, "n", ()), storage.read(keys.decision_key("r1", 0, "n", ())))
    with pytest.raises(StoreError, match="isn't of the kind its key asks for"):
        commit_once(storage, Commit("r1", "n"))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300), st.lists(st.integers(0, 10**9), max_size=4).map(tuple), st.text(max_size=300))
def test_keys_hold_any_name(node: str, index: tuple[int, ...], name: str) -> None:
    digest = keys.instance_digest(node, index)
    assert len(digest) == 40
    for key in (
        keys.commit_key("r1", 0, node, index),
        keys.decision_key("r1", 0, node, index),
        keys.failure_key("r1", 0, node, index),
        keys.attempt_key("r1", 0, node, index, 12, "started"),
        keys.observation_key("r1", 0, node, index, 1, "out_of_memory"),
        keys.slice_key("d" * 64, name),
        keys.tag_key(name, node, 1.5, "ab"),
        keys.deployment_key(name, 1.5, "ab"),
        keys.segment_key("r1", "w", 3),
        keys.cache_record_key("d" * 64),
        keys.bundle_key("d" * 64),
        keys.pipeline_key("d" * 64),
        keys.spans_key("d" * 64),
        keys.run_key("r1"),
        keys.finished_key("r1", 0),
    ):
        assert is_key(key)


def test_a_node_instance_goes_by_the_same_digest_everywhere() -> None:
    digest = hashlib.sha256(b'["train",[3,0]]').hexdigest()[:40]
    assert keys.instance_digest("train", (3, 0)) == digest == "072ab81afbb70bbfe4c88288ec284f95fe1b0acc"
    assert keys.commit_key("r1", 2, "train", (3, 0)) == f"runs/r1/2/commits/{digest}.json"
