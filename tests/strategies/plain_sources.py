"""Hypothesis strategies for modules in plain Python, as text: a pipeline with whatever control flow, and what it calls.

A program is well typed and ends. Expressions that may raise stand anywhere. It raises its own exceptions, those of
arithmetic and of look-ups, `ValueError`, `AssertionError` and `BoundReached`, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from hypothesis import strategies as st
from plain_loops import Loops
from plain_scope import BOOL, INT, INTS, OPT, ROWS, STR, STRS, Function, Scope, Var, indented
from plain_statements import RESULTS, Mark

__all__ = ["Plain", "plain_source", "plain_sources"]

HEADER = "from plain_tasks import *\n\n\n"
PARAMS = {"n": INT, "m": INT, "numbers": INTS, "names": STRS, "text": STR, "flag": BOOL, "opt": OPT, "grids": ROWS}
VALUES: dict[str, tuple[Any, ...]] = {
    INT: (0, 1, 2, 3, 5, -1, 4, 7, -4, 10),
    INTS: ([], [0], [3], [1, 4, 6], [2, 2, -1, 5]),
    STRS: ([], ["a"], ["", "b{x}", "a"]),
    STR: ("", "a", "b{x}", "{{t}}"),
    BOOL: (False, True),
    OPT: (None, 0, 1, 3),
    ROWS: ([], [[]], [[1, 2], [3]], [[0], [], [2, 5]]),
}
GIVEN = (INT, INT, INTS, STR, BOOL)  # to functions


class Plain:
    """A module's text, parameter sets for its pipeline `main`, and where a mutation may go (line -> what is there)."""

    def __init__(self, text: str, params: list[dict[str, Any]], marks: Mapping[int, Mark]) -> None:
        self.text = text
        self.params = params
        self.marks = marks

    def __repr__(self) -> str:
        return f"{self.text.removeprefix(HEADER)}\n# {self.params}"


@st.composite
def plain_sources(draw: st.DrawFn, sets: int = 5) -> Plain:
    """Modules with a pipeline `main`."""
    return plain_source(draw(st.randoms(use_true_random=False)), sets)


def plain_source(random: Random, sets: int = 5, depths: tuple[int, ...] = (1, 2, 2, 3)) -> Plain:
    """A module made by what `random` gives, with `sets` parameter sets; `depths`: how deep its blocks may nest."""
    return _Module(random).module(sets, depths)


class _Module(Loops):
    def module(self, sets: int, depths: tuple[int, ...]) -> Plain:
        parts = [self.function(f"inner_{i}", pipeline=True) for i in range(self.pick((0, 0, 1)))]
        parts += [self.function(f"helper_{i}", pipeline=False) for i in range(self.pick((0, 1, 2)))]
        if self.chance(8):
            parts.append(self.recursive())
        result = self.pick(RESULTS)
        head = ", ".join(f"{name}: {type_}" for name, type_ in PARAMS.items())
        scope = Scope(
            {name: Var(type_) for name, type_ in PARAMS.items()}, result, self.pick((1, 2, 2, 3)), marked=True
        )
        body = self.body(scope, 2, 5)
        parts.append("\n".join(["@pipeline", f"def main({head}) -> {result}:", *indented(body)]))
        text, marks = self._without_marks(HEADER + "\n\n\n".join(parts) + "\n")
        params = [{name: self.pick(VALUES[type_]) for name, type_ in PARAMS.items()} for _ in range(sets)]
        return Plain(text, params, marks)

    def function(self, name: str, *, pipeline: bool) -> str:
        """A helper, or a pipeline inside the pipeline."""
        takes = {f"p{i}": self.pick(GIVEN) for i in range(self.number(1, 3))}
        result = self.pick(RESULTS)
        names = {p: Var(type_) for p, type_ in takes.items()}
        head = ", ".join(f"{p}: {type_}" for p, type_ in takes.items())
        rest, by_name = "", ()
        if not pipeline and self.chance(3):
            rest = INT
            head += ", *rest: int"
        if self.chance(3):
            by_name = (("extra", INT),)
            head += f"{'' if rest else ', *'}, extra: int = {self.number(0, 3)}"
            names["extra"] = Var(INT)
        self.long = False
        lines = self.body(Scope(dict(names), result, 2), 1, 4)
        if rest:
            lines = self.rest(names, lines)
        self.functions += (Function(name, tuple(takes.values()), result, by_name, rest),)
        return "\n".join([*(["@pipeline"] if pipeline else []), f"def {name}({head}) -> {result}:", *indented(lines)])

    def rest(self, names: dict[str, Var], lines: list[str]) -> list[str]:
        """What is done with `*rest`, before all else."""
        first = next((name for name, var in names.items() if var.type == INT), "")
        if not first:
            return ["for one in rest:", "    note(one)", *lines]
        done = self.pick(
            (
                f"    {first} = add({first}, one)",
                f"    {first} += one",
                f"    if one > {first}:\n            {first} = one",
            )
        )
        return ["for one in rest:", done, *lines]

    def recursive(self) -> str:
        """A function that calls itself as often as a known number says."""
        scope = Scope({"depth": Var(INT, known=True), "x": Var(INT)}, INT, 1, owned=frozenset({"x"}))
        lines, falls = self.block(scope, 0, 2)
        last = [f"return deeper(depth - 1, {self.expr(scope, INT)})"] if falls else []
        self.functions += (Function("deeper", (INT, INT), INT, known=(True, False)),)
        return "\n".join(
            ["def deeper(depth, x):", "    if depth <= 0:", "        return x", *indented([*lines, *last])]
        )

    def _without_marks(self, text: str) -> tuple[str, dict[int, Mark]]:
        lines: list[str] = []
        found = {}
        for line in text.splitlines():
            if line.lstrip().startswith("#@"):
                found[len(lines) + 1] = self.marks[int(line.lstrip()[2:])]
            else:
                lines.append(line)
        return "\n".join(lines) + "\n", found
