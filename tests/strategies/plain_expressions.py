"""Expressions of plain modules: of a wanted type, over what a scope can read, tasks and helpers called among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from plain_comprehensions import LITERALS, TEXTS, Comprehensions
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
    Function,
    Scope,
    Var,
)

__all__ = ["TEXTS", "Expressions"]

# (task, the types it takes, whether it may raise)
TASKS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    INT: (("add", (INT, INT)), ("neg", (INT,)), ("check", (INT,)), ("total", (INTS,)), ("weigh", (TABLE,))),
    BOOL: (("yes", (INT,)),),
    STR: (("label", (INT,)), ("shout", (STR, INT)), ("show", (OPT,))),
    FLOAT: (("half", (FLOAT,)),),
    OPT: (("maybe", (INT,)),),
    INTS: (("count_up", (INT,)),),
    STRS: (("words", (INT,)),),
    ROWS: (("grid", (INT,)),),
    PAIR: (("pair", (INT, STR)),),
    TABLE: (("table", (INT, INT)),),
    POINT: (("point", (INT, STR)), ("move", (POINT, INT))),
}
Form = Callable[[Scope, int], str]


class Expressions(Comprehensions):
    """Writes expressions. A form takes the scope and how deep it may still go."""

    functions: tuple[Function, ...] = ()
    narrows = True  # whether what was asked for None has a narrower type behind it

    def expr(self, scope: Scope, type_: str, depth: int = 2, *, alias: bool = False) -> str:
        """An expression; `alias`: a list may be the very list that is appended to elsewhere."""
        kind = self.number(0, 11)
        if depth <= 0 or kind < 4:
            return self.variable(scope, type_, alias=alias) if kind else self.pick(LITERALS[type_])
        if kind < 6:
            return self.call(scope, type_, depth - 1)
        if kind == 6:
            return f"({self.expr(scope, type_, depth - 1)} if {self.test(scope, depth - 1)} else {self.expr(scope, type_, depth - 1)})"
        forms = self.forms(type_)
        return self.pick(forms)(scope, depth - 1) if forms else self.call(scope, type_, depth - 1)

    def variable(self, scope: Scope, type_: str, *, alias: bool = False) -> str:
        names = scope.of(type_)
        if not names:
            return self.pick(LITERALS[type_])
        name = self.pick(names[:5])
        var = scope.vars[name]
        self.long = self.long or var.long
        if var.acc:
            scope.reading(var.acc)
            return name if alias else self.pick((f"list({name})", f"{name}[:]", f"({name} + [])"))
        return name

    def call(self, scope: Scope, type_: str, depth: int) -> str:
        able = [f for f in self.functions if f.result == type_]
        able += [f for f in self.local_functions(scope) if f.result == type_]
        if able and not self.number(0, 2):
            return self.call_of(scope, self.pick(able), depth)
        if type_ not in TASKS:
            return self.pick(self.forms(type_))(scope, depth)
        task, takes = self.pick(TASKS[type_])
        given = [self.expr(scope, taken, depth, alias=True) for taken in takes]
        if task == "add" and self.chance(4):
            given.pop()
        if task == "add" and len(given) == 2 and self.chance(4):
            given[1] = f"b={given[1]}"
        if task == "weigh" and self.chance(2):
            given.append(f"factor={self.expr(scope, INT, depth)}")
        return f"{task}({', '.join(given)})"

    def local_functions(self, scope: Scope) -> list[Function]:
        return []

    def call_of(self, scope: Scope, function: Function, depth: int) -> str:
        given = []
        known = function.known or (False,) * len(function.takes)
        for taken, is_known in zip(function.takes, known, strict=True):
            outer, self.long = self.long, False
            text = str(self.number(0, 3)) if is_known else self.expr(scope, taken, depth)
            given.append(f"({text})[:3]" if self.long and taken in (INTS, STRS, ROWS) else text)
            self.long = outer
        more = self.number(0, 2) if function.rest else 0
        given += [self.expr(scope, function.rest, depth) for _ in range(more)]
        for name, type_ in function.by_name:
            if self.chance(2):
                given.append(f"{name}={self.expr(scope, type_, depth)}")
        return f"{function.name}({', '.join(given)})"

    def forms(self, type_: str) -> tuple[Form, ...]:
        found: tuple[Form, ...] = getattr(self, f"_forms_{NAMES[type_]}")
        return found

    # tests

    def test(self, scope: Scope, depth: int = 1) -> str:
        """Something to be asked for its truth."""
        kind = self.number(0, 9)
        if kind < 8 or depth <= 0:
            return self.expr(scope, BOOL, max(depth, 1)) if kind < 2 else self.comparison(scope, depth)
        return self.variable(scope, self.pick((INT, INTS, STR, OPT)), alias=True)

    def comparison(self, scope: Scope, depth: int) -> str:
        sign = self.pick(("<", ">", "==", "!=", "<=", ">="))
        kind = self.number(0, 9)
        if kind < 6:
            return f"{self.expr(scope, INT, depth)} {sign} {self.expr(scope, INT, depth - 1)}"
        if kind == 6:
            low, high = self.expr(scope, INT, depth - 1), self.expr(scope, INT, depth)
            return f"{low} {self.pick(('<', '<='))} {self.expr(scope, INT, depth)} {sign} {high}"
        if kind == 7:
            return f"{self._subject(scope, OPT, depth)} {self.pick(('is None', 'is not None', '== 1'))}"
        if kind == 8:
            inside = self.pick(("in", "not in"))
            over = self.pick((INTS, INTS, SET, INT_TABLE))
            return f"{self.expr(scope, INT, depth - 1)} {inside} {self.expr(scope, over, depth - 1, alias=True)}"
        return f"{self.expr(scope, STR, depth - 1)} {sign} {self.expr(scope, STR, depth - 1)}"

    # forms by type

    def _arithmetic(self, scope: Scope, depth: int) -> str:
        sign = self.pick(("+", "-", "*"))
        right = str(self.number(1, 3)) if sign == "*" else self.expr(scope, INT, depth)
        return f"({self.expr(scope, INT, depth)} {sign} {right})"

    def _division(self, scope: Scope, depth: int) -> str:
        by = self.pick(("2", "3", self.variable_or_number(scope)))
        return f"({self.expr(scope, INT, depth)} {self.pick(('%', '//'))} {by})"

    def _item(self, scope: Scope, depth: int) -> str:
        index = self.pick(("0", "-1", self.expr(scope, INT, depth)))
        return f"{self._subject(scope, INTS, depth)}[{index}]"

    def _subject(self, scope: Scope, type_: str, depth: int) -> str:
        """A variable or a call, which an index or an attribute may follow."""
        names = [name for name in scope.of(type_) if name in PARAMS]  # others may be known to be empty
        if names and self.number(0, 2):
            return self.pick(names)
        return (
            self.variable(scope, type_, alias=True)
            if scope.of(type_) and self.chance(2)
            else self.call(scope, type_, depth)
        )

    def _entry(self, scope: Scope, depth: int) -> str:
        kind = self.number(0, 4)
        if kind < 2:
            return f"{self._subject(scope, TABLE, depth)}[{self.pick(ENTRIES)}]"
        if kind == 2:
            return f"{self._subject(scope, POINT, depth)}.x"
        if kind == 3:
            return f"{self._subject(scope, PAIR, depth)}[0]"
        return f"{self._subject(scope, INT_TABLE, depth)}[{self.expr(scope, INT, depth)}]"

    def _length(self, scope: Scope, depth: int) -> str:
        return f"len({self.expr(scope, self.pick((INTS, STR, STRS, SET, TABLE, INT_TABLE)), depth, alias=True)})"

    def _reduced(self, scope: Scope, depth: int) -> str:
        kind = self.number(0, 5)
        if kind == 0:
            return f"sum({self.expr(scope, INTS, depth, alias=True)})"
        if kind == 1:
            return f"{self.pick(('sum', 'min', 'max'))}({self.comprehension(scope, INT, depth - 1)})"
        if kind == 2:
            return f"{self.pick(('min', 'max'))}({self.expr(scope, INT, depth)}, {self.expr(scope, INT, depth)})"
        if kind == 3:
            return f"{self.pick(('min', 'max'))}({self._subject(scope, INTS, depth)})"
        if kind == 4:
            return f"{self.pick(('abs', '-', 'int'))}({self.expr(scope, INT, depth)})"
        if self.chance(6):
            return f"int({self.pick(scope.of(STR) or ['label(1)'])})"
        return f"int({self.expr(scope, self.pick((BOOL, BOOL, FLOAT)), depth)})"

    def _either(self, type_: str) -> Form:
        return lambda scope, depth: (
            f"({self.expr(scope, type_, depth)} {self.pick(('or', 'and'))} {self.expr(scope, type_, depth)})"
        )

    def _narrowed(self, scope: Scope, depth: int) -> str:
        names = scope.of(OPT)
        if not self.narrows:
            return self._reduced(scope, depth)
        if not names:
            return f"({self.expr(scope, OPT, depth)} or {self.expr(scope, INT, depth)})"
        return f"({names[0]} if {names[0]} is not None else {self.expr(scope, INT, depth)})"

    def _lambda(self, scope: Scope, depth: int) -> str:
        name = self.new("x")
        inner = replace(scope, vars={n: v for n, v in scope.vars.items() if not v.acc} | {name: Var(INT)})
        return f"(lambda {name}: {self.expr(inner, INT, depth)})({self.expr(scope, INT, depth)})"

    def _choice_of_known(self, scope: Scope, depth: int) -> str:
        known = [name for name in scope.of(INT) if scope.vars[name].known]
        if not known:
            return self._arithmetic(scope, depth)
        k = self.pick(known[:2])
        return self.pick(
            (f"(10, 20, 30, 40, 50)[{k}]", f"{{0: 1, 1: {self.expr(scope, INT, 0)}}}.get({k}, 9)", f"len('ab'[:{k}])")
        )

    def _any(self, scope: Scope, depth: int) -> str:
        inner, clauses = self.clauses(scope, depth - 1, plain=not self.chance(20))
        return f"{self.pick(('any', 'all'))}({self.test(inner, depth)} {clauses})"

    def _format(self, scope: Scope, depth: int) -> str:
        one, other = self.expr(scope, INT, depth), self.expr(scope, self.pick((STR, INT, BOOL, OPT)), depth)
        if set(one + other) & set("\"'{\\"):
            one, other = self.variable_or_number(scope), self.variable_or_number(scope)
        spec = self.pick(("", "", ":>4", ":03d"))
        return f'f"{self.pick(("", "<", "{{"))}{{{one}{spec}}}-{{{other}{self.pick(("", "!r", "!s"))}}}"'

    def variable_or_number(self, scope: Scope) -> str:
        names = scope.of(INT)
        return self.pick(names[:4]) if names else "1"

    _forms_int = property(
        lambda self: (
            self._arithmetic,
            self._arithmetic,
            self._division,
            self._item,
            self._entry,
            self._length,
            self._reduced,
            self._reduced,
            self._either(INT),
            self._narrowed,
            self._lambda,
            self._choice_of_known,
        )
    )
    _forms_bool = property(
        lambda self: (
            lambda s, d: f"({self.comparison(s, d)})",
            lambda s, d: f"(not {self.test(s, d)})" if self.number(0, 1) else f"bool({self.test(s, d)})",
            lambda s, d: f"({self.comparison(s, d)} {self.pick(('and', 'or'))} {self.comparison(s, d)})",
            lambda s, d: f"({self.comparison(s, d)} {self.pick(('and', 'or'))} {self.comparison(s, d)})",
            self._any,
            self._any,
            self._either(BOOL),
        )
    )
    _forms_str = property(
        lambda self: (
            self._format,
            self._format,
            lambda s, d: f"({self.expr(s, STR, d)} + {self.pick(TEXTS)})",
            lambda s, d: f"str({self.expr(s, self.pick((INT, BOOL, OPT, FLOAT)), d)})",
            lambda s, d: (
                f"{self._subject(s, STR, d)}[{self.pick(('0', '1:', '::-1', ':2', ':' + self.variable_or_number(s)))}]"
            ),
            lambda s, d: f"{self._subject(s, PAIR, d)}[1]",
            lambda s, d: f"{self._subject(s, POINT, d)}.label",
            lambda s, d: f"{self._subject(s, STRS, d)}[{self.expr(s, INT, d)}]",
            self._either(STR),
        )
    )
    _forms_float = property(
        lambda self: (
            lambda s, d: f"({self.expr(s, INT, d)} / {self.pick(('4', self.variable_or_number(s)))})",
            lambda s, d: f"float({self.expr(s, INT, d)})",
            lambda s, d: f"({self.expr(s, FLOAT, d)} {self.pick(('+', '-'))} {self.expr(s, FLOAT, d)})",
        )
    )
    _forms_opt = property(
        lambda self: (
            lambda s, d: f"({self.expr(s, INT, d)} if {self.test(s, d)} else None)",
            lambda s, d: self.expr(s, INT, d),
            self._either(OPT),
        )
    )

    def _list_of(self, type_: str) -> Form:
        return lambda s, d: f"[{', '.join(self.expr(s, type_, d) for _ in range(self.number(1, 3)))}]"

    def _made_of(self, type_: str) -> Form:
        return lambda s, d: f"[{self.comprehension(s, type_, d)}]"

    def _longer(self, scope: Scope, depth: int) -> str:
        text = f"({self.expr(scope, INTS, depth)} + [{self.expr(scope, INT, depth)}])"
        self.long = True
        return text

    def _slice(self, scope: Scope, depth: int) -> str:
        edge = self.variable_or_number(scope)
        return f"{self._subject(scope, INTS, depth)}[{self.pick(('1:', ':2', '-1:', '::2', f':{edge}', f'{edge}:'))}]"

    _forms_ints = property(
        lambda self: (
            self._list_of(INT),
            self._made_of(INT),
            self._made_of(INT),
            self._made_of(INT),
            self._longer,
            self._slice,
            lambda s, d: f"sorted({self.expr(s, self.pick((INTS, SET)), d)})",
            lambda s, d: f"list({self.pick(('reversed', 'list'))}({self.expr(s, INTS, d)}))",
            lambda s, d: f"list(range({self.expr(s, INT, d)} % 4))",
            lambda s, d: f"list({self.comprehension(s, INT, d - 1)})",
            self._either(INTS),
        )
    )
    _forms_strs = property(lambda self: (self._list_of(STR), self._made_of(STR), self._either(STRS)))
    _forms_rows = property(lambda self: (self._list_of(INTS), self._made_of(INTS)))
    _forms_pair = property(lambda self: (lambda s, d: f"({self.expr(s, INT, d)}, {self.expr(s, STR, d)})",))
    _forms_table = property(
        lambda self: (
            lambda s, d: f'{{"a": {self.expr(s, INT, d)}, "b": {self.expr(s, INT, d)}}}',
            lambda s, d: self._by_known_keys(s, d),
        )
    )

    def _by_known_keys(self, scope: Scope, depth: int) -> str:
        name = self.new("k")
        inner = replace(scope, vars=scope.vars | {name: Var(STR, known=True)})
        return f'{{{name}: {self.expr(inner, INT, depth)} for {name} in ("a", "b")}}'

    def _by_items(self, scope: Scope, depth: int) -> str:
        inner, clauses = self.clauses(scope, depth, at_run=True)
        return f"{{{self.expr(inner, INT, depth)}: {self.expr(inner, INT, depth)} {clauses}}}"

    _forms_int_table = property(lambda self: (self._by_items,))
    _forms_set = property(lambda self: (lambda s, d: f"{{{self.comprehension(s, INT, d, at_run=True)}}}",))
    _forms_point = property(lambda self: ())


PARAMS = ("n", "m", "numbers", "names", "text", "flag", "opt", "grids")
ENTRIES = ('"a"', '"a"', '"b"', '"c"')
NAMES = {
    INT: "int",
    BOOL: "bool",
    STR: "str",
    FLOAT: "float",
    OPT: "opt",
    INTS: "ints",
    STRS: "strs",
    ROWS: "rows",
    PAIR: "pair",
    TABLE: "table",
    INT_TABLE: "int_table",
    SET: "set",
    POINT: "point",
}
