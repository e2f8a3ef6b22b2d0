"""`for` over what is known only at run time: its body is recorded and becomes a map, or a loop if it carries values.

The body is run in rounds. The first takes the loop for a map; if an iteration turns out to read what the one before
left, or to jump out, the next takes it for a loop, until it is known what is carried and of which type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import CodeType, TracebackType
from typing import Any, Final, NamedTuple

from drawloom.dsl.blocks import OpenBlock
from drawloom.dsl.bounded import Bounded
from drawloom.dsl.handles import Handle
from drawloom.dsl.place import refusal
from drawloom.dsl.recorded import Recorded
from drawloom.dsl.splice import Splice
from drawloom.dsl.staging.carried import Carries
from drawloom.dsl.staging.known import known_failure
from drawloom.dsl.staging.lists import contents, plain, restore
from drawloom.dsl.staging.maps import MapNode
from drawloom.dsl.staging.results import Result
from drawloom.dsl.staging.scopes import (
    BREAK,
    CONTINUE,
    ELSE,
    FALL,
    UNBOUND,
    Exit,
    Leave,
    Outcome,
    Scope,
    Stage,
    relabelled,
)
from drawloom.dsl.staging.unbound import is_readable, maybe_unbound, unjoinable
from drawloom.dsl.staging.unpacking import unpack
from drawloom.dsl.staging.values import get_item
from drawloom.dsl.standing import recorded_block
from drawloom.errors import DefinitionError
from drawloom.ir.iterated import iterated_type
from drawloom.ir.nodes import Block, Loop
from drawloom.ir.operands import Apply, Const, Item, Operand
from drawloom.ir.types import ANY, NONE

__all__ = ["LoopStatement", "RunLoop"]

# Any: names hold the user's values, or handles over them

_MANY: Final = 2**31 - 1  # the bound of a loop that ends with its list
_MOST_ROUNDS: Final = 10


def _holds(value: Any, wanted: list[Any]) -> bool:
    if value is wanted:
        return True
    if type(value) is dict:
        value = list(value.values())
    return type(value) in (list, tuple) and any(item is wanted for item in value)


class LoopStatement(NamedTuple):
    """A `for` statement.

    Attributes:
        names: the names it binds.
        behind: those of them that are read outside of it.
        read: names that its body reads, other than to make a list grow.
        hint: what its node is named after.
        extended: those names that only grow, by `+=`, or that only its `else` binds.
        shape: how the target takes an item apart.
        has_else: whether it has an `else`.
        place: where it stands.
    """

    names: tuple[str, ...]
    behind: tuple[str, ...]
    read: tuple[str, ...]
    hint: str
    extended: tuple[str, ...]
    shape: object
    has_else: bool
    place: tuple[CodeType, int]


class RunLoop(Scope):
    """A `for` statement over a run-time list, or over `bounded(...)`.

    Args:
        stage: the stage of the trace.
        source: a handle, or a `Bounded`.
        about: the statement.

    Attributes:
        over: whether no further round is to be made.
        joining: whether an `else` is under way that is to be joined with what `break` leads to.
    """

    staged = True
    turning = True

    def __init__(self, stage: Stage, source: Any, about: LoopStatement) -> None:
        super().__init__()
        self.stage, self.tracer = stage, stage.tracer
        self.about, self.names = about, about.names
        self.bound = source if isinstance(source, Bounded) else None
        self.items: Any = source
        self.name = about.hint or ("while_loop" if self.bound else "for_each")
        self.node = self.tracer.named_id(self.name, *about.place)
        self.known = len(self.tracer.sites)
        items = None if isinstance(source, Bounded) else source
        self.item_type = ANY if items is None else iterated_type(items._dl_type) or ANY
        self.as_map = self.bound is None
        may_end = self.bound is None or self.bound.on_limit == "stop"
        self.carries = Carries(self.tracer, self.node, items, about.behind, may_end=may_end)
        self.outcome: Outcome | None = None
        self.ended: Outcome = {}
        self.over = False
        self.rounds = 0
        self.joining = False

    # rounds

    def begin(self, held: Mapping[str, Any]) -> tuple[Any, ...]:
        """Keep what the names are before, and begin the first round."""
        self.carries.before = {name: held.get(name, UNBOUND) for name in self.names}
        self.carries.consider(self.about.extended)
        return self._begin_round()

    def _begin_round(self) -> tuple[Any, ...]:
        self.tracer.forget(self.known)
        self.rounds += 1
        if self.rounds > _MOST_ROUNDS:
            raise refusal(
                "D154",
                f"this loop gives {self.carries} a value of another type in each iteration",
                "keep to one type, or make the value in a @task",
            )
        self.block = self.tracer.open_block(f"{self.node}/", {})
        self.outcome = None
        self.stage.scopes.append(self)
        if not self.as_map:
            self.carries.fill_lists()
        return tuple(self.carries.placeholder(name) for name in self.names)

    def __iter__(self) -> Iterator[Any]:
        while not self.over:
            yield unpack(self._item(), self.about.shape)

    def _item(self) -> Any:
        block = self.tracer.block
        if self.bound is not None:
            return self.carries.number()
        if self.as_map:
            return Handle(block, Item(self.node), self.item_type)
        return get_item(block, self.carries.items(), self.carries.index(), self.item_type)

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if error is None:
            return False
        self.outcome = known_failure(error, at, "this loop's body")
        return True

    def breaks(self, held: Mapping[str, Any]) -> bool:
        """`break`: never native."""
        raise self.stage.leaving((BREAK, self), self.stage.fallen(self.names, held)[FALL].values)

    def continues(self, held: Mapping[str, Any]) -> bool:
        """`continue`: never native."""
        raise self.stage.leaving((CONTINUE, self), self.stage.fallen(self.names, held)[FALL].values)

    def turn(self, held: Mapping[str, Any]) -> tuple[Any, ...]:
        """End a round; gives the names as the next one, or what is behind the loop, finds them."""
        again = (CONTINUE, self)
        outcome = self.stage.fallen(self.names, held) if self.outcome is None else self.outcome
        for record in self.records:
            record.other = relabelled(record.other, again, FALL)
        outcome = self.stage.close_records(self, relabelled(outcome, again, FALL))
        self.stage.drop(self)
        if FALL in outcome:
            outcome[FALL].lists = contents(self.tracer.block) | outcome[FALL].lists
        return self._judge(outcome, held)

    def _judge(self, outcome: Outcome, held: Mapping[str, Any]) -> tuple[Any, ...]:
        """Look at what a round came to: make another one, or record the node."""
        block = self.tracer.block
        reads = self.carries.read_in(block, outcome) or self._reads_lists(block, held)
        if self.as_map and reads and self.carries.leave_out_invariants(outcome):
            return self._again(block)
        if self.as_map and (reads or any(label != FALL for label in outcome)):
            self.as_map = False
            self.carries.settled(block, outcome)
            return self._again(block, is_loop_now=True)
        if not self.as_map and not self.carries.settled(block, outcome):
            return self._again(block)
        self.over = True
        self.ended = self._record_map(outcome) if self.as_map else self._record_loop(outcome)
        falls = self.ended.get(FALL)
        return tuple(UNBOUND if falls is None else falls.values[name] for name in self.names)

    def _reads_lists(self, block: OpenBlock, held: Mapping[str, Any]) -> bool:
        """Whether an iteration may have read a list that it makes grow, or grows it by another way than its name."""
        read = [held[name] for name in self.about.read if name in held]
        for key, (grown, _) in block.lists.items():
            named = any(value is grown for value in held.values())
            if not named or key in block.read or any(_holds(value, grown) for value in read):
                return True
        return False

    def _again(self, block: OpenBlock, *, is_loop_now: bool = False) -> tuple[Any, ...]:
        restore(block)
        self.tracer.close_block()
        if is_loop_now and not self.about.hint:
            self._rename("while_loop")
        return self._begin_round()

    def _rename(self, name: str) -> None:
        """Name the node after what it turned out to be; nothing that was recorded so far is kept."""
        self.tracer.forget(self.known)
        self.tracer.release_id(self.node, self.name)
        self.name = name
        self.node = self.carries.node = self.tracer.named_id(name, *self.about.place)

    # as a map

    def _record_map(self, outcome: Outcome) -> Outcome:
        block = self.tracer.block
        made = MapNode(self.stage, self.node, self.name, self.items, self.item_type)
        falls = outcome.get(FALL) or Exit({})
        finals = {name: self._final(made, name, falls.values) for name in self.names}
        grown = []
        for key, (one, content) in falls.lists.items():
            tail = content[len(block.lists[key][1]) :] if key in block.lists else []
            if tail:
                grown.append((one, made.parts(tail)))
        restore(block)
        made.record()
        after = Exit({n: self._behind(made, n, final) for n, final in finals.items()})
        for one, result in grown:
            after.lists[id(one)] = (one, [*one, Splice(made.listed(result))])
        return {FALL: after}

    def _final(self, made: MapNode, name: str, values: Mapping[str, Any]) -> Any:
        """A name behind a map: as before if no item changed it, else the result that the last item gave."""
        before = self.carries.before[name]
        value = plain(values.get(name, before))
        if value is before or self.carries.is_unchanged(name, value):
            return before
        unread = name not in self.about.behind
        if unread or not is_readable(before) or not is_readable(value):
            return maybe_unbound(self.tracer, self.node)
        try:
            return made.value(value, f"`{name}`")
        except DefinitionError as error:
            return unjoinable(error)

    def _behind(self, made: MapNode, name: str, final: Any) -> Any:
        return made.last(final, self.carries.before[name]) if isinstance(final, Result) else final

    # as a loop

    def _record_loop(self, outcome: Outcome) -> Outcome:
        block = self.tracer.block
        carried, results = self.carries.finish(outcome)
        limit, on_limit = (self.bound.limit, self.bound.on_limit) if self.bound else (_MANY, "fail")
        test = Block((), (("test", self._test()),))
        restore(block)
        self.tracer.close_block()
        recorded = Recorded(block, None, None, NONE)
        body = recorded_block(block, results)
        after = self.tracer.control_after([recorded])
        self.tracer.record_control(Loop(self.node, carried, test, body, limit, on_limit, after), [recorded])
        return self.carries.outcome_after(outcome, self.names, has_else=self.about.has_else)

    def _test(self) -> Operand:
        """Whether another iteration is made: there is an item, and nothing has left the loop."""
        go = self.carries.go()
        if self.bound is not None:
            return go if go is not None else Const("true")
        length = Apply("len", (self.tracer.operand(self.carries.items(), "what the loop runs over"),))
        more = Apply("lt", (self.carries.index()._dl_operand, length))
        return more if go is None else Apply("and", (go, more))

    # behind it

    def end(self, _: Mapping[str, Any]) -> tuple[Any, ...]:
        """Go on behind the loop: where it came to its end, if there is an `else`.

        Raises:
            Leave: it returns in any case.
        """
        finished = self.ended.get(ELSE)
        if finished is None:
            return self.stage.settle(self.ended, self.names)
        self.joining, self.outcome = True, None
        self.stage.scopes.append(self)
        others = {label: found for label, found in self.ended.items() if label != ELSE}
        return self.stage.go_on(finished, others, self.names)

    def finished(self) -> bool:
        """Whether `else` is to be run now."""
        return True

    @property
    def last(self) -> _Last:
        """What `else` is run in."""
        return _Last(self)

    def join(self, held: Mapping[str, Any]) -> tuple[Any, ...]:
        """End `else`; gives the names as they are behind it and behind a `break`.

        Raises:
            Leave: no way goes on here.
        """
        outcome = self.stage.fallen(self.names, held) if self.outcome is None else self.outcome
        outcome = self.stage.close_records(self, outcome)
        self.stage.drop(self)
        return self.stage.settle(outcome, self.names)


class _Last:
    """The `else` of a loop; what leaves it waits for the join with what `break` leads to."""

    def __init__(self, loop: RunLoop) -> None:
        self.loop = loop

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if isinstance(error, Leave) and self.loop.joining:
            self.loop.outcome = error.outcome
            return True
        return False
