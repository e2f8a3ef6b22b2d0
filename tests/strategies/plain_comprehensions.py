"""What plain modules loop over, and comprehensions over it."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from plain_scope import (
    BOOL,
    FLOAT,
    INT,
    INT_TABLE,
    INTS,
    OPT,
    PAIR,
    POINT,
    ROWS,
    SET,
    STR,
    STRS,
    TABLE,
    Choices,
    Scope,
    Var,
)

__all__ = ["LITERALS", "TEXTS", "Comprehensions"]

TEXTS = ('"a"', '""', '"b{x}"', '"{{"', '"\\u2603"', '"two\\nlines"')
LITERALS = {
    INT: ("0", "1", "2", "3", "5", "-1", "7"),
    BOOL: ("True", "False"),
    STR: TEXTS,
    FLOAT: ("0.5", "2.0", "-0.0", "1e-7"),
    OPT: ("None", "1", "0"),
    INTS: ("[1, 2]", "[]", "[3]"),
    STRS: ('["a", "b"]', "[]", '["a"]'),
    ROWS: ("[[1, 2], [3]]", "[]", "[[], [0]]"),
    PAIR: ('(1, "a")', '(0, "")'),
    TABLE: ('{"a": 1, "b": 0}',),
    INT_TABLE: ("{1: 2}", "{}"),
    SET: ("{1, 2}", "{0}"),
    POINT: ('Point(1, "a")',),
}


class Comprehensions(Choices):
    """Writes iterables and what stands around them; the expressions are a deriving class's."""

    made = 0
    long = False  # whether a list that was just written may be long

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.grown: set[str] = set()  # lists that a loop makes longer: looped over in a loop, they'd grow without end
        self.iterated: set[str] = set()

    def new(self, stem: str) -> str:
        self.made += 1
        return f"{stem}{self.made}"

    def expr(self, scope: Scope, type_: str, depth: int = 2, *, alias: bool = False) -> str:
        raise NotImplementedError

    def test(self, scope: Scope, depth: int = 1) -> str:
        raise NotImplementedError

    def source(self, scope: Scope, depth: int, *, at_run: bool = False) -> tuple[str, dict[str, Var], str]:
        """Something to loop over: the target, the names it binds, and the text of the iterable. Never long."""
        kind = self.number(0, 15)
        if at_run and kind in (5, 6, 7, 15):
            kind = 0
        one = self.new("k")
        if kind < 5:
            return one, {one: Var(INT)}, self.short(scope, INTS, depth, at_run=at_run)
        if kind < 7:
            return one, {one: Var(INT, known=True)}, self.pick(("range(3)", "(1, 2)", "range(1, 3)", "[0, 1, 4]"))
        if kind == 7:
            return one, {one: Var(INT)}, self._known_items(scope, depth)
        if kind == 8:
            return one, {one: Var(STR)}, self.short(scope, STRS, depth, at_run=at_run)
        if kind == 9:
            return one, {one: Var(INTS)}, self.short(scope, ROWS, depth, at_run=at_run)
        other = self.new("k")
        items = self.short(scope, INTS, depth, at_run=at_run)
        if kind == 10:
            start = self.pick(("", "", ", 1", ", start=2"))
            return f"{other}, {one}", {other: Var(INT), one: Var(INT)}, f"enumerate({items}{start})"
        if kind == 11:
            more, type_ = self.pick(((INTS, INT), (STRS, STR)))
            return (
                f"{one}, {other}",
                {one: Var(INT), other: Var(type_)},
                f"zip({items}, {self.short(scope, more, depth)})",
            )
        if kind == 12:
            number = self.pick((f"len({items})", f"{self.expr(scope, INT, depth)} % 4"))
            return one, {one: Var(INT)}, f"range({self.pick(('', '', '1, '))}{number})"
        if kind == 13:
            return one, {one: Var(INT)}, f"{self.pick(('reversed', 'sorted'))}({items})"
        third = self.new("k")
        names = {third: Var(INT), one: Var(INT), other: Var(INT)}
        if kind == 14:
            return f"{third}, ({one}, {other})", names, f"enumerate(zip({items}, {self.short(scope, INTS, depth)}))"
        pairs = f"[({self.expr(scope, INT, depth)}, {self.expr(scope, INT, 0)}), (1, 2)]"
        return f"{one}, {other}", {one: Var(INT), other: Var(INT)}, pairs

    def _known_items(self, scope: Scope, depth: int) -> str:
        items = ", ".join(self.expr(scope, INT, depth) for _ in range(self.number(1, 3)))
        return self.pick((f"[{items}]", f"({items},)"))

    def short(self, scope: Scope, type_: str, depth: int, *, at_run: bool = False) -> str:
        """A list of a few items; `at_run`: one that isn't known while tracing."""
        task = {INTS: "count_up", STRS: "words", ROWS: "grid"}[type_]
        if at_run:
            return (
                f"{task}({self.expr(scope, INT, 0)} + {self.pick(('n', 'm'))})"
                if "n" in scope.vars and "m" in scope.vars
                else f"{task}(add(1))"
            )
        names = [name for name in scope.of(type_, short=True) if not (scope.loops and name in self.grown)]
        if names and self.number(0, 3):
            name = self.pick(names[:4])
            self.iterated.add(name)
            acc = scope.vars[name].acc
            if acc:
                scope.reading(acc)
            return name
        if depth > 0 and self.chance(3):
            return f"{task}({self.expr(scope, INT, depth - 1)})"
        if depth > 0 and names and self.chance(3):
            return f"{names[0]}[{self.pick(('1:', ':2', '::-1', '-2:'))}]"
        return self.pick(LITERALS[type_])

    def clauses(self, scope: Scope, depth: int, *, at_run: bool = False, plain: bool = False) -> tuple[Scope, str]:
        """`for .. in .. if ..`, and the scope of the element; `plain`: one loop without a test."""
        text = ""
        deep = self.chance(4) and not plain
        for _ in range(2 if deep else 1):
            target, names, items = self.source(scope, depth, at_run=at_run)
            scope = replace(scope, vars=scope.vars | names)
            text += f" for {target} in {items}"
            if self.chance(3) and not plain:
                text += f" if {self.test(scope, depth)}"
        self.long = self.long or deep
        return scope, text.lstrip()

    def comprehension(self, scope: Scope, type_: str, depth: int, *, at_run: bool = False) -> str:
        inner, clauses = self.clauses(scope, depth, at_run=at_run)
        long, element = self.long, self.expr(inner, type_, depth + 1)
        self.long = long
        return f"{element} {clauses}"
