"""`any(... for ...)` and `all(... for ...)`, which stop at the first item that decides."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType
from typing import Any

from drawloom.dsl.handles import Handle
from drawloom.dsl.place import refusal
from drawloom.dsl.staging.branches import BranchNode, If
from drawloom.dsl.staging.for_loops import loop_source
from drawloom.dsl.staging.joins import close_side, operand_of
from drawloom.dsl.staging.run_loops import LoopStatement, RunLoop
from drawloom.dsl.staging.scopes import FALL, Exit, Stage
from drawloom.dsl.staging.unpacking import unpack
from drawloom.dsl.staging.values import computed, open_ended, run_time
from drawloom.dsl.standing import left_out

__all__ = ["Answer", "Quantifier"]

# Any: items are the user's values, or handles over them


class Answer:
    """What `any` or `all` of a generator is, on its way to being that."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def _break_if(loop: RunLoop, test: Any, held: dict[str, Any]) -> None:
    """`if test: break`."""
    branch = If(test, (), "")
    if branch.then():
        with branch:
            loop.breaks(held)
    if branch.staged:
        branch.middle({})
        branch.join({})


class Quantifier:
    """An `any` or `all` over a generator. Over known items: a chain of `or` or `and`; over a run-time list: a loop.

    Args:
        stage: the stage of the trace.
        kind: `any` or `all`.
        hint: what its node is named after.
        place: where it stands.
    """

    def __init__(self, stage: Stage, kind: str, hint: str, place: tuple[CodeType, int]) -> None:
        self.stage = stage
        self.kind = kind
        self.deciding = kind == "any"  # the truth that decides
        self.hint = hint or kind
        self.place = place
        self.stopped = False
        self.tests: list[tuple[BranchNode, Any]] = []
        self.loop: RunLoop | None = None
        self.found: Any = not self.deciding
        self.depth = 0
        self.is_given = False  # whether the item of a run-time list has given its element

    @property
    def is_open(self) -> bool:
        """Whether what is being made may be left out by a run."""
        return bool(self.tests) or self.loop is not None

    def where(self, test: Any) -> bool:
        """Whether an item counts."""
        value = run_time(self.stage, test)
        if not isinstance(value, Handle):
            return bool(value)
        raise refusal(
            "D149",
            f"`{self.kind}` is given a generator with an `if` on a run-time value",
            f"make the test part of the item: `{self.kind}(p and q for ...)`",
        )

    def elem(self, value: Any) -> Any:
        """An item: known, it may decide; else what comes after it is asked only if it doesn't."""
        value = run_time(self.stage, value)
        if self.loop is not None:
            if self.is_given:
                raise refusal(
                    "D149",
                    f"`{self.kind}` is given a generator with a loop inside one over a run-time list",
                    "write the loops with `for` and `break`",
                )
            self.found, self.is_given = value, True
            return value
        if not isinstance(value, Handle):
            self.stopped = bool(value) == self.deciding
            if self.stopped:
                self.found = self.deciding
            return value
        branch = BranchNode(self.stage, value, self.hint if not self.tests else self.kind, self.place)
        branch.open_side(not self.deciding)
        self.tests.append((branch, value))
        return value

    def each(self, source: Any, shape: object) -> Iterator[Any]:
        """The items of one `for`."""
        found = loop_source(self.stage, source)
        self.depth += 1
        if open_ended(found):
            yield from self._run_time(found, shape)
            return
        for item in found:
            yield unpack(item, shape)
            if self.stopped:
                return

    def _run_time(self, items: Handle, shape: object) -> Iterator[Any]:
        if self.depth > 1 or self.tests:
            raise refusal(
                "D149",
                f"`{self.kind}` is given a generator that runs over a run-time list inside another loop",
                "write the loop with `for` and `break`",
            )
        name = self.kind
        about = LoopStatement((name,), (name,), (), self.hint, (), shape, False, self.place)
        self.loop = loop = RunLoop(self.stage, items, about)
        held: dict[str, Any] = {name: not self.deciding}
        (held[name],) = loop.begin(held)
        for item in loop:
            self.found, self.is_given = not self.deciding, False
            yield item
            with loop:
                held[name] = self._told(self.found)
                decides = held[name] if self.deciding else self._not(held[name])
                _break_if(loop, decides, held)
            (held[name],) = loop.turn(held)
        (self.found,) = loop.end(held)

    def _told(self, value: Any) -> Any:
        return computed(self.stage, "bool", value) if isinstance(value, Handle) else bool(value)

    def _not(self, value: Any) -> Any:
        return computed(self.stage, "not", value) if isinstance(value, Handle) else not value

    def done(self) -> Any:
        """Whether any, or all, of the items are true."""
        result: Any = self.found
        for branch, value in reversed(self.tests):
            result = self._joined(branch, value, result)
        return Answer(result)

    def _folded(self, branch: BranchNode, value: Any, rest: Any) -> Any:
        """An `or` or `and` in the place of a branch; where the rest may raise, it stands where the branch would."""
        stage, block = self.stage, self.stage.tracer.block
        raising = bool(block.standing)
        block.standing.clear()
        stage.tracer.give_up_block()
        stage.tracer.release_id(branch.node, branch.name)
        made = computed(stage, "or" if self.deciding else "and", computed(stage, "bool", value), rest)
        if raising:
            stage.tracer.block.stand(made._dl_operand, made._dl_type)
        return made

    def _joined(self, branch: BranchNode, value: Any, result: Any) -> Any:
        stage = self.stage
        block = stage.tracer.block
        rest = computed(stage, "bool", result) if isinstance(result, Handle) else bool(result)
        inside = operand_of(stage.tracer, rest, "an item")[0]
        if not block.nodes and not left_out(block.standing, [inside]):  # an expression will do
            return self._folded(branch, value, rest)
        rest_side = close_side(stage.tracer, {FALL: Exit({self.kind: result})})
        branch.open_side(self.deciding)
        decided = close_side(stage.tracer, {FALL: Exit({self.kind: self.deciding})})
        sides = [decided, rest_side] if self.deciding else [rest_side, decided]
        found = branch.join(sides)[FALL]
        stage.apply(found)
        return found.values[self.kind]
