"""Which type may flow into which, and which constant is of which type."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.ir.assign import assignable, const_fits, const_type, union_of, widen
from drawloom.ir.canonical import canonical_json
from drawloom.ir.envelope import encode
from drawloom.ir.problems import TypeProblem
from drawloom.ir.types import ANY, BOOL, FLOAT, INT, NONE, STR, TYPE_NAMES, Type


def of(name: str, *args: Type, **more: Any) -> Type:
    return Type(name, args, **more)


def union(*members: Type) -> Type:
    return of("union", *members)


def literal(*values: Any) -> Type:
    return Type("literal", values=tuple(canonical_json(encode(v)) for v in values))


BASE = Type("dataclass", ref="m:Base", fields=(("x", INT),))
DERIVED = Type("dataclass", ref="m:Derived", fields=(("x", INT), ("y", INT)), bases=("m:Base",))
LEVEL = Type("enum", ref="m:Level", values=("LOW", "HIGH"), bases=("builtins:int", "enum:Enum"))
PAIR = Type("namedtuple", ref="m:Pair", fields=(("a", INT), ("b", STR)))
SMALL = Type("typeddict", ref="m:Small", fields=(("a", INT),))
LARGE = Type("typeddict", ref="m:Large", fields=(("a", BOOL), ("b", STR)))


def frame(**columns: Type) -> Type:
    return Type("dataframe", fields=tuple(columns.items()))


YES = [
    (BOOL, INT),
    (BOOL, FLOAT),
    (INT, FLOAT),
    (of("datetime"), of("date")),
    (INT, union(STR, INT)),
    (BOOL, union(STR, FLOAT)),
    (union(INT, BOOL), FLOAT),
    (union(INT, NONE), union(NONE, STR, FLOAT)),
    (literal("a"), STR),
    (literal("a"), literal("b", "a")),
    (literal(1, True), INT),
    (literal(None), NONE),
    (literal("a", 1), union(STR, INT)),
    (of("list", BOOL), of("list", INT)),
    (of("list", union(INT, BOOL)), of("list", FLOAT)),
    (of("dict", STR, INT), of("dict", STR, FLOAT)),
    (of("dict", BOOL, INT), of("dict", INT, INT)),
    (of("tuple", INT, STR), of("tuple", FLOAT, STR)),
    (of("tuple", INT, BOOL), of("tuple_of", INT)),
    (of("tuple"), of("tuple_of", STR)),
    (PAIR, of("tuple", INT, STR)),
    (PAIR, of("tuple_of", union(INT, STR))),
    (DERIVED, BASE),
    (LEVEL, INT),
    (LARGE, SMALL),
    (LARGE, of("dict", STR, union(INT, STR))),
    (frame(a=INT, b=STR), frame(b=STR)),
    (frame(), frame(a=INT)),
    (frame(a=INT), frame()),
    (Type("model", ref="sklearn:Tree"), Type("model")),
    (ANY, INT),
    (INT, ANY),
    (of("list", ANY), of("list", INT)),
]
NO = [
    (INT, BOOL),
    (FLOAT, INT),
    (of("date"), of("datetime")),
    (STR, INT),
    (NONE, INT),
    (union(INT, NONE), INT),
    (literal("c"), literal("a", "b")),
    (literal(True), literal(1)),
    (STR, literal("a")),
    (literal("a", 1), STR),
    (of("list", INT), of("list", STR)),
    (of("list", INT), of("set", INT)),
    (of("set", INT), of("frozenset", INT)),
    (of("dict", STR, INT), of("dict", INT, INT)),
    (of("tuple", INT), of("tuple", INT, INT)),
    (of("tuple_of", INT), of("tuple", INT)),
    (of("tuple", INT, STR), of("tuple_of", INT)),
    (of("tuple", INT, STR), PAIR),
    (BASE, DERIVED),
    (INT, LEVEL),
    (SMALL, LARGE),
    (of("dict", STR, INT), SMALL),
    (frame(a=INT), frame(b=INT)),
    (frame(a=STR), frame(a=INT)),
    (frame(), Type("polars")),
    (Type("model"), Type("model", ref="sklearn:Tree")),
    (Type("model", ref="sklearn:Tree"), Type("model", ref="sklearn:Forest")),
    (STR, of("file")),
    (of("decimal"), FLOAT),
]


@pytest.mark.parametrize(("source", "target"), YES, ids=lambda t: str(t))
def test_this_may_flow(source: Type, target: Type) -> None:
    assert assignable(source, target)


@pytest.mark.parametrize(("source", "target"), NO, ids=lambda t: str(t))
def test_this_may_not_flow(source: Type, target: Type) -> None:
    assert not assignable(source, target)


SCALARS = st.sampled_from([BOOL, INT, FLOAT, STR, NONE, of("bytes"), of("date"), of("datetime"), BASE, DERIVED, LEVEL])
TYPES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda t: of("list", t), inner),
        st.builds(lambda k, v: of("dict", k, v), inner, inner),
        st.builds(lambda ts: of("tuple", *ts), st.lists(inner, max_size=3)),
        st.builds(lambda t: of("tuple_of", t), inner),
        st.builds(union_of, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(TYPES, TYPES, TYPES)
def test_flow_is_reflexive_and_transitive(one: Type, two: Type, three: Type) -> None:
    assert assignable(one, one)
    assert assignable(one, union_of([one, two]))
    if assignable(one, two) and assignable(two, three):
        assert assignable(one, three)


class Level(Enum):
    LOW = 1


VALUES: list[tuple[Any, Type]] = [
    (None, NONE),
    (True, BOOL),
    (2**70, INT),
    (float("nan"), FLOAT),
    (3, FLOAT),
    ("\ud800", STR),
    (b"x", of("bytes")),
    ([], of("list", INT)),
    ([1, None], of("list", union(INT, NONE))),
    ({1}, of("set", INT)),
    (frozenset("a"), of("frozenset", STR)),
    ((1, "a"), of("tuple", INT, STR)),
    ((1, 2), of("tuple_of", INT)),
    ({"a": [1]}, of("dict", STR, of("list", INT))),
    (datetime(2026, 1, 1), of("datetime")),
    (datetime(2026, 1, 1), of("date")),
    (date(2026, 1, 1), of("date")),
    (timedelta(1), of("timedelta")),
    (Decimal("1.0"), of("decimal")),
    (UUID(int=1), of("uuid")),
    (Level.LOW, Type("enum", ref=f"{__name__}:Level")),
    ("a", literal("a")),
    ({"a": 1}, SMALL),
]


@pytest.mark.parametrize(("value", "type_"), VALUES, ids=repr)
def test_a_constant_is_of_its_type_and_of_no_other(value: Any, type_: Type) -> None:
    text = canonical_json(encode(value))
    assert const_fits(text, type_)
    assert const_fits(text, ANY)
    assert const_fits(text, union(of("secret"), type_))
    assert not const_fits(text, Type("dataclass", ref="m:Other"))
    assert not const_fits(text, of("secret")) or isinstance(value, Level)
    assert assignable(const_type(text), ANY)


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (True, STR),
        (1, BOOL),
        (1.0, INT),
        ("a", of("list", STR)),
        ([1], of("list", STR)),
        ((1,), of("tuple")),
        (1, of("file")),
    ],
    ids=repr,
)
def test_a_constant_is_not_of_a_type_that_does_not_hold_it(value: Any, type_: Type) -> None:
    assert not const_fits(canonical_json(encode(value)), type_)


@settings(max_examples=100, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v, max_size=3)))
def test_a_constant_is_of_the_type_inferred_for_it(value: Any) -> None:
    text = canonical_json(encode(value))
    assert const_fits(text, const_type(text))
    assert const_fits(text, widen(const_type(text)))


@pytest.mark.parametrize(
    "text", ["", "{n}", "NaN?", '{"$":1}', '{"a":1}', '{"$":"tuple"}', '{"$":"dict","v":[1]}', "[{}]"]
)
def test_what_is_no_envelope_is_refused_by_its_text(text: str) -> None:
    for use in (lambda: const_fits(text, ANY), lambda: const_type(text)):
        with pytest.raises(TypeProblem) as found:
            use()
        assert (found.value.code, found.value.what) == ("G228", f"the constant {text!a} is not the JSON of an envelope")


def test_a_union_is_flat_and_has_no_member_twice() -> None:
    assert union_of([INT, union(STR, INT)]) == union(INT, STR)
    assert union_of([literal(1), INT]) == INT
    assert union_of([INT]) == INT
    assert union_of([INT, ANY]) == ANY


def test_every_type_name_can_be_compared_with_every_other() -> None:
    types = [Type(name, (INT,) * (n if n is not None else 1), ref="m:X") for name, n in TYPE_NAMES.items()]
    for source in types:
        assert assignable(source, source)
        for target in types:
            assert assignable(source, target) in (True, False)
