"""Following a run that goes on elsewhere by its records: what the steps have written becomes what progress is told.

A record is one object that is never changed, so each is read once; what is listed again is only the names.
"""

from __future__ import annotations

from typing import Final

from drawloom.catalog import keys
from drawloom.catalog.outcomes import decode_record
from drawloom.catalog.records import (
    AttemptFinished,
    AttemptStarted,
    Commit,
    Decision,
    FailureInfo,
    Index,
    Record,
    RunFinished,
)
from drawloom.ir.layout import layout
from drawloom.ir.nodes import Pipeline
from drawloom.runtimes.progress import Progress
from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.objects import Objects

__all__ = ["Follower"]

_UNKNOWN: Final = FailureInfo("infra", "it is not known why")
_ORDER: Final = {Decision: 0, AttemptStarted: 1, AttemptFinished: 2, Commit: 3, RunFinished: 4}


class Follower:
    """Reads what is new of a run's records, and tells it.

    Args:
        storage: the project's storage.
        run: the run's id.
        pipeline: what is run.
        progress: is told.
    """

    def __init__(self, storage: Storage, run: str, pipeline: Pipeline, progress: Progress) -> None:
        self._storage = storage
        self._objects = Objects(storage)
        self._prefix = keys.run_prefix(run)
        self._progress = progress
        self._kinds = {source.id: source.kind for source in layout(pipeline).values()}
        self._read: set[str] = set()
        self._settled: set[tuple[str, Index]] = set()
        self._failed: dict[tuple[str, Index], AttemptFinished] = {}  # the last one, while no other attempt has begun
        self.finished: RunFinished | None = None

    def look(self) -> None:
        """Tells what is new.

        Raises:
            StoreError: the store can't be read.
        """
        fresh = [key for key in self._storage.keys(self._prefix) if key not in self._read and _is_record(key)]
        found: list[Record] = []
        for key in fresh:
            try:
                found.append(decode_record(self._storage.read(key), f"{self._storage.url}/{key}"))
            except KeyMissing:
                continue
            self._read.add(key)
        for record in sorted(found, key=lambda one: (one.at, _ORDER.get(type(one), 9))):
            self._tell(record)

    def _tell(self, record: Record) -> None:
        if isinstance(record, Commit):
            self._commit(record)
        elif isinstance(record, Decision):
            if record.node in self._kinds:
                self._progress.decided(record.node, record.index, record.value)
        elif isinstance(record, AttemptStarted):
            self._began(record)
        elif isinstance(record, AttemptFinished):
            if record.outcome in ("failed", "timeout"):
                self._failed[record.node, record.index] = record
        elif isinstance(record, RunFinished):
            self.finished = record

    def _began(self, record: AttemptStarted) -> None:
        place = (record.node, record.index)
        if self._kinds.get(record.node) != "call" or place in self._settled:
            return
        failed = self._failed.pop(place, None)
        if failed is not None:
            log = self._log(failed.log)
            self._progress.retrying(*place, failed.attempt, 0.0, failed.failure or _UNKNOWN, log)
        self._progress.started(*place, record.attempt)

    def _commit(self, record: Commit) -> None:
        place = (record.node, record.index)
        is_call = self._kinds.get(record.node) == "call"
        if place in self._settled:
            return
        if record.outcome == "failed":
            name = record.node.partition(":")[0]  # where the results of a block failed: the node that holds it
            self._progress.failed(name, record.index, record.failure or _UNKNOWN, self._log(record.log))
        elif record.outcome == "skipped":
            if record.node in self._kinds:
                self._progress.skipped(*place)
        elif not is_call:  # a list that was collected, the values that a loop carries
            return
        elif record.outcome == "cached":
            self._progress.cached(*place)
        else:
            self._progress.finished(*place, record.seconds, self._log(record.log))
        self._settled.add(place)

    def _log(self, sha: str) -> bytes:
        return self._objects.get(sha) if sha else b""


def _is_record(key: str) -> bool:
    """Marks of failures aren't records, and what an engine observed isn't told: what follows from it is."""
    return key.endswith(".json") and "/failures/" not in key and "/observations/" not in key
