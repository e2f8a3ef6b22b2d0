"""Loops and `try` of plain modules."""

from __future__ import annotations

from collections.abc import Callable

from plain_scope import INT, ROWS, Scope, Var, indented
from plain_statements import Block, Statements

__all__ = ["Loops"]

HANDLED = (
    "Bad",
    "Worse",
    "Lost",
    "KeyError",
    "LookupError",
    "ValueError",
    "ZeroDivisionError",
    "Exception",
    "(Lost, Bad)",
)


class Loops(Statements):
    """Writes the statements that hold several blocks besides `if`."""

    def compound(self) -> tuple[Callable[[Scope], Block], ...]:
        return (
            *super().compound(),
            *[self.for_] * 4,
            self.bounded,
            self.bounded,
            self.known_while,
            self.rows,
            *[self.try_] * 3,
        )

    def for_(self, scope: Scope) -> Block:
        target, names, items = self.source(scope, 1)
        loop = scope.loop("for")
        inner = scope.inner(loops=(*scope.loops, loop), breaks="for")
        inner.vars |= names
        lines, _ = self.block(inner, 1, 4)
        lines = [f"for {target} in {items}:", *indented(lines)]
        if self.chance(8):
            more, _ = self.block(scope.inner(), 1, 2)  # reached or not, what is assigned here isn't used behind it
            lines += ["else:", *indented(more)]
        return lines, True

    def bounded(self, scope: Scope) -> Block:
        """A loop with a bound, left by a `break` under a test."""
        item = self.pick(("_", self.new("k")))
        stop = self.pick(("", ', on_limit="stop"', ', on_limit="stop"'))
        inner = scope.inner(loops=(*scope.loops, scope.loop("bounded")), breaks="bounded")
        if item != "_":
            inner.vars[item] = Var(INT)
        lines, falls = self.block(inner, 0, 2, ends=False)
        if falls:
            lines = [line for line in lines if line != "pass"]
            lines += [f"if {self.test(inner, 2)}:", f"    {self.pick(('break', 'break', *self.leaving(inner)))}"]
            more, _ = self.block(inner, 0, 2)
            lines += [line for line in more if line != "pass"]
        return [f"for {item} in bounded({self.number(1, 4)}{stop}):", *indented(lines)], True

    def leaving(self, scope: Scope) -> tuple[str, ...]:
        return (f"return {self.expr(scope, scope.result, 1, alias=True)}",) if scope.returns else ()

    def known_while(self, scope: Scope) -> Block:
        """A `while` over a counter that is known, which is unrolled."""
        count = self.new("c")
        inner = scope.inner(loops=(*scope.loops, scope.loop("while")), breaks="while")
        inner.vars[count] = Var(INT)
        lines, _ = self.block(inner, 1, 2)
        return [f"{count} = {self.number(0, 3)}", f"while {count} > 0:", f"    {count} -= 1", *indented(lines)], True

    def rows(self, scope: Scope) -> Block:
        """A list of lists, each gathered in a loop inside a loop."""
        out, row = self.new("out"), self.new("row")
        target, names, items = self.source(scope, 0)
        outer = scope.inner(loops=(*scope.loops, scope.loop("for")), breaks="for")
        outer.vars |= names
        again, more, inside = self.source(outer, 0)
        inner = outer.inner()
        inner.vars |= more
        element = self.expr(inner, INT)
        lines = [f"{out} = []", f"for {target} in {items}:", f"    {row} = []", f"    for {again} in {inside}:"]
        if self.chance(3):
            lines += [f"        if {self.test(inner)}:", f"            {self.pick(('continue', 'break'))}"]
        lines += [f"        {row}.append({element})", f"    {out}.append({row})"]
        scope.vars[out] = Var(ROWS, long=True, known=True)  # known: it is not assigned again
        return lines, True

    def try_(self, scope: Scope) -> Block:
        inner = scope.inner()
        if scope.loops and not self.chance(8):  # the next round would not know how far the body came
            inner.owned = scope.owned | set(scope.vars)
        lines, falls = self.block(inner, 1, 3)
        lines = ["try:", *indented(lines)]
        changed = _assigned(lines)
        before = scope.inner()
        if not self.chance(20):  # how far the body came isn't known in a handler
            before.vars = {name: var for name, var in before.vars.items() if (var.acc or name) not in changed}
        ways: list[Scope] = []
        handlers = dict.fromkeys(self.pick(HANDLED) for _ in range(self.number(0, 2)))
        for cls in handlers:
            lines += self._handler(before, cls, ways)
        if handlers and falls and self.chance(4):
            more, falls = self.block(inner, 1, 2)
            lines += ["else:", *indented(more)]
        if falls:
            ways.append(inner)
        if not handlers or self.chance(4):
            after = before.inner(returns=False, breaks="")
            maybe = _assigned(lines)
            after.vars = {name: var for name, var in after.vars.items() if (var.acc or name) not in maybe}
            more, _ = self.block(after, 1, 2, ends=False)
            lines += ["finally:", *indented(more)]
        scope.meet(ways)
        return lines, bool(ways)

    def _handler(self, before: Scope, cls: str, ways: list[Scope]) -> list[str]:
        inner = before.inner()
        name = self.new("e")
        told = self.chance(3)
        lines, falls = self.block(inner, 0, 2)
        if falls and self.chance(5):
            lines = [line for line in lines if line != "pass"]
            lines.append(self.pick(("raise", f"raise Bad('again'){f' from {name}' if told else ''}")))
            falls = False
        if falls:
            if self.chance(2) and told:
                text = self.fresh(inner, "str")
                inner.vars[text] = Var("str")
                lines = [f"{text} = str({name})", *lines]
            ways.append(inner)
        return [f"except {cls}{f' as {name}' if told else ''}:", *indented(lines)]


def _assigned(lines: list[str]) -> set[str]:
    """The names that lines of code may assign, or append to."""
    found = set()
    for line in lines:
        text = line.strip()
        for word in (
            text.replace(",", " ").replace("(", " ").replace(")", " ").replace(":", " ").replace(".", " ").split()
        ):
            if word.isidentifier():
                found.add(word)
    return found
