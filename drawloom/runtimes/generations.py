"""Generations: a run that is cleared in part and run again keeps what wasn't cleared.

An engine that starts a cleared step again names the run's next generation. The first step of it to come writes its
record, which says what generation it goes on with (`RunStarted.continues`). A step that begins in it leaves a mark for
its instance; what has none wasn't cleared, and its outcome of the generation before counts, and is copied by whoever
reads it first. Standard library alone: a step loads this module, where its run was cleared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from time import time

from drawloom.catalog import keys
from drawloom.catalog.outcomes import (
    commit_once,
    decide_once,
    failures,
    read_commit,
    read_decision,
    read_started,
    write_started,
)
from drawloom.catalog.records import Commit, Decision, Index, RunStarted
from drawloom.storage.base import Storage

__all__ = [
    "begin_again",
    "earlier_commit",
    "earlier_decision",
    "failures_of_all",
    "latest_started",
    "mark_begun",
    "opened_generation",
]


def latest_started(storage: Storage, run: str) -> RunStarted | None:
    """The record of the latest generation of a run, None if there is no such run."""
    found = read_started(storage, run, 0)
    if found is None:
        return None
    number = 1
    while True:
        later = read_started(storage, run, number)
        if later is not None:
            found = later
        elif not any(part.isdecimal() and int(part) >= number for part in storage.folders(keys.run_prefix(run))):
            return found
        number += 1


def begin_again(latest: RunStarted, made: RunStarted, *, first: bool) -> RunStarted:
    """The record that a begin step writes for a run that there is already; `latest` itself where it only began twice.

    Args:
        latest: the record of the run's latest generation.
        made: what the begin step would write for a new run; `clears` is what the engine has counted.
        first: whether it is the first time that the engine starts this step for its run: then the run that there is
            has been deleted there, and nothing of it counts.
    """
    if first:
        return replace(made, generation=latest.generation + 1)
    if made.clears <= latest.clears:
        return latest
    number = latest.generation + made.clears - latest.clears
    kept = latest.generation if (made.program, made.bundle) == (latest.program, latest.bundle) else None
    return replace(made, generation=number, continues=kept)


def opened_generation(storage: Storage, run: str, generation: int) -> RunStarted | None:
    """The record of a generation that has none yet, made of the latest one before; None if the run never began."""
    latest = latest_started(storage, run)
    if latest is None or latest.generation > generation:
        return None
    if latest.generation == generation:
        return latest
    clears = latest.clears + generation - latest.generation
    made = replace(latest, generation=generation, continues=latest.generation, clears=clears, at=time())
    return write_started(storage, made)


def mark_begun(storage: Storage, run: RunStarted, node: str, index: Index) -> None:
    """Says that an instance is begun anew in this generation, so that none of its earlier outcomes counts."""
    storage.create(keys.restart_key(run.run, run.generation, node, index), b"{}")


def earlier_commit(storage: Storage, run: RunStarted, node: str, index: Index) -> Commit | None:
    """The outcome of an instance that wasn't cleared, of an earlier generation; it is one of this one then.

    What is made of others' outcomes (the list of a map, what a loop carries, the pipeline's result) is made anew.

    Args:
        storage: the project's storage.
        run: the record of this generation.
        node, index: the instance.
    """
    for generation in _kept(storage, run, node, index):
        found = read_commit(storage, run.run, generation, node, index)
        if found is not None:
            if not node or not (found.function or found.outcome in ("failed", "skipped")):
                return None
            return commit_once(storage, replace(found, generation=run.generation))
    return None


def earlier_decision(storage: Storage, run: RunStarted, node: str, index: Index) -> Decision | None:
    """What a control node that wasn't cleared has decided in an earlier generation; it is one of this one then."""
    for generation in _kept(storage, run, node, index):
        found = read_decision(storage, run.run, generation, node, index)
        if found is not None:
            return decide_once(storage, replace(found, generation=run.generation))
    return None


def failures_of_all(storage: Storage, run: RunStarted) -> list[Commit]:
    """The failures of this generation, and those of earlier ones whose instances have not begun anew."""
    found = failures(storage, run.run, run.generation)
    known = {(one.node, one.index) for one in found}
    for started in _chain(storage, run):
        for one in failures(storage, run.run, started.generation):
            place = (one.node, one.index)
            if place not in known and one.node and _counts(storage, run, started.generation, *place):
                known.add(place)
                found.append(one)
    return found


def _counts(storage: Storage, run: RunStarted, generation: int, node: str, index: Index) -> bool:
    """Whether an outcome of an earlier generation is one that no later one has replaced."""
    kept = list(_kept(storage, run, node, index))
    if generation not in kept:
        return False
    later = [run.generation, *(one for one in kept if one > generation)]
    return not any(storage.exists(keys.commit_key(run.run, one, node, index)) for one in later)


def _kept(storage: Storage, run: RunStarted, node: str, index: Index) -> Iterator[int]:
    """The earlier generations whose outcome of an instance may count, the latest first."""
    now = run
    for started in _chain(storage, run):
        if storage.exists(keys.restart_key(now.run, now.generation, node, index)):
            return
        yield started.generation
        now = started


def _chain(storage: Storage, run: RunStarted) -> Iterator[RunStarted]:
    """The records of the generations that this one goes on with, the latest first."""
    while run.continues is not None:
        found = read_started(storage, run.run, run.continues)
        if found is None:  # somebody has removed it
            return
        yield found
        run = found
