"""Simple statements of plain modules, and tests: `if`, `match`, early returns, local functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from plain_comprehensions import TEXTS
from plain_expressions import Expressions
from plain_scope import (
    BOOL,
    FLOAT,
    INT,
    INTS,
    OPT,
    PAIR,
    POINT,
    ROWS,
    SET,
    STR,
    STRS,
    TABLE,
    Function,
    Scope,
    Var,
    indented,
)

__all__ = ["Block", "Mark", "Statements"]

FUNCTION, PUSH = "function", "push"
ASSIGNED = (INT, INT, INT, INT, INTS, INTS, STR, BOOL, OPT, FLOAT, STRS, ROWS, PAIR, TABLE, POINT, SET)
RESULTS = (INT, INT, INT, INTS, STR, OPT, BOOL, TABLE, POINT, PAIR, SET, FLOAT, ROWS)
RAISED = ('Bad("b")', 'Worse(f"w{{}}")', 'Lost("l")', 'ValueError("v")')
Block = tuple[list[str], bool]  # lines, and whether what comes after them can be reached


@dataclass(frozen=True)
class Mark:
    """A place where a mutation may go, and what can be read there."""

    vars: dict[str, Var]
    in_loop: bool
    under_test: bool


class Statements(Expressions):
    """Writes statements: each method gives lines, and whether the block goes on behind them."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.types: dict[str, str] = {}  # a variable has one type in its function, whatever the path
        self.local: dict[str, Function] = {}
        self.marks: list[Mark] = []

    # names

    def fresh(self, scope: Scope, type_: str) -> str:
        free = [
            name
            for name in (f"v{i}" for i in range(1, 9))
            if name not in scope.vars and name not in scope.owned and self.types.get(name, type_) == type_
        ]
        name = self.pick(free[:3]) if free and self.number(0, 3) else self.new("w")
        self.types[name] = type_
        return name

    def assignable(self, scope: Scope, type_: str) -> list[str]:
        return [
            name
            for name, var in scope.vars.items()
            if var.type == type_ and not var.acc and not var.known and name not in scope.owned and name[0] not in "kcx"
        ][::-1]

    def target(self, scope: Scope, type_: str) -> str:
        old = self.assignable(scope, type_)
        return self.pick(old[:4]) if old and self.number(0, 2) else self.fresh(scope, type_)

    def local_functions(self, scope: Scope) -> list[Function]:
        return [self.local[name] for name, var in scope.vars.items() if var.type == FUNCTION]

    # blocks

    def block(self, scope: Scope, least: int, most: int, *, ends: bool = True) -> Block:
        lines: list[str] = []
        for _ in range(self.number(least, most)):
            lines += self.mark(scope)
            more, falls = self.statement(scope)
            lines += more
            if not falls:
                return lines, False
        if ends and scope.nested and self.chance(4):
            more, falls = self.ending(scope)
            return lines + more, falls
        return lines or ["pass"], True

    def statement(self, scope: Scope) -> Block:
        forms = self.simple() + (self.compound() if scope.depth > 0 else ())
        return self.pick(forms)(scope)

    def simple(self) -> tuple[Callable[[Scope], Block], ...]:
        return (
            *[self.assign] * 8,
            *[self.effect] * 3,
            *[self.gather] * 3,
            self.augment,
            self.augment,
            self.unpack,
            self.bare,
        )

    def compound(self) -> tuple[Callable[[Scope], Block], ...]:
        return (*[self.if_] * 5, self.early, self.early, self.match, self.define)

    def mark(self, scope: Scope) -> list[str]:
        if not scope.marked:
            return []
        self.marks.append(Mark(dict(scope.vars), bool(scope.loops), scope.nested))
        return [f"#@{len(self.marks) - 1}"]

    def ending(self, scope: Scope) -> Block:
        """A jump out of the block, or nothing."""
        kind = self.number(0, 5)
        if kind < 3 and scope.breaks:
            return [self.pick(("break", "continue"))], False
        if kind < 5 and scope.returns:
            return [f"return {self.expr(scope, scope.result, alias=True)}"], False
        if kind == 5:
            return [f"raise {self.pick(RAISED).replace('{}', self.variable_or_number(scope))}"], False
        return ["pass"], True

    # simple statements

    def assign(self, scope: Scope) -> Block:
        type_ = self.pick(ASSIGNED)
        name = self.target(scope, type_)
        if name in self.iterated and name in scope.vars and scope.loops:
            name = self.fresh(scope, type_)
        if name in scope.vars and scope.loops and type_ in (INTS, STRS, ROWS):
            self.grown.add(name)
            return [f"{name} = {name} + [{self.expr(scope, {INTS: INT, STRS: STR, ROWS: INTS}[type_], 1)}]"], True
        self.long = False
        text = self.expr(scope, type_, 3)
        if type_ in (INTS, STRS, ROWS) and self.chance(8):
            name = f"{name}: {type_}"
        lines = [f"{name} = {text}"]
        scope.vars[name.partition(":")[0]] = Var(type_, long=self.long)
        return lines, True

    def effect(self, scope: Scope) -> Block:
        return [f"note({self.expr(scope, INT, 1)})"], True

    def bare(self, scope: Scope) -> Block:
        """A statement whose value nobody takes."""
        kind = self.number(0, 3)
        if kind == 0:
            return [f"assert {self.test(scope)}, {self.pick(TEXTS)}"], True
        return [self.call(scope, self.pick((INT, INT, OPT, STR)), 1) if kind < 3 else self._division(scope, 0)], True

    def augment(self, scope: Scope) -> Block:
        names = self.assignable(scope, INT)
        texts = self.assignable(scope, STR)
        if texts and self.chance(3):
            return [f"{texts[0]} += {self.pick(TEXTS)}"], True
        if not names:
            return self.effect(scope)
        value = self.pick(
            (
                f"+= {self.expr(scope, INT, 1)}",
                f"-= {self.expr(scope, INT, 1)}",
                "*= 2",
                "//= 2",
                f"%= {self.expr(scope, INT, 0)}",
            )
        )
        return [f"{self.pick(names[:3])} {value}"], True

    def unpack(self, scope: Scope) -> Block:
        names = self.assignable(scope, INT)
        if len(names) > 1 and self.chance(3):
            return [f"{names[0]}, {names[1]} = {names[1]}, {names[0]}"], True
        one = self.target(scope, INT)
        if self.chance(3):
            text = f"{self.expr(scope, INT, 1)}, ({self.expr(scope, INT, 1)}, {self.expr(scope, STR, 1)})"
            scope.vars[one] = Var(INT)
            three = self.target(scope, STR)
            scope.vars[three] = Var(STR)
            two = self.new("w")
            self.types[two] = INT
            scope.vars[two] = Var(INT)
            return [f"{one}, ({two}, {three}) = {text}"], True
        text = self._subject(scope, PAIR, 1)
        other = self.target(scope, STR)
        scope.vars |= {one: Var(INT), other: Var(STR)}
        return [f"{one}, {other} = {text}"], True

    def gather(self, scope: Scope) -> Block:
        """A list that is appended to: a new one, or one more item."""
        accs = [
            name
            for name, var in scope.vars.items()
            if var.acc and scope.appendable(var.acc) and name not in scope.owned
        ]
        if not accs or self.chance(6):
            name = self.new("out")
            text = self.pick(("[]", "[]", f"[{self.expr(scope, INT, 1)}]"))
            scope.vars[name] = Var(INTS, long=True, acc=name)
            return [f"{name}{self.pick(('', ': list[int]'))} = {text}"], True
        name = self.pick(accs[::-1][:3])
        var = scope.vars[name]
        if var.type == PUSH:
            text = self.expr(scope, INT, 2)
            if not scope.appendable(var.acc):
                return ["pass"], True
            scope.appending(var.acc)
            return [f"{name}({text})"], True
        kind = self.number(0, 9)
        if kind == 9 and not scope.nested:
            alias, push = self.new("out"), self.new("f")
            if self.chance(2):
                scope.vars[alias] = Var(INTS, long=True, acc=var.acc)
                return [f"{alias} = {name}"], True
            item = self.new("x")
            scope.vars[push] = Var(PUSH, acc=var.acc)
            return [f"def {push}({item}):", f"    {name}.append({item})"], True
        text = self.expr(scope, INT, 2)
        more = self.short(scope, INTS, 1)
        if not scope.appendable(var.acc):  # it was read just now
            return ["pass"], True
        scope.appending(var.acc)
        if kind < 7:
            return [f"{name}.append({text})"], True
        return [f"{name}.extend({more})" if kind == 7 else f"{name} += [{text}]"], True

    # tests

    def if_(self, scope: Scope) -> Block:
        planned = (self.pick((INT, INT, STR, INTS)), "") if self.chance(2) else None
        if planned:
            planned = (planned[0], self.fresh(scope, planned[0]))
        test, then = self.head(scope)
        ways: list[Scope] = []
        lines = [f"if {test}:", *self.side(then, ways, planned)]
        for _ in range(self.pick((0, 0, 0, 1, 2))):
            lines += [f"elif {self.test(scope)}:", *self.side(scope.inner(), ways, planned)]
        if planned or self.number(0, 2):
            lines += ["else:", *self.side(scope.inner(), ways, planned)]
        else:
            ways.append(scope.inner())
        scope.meet(ways)
        return lines, bool(ways)

    def head(self, scope: Scope) -> tuple[str, Scope]:
        """A test, and the scope where it holds."""
        kind = self.number(0, 9)
        if kind == 0:
            name = self.target(scope, INT)
            text = f"({name} := {self.expr(scope, INT)}) {self.pick(('>', '!='))} {self.expr(scope, INT, 0)}"
            scope.vars[name] = Var(INT)
            return text, scope.inner()
        if kind == 1 and self.chance(20):  # refused at times: the name is bound on one side of `and`
            test = self.test(scope)
            name = self.fresh(scope, INT)
            text = f"{test} and ({name} := {self.expr(scope, INT)}) > {self.number(0, 2)}"
            then = scope.inner()
            then.vars[name] = Var(INT)
            return text, then
        names = [name for name in scope.of(OPT) if name not in scope.owned]
        if kind == 2 and names and self.narrows:
            then = scope.inner(owned=scope.owned | {names[0]})
            then.vars[names[0]] = Var(INT, known=False)
            return f"{names[0]} is not None", then
        return self.test(scope, 2), scope.inner()

    def side(self, scope: Scope, ways: list[Scope], planned: tuple[str, str] | None) -> list[str]:
        narrowed = [name for name, var in scope.vars.items() if self.types.get(name, var.type) != var.type]
        lines, falls = self.block(scope, 0 if planned else 1, 3)
        if falls:
            if planned:
                type_, name = planned
                self.long = False
                lines = [line for line in lines if line != "pass"] + [f"{name} = {self.expr(scope, type_)}"]
                scope.vars[name] = Var(type_, long=self.long)
            for name in narrowed:
                scope.vars[name] = Var(self.types[name])
            ways.append(scope)
        return indented(lines)

    def early(self, scope: Scope) -> Block:
        """A way out under a test, at times two tests deep."""
        names = [name for name in scope.of(OPT) if self.types.get(name) == OPT and name not in scope.owned]
        if names and self.narrows and scope.returns and self.chance(4):
            line = f"    return {self.expr(scope, scope.result, 1)}"
            scope.vars[names[0]] = Var(INT)
            return [f"if {names[0]} is None:", line], True
        end, _ = self.ending(scope)
        if end == ["pass"]:
            return self.assign(scope)
        if end[0].startswith("raise") and self.number(0, 2):
            return self.assign(scope)
        if self.chance(3):
            inner = scope.inner()
            more, _ = self.block(inner, 0, 1, ends=False)
            return [f"if {self.test(scope)}:", *indented([*more, f"if {self.test(scope, 2)}:", *indented(end)])], True
        return [f"if {self.test(scope, 2)}:", *indented(end)], True

    def match(self, scope: Scope) -> Block:
        type_ = self.pick((INT, INT, STR, OPT, BOOL))
        cases = {
            INT: ("0", "1 | 2", "-1", "3"),
            STR: ('"a"', '"" | "b{x}"'),
            OPT: ("None", "0", "1 | 2"),
            BOOL: ("True", "False"),
        }[type_]
        subject = self.expr(scope, type_)
        lines, ways = [f"match {subject}:"], []
        for case in cases[: self.number(1, len(cases))]:
            guard = f" if {self.test(scope)}" if self.chance(4) else ""
            lines += indented([f"case {case}{guard}:", *self.side(scope.inner(), ways, None)])
        kind = self.number(0, 2)
        if kind:
            then = scope.inner()
            name = "_"
            if kind == 2:
                name = self.fresh(scope, type_)
                then.vars[name] = Var(type_)
            lines += indented([f"case {name}:", *self.side(then, ways, None)])
        else:
            ways.append(scope.inner())
        scope.meet(ways)
        return lines, bool(ways)

    # local functions

    def define(self, scope: Scope) -> Block:
        """A closure or a lambda."""
        name, item = self.new("f"), self.new("x")
        outer = {n: v for n, v in scope.vars.items() if not v.acc}
        type_ = self.pick((INT, INT, STR, BOOL))
        if self.chance(3):
            text = self.expr(replace(scope, vars=outer | {item: Var(INT)}), type_)
            self.local[name] = Function(name, (INT,), type_)
            scope.vars[name] = Var(FUNCTION)
            return [f"{name} = lambda {item}: {text}"], True
        inner = Scope(outer | {item: Var(INT)}, type_, scope.depth - 1, owned=frozenset(scope.vars) | scope.owned)
        lines = self.body(inner, 0, 3)
        self.local[name] = Function(name, (INT,), type_)
        scope.vars[name] = Var(FUNCTION)
        return [f"def {name}({item}):", *indented(lines)], True

    def body(self, scope: Scope, least: int, most: int) -> list[str]:
        """A function's statements, with a `return` where they end."""
        types, self.types = self.types, {name: var.type for name, var in scope.vars.items() if name not in scope.owned}
        lines, falls = self.block(scope, least, most)
        self.types = types
        if falls:
            lines = [line for line in lines if line != "pass"] + [
                f"return {self.expr(scope, scope.result, alias=True)}"
            ]
        return lines
