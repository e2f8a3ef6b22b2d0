"""Joining: several sides that were recorded become one control node, whose results are what the names are after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from drawloom.dsl.constants import holds_handle, value_type
from drawloom.dsl.handles import Effect, Handle
from drawloom.dsl.splice import Splice, Unsure
from drawloom.dsl.staging.lists import Kept, common_start, contents, plain, restore
from drawloom.dsl.staging.scopes import ELSE, FALL, UNBOUND, Exit, Label, Outcome
from drawloom.dsl.staging.unbound import Unreadable, is_readable, maybe_unbound, read, unjoinable
from drawloom.dsl.standing import recorded_block
from drawloom.errors import DefinitionError
from drawloom.ir.assign import union_of
from drawloom.ir.narrow import narrowed, told_by
from drawloom.ir.nodes import Block, Node
from drawloom.ir.operands import Apply, Const, Operand, Output
from drawloom.ir.tasks import Port
from drawloom.ir.types import BOOL, NEVER, NONE, Type

if TYPE_CHECKING:
    from drawloom.dsl.blocks import OpenBlock
    from drawloom.dsl.tracer import Tracer

__all__ = ["UNSET", "Ports", "Side", "close_side", "join_sides", "operand_of", "spliced"]

# Any: names hold the user's values, or handles over them

UNSET = Apply("unset", ())
_TRUE, _FALSE = Const("true"), Const("false")
_TOLD = ((_TRUE, _FALSE), (_FALSE, _TRUE))
_EMPTY = Const("[]")  # a list of nothing is a list of anything
_ABSENT = object()  # of a side that doesn't take this way out


class Side:
    """A block that was recorded and closed, and what it ended in."""

    __slots__ = ("block", "outcome")

    def __init__(self, block: OpenBlock, outcome: Outcome) -> None:
        self.block = block
        self.outcome = outcome


def close_side(tracer: Tracer, outcome: Outcome) -> Side:
    """End the innermost block, which came to `outcome`; the lists that changed in it are put back."""
    block = tracer.block
    for label in (FALL, ELSE):
        falls = outcome.get(label)
        if falls is not None:
            falls.lists = contents(block) | falls.lists
            if block.lists:
                _keep_lists(falls, block)
    for left in outcome.values():  # a list that was made in here is nobody's outside
        for key in block.born:
            left.lists.pop(key, None)
    restore(block)
    tracer.close_block()
    return Side(block, outcome)


def _keep_lists(falls: Exit, block: OpenBlock) -> None:
    for name, value in falls.values.items():
        if type(value) is list and id(value) in block.lists:
            falls.values[name] = Kept(value)


def operand_of(tracer: Tracer, value: Any, what: str) -> tuple[Operand, Type]:
    """The operand and the type of a value that leaves a side."""
    if isinstance(value, Kept):
        value = value.content
    value = read(value, what.strip("`"))
    if isinstance(value, Effect):
        return Const("null"), NONE
    return tracer.operand(value, what), value_type(value)


class Ports:
    """The results of a control node that is being joined: for each, one operand of every side.

    Args:
        tracer: the trace.
        node: the control node's id.
        blocks: the sides' blocks, open while this is filled.
        test: what decides between two sides, where that is an operand: their `true` and `false` needn't be results.
    """

    def __init__(self, tracer: Tracer, node: str, blocks: Sequence[OpenBlock], test: Operand | None) -> None:
        self.tracer = tracer
        self.node = node
        self.blocks = blocks
        self.test = test
        self.found: dict[tuple[Operand, ...], Type] = {}

    def add(self, parts: Sequence[tuple[Operand, Type]]) -> Slot | Handle:
        """A place for a result: the same for the same operands; or the test that already tells it."""
        key = tuple(operand for operand, _ in parts)
        if self.test is not None and key in _TOLD:
            operand = self.test if key == _TOLD[0] else Apply("not", (self.test,))
            return Handle(self.tracer.block, operand, BOOL)
        known = self.found.get(key)
        types = [type_ for operand, type_ in parts if type_ != NEVER and operand != _EMPTY]
        types = types or [type_ for _, type_ in parts]
        self.found[key] = union_of([*([known] if known is not None else []), *types])
        return Slot(self, key)

    def merged(self, name: str, values: Sequence[Any]) -> Any:
        """What a name is after the join: one of the sides' values if they are the same, else a result."""
        given = [v for v in values if v is not _ABSENT]
        if not all(is_readable(v) for v in given):
            return self._unreadable(given)
        grown = any(id(plain(given[0])) in block.lists for block in self.blocks)
        if grown and all(plain(v) is plain(given[0]) for v in given):
            return plain(given[0])  # a list that grew: it is still that list, and has what `content` tells
        if all(_same(v, given[0]) for v in given[1:]) and not self._told_inside(given[0], values):
            return plain(given[0])
        if all(type(v) is tuple and len(v) == len(given[0]) for v in given):
            return self._merged_tuple(name, values, len(given[0]))
        try:
            return self.add(self._parts(name, values))
        except DefinitionError as error:
            return unjoinable(error)

    def _merged_tuple(self, name: str, values: Sequence[Any], size: int) -> Any:
        """A tuple of so many items on every side, item by item: `(a, b) if test else (c, d)` gives two results."""
        parts = [self.merged(name, [v if v is _ABSENT else v[i] for v in values]) for i in range(size)]
        return next((part for part in parts if isinstance(part, Unreadable)), tuple(parts))

    def _unreadable(self, values: Sequence[Any]) -> Any:
        """What a name is after the join that one of the sides doesn't bind: as it was, if all of them leave it."""
        if all(v is values[0] for v in values):
            return values[0]
        known = next((v for v in values if isinstance(v, Unreadable)), None)
        return maybe_unbound(self.tracer, self.node) if known is None else known.again()

    def _parts(self, name: str, values: Sequence[Any]) -> list[tuple[Operand, Type]]:
        """An operand of each side, with what is known there of its type."""
        what = f"`{name}`" if name.isidentifier() else name
        parts = []
        for block, value in zip(self.blocks, values, strict=True):
            self.tracer.joining = block
            parts.append((UNSET, NEVER) if value is _ABSENT else operand_of(self.tracer, value, what))
            self.tracer.joining = None
        return parts

    def _told_inside(self, value: Any, values: Sequence[Any]) -> bool:
        """Whether a value must come out of a side: it was made there, or more is known of it there than outside."""
        if self.is_inner(value) or self._stands_inside(value):
            return True
        sides = [i for i, v in enumerate(values) if v is not _ABSENT]
        if len(sides) == len(values) or not isinstance(value, Handle):
            return False
        facts, operand = self.blocks[sides[0]].facts, value._dl_operand
        return operand in facts and narrowed(value._dl_type, facts[operand]) != value._dl_type

    def _stands_inside(self, value: Any) -> bool:
        """Whether a value may raise, and so must be made in the side where it stands."""
        if type(value) in (list, tuple):
            return any(self._stands_inside(item) for item in value)
        if not isinstance(value, Handle):
            return False
        return any(standing.operand == value._dl_operand for block in self.blocks for standing in block.standing)

    def is_inner(self, value: Any) -> bool:
        """Whether a value was made in one of the sides and is known only there."""
        if isinstance(value, Kept):
            value = value.content
        if isinstance(value, Handle):
            return any(_belongs(value._dl_block, block) for block in self.blocks)
        if isinstance(value, Splice):
            return not isinstance(value, Unsure) and self.is_inner(value.handle)
        if type(value) in (list, tuple):
            return any(self.is_inner(item) for item in value)
        return type(value) is dict and any(self.is_inner(item) for item in value.values())

    def flag(self, label: Label, outcomes: Sequence[Outcome]) -> Any:
        """Whether it is this way out that is taken."""
        flags = [o[label].flag if label in o else False if o else _ABSENT for o in outcomes]
        return self.merged(f"{label[0]}", flags)

    def content(self, changed: list[Any], outcomes: Sequence[Exit | None]) -> list[Any]:
        """What a list holds after the join."""
        given = [
            None if e is None else e.lists[id(changed)][1] if id(changed) in e.lists else list(changed)
            for e in outcomes
        ]
        known = [c for c in given if c is not None]
        start = min([len(known[0]), *(common_start(known[0], c) for c in known[1:])])
        # what was made in a side that takes this way alone must come out of it
        same = [[None if c is None else c[i] for c in given] for i in range(start)]
        told = (i for i, items in enumerate(same) if self._told_inside(known[0][i], _with_absent(items, given)))
        start = next(told, start)
        if all(len(c) == start for c in known):
            return known[0]
        unsure = [item for c in known for item in c[start:] if isinstance(item, Unsure)]
        if unsure:
            return [*known[0][:start], unsure[0]]
        # where the list isn't this, it is empty: what is made of it is evaluated wherever it is
        parts = self._parts("a list", [[] if c is None else c[start:] for c in given])
        return [*known[0][:start], self.add(parts)]

    def finish(self) -> tuple[tuple[Port, ...], list[tuple[tuple[str, Operand], ...]]]:
        """The node's result ports, and the results of each side."""
        names = self._names()
        ports = tuple(Port(name, type_) for name, type_ in zip(names, self.found.values(), strict=True))
        sides = [tuple((n, key[i]) for n, key in zip(names, self.found, strict=True)) for i in range(len(self.blocks))]
        return ports, sides

    def note_flags(self) -> None:
        """Keep what the results tell that say which way was taken."""
        told = self.tracer.told
        for place, (key, type_) in enumerate(self.found.items()):
            if type_ == BOOL:
                arms = [(block.facts, operand) for block, operand in zip(self.blocks, key, strict=True)]
                told[Output(self.node, self._names()[place])] = told_by(arms, told)

    def _names(self) -> list[str]:
        return ["result"] if len(self.found) == 1 else [f"result_{i}" for i in range(len(self.found))]

    def handle(self, slot: Slot) -> Handle:
        """What a result is to the code behind the node."""
        place = list(self.found).index(slot.key)
        return Handle(self.tracer.block, Output(self.node, self._names()[place]), self.found[slot.key])


def _with_absent(items: Sequence[Any], sides: Sequence[Any]) -> list[Any]:
    return [_ABSENT if side is None else item for item, side in zip(items, sides, strict=True)]


class Slot:
    """A result that has no name yet."""

    __slots__ = ("key", "ports")

    def __init__(self, ports: Ports, key: tuple[Operand, ...]) -> None:
        self.ports = ports
        self.key = key


def _belongs(block: OpenBlock | None, side: OpenBlock) -> bool:
    while block is not None:
        if block is side:
            return True
        block = block.merged
    return False


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Kept) and isinstance(other, Kept):
        return one.value is other.value
    one, other = plain(one), plain(other)
    if one is other:
        return True
    if isinstance(one, Effect) or isinstance(other, Effect):
        return all(v is None or isinstance(v, Effect) for v in (one, other))
    if isinstance(one, Handle) and isinstance(other, Handle):
        return one._dl_block is other._dl_block and one._dl_operand == other._dl_operand
    if type(one) is not type(other) or isinstance(one, Handle) or holds_handle(one) or holds_handle(other):
        return False
    return type(one) in (int, float, str, bytes, bool) and repr(one) == repr(other)


def join_sides(
    tracer: Tracer,
    node: str,
    sides: Sequence[Side],
    record: Callable[[tuple[Port, ...], list[Block]], tuple[Node, Sequence[Any]] | None],
    test: Operand | None = None,
) -> Outcome:
    """Record the control node that holds `sides`.

    Args:
        tracer: the trace; the sides' blocks are closed.
        node: its id.
        sides: its blocks, with what they ended in.
        record: makes the node of its result ports and its blocks and says what it holds, or None if there is none.
        test: what decides between two sides, where that is an operand.

    Returns:
        What the sides ended in, all together.
    """
    ports = Ports(tracer, node, [side.block for side in sides], test)
    outcomes = [side.outcome for side in sides]
    _reopen(tracer, sides)
    try:
        joined = {label: _joined_exit(ports, label, outcomes) for label in _labels(outcomes)}
        if len(joined) > 1:
            _flag(ports, joined, outcomes)
        result_ports, results = ports.finish()
    finally:
        for side in sides:
            side.block.close()
    made = record(result_ports, [recorded_block(s.block, r) for s, r in zip(sides, results, strict=True)])
    for side in sides:  # a list that comes out of a side is younger than what is open here
        tracer.block.born |= side.block.born
    if made is None:
        for side in sides:
            tracer.merge_block(side.block)
    else:
        tracer.record_control(*made)
        ports.note_flags()
    for found in joined.values():
        _fill(found, ports)
    return joined


def _reopen(tracer: Tracer, sides: Iterable[Side]) -> None:
    for side in sides:
        side.block.reopen(tracer)


def _labels(outcomes: Iterable[Outcome]) -> list[Label]:
    return list(dict.fromkeys(label for outcome in outcomes for label in outcome))


def _joined_exit(ports: Ports, label: Label, outcomes: Sequence[Outcome]) -> Exit:
    exits = [outcome.get(label) for outcome in outcomes]
    names = dict.fromkeys(name for e in exits if e is not None for name in e.values)
    made = Exit({n: ports.merged(n, [_ABSENT if e is None else _left_with(e, n) for e in exits]) for n in names})
    changed = {key: entry[0] for o in outcomes for e in o.values() for key, entry in e.lists.items()}
    for key, one in changed.items():
        made.lists[key] = (one, ports.content(one, exits))
    return made


def _left_with(left: Exit, name: str) -> Any:
    """What a name is on a way out: a list with what it holds there, for the list itself has been put back."""
    value = left.values.get(name, UNBOUND)
    if type(value) is list and id(value) in left.lists:
        return Kept(value, left.lists[id(value)][1])
    return value


def _flag(ports: Ports, joined: Outcome, outcomes: Sequence[Outcome]) -> None:
    first, *others = joined
    joined[first].flag = ports.flag(first, outcomes)
    for label in others:
        # of two ways the one is taken if the other isn't
        joined[label].flag = ports.flag(label, outcomes) if len(others) > 1 else _Not(joined[first])


class _Not:
    """The opposite of another exit's flag."""

    def __init__(self, other: Exit) -> None:
        self.other = other


def _fill(found: Exit, ports: Ports) -> None:
    """Put handles in the place of results."""
    found.values = {name: _filled(value, ports) for name, value in found.values.items()}
    found.flag = _filled(found.flag, ports)
    if isinstance(found.flag, _Not):
        flag = _filled(found.flag.other.flag, ports)
        found.flag = Handle(ports.tracer.block, Apply("not", (flag._dl_operand,)), BOOL)
    for key, (one, content) in found.lists.items():
        found.lists[key] = (one, [spliced(_filled(item, ports), item) for item in content])


def _filled(value: Any, ports: Ports) -> Any:
    if type(value) is tuple:
        made = tuple(_filled(item, ports) for item in value)
        return value if all(new is old for new, old in zip(made, value, strict=True)) else made
    return ports.handle(value) if isinstance(value, Slot) else value


def spliced(value: Any, was: Any) -> Any:
    """A result that stands in a list for several items."""
    return Splice(value) if isinstance(was, Slot) else value
