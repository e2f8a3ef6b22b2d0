"""The results of a map's body, while they are found."""

from __future__ import annotations

from drawloom.ir.operands import Operand
from drawloom.ir.tasks import Port
from drawloom.ir.types import ANY, NEVER, Type

__all__ = ["Result", "Results"]


class Result:
    """A result of a map's body.

    Attributes:
        operand: what the body gives for an item.
        type: its type.
        plain: whether that is one value, and not a list of so many as the item made.
    """

    __slots__ = ("operand", "plain", "type")

    def __init__(self, operand: Operand, type_: Type, *, plain: bool) -> None:
        self.operand = operand
        self.type = type_
        self.plain = plain


class Results:
    """All results of a map's body; they have names once they are all found."""

    def __init__(self) -> None:
        self.found: list[Result] = []

    def add(self, operand: Operand, type_: Type, *, plain: bool) -> Result:
        """One more result."""
        made = Result(operand, ANY if type_ == NEVER else type_, plain=plain)
        self.found.append(made)
        return made

    def name(self, result: Result) -> str:
        """The name of a result's port."""
        if len(self.found) == 1:
            return "result"
        return f"result_{next(i for i, found in enumerate(self.found) if found is result)}"

    def ports(self) -> tuple[Port, ...]:
        """The ports, of an item's types."""
        return tuple(Port(self.name(result), result.type) for result in self.found)

    def given(self) -> tuple[tuple[str, Operand], ...]:
        """The results of the body."""
        return tuple((self.name(result), result.operand) for result in self.found)
