"""Texts and JSON as typed values: exact, and refused where they would have to be guessed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from drawloom import Directory, External, File, Secret
from drawloom.dsl.annotations import Names, read_annotation
from drawloom.parameters.reading import ReadingError, describe, read_json, read_texts
from drawloom.values.conform import conform


class Colour(Enum):
    RED = "r"
    BLUE = 2


@dataclass
class Box:
    size: int
    colour: Colour = Colour.RED
    prices: list[Decimal] = field(default_factory=list)


class Pair(NamedTuple):
    a: int
    b: date | None = None


class Options(TypedDict):
    depth: int
    name: NotRequired[str]


class Model(BaseModel):
    depth: int
    day: date


DAY = date(2026, 1, 31)


@pytest.mark.parametrize(
    ("texts", "annotation", "value"),
    [
        (["3"], int, 3),
        (["-3"], int, -3),
        (["99999999999999999999"], int, 99999999999999999999),
        (["1e-7"], float, 1e-7),
        (["3"], float, 3.0),
        (["1.10"], Decimal, Decimal("1.10")),
        (["true"], bool, True),
        ([""], str, ""),
        (["null"], str, "null"),
        (["{{ x }}\n'\""], str, "{{ x }}\n'\""),
        (["null"], int | None, None),
        (["null"], str | None, "null"),
        (["5"], int | str, 5),
        (["x5"], int | str, "x5"),
        (["5"], float | int, 5),
        (["abc"], bytes, b"abc"),
        (["2026-01-31"], date, DAY),
        (["20260131"], date, DAY),
        (["2026-01-31T12:00:00Z"], datetime, datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (["12:30"], time, time(12, 30)),
        (["PT1H30M"], timedelta, timedelta(hours=1.5)),
        (["12345678-1234-5678-1234-567812345678"], UUID, UUID("12345678-1234-5678-1234-567812345678")),
        (["RED"], Colour, Colour.RED),
        (["fast"], Literal["fast", 3], "fast"),
        (["3"], Literal["fast", 3], 3),
        (["1", "2"], list[int], [1, 2]),
        (["[1, 2]"], list[int], [1, 2]),
        (["[]"], list[int], []),
        (["1"], list[int] | None, [1]),
        (["null"], list[int] | None, None),
        (["1", "1"], set[int], {1}),
        (["1"], Sequence[int], [1]),
        (["1", "x"], tuple[int, str], (1, "x")),
        (["1", "2"], tuple[int, ...], (1, 2)),
        (["[1]", "[2, 3]"], list[list[int]], [[1], [2, 3]]),
        (['{"a": [1]}'], dict[str, list[int]], {"a": [1]}),
        (['{"1": "x", "2": "y"}'], dict[int, str], {1: "x", 2: "y"}),
        (['{"@x.json": 1}'], dict[str, int], {"@x.json": 1}),
        (['{"size": 1, "colour": "BLUE", "prices": ["1.10"]}'], Box, Box(1, Colour.BLUE, [Decimal("1.10")])),
        (['{"a": 1, "b": "2026-01-31"}'], Pair, Pair(1, DAY)),
        (['{"depth": 1}'], Options, {"depth": 1}),
        (['{"depth": 1, "day": "2026-01-31"}'], Model, Model(depth=1, day=DAY)),
        (["7"], Annotated[int, Field(gt=5)], 7),
        (["[1, null]"], Any, [1, None]),
        (["@@x.json"], str, "@x.json"),
        (["@x"], str, "@x"),
    ],
)
def test_a_text_is_read_by_its_annotation(texts: list[str], annotation: Any, value: object) -> None:
    found = read_texts(texts, annotation)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("texts", "annotation", "message"),
    [
        (["1.0"], int, "expected int, got '1.0'"),
        (["y"], bool, "expected bool (true or false), got 'y'"),
        (["3"], bool, "expected bool (true or false), got '3'"),
        (["x"], int | None, "expected int | None, got 'x'"),
        (["1700000000"], datetime, "expected datetime (2026-01-31T12:00:00+00:00), got '1700000000'"),
        (["3600"], timedelta, "expected timedelta (PT1H30M, or 01:30:00), got '3600'"),
        (["r"], Colour, "expected Colour (RED | BLUE), got 'r'"),
        (["slow"], Literal["fast", 3], "expected 'fast' | 3, got 'slow'"),
        (["1", "2"], int, "expected int, got 2 values: '1', '2'"),
        (["1", "x"], list[int], "expected int, got 'x' at [1]"),
        (['[1, "2"]'], list[int], 'expected int, got "2" at [1]'),
        (["[true]"], list[int], "expected int, got true at [0]"),
        (["[1.5]"], list[int], "expected int, got 1.5 at [0]"),
        (["1"], tuple[int, str], "expected tuple[int, str], got 1 values"),
        (["[1, 2"], list[int], "expected list[int] as JSON, got '[1, 2'"),
        (['{"a": [1, "x"]}'], dict[str, list[int]], "expected int, got \"x\" at ['a'][1]"),
        (['{"x": 1}'], dict[int, int], "expected int, got 'x' at  key 'x'"),
        (['{"size": "1"}'], Box, 'expected int, got "1" at .size'),
        (['{"width": 1}'], Box, "expected Box with the fields size, colour, prices, got the unknown field 'width'"),
        (["{}"], Box, "expected Box, got missing 1 required positional argument: 'size'"),
        (["{}"], Options, "expected Options, got no field 'depth'"),
        (
            ['{"depth": "1", "day": "2026-01-31"}'],
            Model,
            'expected Model: input should be a valid integer, got "1" at .depth',
        ),
        (["3"], Annotated[int, Field(gt=5)], "expected int: input should be greater than 5, got 3"),
        (["bob"], Any, "expected Any as JSON, got 'bob'"),
        (["x"], pd.DataFrame, "expected DataFrame, got a text, and no text can stand for it"),
        (["[1]"], np.ndarray, "expected ndarray, got a text, and no text can stand for it"),
        (["nowhere.txt"], File, "expected the path of a file, got 'nowhere.txt', which isn't there"),
        (["."], File, "expected the path of a file, got '.', a folder"),
        (["nowhere"], Directory, "expected the path of a folder, got 'nowhere', which isn't there"),
        (["@nowhere.json"], int, "expected a JSON file at 'nowhere.json', got No such file or directory"),
        (["x" * 200], int, f"expected int, got '{'x' * 76}..."),
    ],
)
def test_a_text_that_is_no_such_value_is_refused(texts: list[str], annotation: Any, message: str) -> None:
    with pytest.raises(ReadingError) as caught:
        read_texts(texts, annotation)
    assert str(caught.value) == message


def test_a_zone_is_one_that_can_be_kept() -> None:
    assert type(read_texts(["2026-01-31T12:00:00+02:00"], datetime).tzinfo).__module__ == "datetime"


def test_files_folders_and_references(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("x")
    path = str(tmp_path / "data.txt")
    assert read_texts([path], File).path == path
    assert type(read_texts([str(tmp_path)], Directory)) is Directory
    assert read_texts(["s3://bucket/key"], External) == External("s3://bucket/key")
    assert read_texts(["db-password"], Secret).name == "db-password"
    assert [f.path for f in read_texts([path, path], list[File])] == [path, path]


def test_a_json_file_stands_for_its_content(tmp_path: Path) -> None:
    path = tmp_path / "box.json"
    path.write_text('{"size": 2}')
    assert read_texts([f"@{path}"], Box) == Box(2)
    path.write_text("{")
    with pytest.raises(ReadingError, match=r"^expected JSON in '.*box\.json', got Expecting property name"):
        read_texts([f"@{path}"], Box)


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (dict[str, list[int]] | None, "dict[str, list[int]] | None"),
        (tuple[int, ...], "tuple[int, ...]"),
        (Annotated[Literal["a", 1] | Colour, "note"], "'a' | 1 | Colour (RED | BLUE)"),
        (Any, "Any"),
        (File, "File"),
        (Box, "Box"),
    ],
)
def test_an_annotation_is_described_as_written(annotation: Any, text: str) -> None:
    assert describe(annotation) == text


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.integers(), st.floats(allow_nan=False), st.text(), st.dates(), st.decimals(allow_nan=False)))
def test_what_python_prints_is_read_back(value: Any) -> None:
    found = read_texts([str(value).replace("@", "@@", 1) if str(value).startswith("@@") else str(value)], type(value))
    if not (isinstance(value, str) and value.startswith("@")):  # `@...json` names a file
        assert (type(found), found) == (type(value), value)


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(), st.lists(st.integers())))
def test_json_is_read_as_itself(value: dict[str, list[int]]) -> None:
    assert read_json(json.loads(json.dumps(value)), dict[str, list[int]]) == value


@settings(max_examples=100, deadline=None)
@given(TREES, st.sampled_from([int, bool, list[int], Box, Pair, Options, date | None, dict[int, str], Colour, Model]))
def test_any_json_is_read_or_refused(tree: Any, annotation: Any) -> None:
    with contextlib.suppress(ReadingError):  # any other exception fails the test
        found = read_json(tree, annotation)
        assert conform(found, read_annotation(annotation, Names(globals(), {}))) is None
