"""Following a run that goes on elsewhere by its records: what the steps have written becomes what progress is told.

A record is one object that is never changed, so each is read once; what is listed again is only the names. What counts
are the records of the latest generation (`runtimes.generations`), as everywhere: where one begins, so does progress.
"""

from __future__ import annotations

from typing import Final

from drawloom.catalog import keys
from drawloom.catalog.outcomes import decode_record
from drawloom.catalog.programs import load_program
from drawloom.catalog.records import (
    AttemptFinished,
    AttemptStarted,
    Commit,
    Decision,
    Deployment,
    EngineObservation,
    FailureInfo,
    Index,
    RunFinished,
    RunStarted,
    Tag,
)
from drawloom.ir.layout import layout
from drawloom.ir.nodes import Pipeline
from drawloom.runtimes.progress import Progress
from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.objects import Objects

__all__ = ["Follower"]

_OfRun = RunStarted | RunFinished | AttemptStarted | AttemptFinished | EngineObservation | Commit | Decision
_UNKNOWN: Final = FailureInfo("infra", "it is not known why")
_ORDER: Final = {Decision: 0, AttemptStarted: 1, AttemptFinished: 2, Commit: 3, RunFinished: 4}


class Follower:
    """Reads what is new of a run's records, and tells it.

    Args:
        storage: the project's storage.
        run: the run's id.
        program: the digest of what is run, as far as that is known.
        generation: the latest generation, as far as that is known.
        progress: is told; that the run begins, too.

    Raises:
        StoreError: the program can't be read.
    """

    def __init__(self, storage: Storage, run: str, program: str, generation: int, progress: Progress) -> None:
        self._storage = storage
        self._objects = Objects(storage)
        self._run = run
        self._progress = progress
        self._read: set[str] = set()
        self._begin(load_program(storage, program).pipeline, generation)

    def _begin(self, pipeline: Pipeline, generation: int) -> None:
        self._pipeline = pipeline
        self._generation = generation
        self._kinds = {source.id: source.kind for source in layout(pipeline).values()}
        self._settled: set[tuple[str, Index]] = set()
        self._failed: dict[tuple[str, Index], AttemptFinished] = {}  # the last one, while no other attempt has begun
        self._progress.begun(self._run, pipeline)

    def look(self) -> None:
        """Tells what is new.

        Raises:
            StoreError: the store can't be read.
        """
        found = self._fresh()
        latest = max((record.generation for record in found), default=self._generation)
        if latest > self._generation:
            self._go_on_with(latest, found)
        for record in sorted(found, key=lambda one: (one.at, _ORDER.get(type(one), 9))):
            if record.generation == self._generation:
                self._tell(record)

    def _fresh(self) -> list[_OfRun]:
        prefix = keys.run_prefix(self._run)
        fresh = [key for key in self._storage.keys(prefix) if key not in self._read and _is_record(key)]
        found: list[_OfRun] = []
        for key in fresh:
            try:
                record = decode_record(self._storage.read(key), f"{self._storage.url}/{key}")
            except KeyMissing:
                continue
            self._read.add(key)
            if not isinstance(record, (Deployment, Tag)):  # they never lie under a run
                found.append(record)
        return found

    def _go_on_with(self, generation: int, found: list[_OfRun]) -> None:
        """The run was cleared: what it is now may be another program."""
        pipeline = self._pipeline
        for record in found:
            if isinstance(record, RunStarted) and record.generation == generation:
                pipeline = load_program(self._storage, record.program).pipeline
        self._begin(pipeline, generation)

    def _tell(self, record: _OfRun) -> None:
        if isinstance(record, Commit):
            self._commit(record)
        elif isinstance(record, Decision):
            if record.node in self._kinds:
                self._progress.decided(record.node, record.index, record.value)
        elif isinstance(record, AttemptStarted):
            self._began(record)
        elif isinstance(record, AttemptFinished) and record.outcome in ("failed", "timeout"):
            self._failed[record.node, record.index] = record

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
    """Marks aren't records, and what an engine observed isn't told: what follows from it is."""
    return key.endswith(".json") and not keys.is_mark(key) and "/observations/" not in key
