"""`if` and `else`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import CodeType, TracebackType
from typing import Any

from drawloom.dsl.handles import Handle
from drawloom.dsl.place import user_frame
from drawloom.dsl.recorded import Recorded
from drawloom.dsl.staging.joins import Side, close_side, join_sides
from drawloom.dsl.staging.known import known_failure
from drawloom.dsl.staging.lists import plain
from drawloom.dsl.staging.scopes import FALL, UNBOUND, Exit, Outcome, Scope, Stage, current_stage
from drawloom.dsl.staging.values import run_time, truth
from drawloom.ir.narrow import facts
from drawloom.ir.nodes import Block, Branch, Case, Node
from drawloom.ir.operands import Apply, Operand
from drawloom.ir.tasks import Port
from drawloom.ir.types import NONE

__all__ = ["BranchNode", "If", "continue_with"]

# Any: names hold the user's values, or handles over them

Place = tuple[CodeType, int]
_SMALL = 2  # operands of a test that is written out again where it tells which way was taken


class BranchNode:
    """A branch that is being recorded: two sides, on a test.

    Args:
        stage: the stage of the trace.
        test: the run-time test.
        name: what the node is named after.
        place: where it stands in the user's source.
    """

    def __init__(self, stage: Stage, test: Any, name: str, place: Place) -> None:
        self.stage = stage
        self.tracer = stage.tracer
        self.operand: Operand = truth(self.tracer, test, "the test of `if`")
        self.name = name
        self.node = self.tracer.named_id(name, *place)
        self.place = place
        self.counts: dict[str, int] = {}

    def open_side(self, taken: bool) -> None:
        """Begin a side: that of a true test, or of a false one."""
        self.tracer.open_block(f"{self.node}/", self.counts).facts = facts(self.operand, taken, self.tracer.told)

    def join(self, sides: Sequence[Side]) -> Outcome:
        """Record the node and give what its sides came to, or nothing if nothing is in it."""

        def record(ports: tuple[Port, ...], blocks: list[Block]) -> tuple[Node, Sequence[Any]] | None:
            if not ports and not any(block.nodes for block in blocks):
                self.tracer.release_id(self.node, self.name)
                return None
            held = [Recorded(side.block, None, None, NONE) for side in sides]
            taken, other = blocks
            after = self.tracer.control_after(held)
            return Branch(self.node, (Case(self.operand, taken),), other, ports, after), held

        test = self.operand if not isinstance(self.operand, Apply) or len(self.operand.args) <= _SMALL else None
        return join_sides(self.tracer, self.node, sides, record, test)


class BranchRecord:
    """A branch of which one side has left, and the other one, still open, goes on with what follows."""

    def __init__(self, branch: BranchNode, left: Side, *, open_first: bool) -> None:
        self.branch = branch
        self.left = left.block
        self.other: Outcome = left.outcome  # what the side that left ended in
        self.open_first = open_first

    def close(self, outcome: Outcome) -> Outcome:
        """Close the open side, and record the branch."""
        fell, left = close_side(self.branch.tracer, outcome), Side(self.left, self.other)
        return self.branch.join([fell, left] if self.open_first else [left, fell])


def continue_with(stage: Stage, flag: Any, others: Outcome) -> BranchRecord:
    """What follows is recorded on the side of `flag`; the other side has left by `others`."""
    frame = user_frame()
    assert frame is not None
    branch = BranchNode(stage, flag, "branch", (frame.f_code, frame.f_lasti))
    branch.open_side(False)
    left = close_side(stage.tracer, others)
    branch.open_side(True)
    return BranchRecord(branch, left, open_first=True)


class If(Scope):
    """One `if` statement, while its function is traced.

    Args:
        test: the value of its test.
        names: the names that it binds.
        hint: what its node is named after.

    Attributes:
        staged: whether the test is known only at run time, so that both sides are recorded.
    """

    def __init__(self, test: Any, names: tuple[str, ...], hint: str) -> None:
        super().__init__()
        self.names = names
        self.known = test
        self.staged = False
        stage = current_stage()
        if stage is None:
            return
        self.stage = stage
        value = run_time(stage, test)
        if isinstance(value, Handle):
            self.staged = True
            frame = sys._getframe(1)
            self.branch = BranchNode(stage, value, hint or "branch", (frame.f_code, frame.f_lasti))
            self.before: dict[str, Any] = {}
            self.outcome: Outcome | None = None
            self.first: Side | None = None

    def begin(self, held: Mapping[str, Any]) -> None:
        """Keep what the names are before."""
        self.before = {name: held.get(name, UNBOUND) for name in self.names}

    def then(self) -> bool:
        """Whether the body is to be run now."""
        if not self.staged:
            self.known = bool(self.known)
        return self.staged or bool(self.known)

    def orelse(self) -> bool:
        """Whether what follows `else` is to be run now."""
        return self.staged or not self.known

    def __enter__(self) -> None:
        if self.staged:
            self._enter()

    def _enter(self) -> None:
        self.branch.open_side(self.first is None)
        self.block = self.stage.tracer.block
        self.outcome = None
        self.stage.scopes.append(self)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if not self.staged or error is None:
            return False
        self.outcome = known_failure(error, at, "this branch")
        return True

    def middle(self, held: Mapping[str, Any]) -> tuple[Any, ...]:
        """End the first side; gives the names as they were before it."""
        self.first = self._end(held)
        return tuple(self.before.values())

    def _end(self, held: Mapping[str, Any]) -> Side:
        outcome = self._ended(held)
        return close_side(self.stage.tracer, outcome)

    def _ended(self, held: Mapping[str, Any]) -> Outcome:
        outcome = self.stage.fallen(self.names, held) if self.outcome is None else self.outcome
        outcome = self.stage.close_records(self, outcome)
        self.stage.drop(self)
        self.block = None
        return outcome

    def join(self, held: Mapping[str, Any]) -> tuple[Any, ...]:
        """End the second side and join both; gives the names as they are from here on.

        Raises:
            Leave: neither side goes on here.
        """
        first = self.first
        assert first is not None
        if self.block is None:  # there is no `else`
            self._enter()
            held = self.before
        outcome = self._ended(held)
        here = self.stage.around.records
        if list(outcome) == [FALL] and FALL not in first.outcome:  # go on in here
            here.append(BranchRecord(self.branch, first, open_first=False))
            return tuple(outcome[FALL].values.values())
        second = close_side(self.stage.tracer, outcome)
        if list(first.outcome) == [FALL] and FALL not in outcome:
            return self._go_on_in(first, second)
        return self.stage.settle(self.branch.join([first, second]), self.names)

    def _go_on_in(self, first: Side, second: Side) -> tuple[Any, ...]:
        """The first side goes on behind the statement: it is opened again."""
        self.stage.tracer.reopen_block(first.block)
        falls: Exit = first.outcome[FALL]
        self.stage.apply(falls)
        self.stage.around.records.append(BranchRecord(self.branch, second, open_first=True))
        return tuple(plain(value) for value in falls.values.values())
