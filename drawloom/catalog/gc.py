"""Garbage collection: removes runs nobody wants to keep, then whatever nothing refers to any more.

What is reachable is found from the records of the runs that stay, tags and deployments, and generously: every text in
them that looks like a digest counts, so that a field which only a newer drawloom knows still keeps what it names. It is
safe beside runs that go on, because whatever is younger than the grace stays, and who relies on something older renews
it (`Storage.renew`). It is safe to be killed: a run goes before its objects, and what answers from an object before it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from drawloom.catalog import keys
from drawloom.catalog.checkpoints import remove_checkpoints
from drawloom.catalog.queries import RunRow, all_runs
from drawloom.catalog.reach import Reach, digest_of_key
from drawloom.catalog.runlog import is_alive
from drawloom.errors import Diagnostic, Span, StoreError
from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.prefixed import local_path

if TYPE_CHECKING:
    from drawloom.catalog.catalog import Catalog

__all__ = ["GRACE_SECONDS", "KINDS", "Collected", "collect"]

GRACE_SECONDS: Final = 24 * 3600.0
KINDS: Final[tuple[str, ...]] = (
    "runs",
    "cache entries",
    "objects",
    "programs",
    "functions",
    "environments",
    "bundles",
    "checkpoints",
    "quarantined objects",
)
_ENDED: Final = frozenset({"succeeded", "failed", "cancelled"})
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Collected:
    """What garbage collection removed, or would remove.

    Args:
        dry_run: whether it only looked.
        runs: the ids of the runs, newest first.
        counts: kind of thing -> how many; the kinds are `KINDS`.
        sizes_bytes: kind of thing -> bytes.
        kept_runs: how many runs stay.
    """

    dry_run: bool
    runs: tuple[str, ...]
    counts: dict[str, int] = field(default_factory=dict)
    sizes_bytes: dict[str, int] = field(default_factory=dict)
    kept_runs: int = 0

    @property
    def size_bytes(self) -> int:
        """All bytes together."""
        return sum(self.sizes_bytes.values())


def collect(
    catalog: Catalog,
    *,
    keep_runs: int | None = None,
    older_than_seconds: float | None = None,
    grace_seconds: float = GRACE_SECONDS,
    dry_run: bool = False,
) -> Collected:
    """Removes runs and what nothing refers to; `Catalog.gc` says what the arguments mean.

    Raises:
        StoreError: S485, an argument can't be; S486, the records of a run can't be read, so nobody knows what it needs.
    """
    if min(keep_runs or 0, older_than_seconds or 0.0, grace_seconds) < 0:
        raise StoreError(_negative())
    return _Collection(catalog, grace_seconds, dry_run).run(keep_runs, older_than_seconds)


class _Collection:
    def __init__(self, catalog: Catalog, grace_seconds: float, dry_run: bool) -> None:
        self._catalog = catalog
        self._storage = catalog.storage
        self._dry_run = dry_run
        self._now = time.time() if dry_run else _now(self._storage)
        self._limit = self._now - grace_seconds
        self._reach = Reach(self._storage)
        self._counts: dict[str, int] = dict.fromkeys(KINDS, 0)
        self._sizes: dict[str, int] = dict.fromkeys(KINDS, 0)

    def run(self, keep_runs: int | None, older_than_seconds: float | None) -> Collected:
        rows = self._catalog.index.ask(all_runs)
        broken = [row for row in rows if row.problem and self._storage.exists(keys.run_key(row.id))]
        if broken:
            raise StoreError([_unreadable(row, self._storage.url) for row in broken[:_SHOWN]])
        going = self._going(rows, keep_runs, older_than_seconds)
        self._reach_from([row.id for row in rows if row.id not in going], going)
        kept = [row for row in rows if row.id not in going]
        self._reach.add_documents(("tags/", "deployments/"))
        for run in sorted(going):
            self._remove_run(run)
        self._remove("cache entries", self._doomed_entries())
        self._remove("objects", (k for k in self._storage.keys("objects/") if digest_of_key(k) not in self._reach))
        self._remove_documents()
        running = [row.started_at or 0.0 for row in kept if row.state not in _ENDED]
        self._add(
            "checkpoints", remove_checkpoints(self._storage, self._now, min(running, default=None), self._dry_run)
        )
        self._remove("quarantined objects", self._storage.keys("quarantine/"))
        if not self._dry_run:
            self._catalog.objects.forget()
        ids = tuple([row.id for row in rows if row.id in going] + sorted(going - {row.id for row in rows}))
        return Collected(self._dry_run, ids, self._counts, self._sizes, len(kept))

    # runs

    def _going(self, rows: list[RunRow], keep_runs: int | None, older_than_seconds: float | None) -> set[str]:
        """The ids of the runs that go: ended, out of every bound that was given, and neither tagged nor deployed."""
        known = {row.id for row in rows if not row.problem}  # what never began is no run: the index may leave it out
        leftover = {run for run in self._storage.folders("runs/") if run not in known and self._is_leftover(run)}
        if keep_runs is None and older_than_seconds is None:
            return leftover
        wanted: set[str] = set()
        newest: dict[str, int] = {}
        for row in rows:
            newest[row.pipeline] = newest.get(row.pipeline, 0) + 1
            ended_at = row.finished_at or row.started_at or self._now
            spared = row.problem or row.state not in _ENDED or ended_at > self._limit
            beyond = keep_runs is None or newest[row.pipeline] > keep_runs
            old = older_than_seconds is None or ended_at < self._now - older_than_seconds
            if not spared and beyond and old:
                wanted.add(row.id)
        return leftover | (wanted - self._protected(wanted))

    def _reach_from(self, kept: list[str], going: set[str]) -> None:
        """Reads the runs that stay; a run that answered one of them stays as well, and is taken out of `going`.

        It has what the run that was answered didn't write again: the items of a map, logs, and the answers themselves.
        """
        while kept:
            self._reach.add_run(kept.pop())
            answering = self._reach.sources & going
            going -= answering
            kept += answering

    def _protected(self, wanted: set[str]) -> set[str]:
        found = self._tagged_runs() if wanted else set()
        deployed = self._reach.deployed_programs()
        if deployed:
            found |= {run for run in wanted if self._catalog.run(run).record.program in deployed}
        return found

    def _tagged_runs(self) -> set[str]:
        """The runs that made what has a tag, and the one that made it first where all others were answered by it."""
        if not next(iter(self._storage.folders("tags/")), None):
            return set()
        found = set()
        for artifact in self._catalog.artifacts():
            for version in artifact.versions:
                if version.tags:
                    found |= {version.made.run, version.latest_run}
        return found

    def _is_leftover(self, run: str) -> bool:
        """Whether a run without a beginning was left by a killed writer, or by this, and nobody is at it."""
        if self._storage.exists(keys.run_key(run)) or is_alive(self._storage, run):
            return False
        return all(self._is_old(key) for key in self._storage.keys(keys.run_prefix(run)))

    def _remove_run(self, run: str) -> None:
        """Its beginning goes first: what is left of a run that was half removed is no run, and goes with the next."""
        start = keys.run_key(run)
        found = list(self._storage.keys(keys.run_prefix(run)))
        found.sort(key=lambda key: key != start)
        size = sum(self._size(key) for key in found)
        self._add("runs", [(run, size)])
        if not self._dry_run:
            for key in found:
                self._storage.delete(key)
            _remove_empty_folders(self._storage, keys.run_prefix(run))

    # the rest

    def _doomed_entries(self) -> list[str]:
        """The cache entries that no run that stays has used, or whose values won't all be there.

        What the others name stays, too: their functions and environments.
        """
        doomed = []
        for key in self._storage.keys("cache/"):
            try:
                data = self._storage.read(key)
            except KeyMissing:
                continue
            if digest_of_key(key) in self._reach and self._reach.answers(data):
                self._reach.add_text(data)
            else:
                doomed.append(key)
        return doomed

    def _remove_documents(self) -> None:
        """Programs, functions, environments and bundles; those kept keep others: a program names its functions."""
        programs = list(self._storage.folders("programs/"))
        for program in programs:
            if program in self._reach or not self._is_old(keys.pipeline_key(program)):
                self._reach.add_documents((f"programs/{program}/",))
        for program in programs:
            if program in self._reach or not self._is_old(keys.pipeline_key(program)):
                continue
            found = list(self._storage.keys(f"programs/{program}/"))
            found.sort(key=lambda key: key != keys.pipeline_key(program))  # a program that can be found is whole
            self._add("programs", [(program, sum(self._size(key) for key in found))])
            if not self._dry_run:
                for key in found:
                    self._storage.delete(key)
                _remove_empty_folders(self._storage, f"programs/{program}/")
        for kind in ("functions", "environments", "bundles"):
            self._remove(kind, (k for k in self._storage.keys(f"{kind}/") if digest_of_key(k) not in self._reach))

    def _remove(self, kind: str, found: Iterable[str]) -> None:
        """Removes what is old enough; its age is looked at last, because somebody may have renewed it."""
        for key in found:
            with suppress(KeyMissing):
                size = self._storage.size_bytes(key)
                if self._storage.modified_at(key) < self._limit:
                    if not self._dry_run:
                        self._storage.delete(key)
                    self._add(kind, [(key, size)])

    def _is_old(self, key: str) -> bool:
        try:
            return self._storage.modified_at(key) < self._limit
        except KeyMissing:
            return True

    def _size(self, key: str) -> int:
        try:
            return self._storage.size_bytes(key)
        except KeyMissing:
            return 0

    def _add(self, kind: str, found: Iterable[tuple[str, int]]) -> None:
        for _, size in found:
            self._counts[kind] += 1
            self._sizes[kind] += size


def _now(storage: Storage) -> float:
    """The time by the store's own clock, which is what the age of things in it counts by."""
    key = "gc/clock"
    storage.write(key, b"")
    try:
        return storage.modified_at(key)
    finally:
        storage.delete(key)


def _remove_empty_folders(storage: Storage, prefix: str) -> None:
    """Folders of a local store that hold nothing any more; a file somebody puts there meanwhile keeps them."""
    path = local_path(storage, f"{prefix}x")
    if path is None:
        return
    for folder, _, _ in os.walk(os.path.dirname(path), topdown=False):
        with suppress(OSError):
            os.rmdir(folder)


def _negative() -> Diagnostic:
    return Diagnostic("S485", "a number of runs or a time to keep is negative", None, "give 0 or more")


def _unreadable(row: RunRow, url: str) -> Diagnostic:
    return Diagnostic(
        code="S486",
        what=f"nothing was removed: what run {row.id} refers to can't be read ({row.problem.splitlines()[0]})",
        where=Span(f"{url}/{keys.run_prefix(row.id)}", 0),
        fix="restore the run's records from a copy of the store, or remove the run's folder; then collect again",
    )
