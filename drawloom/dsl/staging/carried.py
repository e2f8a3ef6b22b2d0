"""What a run-time loop carries from one iteration to the next: names, lists that grow, and how it is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from drawloom.dsl.handles import Handle
from drawloom.dsl.splice import Splice
from drawloom.dsl.staging.joins import UNSET, operand_of
from drawloom.dsl.staging.lists import changing, plain
from drawloom.dsl.staging.scopes import BREAK, ELSE, FALL, RETURN, UNBOUND, Exit, Label, Outcome
from drawloom.dsl.staging.unbound import Unreadable, is_readable, maybe_unbound
from drawloom.errors import DefinitionError
from drawloom.ir.assign import assignable, union_of
from drawloom.ir.iterated import iterated_type
from drawloom.ir.nodes import Block, Carry
from drawloom.ir.operands import Apply, Carried, Const, Operand, Output
from drawloom.ir.types import ANY, BOOL, INT, NEVER, NONE, Type
from drawloom.ir.walk import operands, references, walk

if TYPE_CHECKING:
    from drawloom.dsl.blocks import OpenBlock
    from drawloom.dsl.tracer import Tracer

__all__ = ["Carries"]

# Any: names hold the user's values, or handles over them

_INDEX, _ITEMS, _GO, _RETURNED, _VALUE = "the index", "the items", "going on", "returned", "the result"


class _Role(NamedTuple):
    """One carried value: a name, a list (`key` is its id), or one of the loop's own."""

    kind: str  # "name", "list", "own"
    key: Any


class Carries:
    """The carried values of a loop, as far as its rounds have told.

    Args:
        tracer: the trace.
        node: the loop's id.
        items: what the loop runs over, None for `bounded`.
        behind: the names that are read behind it.
        may_end: whether the loop may end without being left.
    """

    def __init__(
        self, tracer: Tracer, node: str, items: Handle | None, behind: Sequence[str], *, may_end: bool
    ) -> None:
        self.behind = behind
        self.tracer = tracer
        self.node = node
        self.over = items
        self.may_end = may_end
        self.initial: dict[str, tuple[Operand, Type]] = {}
        self.types: dict[str, Type] = {}
        self.roles: list[_Role] = []
        self.given: dict[str, Any] = {}
        self.lists: dict[int, list[Any]] = {}
        self.starts: dict[int, Splice] = {}  # what a carried list begins an iteration with
        self.items_of: dict[int, Type] = {}  # the type of its items
        self.lists_before: dict[int, list[Any]] = {}  # what it holds before the loop
        self.before: Mapping[str, Any] = {}

    def __str__(self) -> str:
        return ", ".join(f"`{role.key}`" for role in self.roles if role.kind == "name")

    def consider(self, extended: Sequence[str]) -> None:
        """Take the names that may have to be carried: those with a value that can be."""
        for name, value in self.before.items():
            grows = type(value) is list and name in extended
            if value is UNBOUND or isinstance(value, Unreadable) or grows:
                continue
            try:
                self.initial[name] = operand_of(self.tracer, value, f"`{name}`")
            except DefinitionError:
                continue  # a function, a class: looked at again if the loop binds another
        self.types = {name: type_ for name, (_, type_) in self.initial.items()}
        # what begins as None, or as an empty list, tells nothing of what it will be
        self.open = {name for name, type_ in self.types.items() if type_ in (NONE, Type("list", (ANY,)))}
        self.types |= dict.fromkeys(self.open, ANY)
        self.roles = [_Role("name", name) for name in self.initial] + [_Role("own", _INDEX)]
        if self.over is not None and isinstance(self.over._dl_operand, Apply):
            self.roles.append(_Role("own", _ITEMS))

    # while a round is recorded

    def _port(self, role: _Role) -> str:
        return "state" if len(self.roles) == 1 else f"state_{self.roles.index(role)}"

    def _carried(self, role: _Role, type_: Type) -> Handle:
        return Handle(self.tracer.block, Carried(self.node, self._port(role)), type_)

    def placeholder(self, name: str) -> Any:
        """What a name is at the beginning of an iteration."""
        role = _Role("name", name)
        if role in self.roles and name in self.initial:
            self.given[name] = self._carried(role, self.types[name])
            return self.given[name]
        self.given.pop(name, None)
        before = self.before[name]
        return maybe_unbound(self.tracer, self.node) if before is UNBOUND else before

    def fill_lists(self) -> None:
        """Put what an iteration begins with into the lists that are carried; the open block puts them back."""
        for role in self.roles:
            if role.kind == "list":
                one = self.lists[role.key]
                changing(self.tracer, one)
                self.starts[role.key] = Splice(self._carried(role, Type("list", (self.items_of.get(role.key, ANY),))))
                one[:] = [self.starts[role.key]]

    def is_unchanged(self, name: str, value: Any) -> bool:
        """Whether a name is at the end of an iteration what it was at its beginning."""
        return name in self.given and value is self.given[name]

    def index(self) -> Handle:
        """The number of the iteration."""
        return self._carried(_Role("own", _INDEX), INT)

    def number(self) -> Any:
        """The number of the iteration, where it is known to be read."""
        if _Role("own", _INDEX) in self.roles:
            return self.index()
        return Handle(self.tracer.block, Carried(self.node, "nobody reads it"), INT)

    def items(self) -> Handle:
        """The list that the loop runs over: carried, if it would be computed anew in each iteration."""
        assert self.over is not None
        role = _Role("own", _ITEMS)
        return self._carried(role, self.over._dl_type) if role in self.roles else self.over

    # what a round has told

    def read_in(self, block: OpenBlock, outcome: Outcome) -> bool:
        """Whether an iteration reads what the one before left."""
        return self._is_referred_to(block, outcome, lambda _: True)

    def _is_referred_to(self, block: OpenBlock, outcome: Outcome, wanted: Any) -> bool:
        found = [operand for node in walk(Block(tuple(block.nodes))) for operand in operands(node)]
        found += [standing.operand for standing in block.standing]
        found += [left.flag._dl_operand for left in outcome.values() if isinstance(left.flag, Handle)]
        bound = [n for n in self.behind if n not in self.initial and self._is_bound_by_breaks(n, outcome)]
        unread = self.before.keys() - self.initial.keys() - set(bound)
        for left in outcome.values():
            told = [(n, plain(v)) for n, v in left.values.items() if n not in unread]
            values = [value for name, value in told if not self.is_unchanged(name, value)]
            values += [self._added(block, key, content) for key, (_, content) in left.lists.items()]
            for value in values:
                if value is UNBOUND or isinstance(value, Unreadable):
                    continue
                try:
                    found.append(operand_of(self.tracer, value, "a value")[0])
                except DefinitionError:
                    continue
        return any(
            isinstance(ref, Carried) and ref.loop == self.node and wanted(ref.name)
            for operand in found
            for ref in references(operand)
        )

    def leave_out_invariants(self, outcome: Outcome) -> bool:
        """Take names that no way through the body has changed for what they are before; whether there are any."""
        same = [name for name in self.initial if all(self._keeps(left, name) for left in outcome.values())]
        for name in same:
            del self.initial[name]
            self.open.discard(name)
        self.roles = [role for role in self.roles if role.kind != "name" or role.key in self.initial]
        return bool(same)

    def settled(self, block: OpenBlock, outcome: Outcome) -> bool:
        """Whether a round carried just what it had to, of types that hold; else what the next one carries is set."""
        roles = self._needed(block, outcome)
        grown = self._widened(outcome) | self._lists_widened(block, outcome)
        if roles == self.roles and not grown:
            return True
        self.roles = roles
        return False

    def _needed(self, block: OpenBlock, outcome: Outcome) -> list[_Role]:
        changed = [n for n in self.initial if any(not self._keeps(e, n) for e in outcome.values())]
        unbound = [name for name in self.behind if not is_readable(self.before[name])]
        changed += [name for name in unbound if self._is_bound_by_breaks(name, outcome)]
        roles = [_Role("name", name) for name in changed]
        for left in outcome.values():
            for key, (one, content) in left.lists.items():
                if self._added(block, key, content) and _Role("list", key) not in roles:
                    self.lists[key] = one
                    roles.append(_Role("list", key))
        index = _Role("own", _INDEX)
        used = index in self.roles and self._is_referred_to(block, outcome, lambda name: name == self._port(index))
        if self.over is not None or used:
            roles.append(index)
        roles += [role for role in self.roles if role.key == _ITEMS]
        if any(label[0] in (BREAK, RETURN) for label in outcome):
            roles.append(_Role("own", _GO))
        if any(label[0] == RETURN for label in outcome):
            roles += [_Role("own", _RETURNED), _Role("own", _VALUE)]
        return roles

    def _is_bound_by_breaks(self, name: str, outcome: Outcome) -> bool:
        """Whether a name without a value before has one wherever `break` leads to."""
        breaks = [left for label, left in outcome.items() if label[0] == BREAK]
        return bool(breaks) and all(self._is_joinable(left.values.get(name, UNBOUND)) for left in breaks)

    def _is_joinable(self, value: Any) -> bool:
        try:
            return is_readable(value) and bool(operand_of(self.tracer, value, "a value"))
        except DefinitionError:
            return False  # a function, a class

    def _keeps(self, left: Exit, name: str) -> bool:
        if name not in left.values:
            return True
        value = plain(left.values[name])
        if name in self.given:
            return value is self.given[name]
        return bool(value is self.before[name])

    def _widened(self, outcome: Outcome) -> bool:
        grown = False
        for name in self.initial:
            if name in self.open:
                grown = self._close_type(name, outcome) or grown
                continue
            for left in outcome.values():
                value = plain(left.values.get(name, UNBOUND))
                if value is UNBOUND or isinstance(value, Unreadable) or self.is_unchanged(name, value):
                    continue
                type_ = operand_of(self.tracer, value, f"`{name}`")[1]
                if not assignable(type_, self.types[name]):
                    self.types[name] = union_of([self.types[name], type_])
                    grown = True
        return grown

    def _lists_widened(self, block: OpenBlock, outcome: Outcome) -> bool:
        grown = False
        for key in [key for key in self.lists if key in self.lists_before or key in block.lists]:
            added = [self._added(block, key, left.lists[key][1]) for left in outcome.values() if key in left.lists]
            before = self.lists_before.setdefault(key, list(block.lists[key][1]))
            parts = [part for part in (before, *added) if part]
            items = union_of([iterated_type(operand_of(self.tracer, part, "a list")[1]) or ANY for part in parts])
            if items != self.items_of.get(key):
                self.items_of[key] = items
                grown = True
        return grown

    def _close_type(self, name: str, outcome: Outcome) -> bool:
        """Give a name that began as None the type it takes on; whether that is another one than was assumed."""
        values = [plain(left.values.get(name, UNBOUND)) for left in outcome.values()]
        known = [
            v for v in values if v is not UNBOUND and not isinstance(v, Unreadable) and not self.is_unchanged(name, v)
        ]
        types = [operand_of(self.tracer, value, f"`{name}`")[1] for value in known]
        if not types:
            return False
        first = self.initial[name][1]
        self.open.discard(name)
        self.types[name] = union_of([*([first] if first == NONE else []), *types])
        return self.types[name] != ANY

    # the node

    def finish(self, outcome: Outcome) -> tuple[tuple[Carry, ...], tuple[tuple[str, Operand], ...]]:
        """The loop's carried values, and what its body gives for the next iteration."""
        carries, results = [], []
        for role in self.roles:
            initial, operand, type_ = self._next(role, outcome)
            carries.append(Carry(self._port(role), initial, type_))
            results.append((self._port(role), operand))
        return tuple(carries), tuple(results)

    def _next(self, role: _Role, outcome: Outcome) -> tuple[Operand, Operand, Type]:
        if role.kind == "name" and role.key not in self.initial:
            return UNSET, *self._bound_at_last(role, outcome)
        if role.kind == "name":
            unchanged = self.given[role.key]._dl_operand, self.types[role.key]
            found = self._picked(outcome, lambda _, left: self._value(left, role.key, unchanged))
            return self.initial[role.key][0], found[0], self.types[role.key]
        if role.kind == "list":
            return self._next_list(role, outcome)
        if role.key == _INDEX:
            return Const("0"), Apply("add", (self.index()._dl_operand, Const("1"))), INT
        if role.key == _ITEMS:
            assert self.over is not None
            items = self.tracer.operand(self.over, "what the loop runs over")
            return items, self.items()._dl_operand, self.over._dl_type
        if role.key == _VALUE:
            same = Carried(self.node, self._port(role)), NEVER
            operand, type_ = self._picked(
                outcome, lambda way, left: self._value(left, _VALUE, same) if way[0] == RETURN else same
            )
            self.types[_VALUE] = type_
            return UNSET, operand, type_
        wanted = FALL[0] if role.key == _GO else RETURN
        told = {True: (Const("true"), BOOL), False: (Const("false"), BOOL)}
        operand, _ = self._picked(outcome, lambda way, _: told[way[0] == wanted])
        return told[role.key == _GO][0], operand, BOOL

    def _bound_at_last(self, role: _Role, outcome: Outcome) -> tuple[Operand, Type]:
        """The next value of a name that has none before: what `break` leaves it with."""
        same = Carried(self.node, self._port(role)), NEVER

        def value(way: Label, left: Exit) -> tuple[Operand, Type]:
            return self._value(left, role.key, same) if way[0] == BREAK else same

        operand, self.types[role.key] = self._picked(outcome, value)
        return operand, self.types[role.key]

    def _value(self, left: Exit, name: str, unchanged: tuple[Operand, Type]) -> tuple[Operand, Type]:
        if name not in left.values:
            return unchanged
        return operand_of(self.tracer, left.values[name], f"`{name}`" if name.isidentifier() else name)

    def _next_list(self, role: _Role, outcome: Outcome) -> tuple[Operand, Operand, Type]:
        initial = self.tracer.operand(self.lists_before[role.key], "a list")
        start = self.starts[role.key]

        def after(_: Label, left: Exit) -> tuple[Operand, Type]:
            entry = left.lists.get(role.key)
            return operand_of(self.tracer, [start] if entry is None else entry[1], "a list")

        return initial, self._picked(outcome, after)[0], Type("list", (self.items_of[role.key],))

    def _added(self, block: OpenBlock, key: int, content: list[Any]) -> list[Any]:
        """What an iteration has added to a list."""
        if content and content[0] is self.starts.get(key):
            return content[1:]
        return content[len(block.lists[key][1]) :] if key in block.lists else []

    def _picked(self, outcome: Outcome, value: Any) -> tuple[Operand, Type]:
        """The value of the way that is taken out of the body."""
        *first, last = outcome.items()
        made, type_ = value(*last)
        types = [type_]
        for label, left in reversed(first):
            operand, type_ = value(label, left)
            types.append(type_)
            if operand != made:
                flag = self.tracer.operand(left.flag, "how the loop is left")
                made = Apply("select", (flag, operand, made))
        return made, union_of([t for t in types if t != NEVER])

    def go(self) -> Operand | None:
        """Whether nothing has left the loop yet; None if nothing can."""
        role = _Role("own", _GO)
        return Carried(self.node, self._port(role)) if role in self.roles else None

    # behind the loop

    def _output(self, role: _Role, type_: Type) -> Handle:
        return Handle(self.tracer.block, Output(self.node, self._port(role)), type_)

    def outcome_after(self, outcome: Outcome, names: Sequence[str], *, has_else: bool) -> Outcome:
        """How control goes on behind the loop: it came to its end, it was left by `break`, it returns."""
        lists = {
            role.key: (self.lists[role.key], [Splice(self._output(role, Type("list", (self.items_of[role.key],))))])
            for role in self.roles
            if role.kind == "list"
        }
        breaks = any(label[0] == BREAK for label in outcome)
        returns = next((label for label in outcome if label[0] == RETURN), None)
        ends = self.may_end or not (breaks or returns)
        after: Outcome = {}
        if ends and breaks and has_else:
            after[ELSE] = Exit({name: self._after(name, outcome, broken=False) for name in names}, self._own(_GO))
        if ends or breaks:
            broken = breaks and (has_else or not ends)
            after[FALL] = Exit({name: self._after(name, outcome, broken=broken) for name in names})
        if returns is not None:
            after[returns] = Exit(
                {_VALUE: self._output(_Role("own", _VALUE), self.types[_VALUE])}, self._own(_RETURNED)
            )
            if FALL in after:
                after[FALL].flag = Handle(self.tracer.block, Apply("not", (self._own(_RETURNED)._dl_operand,)), BOOL)
        for left in after.values():
            left.lists = dict(lists)
        return after

    def _own(self, key: str) -> Handle:
        return self._output(_Role("own", key), BOOL)

    def _after(self, name: str, outcome: Outcome, *, broken: bool) -> Any:
        role = _Role("name", name)
        if role in self.roles and (broken or name in self.initial):
            return self._output(role, self.types[name])
        before = self.before[name]
        changed = any(name in left.values and plain(left.values[name]) is not before for left in outcome.values())
        return maybe_unbound(self.tracer, self.node) if changed else before
