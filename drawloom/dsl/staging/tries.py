"""`try`, `except`, `finally`: native while nothing in the body is left to a run, else a node with blocks for the parts.

The body is recorded into a block. If no node came of it, it has been run natively, and so is what follows. Else its
handlers are run too, whether or not anything was raised: each into a block of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from drawloom.dsl.blocks import OpenBlock
from drawloom.dsl.handles import Handle
from drawloom.dsl.place import refusal
from drawloom.dsl.recorded import Recorded
from drawloom.dsl.staging.joins import Side, close_side, join_sides
from drawloom.dsl.staging.known import known_failure
from drawloom.dsl.staging.moving import moved_out
from drawloom.dsl.staging.raising import record_raise
from drawloom.dsl.staging.scopes import ELSE, FALL, RETURN, UNBOUND, Leave, Outcome, Scope, current_stage, relabelled
from drawloom.dsl.staging.try_lists import TryLists
from drawloom.dsl.staging.unbound import maybe_assigned
from drawloom.dsl.standing import recorded_block
from drawloom.errors import DrawloomError
from drawloom.ir.envelope import class_ref
from drawloom.ir.nodes import Block, Handler, Node
from drawloom.ir.nodes import Try as TryNode
from drawloom.ir.operands import Caught
from drawloom.ir.tasks import Port
from drawloom.ir.types import NONE, Type

__all__ = ["Passing", "Try", "record_try"]

if TYPE_CHECKING:
    from drawloom.dsl.tracer import Tracer

# Any: names hold the user's values, or handles over them

Passing = (Leave, DrawloomError)  # what no handler of the user's may take while a pipeline is traced
_BODY, _HANDLER, _FINAL, _ELSE = "body", "handler", "final", "else"


def _override(outcome: Outcome, bound: Mapping[str, Any]) -> None:
    """What `finally` has bound holds on every way that goes on in the function."""
    for label, found in outcome.items():
        if label[0] != RETURN:
            found.values.update(bound)


def record_try(
    tracer: Tracer,
    node: str,
    kinds: Sequence[tuple[str, ...]],
    sides: Sequence[Side],
    final: Side | None,
    ports: tuple[Port, ...],
    blocks: list[Block],
) -> tuple[Node, Sequence[Recorded]]:
    """The node of a `try`, of its recorded parts: the body and the handlers, and `finally`."""
    body, *handled = blocks
    handlers = tuple(Handler(classes, block) for classes, block in zip(kinds, handled, strict=True))
    held = [Recorded(side.block, None, None, NONE) for side in (*sides, *([final] if final is not None else []))]
    last = None if final is None else recorded_block(final.block)
    return TryNode(node, body, handlers, last, ports, tracer.control_after(held)), held


class Try(Scope):
    """One `try` statement.

    Args:
        names: the names it binds.
        hint: what its node is named after.
        body_names: those of them that its body binds.
        last_names: those of them that nothing but the last statement of its body binds.
        handler_names: those of them that its handlers bind.
        extended: those of them that only grow, by `+=`.
        handlers: how many handlers it has.
        has_else: whether it has an `else`.

    Attributes:
        staged: whether its body has a node, so that all its parts are recorded.
        error: natively, the exception that the body raised.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        hint: str,
        body_names: tuple[str, ...],
        last_names: tuple[str, ...],
        handler_names: tuple[str, ...],
        extended: tuple[str, ...],
        handlers: int,
        has_else: bool,
    ) -> None:
        super().__init__()
        self.stage: Any = current_stage()  # Any: all that needs it is reached in a trace only
        self.names = names
        self.body_names, self.last_names, self.handler_names = body_names, last_names, handler_names
        self.extended = extended
        self.handlers = handlers
        self.has_else = has_else
        self.staged = False
        self.error: BaseException | None = None
        self.handled = False
        self.part = _BODY
        self.outcome: Outcome | None = None
        self.pending: Outcome | None = None
        self.sides: list[Side] = []
        self.kinds: list[tuple[str, ...]] = []
        self.final: Side | None = None
        self.aborted = False
        self.lists = TryLists()
        self.shown: dict[str, Any] = {}  # the names as `finally` finds them
        self.overrides: dict[str, Any] = {}  # and those it binds anew
        if self.stage is not None:
            frame = sys._getframe(1)
            self.place = (frame.f_code, frame.f_lasti)
            self.hint = hint or "try"

    def begin(self, held: Mapping[str, Any]) -> None:
        """Keep what the names are before, and open the block of the body."""
        self.before = {name: held.get(name, UNBOUND) for name in self.names}
        if self.stage is None:
            return
        self.depths = self.stage.depths()
        self.counts: dict[str, int] = {}
        self.node = self.stage.tracer.named_id(self.hint, *self.place)
        self._open()

    def _open(self) -> None:
        self.block = self.stage.tracer.open_block(f"{self.node}/", self.counts)
        self.outcome = None
        self.stage.scopes.append(self)

    # parts

    def __enter__(self) -> None:
        if self.stage is None:
            return
        if self.part == _HANDLER and not self.staged:
            self.stage.handled.append(self.error)
        elif self.part in (_HANDLER, _FINAL) and self.staged:
            self._open()
            self.lists.begin_part(self.stage.tracer, final=self.part == _FINAL)
            if self.part == _HANDLER:
                self.stage.handled.append(self.exception)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if self.part == _HANDLER and error is not None and error.__context__ is None and error is not self.error:
            error.__context__ = self.error  # the handler is run behind its `except`: Python doesn't know of it
        if self.stage is None:
            return False
        if self.part == _HANDLER:
            self.stage.handled.pop()
        if error is None:
            return False
        if isinstance(error, DrawloomError):
            self.aborted = True
            return False
        if self.part == _BODY:
            return self._body_raised(error, at)
        if self.part == _ELSE and not isinstance(error, Leave):
            return False
        if self.staged:
            self.outcome = known_failure(error, at, f"this `{'finally' if self.part == _FINAL else 'except'}`")
            return True
        return False

    def _body_raised(self, error: BaseException, at: TracebackType | None) -> bool:
        if isinstance(error, Leave):
            self.outcome = error.outcome
            return True
        if self.stage.is_in_operand(self.depths):
            self.aborted = True
            known_failure(error, at, "this operand")
        if not isinstance(error, Exception):
            return False
        if self._is_recorded():  # what came before it is left to a run, and so is the exception
            self.stage.back_to(self.depths)
            self.outcome = record_raise(self.stage, error)
            return True
        self._give_up()
        return False

    def _is_recorded(self) -> bool:
        block: OpenBlock = self.stage.tracer.block
        return block is not self.block or bool(block.nodes or block.standing)

    def _give_up(self) -> None:
        """The body was native: what was made in its block belongs to the one around it."""
        self.stage.drop(self)
        self.stage.tracer.give_up_block()
        self.stage.tracer.release_id(self.node, self.hint)
        self.block = None

    def caught(self, error: BaseException) -> None:
        """Keep an exception that the body raised natively, for the handlers to look at."""
        self.error = error
        if self.stage is not None:
            self.stage.back_to(self.depths)

    def _end(self, held: Mapping[str, Any]) -> Outcome:
        outcome = self.stage.fallen(self.names, held) if self.outcome is None else self.outcome
        closed: Outcome = self.stage.close_records(self, outcome)
        self.stage.drop(self)
        return closed

    @property
    def ending(self) -> bool:
        """Whether a part that was recorded is to be closed."""
        return self.block is not None

    def middle(self, held: Mapping[str, Any]) -> tuple[Any, ...]:
        """End the body or a handler; gives the names as the next part finds them."""
        outcome = self._end(held)
        if self.part == _BODY:
            self._end_body(outcome)
            if not self.staged:
                return tuple(held.get(name, UNBOUND) for name in self.names)
        else:
            self.lists.note(outcome)
            self._close(outcome)
        return self._found_by_next()

    def _end_body(self, outcome: Outcome) -> None:
        if self.block is not None and (self.block.nodes or self.block.standing):
            self.staged = True
            self.lists.end_body(self.block, outcome)
            self._close(relabelled(outcome, FALL, ELSE) if self.has_else else outcome)
            return
        self._give_up()
        if list(outcome) != [FALL]:
            self.pending = outcome

    def _close(self, outcome: Outcome) -> None:
        self.sides.append(close_side(self.stage.tracer, outcome))
        self.block = None

    def _found_by_next(self) -> tuple[Any, ...]:
        """The names as the next part finds them: a handler comes after the body, `finally` after any part."""
        last = len(self.sides) > self.handlers
        return tuple(maybe_assigned() if self._may_be_bound(n, last) else self.before[n] for n in self.names)

    def _may_be_bound(self, name: str, last: bool) -> bool:
        if name in self.extended and type(self.before[name]) is list:
            return False  # `+=` lets it be the same list
        if last:
            return name in self.body_names or name in self.handler_names
        # what the last statement binds isn't bound yet if the body has failed
        return name in self.body_names and name not in self.last_names

    # handlers

    def looks(self) -> bool:
        """Whether a handler is to be looked at."""
        self.part = _HANDLER
        return self.staged or (self.error is not None and not self.handled)

    def handles(self, kinds: Any) -> bool:
        """Whether a handler of these classes is to be run.

        Raises:
            DefinitionError: they aren't exception classes (D124).
        """
        if not self.staged:
            self.handled = isinstance(self.error, kinds)
            return self.handled
        classes = kinds if type(kinds) is tuple else (kinds,)
        for cls in classes:
            if not (isinstance(cls, type) and issubclass(cls, BaseException)):
                shown = f"`{cls.__qualname__}`" if isinstance(cls, type) else f"a value of `{type(cls).__qualname__}`"
                raise refusal("D124", f"`except` names {shown}, which is no exception class", "name exception classes")
        self.kinds.append(tuple(class_ref(cls) for cls in classes))
        return True

    @property
    def exception(self) -> Any:
        """What a handler's name is bound to."""
        if not self.staged:
            return self.error
        return Handle(self.stage.tracer.block, Caught(self.node), Type("failure"))

    @property
    def unhandled(self) -> bool:
        """Whether an exception of the body goes on."""
        return self.error is not None and not self.handled

    # the end

    def cleans_up(self, held: Mapping[str, Any]) -> bool:
        """Whether `finally` is to be run."""
        self.part = _FINAL
        self.shown = {name: held.get(name, UNBOUND) for name in self.names}
        return not self.aborted

    def _assigned_at_last(self, held: Mapping[str, Any]) -> dict[str, Any]:
        """The names that `finally` has bound anew."""
        return {n: held.get(n, UNBOUND) for n, before in self.shown.items() if held.get(n, UNBOUND) is not before}

    def ends_final(self, held: Mapping[str, Any]) -> tuple[Any, ...]:
        """End `finally`; gives the names as they are before the join."""
        before = self._end(held)
        self.overrides = self._assigned_at_last(before[FALL].values if FALL in before else held)
        block: OpenBlock = self.stage.tracer.block
        self.lists.end_final(self.stage.tracer, block)
        self.final = close_side(self.stage.tracer, before)
        self.block = None
        for name, value in self.overrides.items():
            self.overrides[name] = moved_out(value, block, self.stage.tracer.block)
        if any(label != FALL for label in before) and before:
            raise refusal(
                "D156",
                "a `finally` is left by `return`, `break` or `continue`, which would drop the exception under way",
                "leave the function behind the `try`",
            )
        return tuple(held.get(name, UNBOUND) for name in self.names)

    @property
    def joining(self) -> bool:
        """Whether the parts are to be joined."""
        return self.staged or self.pending is not None

    def join(self, held: Mapping[str, Any]) -> tuple[Any, ...]:
        """Join the parts; gives the names as they are behind the statement.

        Raises:
            Leave: no part goes on here.
        """
        stage = self.stage
        if not self.staged:
            return self._join_native(held)
        record = partial(record_try, stage.tracer, self.node, self.kinds, self.sides, self.final)
        joined = join_sides(stage.tracer, self.node, self.sides, record)
        _override(joined, self.overrides)
        self.lists.join(joined)
        if ELSE in joined:
            self.part, self.outcome = _ELSE, None
            others = {label: found for label, found in joined.items() if label != ELSE}
            stage.scopes.append(self)
            return stage.go_on(joined[ELSE], others, self.names)  # type: ignore[no-any-return]  # the stage is Any
        made: tuple[Any, ...] = stage.settle(joined, self.names)
        return made

    def _join_native(self, held: Mapping[str, Any]) -> tuple[Any, ...]:
        """Join what left a body without nodes, and what fell through it."""
        outcome = self.pending or {}
        _override(outcome, self._assigned_at_last(held))
        if FALL in outcome:
            outcome[FALL].values.update({name: held.get(name, UNBOUND) for name in self.names})
        made: tuple[Any, ...] = self.stage.settle(outcome, self.names)
        return made

    def elses(self) -> bool:
        """Whether `else` is to be run: behind the body, and in a run only if that has succeeded."""
        if self.staged:
            return self.part == _ELSE
        self.part = _ELSE
        return self.error is None

    @property
    def ending_else(self) -> bool:
        """Whether an `else` that was recorded is to be closed."""
        return self.staged

    def ends_else(self, held: Mapping[str, Any]) -> tuple[Any, ...]:
        """End `else`; gives the names as they are behind the statement."""
        outcome = self._end(held)
        made: tuple[Any, ...] = self.stage.settle(outcome, self.names)
        return made
