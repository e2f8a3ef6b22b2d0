"""Lists that grow in a `try`: what its parts, and what is behind it, may know of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.dsl.splice import Unsure
from drawloom.dsl.staging.lists import changing
from drawloom.dsl.staging.moving import moved_out
from drawloom.dsl.staging.scopes import Outcome
from drawloom.dsl.staging.unbound import read

if TYPE_CHECKING:
    from drawloom.dsl.blocks import OpenBlock
    from drawloom.dsl.tracer import Tracer

__all__ = ["TryLists"]

# Any: lists hold the user's values, or handles over them


class TryLists:
    """The lists that grow in one `try`."""

    def __init__(self) -> None:
        self.grown: dict[int, list[Any]] = {}  # in any part so far
        self.unsure: dict[int, list[Any]] = {}  # those of which a handler can't know whether they have grown
        self.at_last: list[tuple[list[Any], list[Any]]] = []  # what `finally` puts into which

    def end_body(self, block: OpenBlock, outcome: Outcome) -> None:
        """Note what grew in the body, before its block is closed."""
        end = (len(block.nodes), len(block.standing))
        for key, (one, _) in block.lists.items():
            self.grown[key] = one
            if block.grown_at[key] != end:  # behind what grows it last something may fail
                self.unsure[key] = one
        self.note(outcome)
        self.unsure |= {k: one for k, one in self.grown.items() if k not in block.lists}

    def note(self, outcome: Outcome) -> None:
        """Note what grew on the ways out of a part."""
        for left in outcome.values():
            for key, (one, _) in left.lists.items():
                self.grown[key] = one

    def begin_part(self, tracer: Tracer, *, final: bool) -> None:
        """Make the lists unreadable that a part can't know, in the block that was opened for it."""
        for one in (self.grown if final else self.unsure).values():
            changing(tracer, one)
            one.append(Unsure())

    def end_final(self, tracer: Tracer, block: OpenBlock) -> None:
        """Note what `finally` puts into lists, before its block is closed.

        Raises:
            DefinitionError: it is the result of a task in there (D138).
        """
        around = tracer.open_blocks[-2] if len(tracer.open_blocks) > 1 else tracer.root
        for key, (one, before) in block.lists.items():
            start = len(before) + (key in self.grown)
            tail = [read(moved_out(item, block, around), "an item of a list") for item in one[start:]]
            if tail:
                self.at_last.append((one, tail))

    def join(self, outcome: Outcome) -> None:
        """Put what `finally` adds into what the lists hold on every way out."""
        for left in outcome.values():
            for one, tail in self.at_last:
                content = left.lists[id(one)][1] if id(one) in left.lists else list(one)
                left.lists[id(one)] = (one, [*content, *tail])
