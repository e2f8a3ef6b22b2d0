"""pyarrow tables and record batches; polars frames where polars is installed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.errors import ValueRefused
from drawloom.values.store import Values

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=5)
ITEMS: list[tuple[Any, Any]] = [
    (pa.int8(), st.integers(-128, 127)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float64(), st.floats()),
    (pa.float32(), st.floats(width=32)),
    (pa.bool_(), st.booleans()),
    (pa.string(), text),
    (pa.large_string(), text),
    (pa.string_view(), st.text("ab", max_size=20)),
    (pa.binary(), st.binary(max_size=5)),
    (pa.binary(3), st.binary(min_size=3, max_size=3)),
    (pa.decimal128(6, 2), st.decimals(-1000, 1000, places=2)),
    (pa.timestamp("us", "Europe/Berlin"), st.integers(0, 2**40)),
    (pa.date32(), st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1))),
    (pa.time64("us"), st.times()),
    (pa.duration("s"), st.integers(-(10**6), 10**6)),
    (pa.list_(pa.string()), st.lists(st.none() | text, max_size=3)),
    (pa.large_list(pa.list_(pa.int32())), st.lists(st.lists(st.integers(0, 9), max_size=2), max_size=3)),
    (pa.list_(pa.float32(), 2), st.lists(st.floats(width=32), min_size=2, max_size=2)),
    (pa.struct([("a", pa.int32()), ("b", pa.string())]), st.fixed_dictionaries({"a": st.integers(0, 9), "b": text})),
    (pa.map_(pa.string(), pa.int64()), st.lists(st.tuples(text, st.integers(0, 9)), max_size=3)),
    (pa.dictionary(pa.int8(), pa.string()), st.sampled_from("abc")),
    (pa.null(), st.none()),
]


@st.composite
def tables(draw: st.DrawFn) -> Any:
    length = draw(st.integers(0, 6))
    chosen = draw(st.lists(st.sampled_from(ITEMS), max_size=3))
    arrays = [
        pa.array(draw(st.lists(st.none() | items, min_size=length, max_size=length)), kind) for kind, items in chosen
    ]
    return pa.Table.from_arrays(arrays, names=[f"c{i}" for i in range(len(arrays))])


def same_text(a: Any, b: Any) -> bool:
    """Tables with NaN are not `equals`; their printed items are."""
    return a.schema.equals(b.schema, check_metadata=True) and repr(a.to_pylist()) == repr(b.to_pylist())


@given(tables())
@settings(max_examples=150, deadline=None)
def test_a_table_comes_back(shared: Values, table: Any) -> None:
    tree = shared.encode(table)
    again = shared.decode(tree)
    again.validate(full=True)
    assert same_text(again, table)
    assert shared.encode(again)["digest"] == tree["digest"]


@given(tables(), st.integers(0, 6), st.integers(0, 6))
@settings(max_examples=150, deadline=None)
def test_the_digest_ignores_chunks_and_slices(shared: Values, table: Any, a: int, b: int) -> None:
    a, b = sorted((min(a, len(table)), min(b, len(table))))
    pieces = [table.slice(0, a), table.slice(a, b - a), table.slice(b)]
    digest = shared.encode(table)["digest"]
    assert shared.encode(pa.concat_tables(pieces))["digest"] == digest
    padded = pa.concat_tables([table, table, table]).slice(len(table), len(table))
    assert shared.encode(padded)["digest"] == digest
    assert shared.encode(padded.combine_chunks())["digest"] == digest


@given(tables(), tables())
@settings(max_examples=100, deadline=None)
def test_tables_that_differ_have_digests_that_differ(shared: Values, a: Any, b: Any) -> None:
    same = a.schema.equals(b.schema) and repr(a.to_pylist()).replace("-0.0", "0.0") == repr(b.to_pylist()).replace(
        "-0.0", "0.0"
    )
    assert (shared.encode(a)["digest"] == shared.encode(b)["digest"]) == (same and len(a) == len(b))


def test_what_lies_under_a_null_is_no_content(values: Values) -> None:
    mask = pa.py_buffer(b"\x05")
    arrays = [
        pa.Array.from_buffers(pa.int32(), 3, [mask, pa.array([1, junk, 3], pa.int32()).buffers()[1]]) for junk in (0, 9)
    ]
    assert len({values.encode(pa.table({"a": array}))["digest"] for array in arrays}) == 1


def test_a_null_is_not_zero_nor_an_empty_string(values: Values) -> None:
    for some, none in (([0], [None]), ([0, None], [None, 0])):
        assert (
            values.encode(pa.table({"a": pa.array(some, pa.int32())}))["digest"]
            != values.encode(pa.table({"a": pa.array(none, pa.int32())}))["digest"]
        )
    assert values.encode(pa.table({"a": ["", "ab"]}))["digest"] != values.encode(pa.table({"a": ["a", "b"]}))["digest"]


def test_a_dictionary_counts_by_the_values_it_stands_for(values: Values) -> None:
    direct = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), ["a", "b"])
    turned = pa.DictionaryArray.from_arrays(pa.array([2, 1], pa.int8()), ["x", "b", "a"])
    assert values.encode(pa.table({"a": direct}))["digest"] == values.encode(pa.table({"a": turned}))["digest"]
    assert values.encode(pa.table({"a": direct}))["digest"] != values.encode(pa.table({"a": ["a", "b"]}))["digest"]


def test_metadata_comes_back_and_counts(values: Values) -> None:
    plain = pa.table({"a": [1]})
    noted = plain.replace_schema_metadata({"unit": "m"})
    assert values.decode(values.encode(noted)).schema.metadata == {b"unit": b"m"}
    assert values.encode(noted)["digest"] != values.encode(plain)["digest"]


def test_a_record_batch_comes_back_as_one(values: Values) -> None:
    for batch in (pa.record_batch({"a": [1, None]}), pa.record_batch({"a": pa.array([], pa.int8())})):
        again = values.decode(values.encode(batch))
        assert isinstance(again, pa.RecordBatch)
        assert again.equals(batch)


def test_a_union_is_refused(values: Values) -> None:
    union = pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])])
    with pytest.raises(ValueRefused, match=r"V304.*union"):
        values.encode(pa.table({"a": union}))


def test_a_lone_array_is_refused_with_what_to_do(values: Values) -> None:
    with pytest.raises(ValueRefused) as caught:
        values.encode(pa.array([Decimal(1)]))
    assert str(caught.value) == (
        "error[V304] value is a pyarrow.lib.Decimal128Array: "
        "of pyarrow's objects only tables and record batches are kept\n"
        "  fix    put it in a table: `pyarrow.table({'name': value})`"
    )


def test_a_polars_frame_comes_back(values: Values) -> None:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(
        {
            "i": [1, None, 3],
            "s": ["a", None, "{{é"],
            "f": [float("nan"), -0.0, None],
            "l": [[1], None, []],
            "c": pl.Series(["x", "y", "x"], dtype=pl.Categorical),
            "e": pl.Series(["x", "y", "x"], dtype=pl.Enum(["y", "x"])),
            "t": [dt.datetime(2020, 1, 1, tzinfo=dt.UTC), None, None],
            "d": [Decimal("1.10"), None, Decimal(2)],
            "st": [{"a": 1}, None, {"a": 2}],
        }
    )
    tree = values.encode(frame)
    again = values.decode(tree)
    assert again.schema == frame.schema
    assert again.equals(frame, null_equal=True)
    assert values.encode(again)["digest"] == tree["digest"]
    assert values.encode(pl.concat([frame[:1], frame[1:]], rechunk=False))["digest"] == tree["digest"]
    assert values.encode(frame[::-1])["digest"] != tree["digest"]
    series = values.decode(values.encode(frame["s"]))
    assert isinstance(series, pl.Series)
    assert series.equals(frame["s"], check_names=True)
    for refused in (frame.lazy(), pl.DataFrame({"o": pl.Series([object()], dtype=pl.Object)})):
        with pytest.raises(ValueRefused, match="V304"):
            values.encode(refused)
