"""The records of one run, sorted by what they are about: one look-up for each question `catalog.state` asks.

Records come in any order and may be doubled (a late attempt, a segment and an object that tell the same). What is kept
depends on the set of records alone: of two that claim the same place the earlier wins, by `at`, then by their own text.
Records of an earlier generation don't count once there is a later one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from drawloom.catalog.records import (
    AttemptFinished,
    AttemptStarted,
    Commit,
    Decision,
    Deployment,
    EngineObservation,
    Index,
    Record,
    RunFinished,
    RunStarted,
    Tag,
    record_to_json,
)
from drawloom.ir.canonical import canonical_json
from drawloom.ir.sources import Source

__all__ = ["Facts", "Instance"]

Instance = tuple[str, Index]  # (node id, index vector)
_Timed = TypeVar("_Timed", RunStarted, RunFinished, AttemptFinished, Commit, Decision)


class Facts:
    """What the records of a run say, by node instance.

    Args:
        records: of one run, in any order; records about no run are passed over.

    Attributes:
        generation: the highest one; all else here is of this one, except `started`.
        started: how the run began: the record of the highest generation that has one; None if there is none.
        finished: how it ended, None if it hasn't, or nobody wrote so.
        first_at: the time of the generation's first record, in seconds since the epoch; 0 if none tells it.
        commits, decisions: one for each node instance.
        attempts: for each node instance, attempt number -> how it ended, None while that isn't known.
        events: for each node instance, (attempt, event) pairs an engine observed.
        observations: all that an engine observed, in no order.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        found = [r for r in records if not isinstance(r, (Deployment, Tag))]
        self.generation = max((r.generation for r in found), default=0)
        self.started: RunStarted | None = None
        self.finished: RunFinished | None = None
        self.commits: dict[Instance, Commit] = {}
        self.decisions: dict[Instance, Decision] = {}
        self.attempts: dict[Instance, dict[int, AttemptFinished | None]] = {}
        self.events: dict[Instance, set[tuple[int, str]]] = {}
        self.observations: list[EngineObservation] = []
        self.first_at = min((r.at for r in found if r.at and r.generation == self.generation), default=0.0)
        for record in found:
            if isinstance(record, RunStarted):
                self._start(record)
            elif record.generation == self.generation:
                self._add(record)

    def _start(self, record: RunStarted) -> None:
        """A run that is cleared and run again may keep the one record of its start."""
        if self.started is None or record.generation > self.started.generation:
            self.started = record
        elif record.generation == self.started.generation:
            self.started = _earlier(self.started, record)

    def _add(self, record: Record) -> None:
        if isinstance(record, RunFinished):
            self.finished = _earlier(self.finished, record)
        elif isinstance(record, Commit):
            place = (record.node, record.index)
            self.commits[place] = _earlier(self.commits.get(place), record)
        elif isinstance(record, Decision):
            place = (record.node, record.index)
            self.decisions[place] = _earlier(self.decisions.get(place), record)
        elif isinstance(record, AttemptStarted):
            self.attempts.setdefault((record.node, record.index), {}).setdefault(record.attempt, None)
        elif isinstance(record, AttemptFinished):
            attempts = self.attempts.setdefault((record.node, record.index), {})
            attempts[record.attempt] = _earlier(attempts.get(record.attempt), record)
        elif isinstance(record, EngineObservation):
            self.observations.append(record)
            if record.event != "refused":
                self._observe(record)

    def _observe(self, record: EngineObservation) -> None:
        self.events.setdefault((record.node, record.index), set()).add((record.attempt, record.event))

    @property
    def empty(self) -> bool:
        """Whether nothing at all is known of the run."""
        return self.started is None and self.finished is None and not any(self.places())

    @property
    def failed(self) -> set[Instance]:
        """Every node instance that has a commit of a failure."""
        return {place for place, commit in self.commits.items() if commit.outcome == "failed"}

    def places(self) -> set[Instance]:
        """Every node instance a record is about."""
        return {*self.commits, *self.decisions, *self.attempts, *self.events}

    def numbers_below(self, sources: Mapping[str, Source]) -> dict[Instance, set[tuple[int, int]]]:
        """For each map and loop instance, what records of nodes in it name: (item or iteration number, arm) pairs.

        Args:
            sources: node id -> its place in the pipeline (`ir.layout.layout`).
        """
        found: dict[Instance, set[tuple[int, int]]] = {}
        for node, index in self.places():
            source = sources.get(node)
            if source is None:
                continue
            if source.kind == "loop" and len(index) == source.depth + 1:  # its test before an iteration
                found.setdefault((node, index[:-1]), set()).add((index[-1], 0))
            while source.parent:
                arm, source = source.arm, sources[source.parent]
                if source.kind in ("map", "loop") and len(index) > source.depth:
                    found.setdefault((source.id, index[: source.depth]), set()).add((index[source.depth], arm))
        return found

    def last_failure(self, place: Instance) -> AttemptFinished | None:
        """The latest ended attempt of a node instance that has no commit, None where no attempt ended."""
        ended = [(n, a) for n, a in self.attempts.get(place, {}).items() if a is not None]
        return max(ended, key=lambda pair: pair[0])[1] if ended else None

    def attempt_count(self, place: Instance) -> int:
        """How many attempts a node instance has had, as far as anybody told."""
        numbers = [*self.attempts.get(place, ())]
        numbers += [attempt for attempt, event in self.events.get(place, ()) if event not in ("skipped", "cancelled")]
        commit = self.commits.get(place)
        if commit is not None and commit.outcome in ("succeeded", "failed"):
            numbers.append(commit.attempt)
        return max(numbers, default=0)

    def seconds(self, place: Instance) -> float:
        """How long the attempts at a node instance took, all together."""
        known = {n: a.seconds for n, a in self.attempts.get(place, {}).items() if a is not None}
        commit = self.commits.get(place)
        if commit is not None and commit.outcome in ("succeeded", "failed"):
            known.setdefault(commit.attempt, commit.seconds)
        return sum(known[n] for n in sorted(known))


def _earlier(one: _Timed | None, other: _Timed) -> _Timed:
    if one is None or one == other:
        return other
    return min(one, other, key=lambda r: (r.at, canonical_json(record_to_json(r))))
