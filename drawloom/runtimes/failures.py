"""What has failed in a compiled run, and which failure counts; loaded by a step only where something may have failed.

An engine knows of failed steps, not of what a `try` makes of them. This module reads the marks of failed commits and
the program's layout, and answers as the reference interpreter would. Standard library alone: a step loads this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from drawloom.catalog.records import Commit, Index
from drawloom.ir.slices import Place
from drawloom.ir.sources import INDEX

__all__ = ["Closing", "FailedNodes", "Instance"]

Instance = tuple[str, Index]
_OWN = 1 << 41  # a control node's own failure comes after all in it, `results` steps included


class FailedNodes:
    """The failed commits of a run, seen through its program.

    Args:
        places: node id -> place, of the whole program.
        commits: every commit with outcome `failed`.
        decision: gives what a control node decided, None if it hasn't.
    """

    def __init__(
        self, places: Mapping[str, Place], commits: Iterable[Commit], decision: Callable[[str, Index], int | None]
    ) -> None:
        self._places = places
        self._commits = [c for c in commits if c.node in places]
        self._decision = decision

    def first_in(self, node: str, index: Index, arm: int | None = None) -> Commit | None:
        """The failure that counts for a node instance, or for one block of it: the first in program order.

        Args:
            node: the node's id; "" for the pipeline.
            index: the instance's index vector.
            arm: one of its blocks; None for the whole instance, its own failure included.
        """
        found = [
            c
            for c in self._commits
            if c.index[: len(index)] == index and self._lies_in(c.node, node, arm) and self._counts(c, node, arm)
        ]
        return min(found, key=self._order, default=None)

    def _order(self, commit: Commit) -> tuple[int, ...]:
        place = self._places[commit.node]
        numbers = iter(commit.index)
        position = tuple(next(numbers) if part == INDEX else part for part in place.position)
        return position if place.role in ("call", "results") else (*position, _OWN)

    def _lies_in(self, node: str, outer: str, arm: int | None) -> bool:
        if not outer:
            return True
        if node == outer:
            return arm is None
        while node:
            place = self._places[node]
            if place.parent == outer:
                return arm is None or place.arm == arm
            node = place.parent
        return False

    def _counts(self, commit: Commit, outer: str, arm: int | None) -> bool:
        """Whether a failure gets out of every try up to `outer`, of which only where no arm is asked for."""
        place = self._places[commit.node]
        while place.id != outer and place.parent:
            around = self._places[place.parent]
            asked = around.id != outer or arm is None
            if asked and around.role == "try" and not self._gets_out(place, around, commit.index[: around.depth]):
                return False
            place = around
        return True

    def _gets_out(self, place: Place, around: Place, index: Index) -> bool:
        final = around.arms
        if place.arm == final:
            return True
        if place.arm == 0 and (self._decision(around.id, index) or -1) > 0:
            return False  # a handler took it
        return self.first_in(around.id, index, arm=final) is None  # a failure of `final` replaces it


class Closing:
    """Looks for node instances that should have a commit and have none: their steps were lost.

    What lies behind a failure has no commit by right; it is passed over.

    Args:
        places: node id -> place, of the whole program.
        failed: the failures known.
        outcome: gives a node instance's commit's outcome, "" if it has none.
        decision: gives what a control node decided, None if it hasn't.
    """

    def __init__(
        self,
        places: Mapping[str, Place],
        failed: FailedNodes,
        outcome: Callable[[str, Index], str],
        decision: Callable[[str, Index], int | None],
    ) -> None:
        self._places = places
        self._failed = failed
        self._outcome = outcome
        self._decision = decision
        self._inside: dict[tuple[str, int], list[Place]] = {}
        for place in places.values():
            if place.role != "results":
                self._inside.setdefault((place.parent, place.arm), []).append(place)
        self._bad: set[Instance] = set()
        self.lost: list[Instance] = []
        self.unread: list[Instance] = []  # maps that succeeded, whose lists no step has collected

    def block(self, parent: str, arm: int, index: Index) -> bool:
        """Looks through a block at `index`; returns whether everything in it has succeeded."""
        fine = [self._node(place, index) for place in self._inside.get((parent, arm), ())]
        return all(fine)

    def _node(self, place: Place, index: Index) -> bool:
        fine = self._look(place, index)
        if not fine:
            self._bad.add((place.id, index))
        return fine

    def _look(self, place: Place, index: Index) -> bool:
        if self._is_behind(place, index):  # asked first: what an earlier generation has of it doesn't count
            return False
        outcome = self._outcome(place.id, index)
        if outcome in ("failed", "skipped"):
            return False
        if place.role == "call":
            return bool(outcome) or self._lose(place, index)
        if place.role == "group":
            return self.block(place.id, 0, index)
        if place.role == "loop":
            return self._loop(place, index)
        chosen = self._decision(place.id, index)
        if chosen is None:
            return self._lose(place, index)
        if place.role == "map":
            fine = [self.block(place.id, 0, (*index, k)) for k in range(chosen)]
            if all(fine) and not outcome:
                self.unread.append((place.id, index))
            return all(fine)
        if place.role == "branch":
            return self.block(place.id, chosen, index)
        return self._try(place, index, chosen)

    def _try(self, place: Place, index: Index, chosen: int) -> bool:
        known = len(self.lost)
        for arm in sorted({0, chosen, place.arms} - {-1}):
            self.block(place.id, arm, index)
        return len(self.lost) == known and self._failed.first_in(place.id, index) is None

    def _loop(self, place: Place, index: Index) -> bool:
        k = 0
        while True:
            here = (*index, k)
            if not self.block(place.id, 0, here):
                return False
            tested = self._decision(place.id, here)
            if tested is None:
                return self._lose(place, index)
            if not tested or self._decision(place.id, index) == k:  # its end is written after its last test
                return True
            if not self.block(place.id, 1, here):
                return False
            k += 1

    def _is_behind(self, place: Place, index: Index) -> bool:
        return any((need, index[: self._places[need].depth]) in self._bad for need in place.deps)

    def _lose(self, place: Place, index: Index) -> bool:
        self.lost.append((place.id, index))
        return False
