"""Answers: where in the run logs the commit stands that answers a cache key.

A commit under its cache key is in the store already, in the log of the run that made it: this is an index over those
lines, in one SQLite file of the cache folder. Like every index it is a projection and only a hint: what it points to is
read from the store, checked against its checksum and its key, and every object it refers to must be sound; where the
file is missing, broken or stale, the call just runs. A run adds its lines as it writes them, so a second process finds
them at once; runs of engines and of other machines are brought in when they have ended.

Steps on an engine have no such file: what took a local run longer than `SHARED_SECONDS` is put under `cache/` for them,
an object for each key (`runtimes.cache`), and what they make is found here through their commits.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

from drawloom.catalog import keys
from drawloom.catalog.cache_folder import cache_folder
from drawloom.catalog.records import Commit, Record, ValueRef, record_from_json
from drawloom.catalog.runlog import Encoded, Keyed, is_alive
from drawloom.catalog.trees import is_as_seen, tree_objects
from drawloom.errors import StoreError
from drawloom.ir.envelope import value_digest
from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.objects import object_key
from drawloom.storage.prefixed import local_path
from drawloom.values.store import Values

__all__ = ["SHARED_SECONDS", "Answers", "row_key"]

SHARED_SECONDS: Final = 0.01
"""What took longer is worth an object of its own, where steps find it; a step takes longer than this to start."""

_NAME: Final = "answers-1.sqlite"
_BUSY_SECONDS: Final = 5.0
_REFRESH_SECONDS: Final = 1.0  # how soon a function that another process met first is looked up here
_OPEN_SEGMENTS: Final = 16
_WHOLE: Final = -1  # the length of an entry that is an object of its own
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, done INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS places (number INTEGER PRIMARY KEY, run TEXT NOT NULL, key TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS answers (
    key INTEGER PRIMARY KEY, place INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS functions (digest TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sound (
    object TEXT PRIMARY KEY, size INTEGER NOT NULL, changed INTEGER NOT NULL
) WITHOUT ROWID;
"""
_KEY: Final = re.compile(rb'"cache_key":"([0-9a-f]{64})"')
_FUNCTION: Final = re.compile(rb'"function":"([0-9a-f]{64})"')


class Answers:
    """The answers of one project; safe to use from several threads.

    Args:
        storage: the project's storage.
        values: reads envelopes that are objects.
    """

    def __init__(self, storage: Storage, values: Values) -> None:
        self._storage = storage
        self._values = values
        self._lock = threading.Lock()
        self._fresh: dict[str, Encoded] = {}  # of this process, not written to a segment yet
        self._sound: set[str] = set()  # objects that were found whole by this process
        self._open: dict[int, _Lines] = {}
        self._functions: set[str] = set()  # that answered something, of other runs
        self._own_functions: set[str] = set()
        self._written: set[int] = set()  # hashes of this run's keys: a new key of its own is not looked up in vain
        self._refreshed = 0.0
        self._lost_lines = False  # not all that was told could be written
        folder = cache_folder(storage.url)
        self._path = None if folder is None else os.path.join(folder, _NAME)
        self._db = self._opened()

    # asking

    def find(self, key: str, function: str, ttl_seconds: float | None = None) -> Commit | None:
        """The commit a call with this key can be answered from, None if there is none that is whole.

        Args:
            key: of `runtimes.cache.CacheKeys`.
            function: the digest of the task's function, "" for a map: nothing is looked up for one that never answered.
            ttl_seconds: how old the commit may be; None for any age.

        Raises:
            StoreError: the store can't be read.
        """
        found = self.entry(key, function)
        if found is None or (ttl_seconds is not None and found.at + ttl_seconds < time.time()):
            return None
        return found if self.is_sound(found) else None

    def entry(self, key: str, function: str) -> Commit | None:
        """What is kept under a key, however old it is, whole or not."""
        fresh = self._fresh.get(key)
        if fresh is not None:
            return fresh.record()
        known = function in self._functions or hash(key) in self._written
        if not known and (function in self._own_functions or not self._has_come(function)):
            return None
        return self._read(key)

    def is_sound(self, commit: Commit) -> bool:
        """Whether every object that a commit leads to is there, and its bytes are those of its digest.

        What it only refers to (`External`) must have the version it had.
        An object that was hashed once isn't hashed again while its size and its time of change stay what they were.
        """
        if commit.series and not self._is_object_sound(commit.series):
            return False
        for _, ref in (*commit.outputs, *commit.logged):
            try:
                tree = self._values.tree(ref)
            except StoreError:
                return False
            if not all(self._is_object_sound(sha) for sha in tree_objects(tree)):
                return False
        return all(is_as_seen(self._values.tree(ref)) for _, ref in commit.outputs)

    # telling

    def remember(self, commit: Encoded, seconds: float) -> None:
        """Keeps a commit of this process; one that took long to make also where steps on an engine look."""
        self._fresh[commit.cache_key] = commit
        if seconds >= SHARED_SECONDS:
            self._storage.write(keys.cache_record_key(commit.cache_key), commit.json_text().encode("ascii"))

    def written(self, run: str, place: str, lines: list[Keyed]) -> None:
        """Lines with a cache key have been written to the segment `place` of a run."""
        self._add(run, place, lines)
        for key, function, _, _ in lines:
            self._written.add(hash(key))
            self._own_functions.add(function)
            self._fresh.pop(key, None)

    def finished(self, run: str) -> None:
        """All of a run has been told with `written`."""
        if self._lost_lines:
            return  # the next catching up brings the run in
        with self._lock, suppress(sqlite3.Error):
            self._db.execute("INSERT OR REPLACE INTO runs VALUES (?, 1)", (run,))

    def close(self) -> None:
        """Lets go of the file."""
        with self._lock:
            self._db.close()
            for lines in self._open.values():
                lines.close()
            self._open.clear()

    # catching up

    def catch_up(self) -> None:
        """Brings in the runs that have ended without telling, and forgets those that are gone.

        Raises:
            StoreError: the store can't be read.
        """
        try:
            self._bring()
        except sqlite3.Error:
            self._begin_anew()
            with suppress(sqlite3.Error):
                self._bring()
        self._load_functions()

    def _bring(self) -> None:
        with self._lock:
            known = dict(self._db.execute("SELECT id, done FROM runs"))
        present = set(_run_ids(self._storage))
        for run in sorted(present):
            if not known.get(run):
                self._bring_run(run)
        gone = known.keys() - present
        if gone:
            self._forget(gone)

    def _bring_run(self, run: str) -> None:
        found = list(self._storage.keys(keys.run_prefix(run)))
        alive = is_alive(self._storage, run)
        if alive or (alive is None and not any(key.endswith("/finished.json") for key in found)):
            return
        segments = [key for key in found if key.startswith(keys.segments_prefix(run)) and key.endswith(".seg")]
        commits = [key for key in found if "/commits/" in key]
        for place in (*segments, *commits):
            with suppress(KeyMissing):
                data = self._storage.read(place)
                lines = _keyed_lines(data) if place.endswith(".seg") else _keyed(data, 0, _WHOLE)
                self._add(run, place, list(lines))
        self.finished(run)

    def _forget(self, runs: Iterable[str]) -> None:
        gone = [(run,) for run in sorted(runs)]
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("DELETE FROM answers WHERE place IN (SELECT number FROM places WHERE run = ?)", gone)
            self._db.executemany("DELETE FROM places WHERE run = ?", gone)
            self._db.executemany("DELETE FROM runs WHERE id = ?", gone)
            self._db.execute("COMMIT")

    # the file

    def _opened(self) -> sqlite3.Connection:
        if self._path is not None:
            for _ in range(2):
                try:
                    os.makedirs(os.path.dirname(self._path), exist_ok=True)
                    return _connected(self._path)
                except OSError:
                    break
                except sqlite3.Error:
                    self._remove()
        self._path = None
        return _connected(":memory:")

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                os.unlink(f"{self._path}{suffix}")

    def _begin_anew(self) -> None:
        with self._lock:
            self._db.close()
            self._remove()
            self._db = self._opened()

    def _load_functions(self) -> None:
        self._refreshed = time.monotonic()
        with self._lock, suppress(sqlite3.Error):
            known = {digest for (digest,) in self._db.execute("SELECT digest FROM functions")}
            self._functions |= known - self._own_functions

    def _has_come(self, function: str) -> bool:
        if time.monotonic() - self._refreshed < _REFRESH_SECONDS:
            return False
        self._load_functions()
        return function in self._functions

    def _add(self, run: str, place: str, lines: list[Keyed]) -> None:
        if not lines:
            return
        functions = {function for _, function, _, _ in lines}
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute("INSERT OR IGNORE INTO runs VALUES (?, 0)", (run,))
                self._db.execute("INSERT OR IGNORE INTO places (run, key) VALUES (?, ?)", (run, place))
                (number,) = self._db.execute("SELECT number FROM places WHERE key = ?", (place,)).fetchone()
                self._db.executemany(
                    "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)",
                    [(row_key(key), number, offset, length) for key, _, offset, length in lines],
                )
                self._db.executemany("INSERT OR IGNORE INTO functions VALUES (?)", [(f,) for f in functions])
                self._db.execute("COMMIT")
            except sqlite3.Error:  # a hint less: the next catching up brings the run in
                self._lost_lines = True
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                return

    # reading

    def _read(self, key: str) -> Commit | None:
        with self._lock:
            try:
                row = self._db.execute(_FIND, (row_key(key),)).fetchone()
            except sqlite3.Error:
                return None
            if row is None:
                return None
            text = self._text(*row)
        found = None if text is None else _record(text)
        if not isinstance(found, Commit) or found.cache_key != key or found.outcome != "succeeded":
            return None
        if row[3] == _WHOLE and not all(self._has_its_digest(ref) for _, ref in found.outputs):
            return None  # an object of its own has no checksum as a line has
        return found

    def _has_its_digest(self, ref: ValueRef) -> bool:
        try:
            return value_digest(self._values.tree(ref)) == ref.digest
        except (ValueError, TypeError, LookupError, StoreError):  # it is broken: no value, or no digest
            return False

    def _text(self, number: int, place: str, offset: int, length: int) -> bytes | None:
        lines = self._open.get(number)
        if lines is None:
            if len(self._open) >= _OPEN_SEGMENTS:
                self._open.pop(next(iter(self._open))).close()
            lines = self._open[number] = _Lines(self._storage, place)
        return lines.text(offset, length)

    def _is_object_sound(self, sha: str) -> bool:
        if sha in self._sound:
            return True
        objects = self._values.objects
        if not objects.has(sha):
            return False
        path = local_path(self._storage, object_key(sha))
        try:
            # an object store answers for its bytes
            found = (
                path is None or self._was_sound(sha, path) or (objects.is_whole(sha) and self._note_sound(sha, path))
            )
        except OSError:
            return False
        if found:
            self._sound.add(sha)
        return found

    def _was_sound(self, sha: str, path: str) -> bool:
        """Whether the file was hashed before, and has the size and the time of change it had then."""
        told = _size_and_change(path)
        with self._lock, suppress(sqlite3.Error):
            found = self._db.execute("SELECT size, changed FROM sound WHERE object = ?", (sha,)).fetchone()
            return bool(found == told)
        return False

    def _note_sound(self, sha: str, path: str) -> bool:
        with self._lock, suppress(sqlite3.Error):
            self._db.execute("INSERT OR REPLACE INTO sound VALUES (?, ?, ?)", (sha, *_size_and_change(path)))
        return True


def row_key(key: str) -> int:
    """The number a cache key goes by: its first 60 bits. Of two keys that share it one isn't found: the line tells."""
    return int(key[:15], 16)


def _size_and_change(path: str) -> tuple[int, int]:
    about = os.stat(path)
    return about.st_size, about.st_mtime_ns


_FIND: Final = (
    "SELECT answers.place, places.key, offset, length FROM answers "
    "JOIN places ON places.number = answers.place WHERE answers.key = ?"
)


class _Lines:
    """The lines of one segment, or the one text of an object, read where they are asked for."""

    def __init__(self, storage: Storage, place: str) -> None:
        path = local_path(storage, place)
        self._file = -1
        self._data = b""
        with suppress(OSError, KeyMissing, StoreError):
            if path is None:
                self._data = storage.read(place)
            else:
                self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def text(self, offset: int, length: int) -> bytes | None:
        """The JSON at a place; None if it isn't there, or doesn't have its checksum."""
        try:
            if length == _WHOLE:
                return self._data or (
                    os.pread(self._file, os.fstat(self._file).st_size, 0) if self._file >= 0 else None
                )
            line = os.pread(self._file, length, offset) if self._file >= 0 else self._data[offset : offset + length]
        except OSError:
            return None
        text = line[9:-1]
        return text if line[:9] == b"%08x " % zlib.crc32(text) else None

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _connected(path: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=OFF")  # what a loss of power breaks here is found to be wrong, and made anew
        db.executescript(_SCHEMA)
    except BaseException:
        db.close()
        raise
    return db


def _run_ids(storage: Storage) -> Iterator[str]:
    folder = local_path(storage, "runs/x")
    if folder is None:
        return storage.folders("runs/")
    try:  # a thousand runs: one listing, not one for each
        return iter(os.listdir(os.path.dirname(folder)))
    except OSError:
        return iter(())


def _keyed_lines(data: bytes) -> Iterator[Keyed]:
    """The lines of a segment that answer a cache key."""
    offset = 0
    for line in data.splitlines(keepends=True):
        yield from _keyed(line, offset, len(line))
        offset += len(line)


def _keyed(text: bytes, offset: int, length: int) -> Iterator[Keyed]:
    if b'"outcome":' in text:
        return  # not made here: an answer that was adopted leads to the one that made it
    key, function = _KEY.search(text), _FUNCTION.search(text)
    if key is not None:
        yield key.group(1).decode(), function.group(1).decode() if function is not None else "", offset, length


def _record(text: bytes) -> Record | None:
    try:
        return record_from_json(json.loads(text))
    except (ValueError, TypeError, LookupError, AttributeError):
        return None  # stale, or written by a newer drawloom: the call runs
