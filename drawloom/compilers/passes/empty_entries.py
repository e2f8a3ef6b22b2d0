"""Entries of a step plan in which nothing is run: a map of an expression, say. Few engines have a place for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from drawloom.compilers.passes.plan import Entry, Own, Run, While

__all__ = ["is_empty", "without_empty"]


def is_empty(entry: Entry) -> bool:
    """Whether nothing is run in an entry."""
    return not isinstance(entry, (Run, While, Own)) and all(map(is_empty, entry.body))


def without_empty(entries: Sequence[Entry]) -> list[Entry]:
    """The entries that run something; who comes after an empty one comes after what that comes after."""
    instead: dict[str, tuple[str, ...]] = {}
    kept = []
    for entry in entries:
        after = entry.after
        if instead:
            after = tuple(dict.fromkeys(other for one in after for other in instead.get(one, (one,))))
        if is_empty(entry):
            instead[entry.id] = after
        else:
            kept.append(entry if after == entry.after else replace(entry, after=after))
    return kept
