"""What the tracer keeps per task, so that recording a call is a few look-ups: names, defaults, result type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from drawloom.dsl.place import refusal
from drawloom.errors import did_you_mean
from drawloom.ir.operands import Const, Operand
from drawloom.ir.types import ANY

if TYPE_CHECKING:
    from drawloom.dsl.task import Task

__all__ = ["MISSING", "Plan", "bind_values"]

MISSING: Any = object()  # Any: stands where an operand may stand, until it is looked at


class Plan:
    """How calls of one task are recorded.

    Attributes:
        task: the task as declared.
        name: the task's name in the pipeline.
        base: what a node is named by whose call isn't assigned to a variable.
        names: the parameters in order.
        index: parameter -> its place in `names`.
        positional: how many may be given by position.
        defaults: the operand of each parameter's default, `MISSING` where there is none.
        result: the type of the result.
        effect: whether it returns nothing.
    """

    __slots__ = ("base", "defaults", "effect", "index", "name", "names", "positional", "result", "task")

    def __init__(self, task: Task[..., Any]) -> None:
        signature = task.signature()
        self.task = task
        self.name = task.name
        self.base = task.function.__name__
        self.names = tuple(port.name for port in signature.ports)
        self.index = {name: i for i, name in enumerate(self.names)}
        self.positional = signature.positional
        self.defaults: list[Operand] = [MISSING if p.default is None else Const(p.default) for p in signature.ports]
        self.result = ANY if signature.result is None else signature.result
        self.effect = signature.effect


def bind_values(
    owner: str,
    names: Sequence[str],
    positional: int,
    defaults: Sequence[Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> list[Any]:
    """The value of each parameter, as a Python call would bind them.

    Args:
        owner: the function's name, for messages.
        names: the parameters in order.
        positional: how many of them may be given by position.
        defaults: the default of each, `MISSING` where there is none.
        args: what was given by position.
        kwargs: what was given by name.

    Raises:
        DefinitionError: a parameter is missing, unknown or given twice, or there are too many (D112).
    """
    if len(args) > positional:
        what = f"`{owner}` takes {positional} argument{'s' * (positional != 1)} by position, got {len(args)}"
        raise refusal("D112", what, _takes(owner, names))
    values = [*args, *defaults[len(args) :]]
    for name, value in kwargs.items():
        try:
            i = names.index(name)
        except ValueError:
            what = f"`{owner}` has no parameter `{name}`{did_you_mean(name, names)}"
            raise refusal("D112", what, _takes(owner, names)) from None
        if i < len(args):
            raise refusal("D112", f"`{owner}` is given `{name}` twice", "give it once, by position or by name")
        values[i] = value
    missing = [f"`{name}`" for name, value in zip(names, values) if value is MISSING]
    if missing:
        raise refusal("D112", f"`{owner}` is not given {', '.join(missing)}", _takes(owner, names))
    return values


def _takes(owner: str, names: Sequence[str]) -> str:
    return f"it takes {', '.join(f'`{n}`' for n in names)}" if names else f"call `{owner}()`"
