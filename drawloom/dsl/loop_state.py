"""The state that `while_loop` carries: one value, or a tuple of so many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drawloom.dsl.constants import value_type
from drawloom.dsl.handles import Handle
from drawloom.dsl.place import refusal
from drawloom.dsl.staging.values import known_items
from drawloom.dsl.tracer import Tracer
from drawloom.ir.assign import assignable, union_of
from drawloom.ir.operands import Carried, Operand

__all__ = ["LoopState"]

# Any: a state is the user's values, or handles over them


class LoopState:
    """The shape of a loop's state: one value, or a tuple of so many."""

    def __init__(self, tracer: Tracer, node: str, initial: Any) -> None:
        self.tracer, self.node = tracer, node
        self.many = type(initial) is tuple
        self.names = tuple(f"state_{i}" for i in range(len(initial))) if self.many else ("state",)
        self.initial = self.parts(initial, "`initial` of `while_loop`")
        self.types = [value_type(part) for part in self._split(initial)]

    def handles(self, reference: Callable[[str], Operand]) -> Any:
        """The state as the user's functions see it."""
        made = [Handle(self.tracer.block, reference(name), type_) for name, type_ in zip(self.names, self.types)]
        return tuple(made) if self.many else made[0]

    def carried(self) -> Any:
        """The state inside an iteration."""
        return self.handles(lambda name: Carried(self.node, name))

    def parts(self, state: Any, what: str) -> list[tuple[str, Operand]]:
        """The (name, operand) pairs of a state."""
        split = self._split(state)
        if len(split) != len(self.names):
            raise refusal(
                "D125",
                f"the body of `while_loop` returns {len(split)} values, but its state has {len(self.names)}",
                "return a tuple of as many values as `initial` has",
            )
        return [(name, self.tracer.operand(part, what)) for name, part in zip(self.names, split)]

    def _split(self, state: Any) -> tuple[Any, ...]:
        if not self.many:
            return (state,)
        items = known_items(state)
        if items is not None:
            return items
        raise refusal(
            "D125",
            "the body of `while_loop` returns one value, but its state is a tuple",
            "return a tuple of as many values as `initial` has",
        )

    def settle(self, returned: Any) -> bool:
        """Whether what the body returned fits the state's types; they are widened if it doesn't."""
        given = [value_type(part) for part in self._split(returned)]
        if all(assignable(new, old) for new, old in zip(given, self.types)):
            return True
        self.types = [union_of([old, new]) for old, new in zip(self.types, given)]
        return False
