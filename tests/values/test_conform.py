"""`conform`: what `isinstance` would say, inside containers and records too, and a text that leads to the part."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pydantic
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

from drawloom.ir.canonical import canonical_json
from drawloom.ir.envelope import class_ref, encode
from drawloom.ir.types import ANY, BOOL, FLOAT, INT, NONE, STR, Type
from drawloom.values.conform import conform
from drawloom.values.external import External
from drawloom.values.failure import Failure
from drawloom.values.files import Directory, File
from drawloom.values.secret import Secret


class Colour(enum.Enum):
    RED = 1


@dataclass
class Point:
    x: int
    tags: list[str]


@dataclass
class Deep(Point):
    z: int = 0


class Pair(NamedTuple):
    a: int
    b: str


class Model(pydantic.BaseModel):
    n: int


def record(kind: str, cls: type, **fields: Type) -> Type:
    return Type(kind, ref=class_ref(cls), fields=tuple(fields.items()))


def literal(*values: Any) -> Type:
    return Type("literal", values=tuple(canonical_json(encode(v)) for v in values))


LIST = Type("list", (INT,))
POINT = record("dataclass", Point, x=INT, tags=Type("list", (STR,)))
OPTIONAL = Type("union", (INT, NONE))

GOOD = [
    (object(), ANY),
    (None, NONE),
    (True, BOOL),
    (np.bool_(True), BOOL),
    (1, INT),
    (True, INT),
    (np.int8(3), INT),
    (1.5, FLOAT),
    (1, FLOAT),
    (np.float32(1), FLOAT),
    (np.int64(1), FLOAT),
    ("", STR),
    (b"", Type("bytes")),
    (dt.datetime(2020, 1, 1), Type("datetime")),
    (pd.Timestamp("2020"), Type("datetime")),
    (dt.datetime(2020, 1, 1), Type("date")),
    (dt.time(), Type("time")),
    (dt.timedelta(), Type("timedelta")),
    (Decimal(1), Type("decimal")),
    (uuid.UUID(int=0), Type("uuid")),
    ([], LIST),
    ([1, True], LIST),
    ([1] * 100_000, LIST),
    ([1, None, 2], Type("list", (OPTIONAL,))),
    ((1, "a"), Type("tuple", (INT, STR))),
    ((), Type("tuple")),
    ((1, 2, 3), Type("tuple_of", (INT,))),
    ({1}, Type("set", (INT,))),
    (frozenset({"a"}), Type("frozenset", (STR,))),
    ({"a": [1]}, Type("dict", (STR, LIST))),
    (None, OPTIONAL),
    ("a", literal("a", 1)),
    (Colour.RED, literal(Colour.RED)),
    (Colour.RED, Type("enum", ref=class_ref(Colour), values=("RED",))),
    (Point(1, ["a"]), POINT),
    (Deep(1, []), POINT),
    (Pair(1, "b"), record("namedtuple", Pair, a=INT, b=STR)),
    (Model(n=1), record("pydantic", Model, n=INT)),
    ({"a": 1}, Type("typeddict", ref="x:Y", fields=(("a", INT), ("b", STR)))),
    (np.zeros(2), Type("ndarray")),
    (pd.DataFrame(), Type("dataframe")),
    (pd.DataFrame({"a": [1], "s": ["x"], "more": [1]}), Type("dataframe", fields=(("a", INT), ("s", STR)))),
    (pd.Series([1]), Type("series")),
    (pa.table({}), Type("arrow_table")),
    (File("x"), Type("file")),
    (Directory("x"), Type("directory")),
    (External("x"), Type("external")),
    (Secret("x"), Type("secret")),
    (Failure("a", "b"), Type("failure", fields=(("type", STR), ("message", STR), ("node", STR)))),
    (LogisticRegression(), Type("model")),
    (LogisticRegression(), Type("model", ref=class_ref(LogisticRegression))),
    (Figure(), Type("figure")),
    (Point(1, []), Type("object", ref=class_ref(Point), codec="pickle")),
]


@pytest.mark.parametrize(("value", "kind"), GOOD, ids=range(len(GOOD)))
def test_a_value_of_the_type_conforms(value: Any, kind: Type) -> None:
    assert conform(value, kind) is None


BAD = [
    (1, NONE, "expected None, got int"),
    (1, BOOL, "expected bool, got int"),
    ("1", INT, "expected int, got str"),
    (1.0, INT, "expected int, got float"),
    (np.float64(1), INT, "expected int, got numpy.float64"),
    (np.array(1), INT, "expected int, got numpy.ndarray"),
    (None, FLOAT, "expected float, got None"),
    (b"x", STR, "expected str, got bytes"),
    (bytearray(b"x"), Type("bytes"), "expected bytes, got bytearray"),
    (dt.date(2020, 1, 1), Type("datetime"), "expected datetime, got datetime.date"),
    ((1,), LIST, "expected list[int], got tuple"),
    ([1, 2, "x"], LIST, "expected int, got str at [2]"),
    ([1] * 50_000 + ["x"], LIST, "expected int, got str at [50000]"),
    ([[1], [2, None]], Type("list", (LIST,)), "expected int, got None at [1][1]"),
    ((1,), Type("tuple", (INT, STR)), "expected tuple[int, str], got a tuple of 1"),
    ((1, 2), Type("tuple", (INT, STR)), "expected str, got int at [1]"),
    ((1, "x"), Type("tuple_of", (INT,)), "expected int, got str at [1]"),
    ({"x"}, Type("set", (INT,)), "expected int, got str at {...}"),
    ({1}, Type("frozenset", (INT,)), "expected frozenset[int], got set"),
    ({1: 1}, Type("dict", (STR, INT)), "expected str, got int at key 1"),
    ({"a": {"b": None}}, Type("dict", (STR, Type("dict", (STR, INT)))), "expected int, got None at ['a']['b']"),
    ("x", OPTIONAL, "expected int | None, got str"),
    (["x"], Type("union", (LIST, NONE)), "expected int, got str at [0]"),
    (True, literal(1), "expected Literal[1], got true"),
    ("b", literal("a", 1), 'expected Literal["a", 1], got "b"'),
    (print, literal("a"), 'expected Literal["a"], got builtin_function_or_method'),
    (1, Type("enum", ref=class_ref(Colour)), "expected Colour, got int"),
    (Pair(1, "x"), POINT, f"expected Point, got {__name__}.Pair"),
    (Point("1", []), POINT, "expected int, got str at .x"),
    ([Point(1, ["a", 2])], Type("list", (POINT,)), "expected str, got int at [0].tags[1]"),
    ({"c": 1}, Type("typeddict", ref="x:Y", fields=(("a", INT),)), "expected Y, got a dict with the key 'c'"),
    ({"a": ""}, Type("typeddict", ref="x:Y", fields=(("a", INT),)), "expected int, got str at ['a']"),
    (pd.Series([1]), Type("dataframe"), "expected DataFrame, got pandas.Series"),
    (
        pd.DataFrame(),
        Type("dataframe", fields=(("a", INT),)),
        "expected DataFrame with the column 'a', got one without it",
    ),
    (
        pd.DataFrame({"a": [1.5]}),
        Type("dataframe", fields=(("a", INT),)),
        "expected a column of int, got float64 at ['a']",
    ),
    ("x", Type("file"), "expected File, got str"),
    (LogisticRegression(), Type("model", ref="sklearn.svm:SVC"), None),
    ([2**70000, "x"], LIST, "expected int, got str at [1]"),
    ({2**70000: 1}, Type("dict", (STR, INT)), "expected str, got int at key <int>"),
]


@pytest.mark.parametrize(("value", "kind", "told"), BAD, ids=range(len(BAD)))
def test_a_value_of_another_type_is_told_with_its_place(value: Any, kind: Type, told: str | None) -> None:
    found = conform(value, kind)
    assert found is not None
    if told is not None:
        assert found == told


def test_an_item_and_a_key_are_looked_for_to_the_end() -> None:
    value = {str(i): [i] for i in range(1000)} | {"last": ["x"]}
    assert conform(value, Type("dict", (STR, LIST))) == "expected int, got str at ['last'][0]"
