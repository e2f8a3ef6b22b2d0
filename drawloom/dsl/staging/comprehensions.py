"""Comprehensions, and the generators that `any` and `all` are given.

`ops.done(ops.comp("list", ""), [ops.elem(e) for x in ops.each(it) if ops.where(p)])`: the iterators and tests open
blocks, which are closed when the iterator goes on; the list that Python makes itself is of no account.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any

from drawloom.dsl.bounded import Bounded
from drawloom.dsl.handles import Handle
from drawloom.dsl.place import refusal
from drawloom.dsl.splice import Splice
from drawloom.dsl.staging.branches import BranchNode
from drawloom.dsl.staging.for_loops import loop_source
from drawloom.dsl.staging.joins import Side, close_side
from drawloom.dsl.staging.lists import copied, has_splice, made_in
from drawloom.dsl.staging.maps import MapNode
from drawloom.dsl.staging.quantified import Quantifier
from drawloom.dsl.staging.scopes import FALL, Exit, Stage, current_stage
from drawloom.dsl.staging.unpacking import unpack
from drawloom.dsl.staging.values import computed, open_ended, run_time
from drawloom.ir.iterated import iterated_type
from drawloom.ir.types import ANY

__all__ = ["comp", "done", "each", "elem", "known_items", "where"]

# Any: items are the user's values, or handles over them


class _Plain:
    """A comprehension where nothing is traced."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


class Comprehension:
    """A comprehension that is being made.

    Args:
        stage: the stage of the trace.
        kind: `list`, `set`, `dict`.
        hint: what its node is named after.
        place: where it stands.
    """

    def __init__(self, stage: Stage, kind: str, hint: str, place: tuple[CodeType, int]) -> None:
        self.stage = stage
        self.kind = kind
        self.hint = hint
        self.place = place
        self.parts: list[Any] = []
        self.open: list[_OpenMap | _OpenTest] = []

    @property
    def is_open(self) -> bool:
        """Whether what is being made is made for each item of a run, or perhaps not at all."""
        return bool(self.open)

    def name(self, fallback: str) -> str:
        """What the next node is named after: the outermost one after the variable."""
        return self.hint if self.hint and not self.open else fallback

    def where(self, test: Any) -> bool:
        """Whether to go on with an item: of a run-time test, on one side of a branch."""
        value = run_time(self.stage, test)
        if not isinstance(value, Handle):
            return bool(value)
        self.open.append(_OpenTest(self, value))
        return True

    def elem(self, value: Any) -> Any:
        """An item that is made."""
        (self.open[-1].parts if self.open else self.parts).append(value)
        return value

    def add(self, part: Any) -> None:
        """What a block that is closed now has made, to the parts of the one around it."""
        (self.open[-1].parts if self.open else self.parts).append(part)

    def close_to(self, depth: int) -> None:
        """Close the blocks that were opened for an item."""
        while len(self.open) > depth:
            self.open.pop().close()

    def each(self, source: Any, shape: object) -> Iterator[Any]:
        """The items of one `for`."""
        found = loop_source(self.stage, source)
        if isinstance(found, Bounded):
            raise refusal(
                "D142", "`bounded(...)` is used in a comprehension", "use it in a `for` statement, or `range(...)` here"
            )
        depth = len(self.open)
        if not open_ended(found):
            for item in found:
                yield unpack(item, shape)
                self.close_to(depth)
            return
        self.open.append(_OpenMap(self, found))
        yield unpack(self.open[-1].item, shape)  # type: ignore[union-attr]  # it is the map
        self.close_to(depth)

    def done(self) -> Any:
        """The list, set or dict."""
        parts = made_in(self.stage.tracer, self.parts)
        if self.kind == "list":
            return parts
        if has_splice(parts):
            return computed(self.stage, f"as_{self.kind}", parts)
        return set(parts) if self.kind == "set" else made_in(self.stage.tracer, dict(parts))


class _OpenMap:
    """A `for` over a run-time list, its body open."""

    def __init__(self, made: Comprehension, items: Handle) -> None:
        self.made = made
        self.parts: list[Any] = []
        tracer = made.stage.tracer
        name = made.name("for_each")
        node = tracer.named_id(name, *made.place)
        self.map = MapNode(made.stage, node, name, items, iterated_type(items._dl_type) or ANY)
        tracer.open_block(f"{node}/", {})
        self.item = self.map.item()

    def close(self) -> None:
        """Record the map; its list goes into the comprehension around."""
        if self.made.stage.tracer.block.lists:
            raise refusal(
                "D144",
                "a list grows in a comprehension over a run-time list, but it would grow once in any case",
                "write a `for` loop",
            )
        if self.parts:
            result = self.map.parts(self.parts)
            self.map.record()
            self.made.add(Splice(self.map.listed(result)))
        else:
            self.map.record()


class _OpenTest:
    """An `if` on a run-time test, its true side open."""

    def __init__(self, made: Comprehension, test: Handle) -> None:
        self.made = made
        self.parts: list[Any] = []
        self.branch = BranchNode(made.stage, test, made.name("branch"), made.place)
        self.branch.open_side(True)

    def close(self) -> None:
        """Record the branch; what it gives goes into the comprehension around."""
        stage = self.made.stage
        taken = close_side(stage.tracer, {FALL: Exit({"an item": copied(self.parts)})})
        self.branch.open_side(False)
        other = close_side(stage.tracer, {FALL: Exit({"an item": []})})
        joined = self.branch.join([taken, Side(other.block, other.outcome)])
        found = joined[FALL].values["an item"]
        if isinstance(found, Handle):
            self.made.add(Splice(found))


def comp(kind: str, hint: str) -> Any:
    """Begin a comprehension: `list`, `set`, `dict`, or what `any` and `all` are given."""
    stage = current_stage()
    if stage is None:
        return _Plain(kind)
    frame = sys._getframe(1)
    place = (frame.f_code, frame.f_lasti)
    made = Quantifier(stage, kind, hint, place) if kind in ("any", "all") else Comprehension(stage, kind, hint, place)
    stage.comprehensions.append(made)
    return made


def each(source: Any, shape: object) -> Iterator[Any]:
    """The items of one `for` of the comprehension under way."""
    stage = current_stage()
    if stage is None:
        return iter(source)
    found: Iterator[Any] = stage.comprehensions[-1].each(source, shape)
    return found


def where(test: Any) -> bool:
    """One `if` of the comprehension under way."""
    stage = current_stage()
    return bool(test) if stage is None else stage.comprehensions[-1].where(test)


def elem(value: Any) -> Any:
    """The element of the comprehension under way."""
    stage = current_stage()
    return value if stage is None else stage.comprehensions[-1].elem(value)


def done(made: Any, items: list[Any]) -> Any:
    """End a comprehension: what it makes."""
    stage = current_stage()
    if stage is None:
        return items if made.kind in ("list", "any", "all") else set(items) if made.kind == "set" else dict(items)
    stage.comprehensions.pop()
    return made.done()


def known_items(source: Any) -> Any:
    """What a generator runs over, which must be known.

    Raises:
        DefinitionError: it isn't (D149).
    """
    stage = current_stage()
    if stage is not None and open_ended(run_time(stage, source)):
        raise refusal(
            "D149",
            "a generator runs over a run-time value, but its items would be made one by one while a run goes on",
            "write a list: `[... for ...]`",
        )
    return source
