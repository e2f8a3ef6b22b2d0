"""The index: what many runs say, in one SQLite file beside the store, so that lists and versions don't read every run.

It is a projection and never the truth: before each question it catches up with the store, and when it is missing,
broken or of another version it is made anew. It lies in a cache folder, not in the store, because the
store may be an object store and SQLite needs a local disk. Two processes may use it at once: each run is brought in
whole or not at all. Where no file can be had (no home folder, a read-only disk), it lives in memory.

Catching up reads no run again that is over: in a folder, the times of a run's folders tell that nothing was added to
it; on an object store, the names of its objects do.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import groupby
from typing import Final, TypeVar

from drawloom.catalog.cache_folder import cache_folder
from drawloom.catalog.index_schema import SCHEMA_VERSION, forget, prepare, transaction, write_run_rows, write_tag
from drawloom.catalog.keys import run_prefix
from drawloom.catalog.outcomes import decode_record
from drawloom.catalog.projection import Programs, Projection, project
from drawloom.catalog.records import Tag
from drawloom.catalog.runlog import is_alive
from drawloom.errors import Diagnostic, StoreError
from drawloom.ir.canonical import digest_json
from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.prefixed import local_path
from drawloom.storage.problems import is_key

__all__ = ["SCHEMA_VERSION", "Index", "index_path"]

T = TypeVar("T")

_BUSY_SECONDS: Final = 30.0
_SETTLED: Final = frozenset({"succeeded", "failed", "cancelled"})
_CHECKED_BYTES: Final = 8_000_000
_AT_ONCE: Final = 64  # runs brought in by one transaction: each ends with a write to the disk
# A folder's time is as coarse as the kernel's clock (NFS: a second): one this young may still change and not show it.
_YOUNG_SECONDS: Final = 2.0


def index_path(url: str) -> str | None:
    """Where the index of the project at `url` lies (`cache_folder`); None if there is no place for it."""
    folder = cache_folder(url)
    return None if folder is None else os.path.join(folder, f"index-{SCHEMA_VERSION}.sqlite")


class Index:  # over 150 lines: the life of one file, from making it to making it again
    """The index of one project.

    Args:
        storage: the project's storage.
        path: the file; None keeps the index in memory.
    """

    def __init__(self, storage: Storage, path: str | None) -> None:
        self._storage = storage
        self._path = path
        self._memory: sqlite3.Connection | None = None
        self._lock = threading.RLock()
        self._checked = False
        self._programs = Programs(storage)

    def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Catches up, then asks; an index that turns out to be broken is made anew, once.

        Args:
            question: reads what it wants to know (`catalog.queries`); it may be asked twice.

        Raises:
            StoreError: the store can't be read, or S459: another process has had the index locked for too long.
        """
        with self._lock:
            try:
                return self._try(question)
            except sqlite3.DatabaseError as error:
                if _is_busy(error):
                    raise StoreError(_busy(self._path or "")) from error
            self._drop()
            try:
                return self._try(question)
            except sqlite3.DatabaseError as error:
                if self._path is None or _is_busy(error):
                    raise
            self._path = None  # the place is no good: a full disk, a folder nobody may write to
            return self._try(question)

    def rebuild(self) -> None:
        """Throws the index away and makes it anew."""
        with self._lock:
            self._drop()
            self.ask(lambda _: None)

    # the file

    def _try(self, question: Callable[[sqlite3.Connection], T]) -> T:
        with self._connected() as db:
            self._catch_up(db)
            return question(db)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection for one question; they are cheap, and one kept open would outlive a deleted file."""
        if self._path is not None and not self._make_folder(self._path):
            self._path = None
        if self._path is None:
            if self._memory is None:
                self._memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            prepare(self._memory)
            yield self._memory
            return
        with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)) as db:
            with suppress(sqlite3.OperationalError):  # two that make the file at once: one of them need not switch
                db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            prepare(db)
            if not self._checked:
                # of a larger one, a broken page is met when it is read: looking at all of them takes 5 ms a megabyte
                with suppress(FileNotFoundError):  # deleted since: the next question makes another
                    if os.stat(self._path).st_size < _CHECKED_BYTES:
                        _check(db)
                    self._checked = True
            yield db

    def _make_folder(self, path: str) -> bool:
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        except OSError:
            return False
        return True

    def _drop(self) -> None:
        self._checked = False
        if self._memory is not None:
            self._memory.close()
            self._memory = None
        if self._path is not None:
            for suffix in ("", "-wal", "-shm"):
                with suppress(OSError):
                    os.unlink(self._path + suffix)

    def __del__(self) -> None:
        memory = getattr(self, "_memory", None)
        if memory is not None:
            memory.close()

    # catching up

    def _catch_up(self, db: sqlite3.Connection) -> None:
        known = {row[0]: row[1:] for row in db.execute("SELECT id, mark, stamp, state, problem FROM runs")}
        present: set[str] = set()
        waiting: list[tuple[Projection, str, str]] = []
        renewed: list[tuple[str, str]] = []
        for run, stamp, keys in self._changed(known, present):
            brought = self._bring(run, keys, known.get(run))
            if brought is not None:
                waiting.append((*brought, stamp))
            elif stamp and run in known and known[run][1] != stamp:
                renewed.append((stamp, run))
            if len(waiting) == _AT_ONCE:
                _write(db, waiting)
                waiting = []
        gone = sorted(known.keys() - present)
        if waiting or gone or renewed:
            with transaction(db):
                _write_all(db, waiting)
                for run in gone:
                    forget(db, run)
                db.executemany("UPDATE runs SET stamp = ? WHERE id = ?", renewed)
        self._catch_up_with_tags(db)

    def _changed(
        self, known: dict[str, tuple[str, str, str, str]], present: set[str]
    ) -> Iterator[tuple[str, str, list[str]]]:
        """(run, stamp, keys) of each run that may have changed; all runs there are are added to `present`."""
        inside = local_path(self._storage, "runs/x")
        if inside is None:
            for run, found in groupby(self._storage.keys("runs/"), key=lambda key: key.split("/")[1]):
                present.add(run)
                yield run, "", list(found)
            return
        folder = os.path.dirname(inside)
        for run in _folders(folder):
            at = f"{folder}/{run}"
            if run in known:
                _, stamp, state, problem = known[run]
                if stamp and state in _SETTLED and not problem and _stamp_holds(at, stamp):
                    present.add(run)
                    continue
            began = time.time()
            stamp = _stamp(at, began - _YOUNG_SECONDS)
            keys = list(self._storage.keys(run_prefix(run)))
            if keys:
                present.add(run)
                yield run, stamp, keys

    def _bring(
        self, run: str, keys: list[str], known: tuple[str, str, str, str] | None
    ) -> tuple[Projection, str] | None:
        """Reads one run, unless the index has it as it is; returns its rows and its mark."""
        names = digest_json(keys)
        settled = known is not None and known[2] in _SETTLED and not known[3]
        if known is not None and settled and known[0] == names:
            return None  # an ended run grows by new files alone
        mark = names
        alive = is_alive(self._storage, run)
        if not settled:
            mark = digest_json([names, [self._size(key) for key in keys if key.endswith(".seg")], alive])
            if known is not None and known[0] == mark and not known[3]:
                return None
        found = project(self._storage, run, alive, self._programs)
        if found is None:
            return None
        return found, names if found.state in _SETTLED and not found.problem else mark

    def _size(self, key: str) -> int:
        try:
            return self._storage.size_bytes(key)
        except KeyMissing:
            return 0

    def _catch_up_with_tags(self, db: sqlite3.Connection) -> None:
        """A record of a tag never changes: what is new is read, what is gone forgotten."""
        known = {key for (key,) in db.execute("SELECT key FROM tags")}
        present = set(self._storage.keys("tags/"))
        if known == present:
            return
        found: list[tuple[str, Tag]] = []
        for key in sorted(present - known):
            with suppress(KeyMissing):  # taken away between listing and reading
                try:
                    record = decode_record(self._storage.read(key), f"{self._storage.url}/{key}")
                except StoreError:  # told to who asks for that artifact's tags (`queries.unread_tags`)
                    record = Tag("", "", "")
                if isinstance(record, Tag):
                    found.append((key, record))
        with transaction(db):
            db.executemany("DELETE FROM tags WHERE key = ?", [(key,) for key in sorted(known - present)])
            for key, record in found:
                write_tag(db, key, record)


def _write(db: sqlite3.Connection, waiting: list[tuple[Projection, str, str]]) -> None:
    with transaction(db):
        _write_all(db, waiting)


def _write_all(db: sqlite3.Connection, waiting: list[tuple[Projection, str, str]]) -> None:
    for found, mark, stamp in waiting:
        write_run_rows(db, found, mark, stamp)


def _folders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if is_key(entry.name) and entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _stamp(folder: str, before: float) -> str:
    """The times of a run's folders, which change when anything is added; "" if one of them isn't `before` that time."""
    found: list[tuple[str, int]] = []
    waiting = [""]
    try:
        while waiting:
            inside = waiting.pop()
            path = f"{folder}/{inside}"
            changed = os.stat(path).st_mtime_ns
            if changed >= before * 1e9:
                return ""
            found.append((inside, changed))
            with os.scandir(path) as entries:
                waiting += [f"{inside}{entry.name}/" for entry in entries if entry.is_dir()]
    except OSError:
        return ""
    return json.dumps(found)


def _stamp_holds(folder: str, stamp: str) -> bool:
    try:
        return all(os.stat(f"{folder}/{inside}").st_mtime_ns == changed for inside, changed in json.loads(stamp))
    except OSError:
        return False


def _check(db: sqlite3.Connection) -> None:
    (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)


def _is_busy(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _busy(path: str) -> Diagnostic:
    return Diagnostic(
        code="S459",
        what=f"the index {path} has been locked by another process for {_BUSY_SECONDS:.0f} s",
        where=None,
        fix="wait for that process, or delete the file: the index is made anew from the store",
    )
