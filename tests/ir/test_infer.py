"""The types of operands, held to what Python does with values of those types."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from drawloom.ir.assign import const_fits, union_of
from drawloom.ir.canonical import canonical_json
from drawloom.ir.envelope import decode, encode
from drawloom.ir.evaluate import OPERATORS, evaluate
from drawloom.ir.infer import member_type, operand_type, path_type
from drawloom.ir.iterated import iterated_type
from drawloom.ir.narrow import Facts, Told
from drawloom.ir.operands import OPS, Apply, Const, Field, Key, Operand, Param, Reference
from drawloom.ir.operators import operator_type
from drawloom.ir.problems import TypeProblem
from drawloom.ir.types import ANY, BOOL, FLOAT, INT, NEVER, NONE, STR, Type


def of(name: str, *args: Type) -> Type:
    return Type(name, args)


SAMPLES: list[tuple[Type, list[Any]]] = [
    (NONE, [None]),
    (BOOL, [True, False]),
    (INT, [0, 3, -2]),
    (FLOAT, [0.5, -1.5]),
    (STR, ["", "ab", "7"]),
    (of("bytes"), [b"", b"7"]),
    (of("list", INT), [[], [1, 2]]),
    (of("list", STR), [["b", "a"]]),
    (of("set", INT), [set(), {1}]),
    (of("dict", STR, INT), [{}, {"a": 1}]),
    (of("tuple", INT, STR), [(1, "a")]),
    (of("tuple_of", INT), [(), (1, 2)]),
    (of("datetime"), [datetime(2026, 1, 1)]),
    (of("date"), [date(2026, 1, 1)]),
    (of("time"), [time(1)]),
    (of("timedelta"), [timedelta(1)]),
    (of("decimal"), [Decimal("1.5")]),
]
UNARY = [op for op, n in OPS.items() if n == 1]
BINARY = [op for op, n in OPS.items() if n == 2]
# what depends on the values, not on the types: Python raises for some values of the types and not for others
_BY_VALUE = (ZeroDivisionError, ValueError, IndexError, KeyError, OverflowError)


def _outcomes(op: str, values: list[list[Any]]) -> tuple[list[Any], int]:
    """What Python gives for each combination of values, and how many raise because of the types."""
    made: list[Any] = []
    refused = 0
    for combination in product(*values):
        constants = tuple(Const(canonical_json(encode(v))) for v in combination)
        try:
            made.append(evaluate(Apply(op, constants), lambda r: r, lambda c: decode(json.loads(c.json))))
        except _BY_VALUE:
            continue
        except (TypeError, ArithmeticError, AttributeError):
            refused += 1
    return made, refused


@pytest.mark.parametrize("op", [*UNARY, *BINARY])
def test_an_operator_gives_the_type_that_python_gives(op: str) -> None:
    for samples in product(SAMPLES, repeat=OPS[op] or 0):
        types = [type_ for type_, _ in samples]
        made, refused = _outcomes(op, [values for _, values in samples])
        try:
            given = operator_type(op, types)
        except TypeProblem:
            assert not made or op in _STRICTER, f"{op}({', '.join(map(str, types))}) gave {made}"
            continue
        for value in made:
            assert const_fits(canonical_json(encode(value)), given), f"{op}({types}) gave {value!r}, not {given}"
        assert made or not refused or _uncertain(op, types), f"{op}({', '.join(map(str, types))}) can only raise"


# refused here although Python has a meaning for some values: an empty sum is 0, an empty list sorts, `0 == []` ...
_STRICTER = {"sum", "min", "max", "sorted", "get", "contains", "mod", "as_dict", "as_set", "flatten", "unpack"}


def _uncertain(op: str, types: list[Type]) -> bool:
    """Formatting with `%`, looking into sets of unhashable items, mixed items: left to the run."""
    return op in ("mod", "contains", "get", "attr", "as_dict") or (
        op in ("sum", "min", "max", "sorted") and types[0].name == "tuple"
    )


def test_every_operator_has_a_type_rule_and_a_meaning() -> None:
    assert set(OPERATORS) | {"and", "or", "select"} == set(OPS)
    for op, count in OPS.items():
        operator_type(op, [ANY] * (count if count is not None else 0 if op in ("list", "tuple", "dict", "zip") else 1))


@pytest.mark.parametrize(
    ("op", "args", "expected"),
    [
        ("select", [BOOL, INT, STR], "int | str"),
        ("and", [INT, STR], "int | str"),
        ("or", [of("list", INT), of("list", INT)], "list[int]"),
        ("list", [INT, BOOL], "list[int | bool]"),
        ("list", [], "list[Any]"),
        ("tuple", [INT, STR], "tuple[int, str]"),
        ("dict", [STR, INT, STR, FLOAT], "dict[str, int | float]"),
        ("format", [STR, INT, STR, STR, STR], "str"),
        ("add", [Type("union", (INT, FLOAT)), INT], "int | float"),
        ("eq", [Type("dataframe"), INT], "Any"),
        ("eq", [INT, STR], "bool"),
        ("add", [Type("ndarray"), INT], "Any"),
        ("get", [of("tuple", INT, STR), INT], "int | str"),
        ("sum", [of("list", Type("union", (INT, FLOAT)))], "Any"),
    ],
)
def test_an_operator_has_this_type(op: str, args: list[Type], expected: str) -> None:
    assert str(operator_type(op, args)) == expected


@pytest.mark.parametrize(
    ("op", "args", "what"),
    [
        ("add", [INT, STR], "operator `add` can't take int and str"),
        (
            "add",
            [Type("union", (INT, NONE)), INT],
            "operator `add` can't take None and int (a value here is int | None)",
        ),
        ("lt", [of("date"), of("datetime")], "operator `lt` can't take date and datetime"),
        ("len", [INT], "operator `len` can't take int"),
        ("sum", [of("list", STR)], "operator `sum` can't take list[str]"),
        ("dict", [STR], "operator `dict` takes pairs of key and value, got 1 arguments"),
        ("dict", [of("list", INT), INT], "a dict can't have a key of type list[int]"),
        ("format", [STR, STR], "operator `format` takes a text and then four arguments for each value, got 2"),
        ("subb", [INT, INT], "there is no operator `subb`, did you mean `sub`?"),
        ("neg", [INT, INT], "operator `neg` takes 1 argument, got 2"),
    ],
)
def test_an_operator_refuses_what_python_refuses(op: str, args: list[Type], what: str) -> None:
    with pytest.raises(TypeProblem) as found:
        operator_type(op, args)
    assert (found.value.code, found.value.what) == ("G217", what)


POINT = Type("dataclass", ref="m:Point", fields=(("x", INT), ("inner", Type("dataclass", ref="m:Point"))))
OTHER = Type("dataclass", ref="m:Other", fields=(("x", STR),))
PAIR = Type("namedtuple", ref="m:Pair", fields=(("a", INT), ("b", STR)))
TD = Type("typeddict", ref="m:TD", fields=(("a", INT),))


@pytest.mark.parametrize(
    ("start", "path", "expected"),
    [
        (POINT, (Field("x"),), INT),
        (POINT, (Field("inner"), Field("anything")), ANY),
        (PAIR, (Field("b"),), STR),
        (PAIR, (Key(-1),), STR),
        (TD, (Key("a"),), INT),
        (of("list", of("dict", STR, FLOAT)), (Key(0), Key("a")), FLOAT),
        (of("tuple", INT, STR), (Key(1),), STR),
        (of("tuple_of", INT), (Key(7),), INT),
        (STR, (Key(0),), STR),
        (of("bytes"), (Key(0),), INT),
        (
            Type("union", (POINT, Type("dataclass", ref="m:Q", fields=(("x", STR),)))),
            (Field("x"),),
            Type("union", (INT, STR)),
        ),
        (of("datetime"), (Field("year"),), INT),
        (Type("enum", ref="m:E", values=("A",)), (Field("name"),), STR),
        (Type("failure"), (Field("message"),), STR),
        (Type("dataframe"), (Key("column"),), ANY),
        (Type("model"), (Field("coef_"),), ANY),
        (ANY, (Field("x"), Key(0)), ANY),
    ],
    ids=str,
)
def test_a_path_leads_to_this_type(start: Type, path: tuple[Field | Key, ...], expected: Type) -> None:
    assert path_type(start, path) == expected


@pytest.mark.parametrize(
    ("start", "step", "code", "what"),
    [
        (POINT, Field("z"), "G215", "Point has no field `z`"),
        (POINT, Key("x"), "G215", "Point can't be indexed, got ['x']"),
        (TD, Field("a"), "G215", "TD has no field `a`"),
        (TD, Key("b"), "G215", "TD has no key 'b'"),
        (of("list", INT), Key("a"), "G215", "list[int] has no key 'a': it is indexed by int"),
        (of("dict", STR, INT), Key(0), "G215", "dict[str, int] has no key 0: its keys are str"),
        (INT, Key(0), "G215", "int can't be indexed, got [0]"),
        (INT, Field("size"), "G215", "int has no field `size`"),
        (of("tuple", INT), Key(1), "G216", "index 1 is outside tuple[int], which has 1 items"),
        (of("tuple", INT), Key(-2), "G216", "index -2 is outside tuple[int], which has 1 items"),
        (Type("union", (NONE, PAIR)), Field("a"), "G215", "None has no field `a`, and the value is None | Pair"),
    ],
    ids=str,
)
def test_a_path_that_leads_nowhere_is_told(start: Type, step: Field | Key, code: str, what: str) -> None:
    with pytest.raises(TypeProblem) as found:
        member_type(start, step)
    assert (found.value.code, found.value.what) == (code, what)


class _Scope:
    def __init__(self) -> None:
        self.problems: list[TypeProblem] = []

    def reference(self, reference: Reference) -> Type:
        return {"n": INT, "text": STR}[reference.name] if isinstance(reference, Param) else ANY

    known: Facts = {}
    told: Told = {}

    def under(self, facts: Facts) -> AbstractContextManager[None]:
        return nullcontext()

    def problem(self, problem: TypeProblem) -> None:
        self.problems.append(problem)


def test_every_problem_of_an_operand_is_told_and_it_goes_on_as_any() -> None:
    scope = _Scope()
    bad: Operand = Apply("add", (Param("n", (Field("x"),)), Apply("neg", (Param("text"),))))
    assert operand_type(bad, scope) == ANY
    assert [p.code for p in scope.problems] == ["G215", "G217"]


@pytest.mark.parametrize(
    ("type_", "item"),
    [
        (of("list", INT), INT),
        (of("dict", STR, INT), STR),
        (of("tuple", INT, STR), Type("union", (INT, STR))),
        (Type("union", (of("list", INT), of("set", STR))), Type("union", (INT, STR))),
        (STR, STR),
        (INT, None),
        (Type("union", (of("list", INT), NONE)), None),
        (ANY, ANY),
    ],
    ids=str,
)
def test_iterating_gives_this_type(type_: Type, item: Type | None) -> None:
    assert iterated_type(type_) == item


@pytest.mark.parametrize("op", [op for op, count in OPS.items() if count])
def test_of_what_can_not_be_nothing_can_be(op: str) -> None:
    count = OPS[op] or 2
    others = [INT] * (count - 1)
    if op in ("and", "or", "select"):  # they don't evaluate all of their arguments
        assert operator_type(op, [BOOL, *[NEVER] * (count - 1)]) == (NEVER if op == "select" else BOOL)
    else:
        assert operator_type(op, [NEVER, *others]) == NEVER
        assert operator_type(op, [*others, NEVER]) == NEVER


def test_a_union_of_what_can_not_be_can_not_be_and_one_of_nothing_is_none() -> None:
    assert union_of([NEVER, NEVER]) == NEVER
    assert union_of([NEVER, INT]) == INT
    assert union_of([]) == NONE
