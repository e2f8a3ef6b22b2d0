"""Hypothesis strategies for modules with a pipeline in them, as text: what a user might write, made by chance.

What a task raises is met by Python and by a run at the same place of the program. An expression over run-time values
isn't: a run evaluates it where it is used. So expressions that may raise stand only where they are used at once: among a
call's arguments, and in what a block returns at its end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

__all__ = ["Source", "sources"]

HEADER = (Path(__file__).parents[1] / "conformance" / "generated" / "source_tasks.py").read_text("utf-8") + "\n\n"
INT, INTS, STR, PAIR, TABLE, POINT, BOOL = (
    "int",
    "list[int]",
    "str",
    "tuple[int, str]",
    "dict[str, int]",
    "Point",
    "bool",
)
TYPES = (INT, INT, INT, INTS, STR, PAIR, TABLE, POINT)
GIVEN = (
    INT,
    INTS,
    STR,
    TABLE,
    POINT,
)  # to functions; an item of a tuple made of run-time values has no type of its own
CALLS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    INT: (
        ("add", (INT, INT)),
        ("check", (INT,)),
        ("total", (INTS,)),
        ("weigh", (TABLE,)),
    ),
    INTS: (("count_up", (INT,)),),
    STR: (("shout", (STR, INT)),),
    PAIR: (("pair", (INT, STR)),),
    TABLE: (("table", (INT, INT)),),
    POINT: (("point", (INT, STR)), ("move", (POINT, INT))),
}
TEXTS = ('"{{x}}"', '"${y}\'"', '"two\\nlines"', '"\\u2603"', '""')
PARAMS: dict[str, Any] = {"n": 3, "m": 8, "numbers": [1, 4, 6], "text": "{{t}}"}


class Source:
    """A module's text. `calls_in_order`: whether a run must make all its calls of effects in Python's order."""

    def __init__(self, text: str, in_order: bool) -> None:
        self.text = text
        self.in_order = in_order

    def __repr__(self) -> str:
        return self.text.removeprefix(HEADER)


@dataclass
class _Scope:
    """The variables of a function: name -> type; `known`: those that are known while it is traced."""

    names: dict[str, str]
    depth: int
    many: bool = False  # whether it is the body of a map

    def of(self, type_: str) -> list[str]:
        return [name for name, known in self.names.items() if known == type_]

    def inner(self, **more: str) -> _Scope:
        return _Scope(self.names | more, self.depth - 1, self.many)


@st.composite
def sources(draw: st.DrawFn) -> Source:
    """Modules with a pipeline `main`, which takes `PARAMS`."""
    writer = _Writer(draw)
    nested = [writer.function(f"inner_{i}", "@pipeline", 1) for i in range(writer.number(0, 1))]
    helpers = [writer.function(f"helper_{i}", "", 1) for i in range(writer.number(0, 1))]
    names = {"n": INT, "m": INT, "numbers": INTS, "text": STR}
    lines, result = writer.body(_Scope(names, 2), least=2)
    head = ["@pipeline", f"def main(n: int, m: int, numbers: list[int], text: str = {TEXTS[0]}) -> {result}:"]
    body = "\n".join([*head, *_indented(lines)])
    return Source(HEADER + "\n\n\n".join([*nested, *helpers, body]) + "\n", writer.in_order)


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


class _Writer:
    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.made = 0
        self.level = 0  # of functions inside each other: an outer name assigned in an inner one would be a new variable
        self.in_order = True
        self.functions: list[tuple[str, tuple[str, ...], str]] = []

    def pick(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def number(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    def fresh(self, stem: str = "v") -> str:
        if stem == "v" and self.made and not self.level and not self.number(0, 5):
            return f"v{self.number(1, self.made)}"  # an older name again
        self.made += 1
        return f"{stem}{self.made}"

    # functions

    def function(self, name: str, decorator: str, depth: int) -> str:
        takes = {f"p{i}": self.pick(*GIVEN) for i in range(self.number(1, 2))}
        lines, result = self.body(_Scope(dict(takes), depth), returns_risky=bool(decorator))
        self.functions.append((name, tuple(takes.values()), result))
        given = ", ".join(f"{p}: {type_}" for p, type_ in takes.items())
        head = [decorator] if decorator else []
        return "\n".join([*head, f"def {name}({given}) -> {result}:", *_indented(lines)])

    def body(
        self, scope: _Scope, result: str = "", *, least: int = 0, most: int = 5, returns_risky: bool = True
    ) -> tuple[list[str], str]:
        """Statements ending in a `return`, and the type of what they return."""
        lines = self.statements(scope, least, most)
        result = result or self.pick(*TYPES)
        lines.append(f"return {self.risky(scope, result) if returns_risky else self.safe(scope, result)}")
        return lines, result

    def statements(self, scope: _Scope, least: int, most: int) -> list[str]:
        lines: list[str] = []
        kinds: list[Callable[[_Scope], list[str]]] = [self.call] * 6
        kinds += [
            self.effect,
            self.effect,
            self.expression,
            self.unpack,
            self.known_loop,
            self.collect,
            self.function_call,
        ]
        if scope.depth > 0:
            kinds += [self.for_each, self.for_each, self.branch, self.branch, self.while_loop, self.try_, self.try_]
        for _ in range(self.number(least, most)):
            lines += self.pick(*kinds)(scope)
        return lines

    # statements

    def call(self, scope: _Scope) -> list[str]:
        type_ = self.pick(*CALLS, INT, INT, INTS)
        name = self.fresh()
        text = self.task(scope, type_)
        scope.names[name] = type_
        return [f"{name} = {text}"]

    def task(self, scope: _Scope, type_: str) -> str:
        task, takes = self.pick(*CALLS[type_])
        given = [self.risky(scope, taken) for taken in takes]
        if task == "weigh" and self.number(0, 1):
            given.append(f"factor={self.risky(scope, INT)}")
        if task == "add" and not self.number(0, 3):
            given.pop()
        return f"{task}({', '.join(given)})"

    def effect(self, scope: _Scope) -> list[str]:
        if scope.many:
            self.in_order = False
        return [f"note({self.risky(scope, INT)})"]

    def expression(self, scope: _Scope) -> list[str]:
        name, type_ = self.fresh(), self.pick(INT, STR, BOOL, INTS, TABLE, PAIR)
        text = self.safe(scope, type_)
        scope.names[name] = type_
        return [f"{name} = {text}"]

    def unpack(self, scope: _Scope) -> list[str]:
        one, other = self.fresh("a"), self.fresh("b")
        text = self.task(scope, PAIR)
        scope.names |= {one: INT, other: STR}
        return [f"{one}, {other} = {text}"]

    def known_loop(self, scope: _Scope) -> list[str]:
        """A `for` over known things, some of them run-time values, that is unrolled."""
        name, item = self.fresh(), self.fresh("k")
        start = self.safe(scope, INT)
        scope.names[name] = INT
        items = ", ".join(self.safe(scope, INT) for _ in range(self.number(1, 3)))
        over = self.pick(
            f"[{items}]", f"({items},)", f"range({self.number(0, 3)})", f"sorted([{self.number(0, 9)}, 4])"
        )
        inner = _Scope(scope.names | {item: INT}, 0, scope.many)
        return [f"{name} = {start}", f"for {item} in {over}:", f"    {name} = {self.task(inner, INT)}"]

    def collect(self, scope: _Scope) -> list[str]:
        name, item = self.fresh(), self.fresh("k")
        inner = _Scope(scope.names | {item: INT}, 0, scope.many)
        line = f"{name} = [{self.task(inner, INT)} for {item} in ({self.number(0, 9)}, {self.safe(scope, INT)})]"
        scope.names[name] = INTS
        return [line]

    def function_call(self, scope: _Scope) -> list[str]:
        if not self.functions:
            return self.call(scope)
        function, takes, result = self.pick(*self.functions)
        name = self.fresh()
        # a helper's parameters are plain names: what it is given is evaluated where the helper uses it
        text = f"{function}({', '.join(self.safe(scope, taken) for taken in takes)})"
        if scope.many:
            self.in_order = False  # there may be effects in it
        scope.names[name] = result
        return [f"{name} = {text}"]

    def inside(self, scope: _Scope, head: str, result: str, *, returns_risky: bool = True) -> tuple[str, list[str]]:
        """A function for a block: its name and its definition."""
        name = self.fresh("f")
        self.level += 1
        lines, _ = self.body(scope, result, most=3, returns_risky=returns_risky)
        self.level -= 1
        return name, [f"def {name}({head}):", *_indented(lines)]

    def for_each(self, scope: _Scope) -> list[str]:
        item, result = self.fresh("i"), self.pick(INT, INT, STR, POINT)
        items = self.safe(scope, INTS)
        inner = scope.inner(**{item: INT})
        inner.many = True
        function, lines = self.inside(inner, item, result)
        name = self.fresh()
        options = self.pick("", "", ", parallelism=1", ", batch_size=2")
        if result == INT:
            scope.names[name] = INTS
        else:
            scope.names.pop(name, None)
        return [*lines, f"{name} = for_each({items}, {function}{options})"]

    def branch(self, scope: _Scope) -> list[str]:
        result = self.pick(*TYPES)
        test = self.pick(self.risky(scope, INT), self.safe(scope, BOOL), self.safe(scope, BOOL), self.safe(scope, INTS))
        one, then = self.inside(scope.inner(), "", result, returns_risky=False)  # no block if the test is known
        other, otherwise = self.inside(scope.inner(), "", result, returns_risky=False)
        name = self.fresh()
        scope.names[name] = result
        return [*then, *otherwise, f"{name} = branch({test}, {one}, {other})"]

    def while_loop(self, scope: _Scope) -> list[str]:
        result = self.pick(INT, STR, INTS)
        count, state = self.fresh("c"), self.fresh("s")
        inner = scope.inner(**{count: INT, state: result})
        function = self.fresh("f")
        self.level += 1
        body = self.statements(inner, 0, 2)
        self.level -= 1
        body.append(f"return {count} + 1, {self.safe(inner, result)}")
        initial = f"({self.number(0, 2)}, {self.safe(scope, result)})"
        test = f"lambda state: state[0] < {self.pick('2', '3', self.safe(scope, INT))}"
        limit = f'max_iterations={self.number(1, 4)}, on_limit="{self.pick("fail", "stop", "stop")}"'
        name = self.fresh()
        scope.names.pop(name, None)
        after = self.fresh()
        scope.names[after] = result
        return [
            f"def {function}(state):",
            f"    {count}, {state} = state",
            *_indented(body),
            f"{name} = while_loop({test}, {function}, {initial}, {limit})",
            f"{after} = {name}[1]",
        ]

    def try_(self, scope: _Scope) -> list[str]:
        result = self.pick(*TYPES)
        function, lines = self.inside(scope.inner(), "", result)
        handlers = []
        self.level += 1
        classes = ("Bad", "KeyError", "LookupError", "ArithmeticError", "Exception")
        for cls in dict.fromkeys(self.pick(*classes) for _ in range(self.number(0, 2))):
            failure, name = self.fresh("e"), self.fresh("f")
            inner = scope.inner()
            body = [f"size_{failure} = size({failure})"] if self.number(0, 1) else []
            if body:
                inner.names[f"size_{failure}"] = INT
            more, _ = self.body(inner, result, most=2)
            lines += [f"def {name}({failure}):", *_indented([*body, *more])]
            handlers.append(f"{cls}: {name}")
        given = [function, f"{{{', '.join(handlers)}}}"]
        if not handlers or self.number(0, 1):
            last = self.fresh("f")
            lines += [f"def {last}():", *_indented([*self.statements(scope.inner(), 0, 2), "return None"])]
            given.append(last)
        self.level -= 1
        name = self.fresh()
        scope.names[name] = result
        return [*lines, f"{name} = try_({', '.join(given)})"]

    # expressions

    def risky(self, scope: _Scope, type_: str) -> str:
        """An expression that may raise, to be used at once."""
        safe = self.safe(scope, type_)
        if self.number(0, 4):
            return safe
        if type_ == INT:
            numbers = self.safe(scope, INTS, 1)
            index = self.number(-2, 3)  # a list of run-time values can't be indexed with one
            made = [f"{safe} // {self.safe(scope, INT, 1)}", f"{safe} % {self.safe(scope, INT, 1)}"]
            made += [f"{name}[{index}]" for name in scope.of(INTS)[-1:]]
            made += [f'{name}["{self.pick("a", "c")}"]' for name in scope.of(TABLE)[-1:]]
            made.append(f"length({numbers}) // {safe}")
            return f"({self.pick(*made)})"
        if type_ == INTS and scope.of(INTS):
            return self.pick(safe, f"[{self.risky(scope, INT)}]")
        return safe

    def variable(self, scope: _Scope, type_: str) -> str:
        names = scope.of(type_)
        return self.pick(*names[-4:]) if names else self.literal(type_)

    def literal(self, type_: str) -> str:
        if type_ == INT:
            return str(self.pick(0, 1, 2, 5, 2**63))
        if type_ == INTS:
            return self.pick("[]", "[3, 1]", "[0]")
        if type_ == STR:
            return self.pick(*TEXTS)
        if type_ == BOOL:
            return self.pick("True", "False")
        if type_ == PAIR:
            return f"({self.number(0, 9)}, {self.pick(*TEXTS)})"
        if type_ == TABLE:
            return f'{{"a": {self.number(0, 9)}, "b": 1}}'
        return f"Point({self.number(0, 9)}, {self.pick(*TEXTS)})"

    def safe(self, scope: _Scope, type_: str, levels: int = 2) -> str:
        """An expression that raises nothing."""
        choice = self.pick("variable", "variable", "variable", "made", "literal") if levels else "literal"
        if choice == "variable":
            return self.variable(scope, type_)
        if choice == "literal" or type_ == POINT:
            return self.literal(type_)
        return self._made(scope, type_, levels - 1)

    def _made(self, scope: _Scope, type_: str, levels: int) -> str:
        def of(kind: str) -> str:
            return self.safe(scope, kind, levels)

        if type_ == INT:
            made = [f"({of(INT)} + {of(INT)})", f"({of(INT)} - {of(INT)})", f"({of(INT)} * {of(INT)})", f"-{of(INT)}"]
            made += [f"length({of(INTS)})", f"choose({of(BOOL)}, {of(INT)}, {of(INT)})", f"or_({of(INT)}, {of(INT)})"]
            made += [f"{name}.x" for name in scope.of(POINT)[-1:]]
            made += [f"{name}[0]" for name in scope.of(PAIR)[-1:]]
            return self.pick(*made)
        if type_ == STR:
            made = [f"({of(STR)} + {of(STR)})", f"({of(STR)} * 2)"]
            made += [f"{name}.label" for name in scope.of(POINT)[-1:]]
            made += [f"{name}[1]" for name in scope.of(PAIR)[-1:]]
            return self.pick(*made)
        if type_ == BOOL:
            sign = self.pick("<", ">=", "==", "!=")
            made = [f"({of(INT)} {sign} {of(INT)})", f"not_({of(INT)})", f"contains({of(INTS)}, {of(INT)})"]
            made += [f"and_({of(BOOL)}, {of(BOOL)})", f"is_none({of(INT)})", f"({of(STR)} {sign} {of(STR)})"]
            return self.pick(*made)
        if type_ == INTS:
            return self.pick(f"[{of(INT)}, {of(INT)}]", f"({of(INTS)} + {of(INTS)})", f"[{of(INT)}]")
        if type_ == PAIR:
            return f"({of(INT)}, {of(STR)})"
        return f'{{"a": {of(INT)}, "b": {of(INT)}}}'
