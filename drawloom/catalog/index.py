"""The index: what many runs say, in one SQLite file beside the store, so that lists and versions don't read every run.

It is a projection and never the truth: before each question it catches up with the store, and when it is missing,
broken or of another version it is made anew. It lies in a cache folder, not in the store, because the
store may be an object store and SQLite needs a local disk. Two processes may use it at once: each run is brought in by
one transaction. Where no file can be had (no home folder, a read-only disk), it lives in memory.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from itertools import groupby
from typing import Final, TypeVar

from drawloom.catalog.artifacts import Artifact, Made, Reader, made_by, number, read_by
from drawloom.catalog.facts import Facts
from drawloom.catalog.programs import load_program
from drawloom.catalog.records import ValueRef
from drawloom.catalog.runlog import is_alive, read_records
from drawloom.catalog.state import run_state
from drawloom.errors import Diagnostic, DrawloomError, StoreError
from drawloom.frozen import dataclass
from drawloom.ir.canonical import digest_bytes, digest_json
from drawloom.storage.base import KeyMissing, Storage

__all__ = ["SCHEMA_VERSION", "Index", "RunRow", "index_path"]

T = TypeVar("T")

SCHEMA_VERSION: Final = 1
_BUSY_SECONDS: Final = 30.0
_SETTLED: Final = frozenset({"succeeded", "failed", "cancelled"})
_SCHEMA: Final = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, mark TEXT NOT NULL, pipeline TEXT NOT NULL, state TEXT NOT NULL,
    started_at REAL, finished_at REAL, problem TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE made (
    name TEXT NOT NULL, digest TEXT NOT NULL, at REAL NOT NULL, run TEXT NOT NULL, node TEXT NOT NULL,
    port TEXT NOT NULL, function TEXT NOT NULL, cached INTEGER NOT NULL, ref TEXT NOT NULL
);
CREATE TABLE read (run TEXT NOT NULL, node TEXT NOT NULL, digest TEXT NOT NULL);
CREATE INDEX made_by_name ON made (name);
CREATE INDEX made_by_run ON made (run);
CREATE INDEX read_by_digest ON read (digest);
CREATE INDEX read_by_run ON read (run);
"""


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as the index has it; `problem` says why its records can't be read, "" if they can."""

    id: str
    pipeline: str
    state: str
    started_at: float | None
    finished_at: float | None
    problem: str = ""


def index_path(url: str) -> str | None:
    """Where the index of the project at `url` lies; None if there is no place for it.

    `DRAWLOOM_CACHE` names the folder; else it is `drawloom` in `XDG_CACHE_HOME` or `~/.cache`.
    """
    folder = os.environ.get("DRAWLOOM_CACHE")
    if not folder:
        home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        folder = os.path.join(home, "drawloom")
    if not os.path.isabs(folder):
        folder = os.path.abspath(folder)
    return os.path.join(
        folder, digest_bytes(url.encode("utf-8", "surrogatepass"))[:40], f"index-{SCHEMA_VERSION}.sqlite"
    )


class Index:
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

    def runs(self) -> list[RunRow]:
        """All runs, newest first."""
        order = "ORDER BY started_at IS NULL DESC, started_at DESC, id DESC"
        sql = f"SELECT id, pipeline, state, started_at, finished_at, problem FROM runs {order}"  # noqa: S608  # a constant
        return self._ask(lambda db: [RunRow(*row) for row in db.execute(sql)])

    def names(self) -> list[str]:
        """The names of all artifacts, sorted."""
        return self._ask(lambda db: sorted(name for (name,) in db.execute("SELECT DISTINCT name FROM made")))

    def artifacts(self, names: list[str], tags: Callable[[str], Mapping[str, str]]) -> list[Artifact]:
        """The artifacts of these names, in this order; names that don't exist are left out.

        Args:
            names: which.
            tags: gives, for a name, tag -> value digest.
        """
        return self._ask(lambda db: [a for name in names if (a := _artifact(db, name, tags)) is not None])

    def rebuild(self) -> None:
        """Throws the index away and makes it anew."""
        with self._lock:
            self._drop()
            self._ask(lambda _: None)

    # the file

    def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Catches up, then asks; an index that turns out to be broken is made anew, once."""
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
            _prepare(self._memory)
            yield self._memory
            return
        with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)) as db:
            with suppress(sqlite3.OperationalError):  # two that make the file at once: one of them need not switch
                db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            _prepare(db)
            if not self._checked:
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
        known = {run: (mark, state, problem) for run, mark, state, problem in db.execute(_MARKS)}
        present = set()
        for run, run_keys in groupby(self._storage.keys("runs/"), key=lambda key: key.split("/")[1]):
            present.add(run)
            self._bring(db, run, list(run_keys), known.get(run))
        for run in sorted(known.keys() - present):
            with _transaction(db):
                _forget(db, run)

    def _bring(self, db: sqlite3.Connection, run: str, run_keys: list[str], known: tuple[str, str, str] | None) -> None:
        """Brings one run in, unless the index has it as it is."""
        names = digest_json(run_keys)
        if known is not None and known[0] == names and known[1] in _SETTLED and not known[2]:
            return  # an ended run grows by new files alone
        mark = names
        alive = is_alive(self._storage, run)
        if known is None or known[1] not in _SETTLED or known[2]:
            mark = digest_json([names, [self._size(key) for key in run_keys if key.endswith(".seg")], alive])
            if known is not None and known[0] == mark and not known[2]:
                return
        row, made, read = _project(self._storage, run, alive)
        ended = row.state in _SETTLED and not row.problem
        with _transaction(db):
            _forget(db, run)
            _write(db, row, names if ended else mark, made, read)

    def _size(self, key: str) -> int:
        try:
            return self._storage.size_bytes(key)
        except KeyMissing:
            return 0


_MARKS: Final = "SELECT id, mark, state, problem FROM runs"
_REF_FIELDS: Final = ("digest", "size_bytes", "tree", "object", "type")


def _project(storage: Storage, run: str, alive: bool | None) -> tuple[RunRow, list[Made], set[tuple[str, str]]]:
    """A run's rows: the run, what it made, and the (node, digest) pairs it read."""
    try:
        facts = Facts(read_records(storage, run))
        started = facts.started
        if started is None:
            return RunRow(run, "", "pending", None, None, "it has no record of its start"), [], set()
        pipeline = load_program(storage, started.program).pipeline
    except DrawloomError as problem:
        return RunRow(run, "", "pending", None, None, str(problem)), [], set()
    found = run_state(pipeline, facts, alive=alive)
    row = RunRow(run, started.pipeline, found.state, found.started_at, found.finished_at)
    return row, list(made_by(started, facts)), read_by(facts)


def _prepare(db: sqlite3.Connection) -> None:
    """Makes the tables, in a new file; refuses one of another version."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == SCHEMA_VERSION:
        return
    if version != 0:
        raise sqlite3.DatabaseError(f"schema version {version}")
    with _transaction(db):
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:  # else another process was quicker
            for statement in _SCHEMA.strip().split(";\n"):
                db.execute(statement.removesuffix(";"))
            db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def _check(db: sqlite3.Connection) -> None:
    (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _forget(db: sqlite3.Connection, run: str) -> None:
    db.execute("DELETE FROM runs WHERE id = ?", (run,))
    db.execute("DELETE FROM made WHERE run = ?", (run,))
    db.execute("DELETE FROM read WHERE run = ?", (run,))


def _write(db: sqlite3.Connection, row: RunRow, mark: str, made: list[Made], read: set[tuple[str, str]]) -> None:
    db.execute(
        "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)",
        (row.id, mark, row.pipeline, row.state, row.started_at, row.finished_at, row.problem),
    )
    db.executemany(
        "INSERT INTO made VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (m.name, m.ref.digest, m.at, m.run, m.node, m.port, m.function, int(m.cached), _ref_text(m.ref))
            for m in made
        ],
    )
    db.executemany("INSERT INTO read VALUES (?, ?, ?)", [(row.id, node, digest) for node, digest in sorted(read)])


def _ref_text(ref: ValueRef) -> str:
    return json.dumps([getattr(ref, name) for name in _REF_FIELDS], separators=(",", ":"))


def _artifact(db: sqlite3.Connection, name: str, tags: Callable[[str], Mapping[str, str]]) -> Artifact | None:
    rows = db.execute("SELECT run, node, port, ref, function, at, cached FROM made WHERE name = ?", (name,)).fetchall()
    if not rows:
        return None
    made = [
        Made(name, run, node, port, ValueRef(*json.loads(ref)), function, at, bool(cached))
        for run, node, port, ref, function, at, cached in rows
    ]
    readers = {digest: _readers(db, digest) for digest in sorted({m.ref.digest for m in made})}
    return Artifact(name, number(made, readers, tags(name)))


def _readers(db: sqlite3.Connection, digest: str) -> tuple[Reader, ...]:
    sql = "SELECT run, node FROM read WHERE digest = ? ORDER BY run, node"
    return tuple(Reader(run, node) for run, node in db.execute(sql, (digest,)))


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
