"""What the writers of plain modules share: choices, types, and which names may be read where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import TypeVar

__all__ = [
    "BOOL",
    "FLOAT",
    "INT",
    "INTS",
    "INT_TABLE",
    "OPT",
    "PAIR",
    "POINT",
    "ROWS",
    "SET",
    "STR",
    "STRS",
    "TABLE",
    "Choices",
    "Function",
    "Loop",
    "Scope",
    "Var",
    "indented",
]

T = TypeVar("T")
INT, BOOL, STR, FLOAT, OPT = "int", "bool", "str", "float", "int | None"
INTS, STRS, ROWS, PAIR = "list[int]", "list[str]", "list[list[int]]", "tuple[int, str]"
TABLE, INT_TABLE, SET, POINT = "dict[str, int]", "dict[int, int]", "set[int]", "Point"


class Choices:
    """Choices by a `Random`; the first of what is offered is the simplest."""

    def __init__(self, random: Random) -> None:
        self._below = random.randrange

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self._below(len(choices))]

    def number(self, least: int, most: int) -> int:
        return least + self._below(most - least + 1)

    def chance(self, one_in: int) -> bool:
        return self._below(one_in) == one_in - 1


@dataclass(frozen=True)
class Var:
    """A variable: its type; whether a list may be long; whether its value is known while tracing; and, for a list that
    is made by appending, the name it was made under."""

    type: str
    long: bool = False
    known: bool = False
    acc: str = ""


@dataclass(frozen=True)
class Function:
    """A function that may be called: its parameters' types, its result, and what else it takes."""

    name: str
    takes: tuple[str, ...]
    result: str
    by_name: tuple[tuple[str, str], ...] = ()
    rest: str = ""
    effects: bool = False
    known: tuple[bool, ...] = ()


@dataclass
class Loop:
    """A loop: the lists from outside it that are read in it, and those that are appended to."""

    outer: frozenset[str]
    kind: str
    read: set[str] = field(default_factory=set)
    appended: set[str] = field(default_factory=set)


@dataclass
class Scope:
    """A block: what may be read there, and which statements may stand there."""

    vars: dict[str, Var]
    result: str = INT
    depth: int = 2
    loops: tuple[Loop, ...] = ()
    breaks: str = ""  # the kind of the innermost loop that `break` would leave, "" if there is none
    owned: frozenset[str] = frozenset()  # names of an outer function, which may be read but not assigned
    returns: bool = True
    nested: bool = False  # under a test or in a loop: a name keeps its type
    marked: bool = False  # whether a mutation may go here
    apart: bool = True  # whether a list that is appended to in a loop isn't read there

    def inner(self, **changes: object) -> Scope:
        return replace(self, vars=dict(self.vars), **{"nested": True, "depth": self.depth - 1} | changes)  # type: ignore[arg-type]

    def readable(self, acc: str) -> bool:
        return not self.apart or all(acc not in loop.appended for loop in self.loops if acc in loop.outer)

    def appendable(self, acc: str) -> bool:
        return not self.apart or all(acc not in loop.read for loop in self.loops if acc in loop.outer)

    def reading(self, acc: str) -> None:
        for loop in self.loops:
            if acc in loop.outer:
                loop.read.add(acc)

    def appending(self, acc: str) -> None:
        for loop in self.loops:
            if acc in loop.outer:
                loop.appended.add(acc)

    def loop(self, kind: str) -> Loop:
        return Loop(frozenset(v.acc for v in self.vars.values() if v.acc), kind)

    def of(self, type_: str, *, short: bool = False) -> list[str]:
        """The readable variables of a type, the newest first."""
        names = [
            name
            for name, var in self.vars.items()
            if var.type == type_ and not (short and var.long) and (not var.acc or self.readable(var.acc))
        ]
        return names[::-1]

    def meet(self, others: list[Scope]) -> None:
        """Keep what every way into this place has assigned, with one type."""
        if not others:
            return
        first, *rest = others
        kept = {}
        for name, var in first.vars.items():
            found = [scope.vars.get(name) for scope in rest]
            if all(f is not None and f.type == var.type and f.acc == var.acc for f in found):
                kept[name] = replace(
                    var,
                    long=var.long or any(f.long for f in found if f),
                    known=var.known and all(f.known for f in found if f),
                )
        self.vars = kept

    @contextmanager
    def with_names(self, names: dict[str, Var]) -> Iterator[Scope]:
        yield replace(self, vars=self.vars | names)


def indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
