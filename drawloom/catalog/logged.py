"""What the calls of a run told: metrics, their series, artifacts, output; each under its node instance."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from drawloom.catalog.facts import Facts
from drawloom.catalog.records import AttemptFinished, Commit, Index
from drawloom.catalog.runlog import read_records
from drawloom.ir.protocol import parse_indices
from drawloom.ir.sources import Source
from drawloom.storage.base import Storage

__all__ = ["LOGGED", "logged_name", "logs_of", "of_instance", "telling", "telling_elsewhere"]

LOGGED = ":"
"""Stands between a node and the name of something it logged; no node's id holds one."""

Telling = Commit | AttemptFinished  # both have `metrics`, `series` and `logged`


def logged_name(node: str, index: Index, name: str) -> str:
    """What something logged is called in its pipeline.

    >>> logged_name("models/train", (3,), "loss")
    'models/train[3]:loss'
    """
    at = f"[{','.join(map(str, index))}]" if index else ""
    return f"{node}{at}{LOGGED}{name}"


def of_instance(facts: Facts, node: str, index: Index) -> Telling | None:
    """The record that tells what a node instance logged: its commit, or else its last attempt; None if nobody tells."""
    commit = facts.commits.get((node, index))
    if commit is not None and commit.outcome != "failed":
        return commit
    return facts.last_failure((node, index))


def telling(facts: Facts, nodes: Collection[str]) -> Iterator[tuple[str, Index, Telling]]:
    """(node, index, record) of every instance of `nodes` that logged something; by node in the order of `nodes`."""
    wanted = {node: place for place, node in enumerate(nodes)}
    places = {place for place in (*facts.commits, *facts.attempts) if place[0] in wanted}
    for node, index in sorted(places, key=lambda place: (wanted[place[0]], place[1])):
        found = of_instance(facts, node, index)
        if found is not None and (found.metrics or found.logged):
            yield node, index, found


def telling_elsewhere(
    storage: Storage, sources: Mapping[str, Source], facts: Facts, calls: Collection[str]
) -> Iterator[tuple[str, Index, Telling]]:
    """As `telling`, of calls in maps that were answered as a whole: from the runs that answered them.

    Args:
        storage: the project's storage.
        sources: node id -> where it lies (`ir.layout`).
        facts: the run's.
        calls: the ids of the calls.
    """
    for (node, index), commit in facts.commits.items():
        inside = [name for name in calls if sources[name].parent == node] if node else []
        if not inside or commit.outcome != "cached" or not commit.source:
            continue
        run, _, text = commit.source
        outer = parse_indices(text)[0]
        for name, at, record in telling(Facts(read_records(storage, run)), inside):
            if at[:-1] == outer:
                yield name, (*index, at[-1]), record


def logs_of(facts: Facts, node: str, wanted: Index | None) -> list[tuple[str, str]]:
    """(title, object) of what a call's attempts printed, in order.

    Args:
        facts: the run's.
        node: the call.
        wanted: only this instance's; None for all.
    """
    found: dict[tuple[Index, int], str] = {}
    for (name, index), attempts in facts.attempts.items():
        if name == node:
            found |= {(index, n): a.log for n, a in attempts.items() if a is not None and a.log}
    for (name, index), commit in facts.commits.items():
        if name == node and commit.log:
            found.setdefault((index, commit.attempt), commit.log)
    return [
        (f"{node}{list(index) if index else ''}, attempt {n}", sha)
        for (index, n), sha in sorted(found.items())
        if wanted is None or index == tuple(wanted)
    ]
