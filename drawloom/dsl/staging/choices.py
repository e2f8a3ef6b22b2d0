"""`x if t else y`, `and`, `or`: operands that are made only if Python would make them.

What can be put into one expression is: an operand without a node. Else the operand lies in a block of a branch.
"""

from __future__ import annotations

import sys
from types import CodeType
from typing import Any

from drawloom.dsl.blocks import sized_expression
from drawloom.dsl.constants import value_type
from drawloom.dsl.handles import Handle
from drawloom.dsl.place import refusal
from drawloom.dsl.staging.branches import BranchNode
from drawloom.dsl.staging.changes import refuse_outside
from drawloom.dsl.staging.joins import Side, close_side, operand_of
from drawloom.dsl.staging.lists import copied
from drawloom.dsl.staging.scopes import FALL, Exit, Stage, current_stage
from drawloom.dsl.staging.unbound import read
from drawloom.dsl.staging.values import computed, run_time
from drawloom.dsl.standing import left_out
from drawloom.errors import DefinitionError
from drawloom.ir.assign import union_of
from drawloom.ir.narrow import narrowed
from drawloom.ir.types import Type

__all__ = ["both", "choice", "chosen", "enter", "first", "go_on", "keep", "kept", "left", "named", "other"]

# Any: operands are the user's values, or handles over them

_VALUE = "the value"


class _Choice:
    """An operator under way.

    Args:
        stage: the stage of the trace, None where nothing is traced.
        test: what decides.
        hint: what its node is named after.
        place: where it stands.
    """

    def __init__(self, stage: Stage | None, test: Any, hint: str, place: tuple[CodeType, int]) -> None:
        self.stage: Any = stage  # Any: all that needs it is reached in a trace only
        self.test = test
        self.value: Any = None
        self.op = ""
        self.chained = False  # whether the second operand begins with what `keep` has kept
        self.staged = False
        if stage is None:
            self.known = bool(test)
            return
        value = run_time(stage, test)
        self.staged = isinstance(value, Handle)
        if not self.staged:
            self.known = bool(test)
            return
        self.test = value
        self.branch = BranchNode(stage, value, hint or "branch", place)
        self.sides: list[Side] = []

    @property
    def is_open(self) -> bool:
        """Whether a run may leave out what is being made."""
        return self.staged

    def open(self, taken: bool) -> None:
        self.branch.open_side(taken)

    def close(self, value: Any) -> None:
        self.sides.append(close_side(self.stage.tracer, {FALL: Exit({_VALUE: copied(value)})}))

    @property
    def is_bare(self) -> bool:
        """Whether no side has a node, or changes a list."""
        return not any(side.block.nodes or side.outcome[FALL].lists for side in self.sides)

    def joined(self) -> Any:
        """The value of the side that is taken."""
        found = self.branch.join(self.sides)[FALL]
        self.stage.apply(found)
        return read(found.values[_VALUE], _VALUE)

    def folded(self, op: str, *values: Any) -> Any:
        """An expression in the place of the branch; None where the values can't be in one."""
        tracer = self.stage.tracer
        raising = any(side.block.standing for side in self.sides)
        for side in self.sides:
            side.block.merged = tracer.block
        if not self._can_be_folded(values):
            for side in self.sides:
                side.block.merged = None
            return None
        tracer.release_id(self.branch.node, self.branch.name)
        made = computed(self.stage, op, *values)
        if raising:
            tracer.block.stand(made._dl_operand, made._dl_type)
        return sized_expression(tracer.block, made._dl_operand, self._type_of(op, values), values)

    def _can_be_folded(self, values: tuple[Any, ...]) -> bool:
        """Whether the values can be in one expression, which then raises what their sides raise."""
        try:
            operands = [operand_of(self.stage.tracer, value, "a value")[0] for value in values]
        except DefinitionError:
            return False
        of_sides = zip(self.sides, operands[-len(self.sides) :], strict=True)
        return not any(left_out(side.block.standing, [operand]) for side, operand in of_sides)

    def _type_of(self, op: str, values: tuple[Any, ...]) -> Type:
        """The type of the operand that is taken, with what its side tells of it."""
        types = [narrowed(value_type(values[0]), is_none=False)] if op == "or" else []
        types += [value_type(values[0])] if op == "and" else []
        for side, value in zip(self.sides, values[-len(self.sides) :], strict=True):
            self.stage.tracer.joining = side.block
            types.append(value_type(value))
        self.stage.tracer.joining = None
        return union_of(types)


def _begin(test: Any, hint: str) -> _Choice:
    stage = current_stage()
    frame = sys._getframe(2)
    made = _Choice(stage, test, hint, (frame.f_code, frame.f_lasti))
    _stack(stage).append(made)
    return made


_untraced: list[_Choice] = []  # where nothing is traced; one thread's at a time, since it is empty between expressions


def _stack(stage: Stage | None) -> list[Any]:
    return _untraced if stage is None else stage.choices


def _top() -> _Choice:
    found: _Choice = _stack(current_stage())[-1]
    return found


# x if t else y


def choice(test: Any, hint: str) -> None:
    """Begin `... if test else ...`."""
    _begin(test, hint)


def enter() -> bool:
    """Whether the first operand is to be made."""
    made = _top()
    if made.staged:
        made.open(True)
    return made.staged or made.known


def first(value: Any) -> None:
    """The first operand, made or not."""
    made = _top()
    made.value = value
    if made.staged:
        made.close(value)


def other() -> bool:
    """Whether the second operand is to be made."""
    made = _top()
    if made.staged:
        made.open(False)
    return made.staged or not made.known


def chosen(_begun: None, _taken: None, second: Any) -> Any:
    """The value of `x if t else y`."""
    made = _stack(current_stage()).pop()
    if not made.staged:
        return made.value if made.known else second
    made.close(second)
    if made.is_bare:
        found = made.folded("select", made.test, made.value, second)
        if found is not None:
            return found
    return made.joined()


# and, or


def left(op: str, value: Any, hint: str) -> None:
    """Begin `value and ...`, `value or ...`, or, as `chain`, the first comparison of several."""
    made = _begin(value, hint)
    made.chained = op == "chain"
    made.op = "and" if made.chained else op
    made.value = made.test if made.staged else value


def go_on() -> bool:
    """Whether the second operand is to be made."""
    made = _top()
    if made.staged:
        made.open(made.op == "and")
    going = made.staged or made.known == (made.op == "and")
    if made.chained and not going:
        kept()
    return going


def both(_begun: None, second: Any) -> Any:
    """The value of `x and y`, or `x or y`."""
    made = _stack(current_stage()).pop()
    if not made.staged:
        return second if made.known == (made.op == "and") else made.value
    made.close(second)
    if made.is_bare:
        found = made.folded(made.op, made.value, second)
        if found is not None:
            return found
    made.open(made.op != "and")
    made.close(made.value)
    if made.op == "or":
        made.sides.reverse()
    return made.joined()


# chained comparisons, and names bound in an operand


def keep(value: Any) -> Any:
    """A middle operand of a chained comparison, which is made once."""
    stage = current_stage()
    (_kept_untraced if stage is None else stage.kept).append(value)
    return value


_kept_untraced: list[Any] = []


def kept() -> Any:
    """The middle operand that was kept last."""
    stage = current_stage()
    return (_kept_untraced if stage is None else stage.kept).pop()


def named(value: Any, name: str, is_outside: bool) -> Any:
    """What `name := value` binds.

    Raises:
        DefinitionError: it is bound only if a run-time test says so (D138).
    """
    stage = current_stage()
    if stage is not None and is_outside:
        refuse_outside(stage, name)
    if stage is not None and any(made.staged for made in stage.choices):
        raise refusal(
            "D138",
            f"`{name}` would be bound by `:=` only on one side of a run-time test",
            f"write an `if`, and give `{name}` a value in every branch",
        )
    return value
