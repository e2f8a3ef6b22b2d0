"""Run writers: what is appended is there, soon and in order; who is alive; what a full disk does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from drawloom.catalog import keys
from drawloom.catalog.records import AttemptStarted, Commit, Decision, RunFinished, RunStarted, ValueRef, record_to_json
from drawloom.catalog.runlog import RunWriter, commit_once, decide_once, is_alive, read_records, write_run
from drawloom.catalog.segments import encode_line
from drawloom.catalog.sinks import writer_name
from drawloom.errors import StoreError
from drawloom.ir.canonical import canonical_json
from drawloom.storage.base import Storage
from drawloom.storage.local import LocalStorage
from drawloom.storage.prefixed import Prefixed, local_path


def _commit(number: int) -> Commit:
    return Commit("r1", f"node{number}", outputs=(("result", ValueRef("d" * 64, 8, {"n": number})),), at=float(number))


def test_what_was_appended_is_read_in_order(storage: Storage) -> None:
    started = RunStarted("r1", "p", "d" * 64, at=1.5)
    write_run(storage, started)
    records = [_commit(number) for number in range(20)]
    with RunWriter(storage, "r1") as writer:
        for record in records[:10]:
            writer.append(record)
        writer.flush()
        assert read_records(storage, "r1") == [started, *records[:10]]
        for record in records[10:]:
            writer.append(record)
    assert read_records(storage, "r1") == [started, *records]


def test_several_writers_and_objects_are_merged(storage: Storage) -> None:
    with RunWriter(storage, "r1") as first:
        first.append(_commit(1))
    time.sleep(0.002)
    with RunWriter(storage, "r1") as second:
        second.append(_commit(2))
    decision = decide_once(storage, Decision("r1", "branch", value=1))
    commit = commit_once(storage, Commit("r1", "remote", (0,), outcome="failed"))
    assert read_records(storage, "r1") == [_commit(1), _commit(2), commit, decision]
    assert read_records(storage, "r2") == []
    assert read_records(storage, "r") == []


def test_a_record_is_written_without_a_flush(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    writer = RunWriter(storage, "r1")
    for number in range(3):
        writer.append(_commit(number))
        deadline = time.monotonic() + 5
        while len(read_records(storage, "r1")) <= number:
            assert time.monotonic() < deadline
            time.sleep(0.005)
    writer.close()


def test_many_threads_append(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    with RunWriter(storage, "r1", flush_seconds=0.001) as writer, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: [writer.append(_commit(n * 100 + k)) for k in range(100)], range(8)))
    found = [record.at for record in read_records(storage, "r1") if isinstance(record, Commit)]
    assert sorted(found) == [float(number) for number in range(800)]
    for thread in range(8):
        assert [at for at in found if at // 100 == thread] == [float(thread * 100 + k) for k in range(100)]


def test_appending_costs_little(tmp_path: Path) -> None:
    """The caller pays for a queue, not for JSON or a disk: far less than encoding the record takes."""
    record = _commit(1)
    with RunWriter(LocalStorage(str(tmp_path)), "r1", flush_seconds=60) as writer:
        started = time.thread_time()
        for _ in range(2000):
            writer.append(record)
        appending = time.thread_time() - started
        started = time.thread_time()
        for _ in range(2000):
            encode_line(record_to_json(record))
        encoding = time.thread_time() - started
    assert appending < encoding


def test_a_closed_writer_takes_nothing(tmp_path: Path) -> None:
    writer = RunWriter(LocalStorage(str(tmp_path)), "r1")
    writer.close()
    writer.close()
    with pytest.raises(RuntimeError, match="the run log is closed"):
        writer.append(_commit(1))


def test_a_record_that_is_no_json_is_told_and_the_others_are_kept(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    writer = RunWriter(storage, "r1", flush_seconds=60)
    writer.append(_commit(1))
    writer.append(Commit("r1", "bad", seconds=float("nan")))
    writer.append(_commit(2))
    with pytest.raises(ValueError, match="Out of range float"):
        writer.flush()
    writer.close()
    assert read_records(storage, "r1") == [_commit(1), _commit(2)]


def test_a_full_disk_is_told_and_what_was_appended_is_written_later(small_disk: Path) -> None:
    storage = LocalStorage(str(small_disk))
    storage.write("ballast", b"x" * 30_000)
    writer = RunWriter(storage, "r1", flush_seconds=0.001)
    appended = 0

    def append_until_told() -> None:
        nonlocal appended
        while appended < 100_000:
            writer.append(_commit(appended))
            appended += 1
            time.sleep(0.0002)

    with pytest.raises(StoreError, match="S403"):
        append_until_told()
    there = [record.at for record in read_records(storage, "r1") if isinstance(record, Commit)]
    assert there == [float(number) for number in range(len(there))]
    assert 0 < len(there) <= appended
    storage.delete("ballast")
    writer.close()
    assert read_records(storage, "r1") == [_commit(number) for number in range(appended)]


def test_a_read_only_store_is_told(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreError) as caught:
        RunWriter(LocalStorage(str(small_disk)), "r1")
    assert "error[S402] the store" in str(caught.value)
    assert "Read-only file system" in str(caught.value)


def test_a_run_is_alive_while_its_writer_is(storage: Storage) -> None:
    assert is_alive(storage, "r1") is None
    writer = RunWriter(storage, "r1")
    assert is_alive(storage, "r1") is True
    writer.append(_commit(1))
    assert is_alive(storage, "r1") is True
    writer.close()
    if local_path(storage, "store.json") is not None:  # elsewhere the process tells, and that is this one
        assert is_alive(storage, "r1") is False


def test_a_run_whose_process_was_killed_is_not_alive(storage: Storage, tmp_path: Path) -> None:
    if storage.url.startswith("memory"):
        pytest.skip("another process can't see this process's memory")
    script = (
        "import sys; from drawloom.storage.open import open_storage; from drawloom.catalog.runlog import RunWriter\n"
        "writer = RunWriter(open_storage(sys.argv[1], step=True), 'r1'); print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, storage.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdin is not None
    assert other.stdout.readline() == "ready\n"
    assert is_alive(storage, "r1") is True
    other.kill()
    other.wait()
    other.stdout.close()
    other.stdin.close()
    assert is_alive(storage, "r1") is False


def test_a_forked_child_does_not_keep_a_killed_run_alive(tmp_path: Path) -> None:
    script = (
        "import os, sys, time; from drawloom.storage.local import LocalStorage\n"
        "from drawloom.catalog.runlog import RunWriter\n"
        "writer = RunWriter(LocalStorage(sys.argv[1]), 'r1')\n"
        "if os.fork() == 0: print(os.getpid(), flush=True)\n"
        "time.sleep(60)\n"
    )
    other = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    child = int(other.stdout.readline())
    other.kill()
    other.wait()
    other.stdout.close()
    try:
        assert is_alive(LocalStorage(str(tmp_path)), "r1") is False
    finally:
        os.kill(child, 9)


def test_a_writer_of_another_machine_cannot_be_told(s3_url: str) -> None:
    from drawloom.storage.s3 import S3Storage

    storage = S3Storage(s3_url)
    start, _, *rest = writer_name().split("-")
    storage.write(keys.segment_key("r1", "-".join((start, "00000000", *rest)), 0), b"")
    assert is_alive(storage, "r1") is None


def test_a_torn_tail_is_dropped_and_a_changed_middle_refused(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    writer = RunWriter(storage, "r1", flush_seconds=60)
    for number in range(3):
        writer.append(_commit(number))
    writer.flush()
    (key,) = storage.keys("runs/r1/segments/")
    data = storage.read(key)
    writer.close()
    os.chmod(tmp_path / key, 0o644)
    (tmp_path / key).write_bytes(data[:-5])
    assert read_records(storage, "r1") == [_commit(0), _commit(1)]
    (tmp_path / key).write_bytes(data.replace(b"node1", b"node7"))
    with pytest.raises(StoreError) as caught:
        read_records(storage, "r1")
    assert caught.value.diagnostics[0].code == "S414"
    assert str(caught.value.diagnostics[0].where) == f"{tmp_path}/{key}"


def test_a_missing_segment_is_told(s3_url: str) -> None:
    from drawloom.storage.s3 import S3Storage

    storage = S3Storage(s3_url)
    writer = RunWriter(storage, "r1", flush_seconds=60)
    for number in range(3):
        writer.append(_commit(number))
        writer.flush()
    writer.close()
    found = list(storage.keys("runs/r1/segments/"))
    assert len(found) == 4
    storage.delete(found[2])
    with pytest.raises(StoreError) as caught:
        read_records(storage, "r1")
    assert str(caught.value) == (
        "error[S414] a segment of the run log is missing: expected number 2, found 00000003\n"
        f"  where  {s3_url}/{found[3]}\n"
        "  fix    restore the missing file from a copy of the store"
    )


def test_a_record_of_a_newer_drawloom_is_refused(tmp_path: Path) -> None:
    storage = Prefixed(LocalStorage(str(tmp_path)), "projects/x/")
    tree = {"kind": "commit", "run": "r1", "node": "n", "shards": 3, "must_understand": ["shards"]}
    storage.write(keys.commit_key("r1", 0, "n", ()), canonical_json(tree).encode())
    with pytest.raises(StoreError) as caught:
        read_records(storage, "r1")
    assert str(caught.value) == (
        "error[S415] a newer drawloom wrote what this one can't read: a commit record needs shards\n"
        f"  where  {tmp_path}/projects/x/{keys.commit_key('r1', 0, 'n', ())}\n"
        "  fix    upgrade drawloom (`pip install --upgrade drawloom`); nothing was changed"
    )


def test_a_tolerant_reader_passes_over_what_it_need_not_know(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    tree = {"kind": "run-finished", "run": "r1", "outcome": "succeeded", "colour": "blue"}
    storage.write(keys.finished_key("r1", 0), canonical_json(tree).encode())
    assert read_records(storage, "r1") == [RunFinished("r1", "succeeded")]


def test_the_flusher_ends_with_the_writer(tmp_path: Path) -> None:
    writer = RunWriter(LocalStorage(str(tmp_path)), "r1")
    writer.append(AttemptStarted("r1", "n"))
    flusher = writer._thread
    assert flusher is not None
    writer.close()
    assert not flusher.is_alive()


def test_a_close_between_the_pause_and_the_next_flush_does_not_hang(tmp_path: Path) -> None:
    writer = RunWriter(LocalStorage(str(tmp_path)), "r1", flush_seconds=0.01)

    class Racing(threading.Event):
        """Where `close` sets both events just before the flusher clears the one it waits for."""

        def clear(self) -> None:
            writer._stop.set()
            self.set()
            super().clear()

    writer._due = Racing()
    writer.append(AttemptStarted("r1", "a"))
    assert writer._thread is not None
    writer._thread.join(10)
    assert not writer._thread.is_alive()
    writer.close()
    assert AttemptStarted("r1", "a") in read_records(LocalStorage(str(tmp_path)), "r1")
