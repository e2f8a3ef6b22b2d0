"""The run log: writes the records of a local run, and reads those of any run.

A local run appends its records to a segment (`catalog.segments`): a record is in the operating system's hands, so
survives a kill, `flush_seconds` after `append` at the latest; `close` returns when the run survives a loss of power. On
an object store, which can't append, every flush makes a segment of its own. Remote steps write one object for each
record (`catalog.outcomes`, whose names this module has too); `read_records` merges both.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType

from drawloom.catalog import keys
from drawloom.catalog.outcomes import (
    commit_once,
    decide_once,
    decode_record,
    failures,
    finish_attempt,
    finish_run,
    observe,
    read_commit,
    read_decision,
    read_run,
    start_attempt,
    write_run,
)
from drawloom.catalog.records import Commit, MustUnderstand, Record, record_from_json, record_to_json
from drawloom.catalog.segments import decode_segment, encode_text, newer_record
from drawloom.catalog.sinks import FileSink, ObjectSink, Sink, is_locked, writer_is_alive, writer_name
from drawloom.ir.canonical import Json, canonical_json
from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.prefixed import local_path
from drawloom.storage.problems import store_error

__all__ = [
    "Encoded",
    "Keyed",
    "RunWriter",
    "commit_once",
    "decide_once",
    "failures",
    "finish_attempt",
    "finish_run",
    "is_alive",
    "observe",
    "read_commit",
    "read_decision",
    "read_records",
    "read_run",
    "start_attempt",
    "write_run",
]

Keyed = tuple[str, str, int, int]  # (cache key, function digest, offset, length) of a line

_FILE_SECONDS = 0.05
_OBJECT_SECONDS = 1.0  # each flush is a request and an object there
_READERS = 16  # requests under way at once; one at a time, a run of 1,000 commits takes a minute on S3


class Encoded:
    """A commit on the way of every task of a local run: it brings its own JSON text, equal to that of its record."""

    __slots__ = ()

    cache_key: str
    function: str
    outcome: str

    def json_text(self) -> str:
        """The canonical JSON of the record."""
        raise NotImplementedError

    def record(self) -> Commit:
        """The record itself."""
        raise NotImplementedError


class RunWriter:
    """Appends the records of one run, from any number of threads of one process.

    While it is open, `is_alive` says so of the run; when its process dies, that ends, however it died.

    Args:
        storage: the project's storage.
        run_id: the run.
        flush_seconds: the longest time a record waits in memory; 0.05 in a folder and 1 on an object store if None.
        under_way: gives, before each flush, records of what has begun and not ended: what ends between two flushes
            need not be told twice.
        written: told of each flush's commits that have a cache key: the segment's key, and a `Keyed` for each line.

    Raises:
        StoreError: the storage is full, read-only or can't be reached. A background flush that fails so is told by the
            next `append`, `flush` or `close`; no record is lost by it, the next flush writes what that one could not.
    """

    def __init__(
        self,
        storage: Storage,
        run_id: str,
        *,
        flush_seconds: float | None = None,
        under_way: Callable[[], Iterable[Record]] | None = None,
        written: Callable[[str, list[Keyed]], None] | None = None,
    ) -> None:
        self._storage = storage
        self._under_way = under_way
        self._written = written
        self._pending: deque[Record | Encoded] = deque()
        self._unwritten: list[bytes] = []  # encoded lines a failed flush has left
        self._keyed: list[Keyed] = []  # of those lines, counted from the first
        self._io = threading.Lock()
        self._due = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._closed = False
        self._synced = False
        writer = writer_name()
        key = keys.segment_key(run_id, writer, 0)
        path = local_path(storage, key)
        self._sink: Sink
        if path is None:
            self._sink = ObjectSink(storage, run_id, writer)
        else:
            self._sink = FileSink(path, key, run_id, storage.url)
        default = _OBJECT_SECONDS if path is None else _FILE_SECONDS
        self._flush_seconds = default if flush_seconds is None else flush_seconds

    def append(self, record: Record | Encoded) -> None:
        """Adds a record; it is written within `flush_seconds`."""
        if self._error is not None or self._closed:
            self._refuse()
        self._pending.append(record)
        self.touch()

    def touch(self) -> None:
        """Sees to it that there is a flush within `flush_seconds`."""
        if not self._due.is_set():
            if self._thread is None:
                self._start()
            self._due.set()

    def sync(self) -> None:
        """Returns when every record and value so far survives a loss of power; after it come the run's last records.

        So no log says that a run succeeded while a value of it could still be lost.
        """
        self.flush()
        self._storage.sync()
        self._synced = True

    def flush(self) -> None:
        """Returns when every record appended so far survives a kill of this process."""
        with self._io:
            self._error = None
            self._write()

    def close(self) -> None:
        """Writes what is left, ends the log, and returns when all of the run survives a loss of power."""
        if self._closed:
            return
        self._stop.set()
        self._due.set()
        if self._thread is not None:
            self._thread.join()
        try:
            self.flush()
            self._sink.end()
            if not self._synced or isinstance(self._sink, ObjectSink):
                self._storage.sync()  # else the log alone has grown since, and its end has reached the disk
        finally:
            self._closed = True
            self._sink.release()

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _start(self) -> None:
        with self._io:
            if self._thread is None:
                self._thread = threading.Thread(target=self._flush_when_due, name="drawloom-run-log", daemon=True)
                self._thread.start()

    def _flush_when_due(self) -> None:
        while True:
            self._due.wait()
            if self._stop.wait(self._flush_seconds):
                return  # `close` flushes the rest
            self._due.clear()  # before the write: what is appended during it makes the next one due
            if self._stop.is_set():  # `close` has come since, and this has cleared what it woke us with
                return
            with self._io:
                try:
                    self._write()
                except Exception as error:  # noqa: BLE001 told by the next append, flush or close, in a thread that can act on it
                    self._error = error

    def _write(self) -> None:
        if self._under_way is not None:
            self._pending.extend(self._under_way())
        lines, keyed = self._unwritten, self._keyed
        size = sum(map(len, lines))
        while self._pending:
            record = self._pending.popleft()
            # A record that can't be encoded raises here, once, and is the only one not written.
            line = encode_text(record.json_text() if isinstance(record, Encoded) else _text(record))
            if isinstance(record, (Encoded, Commit)) and record.cache_key and record.outcome == "succeeded":
                keyed.append((record.cache_key, record.function, size, len(line)))
            lines.append(line)
            size += len(line)
        if lines:
            place, start = self._sink.write(b"".join(lines), len(lines))
            self._unwritten, self._keyed = [], []
            if self._written is not None and keyed:
                self._written(place, [(key, function, start + at, length) for key, function, at, length in keyed])

    def _refuse(self) -> None:
        if self._closed:
            raise RuntimeError("the run log is closed")
        error, self._error = self._error, None
        if error is not None:
            raise error


def is_alive(storage: Storage, run_id: str) -> bool | None:
    """Whether a process that writes the run is running.

    Returns:
        True or False; None if it can't be told: the run has no writer of ours (an engine runs it), or the store is an
        object store and the writer ran on another machine. On an object store a process that has closed the run and
        goes on counts as running it: ask only about a run that isn't finished.
    """
    told: list[bool | None] = []
    for key in storage.keys(keys.segments_prefix(run_id)):
        path = local_path(storage, key)
        told.append(writer_is_alive(key) if path is None else is_locked(path))
    if not told:
        return None
    if True in told:
        return True
    return None if None in told else False


def read_records(storage: Storage, run_id: str, sift: Callable[[bytes], bool] | None = None) -> list[Record]:
    """Every record of a run: `run.json` first, then segments in the order they were begun, then objects by key.

    A line a writer was killed in is dropped.

    Args:
        storage: the project's storage.
        run_id: the run; an unknown one has no records.
        sift: takes the JSON of each record in a segment, as text; those it answers with True are left out.

    Raises:
        StoreError: S414, a segment is corrupt or missing; S415, a newer drawloom wrote a record; S416, a record is
            corrupt.
    """
    start = keys.run_key(run_id)
    segments_start = keys.segments_prefix(run_id)
    found = list(storage.keys(keys.run_prefix(run_id)))
    segments = [key for key in found if key.startswith(segments_start) and key.endswith(".seg")]
    others = [
        key
        for key in found
        if key.endswith(".json") and key != start and not key.startswith(segments_start) and not keys.is_mark(key)
    ]
    _check_numbers(segments, storage)
    records: list[Record] = []
    for key, data in _read_all(storage, [start] if start in found else []):
        if data:  # a loss of power as the run began leaves a name without bytes
            records.append(decode_record(data, f"{storage.url}/{key}"))
    for key, data in _read_all(storage, segments):
        place = f"{storage.url}/{key}"
        records.extend(_record(tree, place) for tree in decode_segment(data, run_id, place, sift))
    for key, data in _read_all(storage, others):
        records.append(decode_record(data, f"{storage.url}/{key}"))
    return records


def _text(record: Record) -> str:
    return canonical_json(record_to_json(record))


def _record(tree: Json, place: str) -> Record:
    try:
        return record_from_json(tree)
    except MustUnderstand as error:
        raise newer_record(place, str(error).partition(":")[0]) from error


def _check_numbers(segments: list[str], storage: Storage) -> None:
    """A writer numbers its segments from 0 on without a gap, so a missing one (not the last) is noticed."""
    expected: dict[str, int] = {}
    for key in segments:
        writer, _, number = key.removesuffix(".seg").rpartition("-")
        wanted = expected.get(writer, 0)
        if not number.isdigit() or int(number) != wanted:
            raise store_error(
                "S414",
                f"a segment of the run log is missing: expected number {wanted}, found {number}",
                f"{storage.url}/{key}",
                "restore the missing file from a copy of the store",
            )
        expected[writer] = wanted + 1


def _read_all(storage: Storage, wanted: list[str]) -> Iterator[tuple[str, bytes]]:
    """(key, bytes) in the order of `wanted`; what was removed meanwhile is passed over."""

    def read(key: str) -> bytes | None:
        try:
            return storage.read(key)
        except KeyMissing:
            return None

    datas = _map_in_threads(read, wanted) if len(wanted) > 2 and _is_remote(storage) else map(read, wanted)
    for key, data in zip(wanted, datas, strict=True):
        if data is not None:
            yield key, data


def _is_remote(storage: Storage) -> bool:
    return local_path(storage, "store.json") is None


def _map_in_threads(read: Callable[[str], bytes | None], wanted: list[str]) -> list[bytes | None]:
    from concurrent.futures import ThreadPoolExecutor  # only where requests take long

    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(read, wanted))
