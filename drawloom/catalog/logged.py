"""What the calls of a run logged: metrics, their series, artifacts; each under the node instance it belongs to."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from drawloom.catalog.facts import Facts
from drawloom.catalog.records import AttemptFinished, Commit, Index

__all__ = ["LOGGED", "logged_name", "of_instance", "telling"]

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
