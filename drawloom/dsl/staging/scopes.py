"""What a converted function is in while it is traced, and what leaves it: scopes, exits, records.

A side that is being recorded ends in an *outcome*: label -> exit. A label says where control goes (it falls through, it
returns, it breaks or continues a loop), an exit what the names are there. More than one label means that which one it
is will be known only at run time; each exit then has a flag. No label at all means that control ends there: a `raise`.

Where one side falls through and the other has left for good, nothing is joined yet: what follows is recorded inside the
falling side, which stays open as a *record* of the scope around, and is closed with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from drawloom.dsl.current import CURRENT
from drawloom.dsl.staging.lists import contents, kept, plain
from drawloom.dsl.staging.unbound import UNBOUND

if TYPE_CHECKING:
    from drawloom.dsl.blocks import OpenBlock
    from drawloom.dsl.tracer import Tracer

__all__ = [
    "BREAK",
    "CONTINUE",
    "ELSE",
    "FALL",
    "RETURN",
    "UNBOUND",
    "Exit",
    "Label",
    "Leave",
    "Outcome",
    "Record",
    "Scope",
    "Stage",
    "current_stage",
    "relabelled",
]

# Any: names hold the user's values, or handles over them

Label = tuple[str, object]  # what control does, and the loop or function it does it to
FALL: Final[Label] = ("fall", None)
RETURN: Final = "return"
BREAK: Final = "break"
CONTINUE: Final = "continue"
ELSE: Final[Label] = ("else", None)


class Exit:
    """One way out of a side.

    Attributes:
        values: name -> value there; `UNBOUND` for a name without one.
        lists: id -> (a list that changed inside, its contents there).
        flag: whether it is this way that is taken: True, or a handle.
    """

    __slots__ = ("flag", "lists", "values")

    def __init__(self, values: Mapping[str, Any], flag: Any = True) -> None:
        self.values = dict(values)
        self.lists: dict[int, tuple[list[Any], list[Any]]] = {}
        self.flag = flag


Outcome = dict[Label, Exit]


class Leave(BaseException):  # not an Exception: no handler of the user's may take it
    """Control leaves what is being recorded, and can't do so natively. Carries the outcome so far."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


class Record(Protocol):
    """A join that waits for the end of its falling side."""

    other: Outcome

    def close(self, outcome: Outcome) -> Outcome:
        """Close the falling side, which ended in `outcome`; gives what came of both sides."""
        ...


class Scope:
    """A piece of a function with an end of its own: a function, a side, a loop, an iteration, a part of a `try`.

    Attributes:
        records: joins that wait for its end, the outermost first.
        block: the block it records into, None if it has none of its own.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.block: OpenBlock | None = None


def relabelled(outcome: Outcome, old: Label, new: Label) -> Outcome:
    """An outcome with one label in the place of another."""
    return {new if label == old else label: found for label, found in outcome.items()}


class Stage:
    """The scopes that are open in a trace, and the operators that are being evaluated.

    Attributes:
        tracer: the trace.
        scopes: from the outside in.
        choices: `and`, `or` and `x if t else y` under way.
        kept: middle operands of chained comparisons.
        comprehensions: those under way.
        stored: what is being put into an object.
        handled: the exceptions whose handlers are under way: natively an exception, else a handle.
    """

    def __init__(self, tracer: Tracer) -> None:
        self.tracer = tracer
        self.scopes: list[Scope] = []
        self.choices: list[Any] = []
        self.kept: list[Any] = []
        self.comprehensions: list[Any] = []
        self.handled: list[Any] = []
        self.stored: tuple[Any, ...] = ()

    # scopes

    def drop(self, scope: Scope) -> bool:
        """Take a scope, and what is above it, from the stack; False if it isn't there any more."""
        for place in range(len(self.scopes) - 1, -1, -1):
            if self.scopes[place] is scope:
                del self.scopes[place:]
                return True
        return False

    def above(self, scope: Scope) -> list[Scope]:
        """The scopes inside `scope`."""
        place = next((i for i in range(len(self.scopes) - 1, -1, -1) if self.scopes[i] is scope), len(self.scopes))
        return self.scopes[place + 1 :]

    @property
    def around(self) -> Scope:
        """The innermost scope."""
        return self.scopes[-1]

    def depths(self) -> tuple[int, int, int, int]:
        """How many operators are under way, to go back to when an exception leaves them."""
        return len(self.choices), len(self.kept), len(self.comprehensions), len(self.handled)

    def back_to(self, depths: tuple[int, int, int, int]) -> None:
        """Forget the operators that an exception has left."""
        for stack, depth in zip((self.choices, self.kept, self.comprehensions, self.handled), depths, strict=True):
            del stack[depth:]

    def is_in_operand(self, depths: tuple[int, int, int, int]) -> bool:
        """Whether an operand that a run may not reach is being made, begun after `depths`."""
        operands = (*self.choices[depths[0] :], *self.comprehensions[depths[2] :])
        return any(operand.is_open for operand in operands)

    @property
    def in_region(self) -> bool:
        """Whether a block inside the pipeline's own is being recorded, so that what is done here may not be done."""
        return bool(self.tracer.open_blocks)

    # exits

    def leaving(self, label: Label, values: Mapping[str, Any]) -> Leave:
        """The jump to raise; what it takes along is kept as it is now."""
        found = Exit({name: kept(value) for name, value in values.items()})
        for block in self.tracer.open_blocks:
            found.lists.update(contents(block))
        return Leave({label: found})

    def fallen(self, names: Iterable[str], held: Mapping[str, Any]) -> Outcome:
        """The outcome of a scope that was run to its end."""
        return {FALL: Exit({name: held.get(name, UNBOUND) for name in names})}

    def close_records(self, scope: Scope, outcome: Outcome) -> Outcome:
        """Close the joins that wait for the end of a scope, the innermost first."""
        while scope.records:
            outcome = scope.records.pop().close(outcome)
        return outcome

    def apply(self, found: Exit) -> None:
        """Give the lists of an exit their contents there."""
        for one, content in found.lists.values():
            one[:] = content

    def settle(self, outcome: Outcome, names: Sequence[str]) -> tuple[Any, ...]:
        """Go on where an outcome falls through: what it else may be waits in a record of the innermost scope.

        Raises:
            Leave: it falls through nowhere.
        """
        falls = outcome.get(FALL)
        if falls is None:
            raise Leave(outcome)
        return self.go_on(falls, {label: found for label, found in outcome.items() if label != FALL}, names)

    def go_on(self, found: Exit, others: Outcome, names: Sequence[str]) -> tuple[Any, ...]:
        """Go on in one of the ways out, behind it; the others wait in a record of the innermost scope."""
        from drawloom.dsl.staging.branches import continue_with  # these two modules make each other's objects

        self.apply(found)
        if others:
            self.around.records.append(continue_with(self, found.flag, others))
        return tuple(plain(found.values.get(name, UNBOUND)) for name in names)


def current_stage() -> Stage | None:
    """The stage of the trace under way, None if there is none."""
    tracer = CURRENT.get()
    if tracer is None:
        return None
    if tracer.stage is None:
        tracer.stage = Stage(tracer)
    found: Stage = tracer.stage
    return found
