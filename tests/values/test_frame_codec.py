"""pandas frames, series, indexes and scalars."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import pandas as hpd

from drawloom.errors import ValueRefused
from drawloom.values.store import Values

N = 4


def same_frame(a: Any, b: Any) -> None:
    pd.testing.assert_frame_equal(
        a, b, check_exact=True, check_freq=True, check_index_type="exact", check_column_type="exact", check_flags=True
    )
    assert list(a.dtypes) == list(b.dtypes)
    assert a.attrs == b.attrs
    assert list(map(repr, a.index.names)) == list(map(repr, b.index.names))


text = st.text(st.characters(exclude_categories=("Cs",)), max_size=5)
columns = {
    "f8": hpd.column(dtype=float),
    "i4": hpd.column(dtype="int32"),
    "u8": hpd.column(dtype="uint64"),
    "b": hpd.column(dtype=bool),
    "c": hpd.column(dtype=complex),
    "d": hpd.column(dtype="datetime64[ns]"),
    "td": hpd.column(dtype="timedelta64[s]"),
    "s": hpd.column(elements=text | st.none(), dtype=object),
    "o": hpd.column(
        elements=st.none() | text | st.integers() | st.floats() | st.dates() | st.binary(max_size=3), dtype=object
    ),
}


@st.composite
def frames(draw: st.DrawFn) -> Any:
    names = draw(st.lists(st.sampled_from(sorted(columns)), unique=True, max_size=4))
    chosen = [hpd.column(f"{n}{{{{", dtype=columns[n].dtype, elements=columns[n].elements) for n in names]
    index = (
        hpd.range_indexes(max_size=6) | hpd.indexes(dtype="int64", max_size=6) | hpd.indexes(dtype=float, max_size=6)
    )
    return draw(hpd.data_frames(chosen, index=index))


@given(frames())
@settings(max_examples=100, deadline=None)
def test_a_frame_comes_back_exactly(shared: Values, frame: Any) -> None:
    tree = shared.encode(frame)
    again = shared.decode(tree)
    same_frame(again, frame)
    assert shared.encode(again)["digest"] == tree["digest"]


@given(frames(), st.integers(0, 6))
@settings(max_examples=75, deadline=None)
def test_a_frame_in_pieces_put_together_has_the_same_digest(shared: Values, frame: Any, at: int) -> None:
    joined = pd.concat([frame.iloc[:at], frame.iloc[at:]])
    if list(joined.dtypes) == list(frame.dtypes):  # pandas may widen the dtype of an empty piece
        joined.index = joined.index.astype(frame.index.dtype)
        assert shared.encode(joined)["digest"] == shared.encode(frame)["digest"]
    wide = pd.concat([frame, frame], axis=0).iloc[: len(frame)]
    assert shared.encode(wide.reset_index(drop=True))["digest"] == shared.encode(frame.reset_index(drop=True))["digest"]


@given(frames(), st.data())
@settings(max_examples=75, deadline=None)
def test_a_changed_cell_changes_the_digest(shared: Values, frame: Any, data: st.DataObject) -> None:
    floats = [i for i, dtype in enumerate(frame.dtypes) if dtype == np.dtype(float)]
    if not floats or not len(frame):
        return
    row, column = data.draw(st.integers(0, len(frame) - 1)), data.draw(st.sampled_from(floats))
    changed = frame.copy()
    changed.iloc[row, column] = 12345.25
    equal = changed.equals(frame)
    assert (shared.encode(changed)["digest"] == shared.encode(frame)["digest"]) == equal


COLUMNS: dict[str, Any] = {
    "float": [1.0, np.nan, -0.0, np.inf],
    "half": np.array([1, 2, 3, 4], "f2"),
    "int8": np.array([1, -2, 3, 4], "i1"),
    "uint64": np.array([0, 1, 2, 2**64 - 1], "u8"),
    "bool": [True, False, True, True],
    "complex": np.array([1 + 2j, np.nan, -0.0, 3j], "c8"),
    "str": ["a", None, "{{é}}", "😀\n\x00"],
    "str without missing": ["", "b", "c", "d"],
    "object of str": pd.Series(["a", None, "b", "c"], dtype=object),
    "object with nan": pd.Series(["a", np.nan, "b", "c"], dtype=object),
    "object with both": pd.Series(["a", np.nan, None, "c"], dtype=object),
    "object of None": pd.Series([None] * N, dtype=object),
    "lone surrogates": pd.Series(["\ud800", "\ud83d\ude00", "a", None], dtype=object),
    "decimals": pd.Series([Decimal("1.10"), Decimal("NaN"), None, Decimal(2)], dtype=object),
    "dates": pd.Series([dt.date(2020, 1, 1), None, dt.date.max, dt.date.min], dtype=object),
    "mixed": pd.Series([1, "x", 2.5, (1, [2, {"k": None}])], dtype=object),
    "numpy in objects": pd.Series([np.float32(1), np.int8(2), np.arange(3), "x"], dtype=object),
    "pandas in objects": pd.Series([pd.Timestamp("2020", tz="UTC"), pd.NA, pd.NaT, pd.Interval(1, 2)], dtype=object),
    "huge ints": pd.Series([2**70, -1, 0, None], dtype=object),
    "bools and None": pd.Series([True, None, False, 1], dtype=object),
    "category": pd.Categorical(["x", "y", "x", None], categories=["y", "x", "unused"], ordered=True),
    "category of ints": pd.Categorical([3, 1, 3, 2]),
    "category of intervals": pd.cut([1, 2, 3, 4], 2),
    "category of times": pd.Categorical(pd.to_datetime(["2020", "2021", "2020", None]).tz_localize("UTC")),
    "empty category": pd.Categorical([None] * N),
    "seconds": np.array(["2020-01-01", "NaT", "1500-01-01", "2100-01-01"], "M8[s]"),
    "nanoseconds": pd.date_range("2020", periods=N, freq="ns").astype("M8[ns]"),
    "zoned": pd.date_range("2020-10-25", periods=N, freq="h", tz="Europe/Berlin"),
    "zoned UTC": pd.to_datetime(["2020", None, "2021", "2022"]).tz_localize("UTC"),
    "zoned offset": pd.date_range("2020", periods=N, tz=dt.timezone(dt.timedelta(hours=5, minutes=30))),
    "timedelta": pd.to_timedelta([1, None, 3, -4], unit="s"),
    "period": pd.period_range("2020-01", periods=N, freq="M"),
    "period of weeks": pd.PeriodIndex(["2020-01-06", None, "2020-02-03", "2020-02-10"], freq="W-SUN"),
    "interval": pd.IntervalIndex.from_tuples([(0, 1), (1, 2), (2, 3), (3, 4)], closed="both"),
    "interval of times": pd.interval_range(pd.Timestamp("2020", tz="UTC"), periods=N),
    "interval with missing": pd.arrays.IntervalArray.from_tuples([(0.0, 1.0), None, (1.5, 2.0), (2.0, 3.0)]),
    "Int64": pd.array([1, None, 3, 2**62], dtype="Int64"),
    "UInt8": pd.array([1, None, 3, 4], dtype="UInt8"),
    "Float32": pd.array([1.5, None, 3, -0.0], dtype="Float32"),
    "boolean": pd.array([True, None, False, True], dtype="boolean"),
    "string": pd.array(["a", None, "b", "{{"], dtype="string"),
    "string of Python": pd.array(["a", None, "b", "{{"], dtype=pd.StringDtype("python")),
    "arrow int": pd.array([1, None, 3, 4], dtype=pd.ArrowDtype(pa.int16())),
    "arrow list": pd.array([[1], None, [], [2, 3]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
    "arrow decimal": pd.array([Decimal("1.5"), None, Decimal(2), Decimal(3)], dtype=pd.ArrowDtype(pa.decimal128(5, 2))),
    "arrow time": pd.array([1, None, 3, 4], dtype=pd.ArrowDtype(pa.timestamp("us", "Europe/Berlin"))),
    "arrow dictionary": pd.array(["a", "b", "a", None], dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_each_dtype_comes_back(values: Values, name: str) -> None:
    frame = pd.DataFrame({"x": COLUMNS[name]})
    tree = values.encode(frame)
    again = values.decode(tree)
    same_frame(again, frame)
    if frame.dtypes["x"] == np.dtype(object):
        assert [type(v) for v in again["x"]] == [type(v) for v in frame["x"]]
    assert values.encode(again)["digest"] == tree["digest"]
    series = values.decode(values.encode(frame["x"]))
    pd.testing.assert_series_equal(series, frame["x"], check_exact=True)


@pytest.mark.parametrize("name", COLUMNS)
def test_the_digest_of_a_column_ignores_slices_and_chunks(values: Values, name: str) -> None:
    frame = pd.DataFrame({"x": COLUMNS[name]})
    digest = values.encode(frame)["digest"]
    thrice = pd.concat([frame, frame, frame], ignore_index=True)
    assert thrice.dtypes["x"] == frame.dtypes["x"]
    assert values.encode(thrice.iloc[N : 2 * N].reset_index(drop=True))["digest"] == digest
    halves = pd.concat([frame.iloc[:1], frame.iloc[1:]])
    assert values.encode(halves)["digest"] == digest
    assert values.encode(frame.iloc[::-1].reset_index(drop=True))["digest"] != digest or name in (
        "object of None",
        "empty category",
    )


def test_columns_of_different_dtypes_have_different_digests(values: Values) -> None:
    digests = {values.encode(pd.DataFrame({"x": column}))["digest"] for column in COLUMNS.values()}
    assert len(digests) == len(COLUMNS)


INDEXES: dict[str, Any] = {
    "range": pd.RangeIndex(2, 10, 2, name="n"),
    "ints": pd.Index([5, 3, 5, 1]),
    "floats": pd.Index([0.5, np.nan, 1, -0.0], name=("a", 1)),
    "str": pd.Index(["a", "b", None, "é"], name="{{"),
    "objects": pd.Index(["a", 1, None, (1, 2)], dtype=object),
    "dates": pd.date_range("2020", periods=N, freq="D", name="day"),
    "business days": pd.date_range("2020-01-01", periods=N, freq="2BMS"),
    "zoned": pd.date_range("2020-03-29", periods=N, freq="h", tz="Europe/Berlin"),
    "no frequency": pd.DatetimeIndex(["2020", "2021", "1999", None]),
    "deltas": pd.timedelta_range("1s", periods=N, freq="s"),
    "periods": pd.period_range("2020Q1", periods=N, freq="Q-NOV"),
    "intervals": pd.interval_range(0, N),
    "categories": pd.CategoricalIndex(["b", "a", "b", None], categories=["b", "a"], ordered=True, name="c"),
    "nullable": pd.Index(pd.array([1, None, 2, 3], dtype="Int64")),
    "bools": pd.Index([True, False, True, True]),
    "multi": pd.MultiIndex.from_product([["x", "y"], [1, 2]], names=["k", None]),
    "multi with unused": pd.MultiIndex.from_product([["x", "y", "z"], [1, 2]])[:N],
    "multi with missing": pd.MultiIndex.from_tuples([("a", 1.0), (None, 2.0), ("a", None), ("c", 4.0)]),
    "multi of times": pd.MultiIndex.from_arrays([pd.date_range("2020", periods=N, tz="UTC"), list("abcd")]),
    "duplicates": pd.Index(["a", "a", "a", "b"]),
}


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_of_each_kind_comes_back(values: Values, name: str) -> None:
    index = INDEXES[name]
    for value in (pd.DataFrame({"a": range(N)}, index=index), pd.DataFrame([range(N)], columns=index)):
        again = values.decode(values.encode(value))
        same_frame(again, value)
        assert values.encode(again)["digest"] == values.encode(value)["digest"]
    alone = values.decode(values.encode(index))
    pd.testing.assert_index_equal(alone, index, exact=True)
    assert list(alone.names) == list(index.names)
    assert getattr(alone, "freq", None) == getattr(index, "freq", None)
    if isinstance(index, pd.MultiIndex):
        assert all(a.equals(b) for a, b in zip(alone.levels, index.levels, strict=True))


def test_different_indexes_give_different_digests(values: Values) -> None:
    frames_ = [pd.DataFrame({"a": range(N)}, index=index) for index in INDEXES.values()]
    assert len({values.encode(frame)["digest"] for frame in frames_}) == len(INDEXES)


def test_a_range_index_is_equal_to_the_integers_it_stands_for(values: Values) -> None:
    a = pd.DataFrame({"a": [1, 2, 3]})
    b = pd.DataFrame({"a": [1, 2, 3]}, index=[0, 1, 2])
    assert values.encode(a)["digest"] == values.encode(b)["digest"]
    assert type(values.decode(values.encode(a)).index) is pd.RangeIndex
    assert type(values.decode(values.encode(b)).index) is pd.Index


def test_names_order_and_dtypes_of_columns_count(values: Values) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    others = [
        frame[["b", "a"]],
        frame.rename(columns={"a": "c"}),
        frame.astype({"a": "int32"}),
        frame.astype({"a": float}),
        frame.iloc[::-1],
        frame.iloc[:1],
        frame.rename_axis("n"),
        frame.rename_axis("n", axis=1),
        frame.set_flags(allows_duplicate_labels=False),
        frame.astype(object),
    ]
    assert len({values.encode(f)["digest"] for f in [frame, *others]}) == len(others) + 1


EDGES = [
    pd.DataFrame(),
    pd.DataFrame(index=[1, 2, 3]),
    pd.DataFrame(columns=["a", "b"]),
    pd.DataFrame({"a": pd.Series([], dtype="Int64")}),
    pd.DataFrame([[1, 2.5]], columns=["a", "a"], index=["x"]),
    pd.DataFrame([[1, 2.5, "x"]], columns=[0, None, "\ud800"]),
    pd.DataFrame({i: [i] for i in range(300)}),
    pd.DataFrame({("a", dt.date(2020, 1, 1)): [1], ("b", None): [2]}),
]


@pytest.mark.parametrize("frame", EDGES, ids=range(len(EDGES)))
def test_an_odd_frame_comes_back(values: Values, frame: Any) -> None:
    frame.attrs = {"source": {"{{": (1, 2)}}
    same_frame(values.decode(values.encode(frame)), frame)


def test_attrs_count(values: Values) -> None:
    a, b = pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]})
    b.attrs = {"unit": "m"}
    assert values.encode(a)["digest"] != values.encode(b)["digest"]


def test_zero_has_one_sign_in_a_digest(values: Values) -> None:
    a, b = pd.DataFrame({"a": [0.0, np.nan]}), pd.DataFrame({"a": [-0.0, np.nan]})
    assert values.encode(a)["digest"] == values.encode(b)["digest"]


def test_memory_order_is_no_content(values: Values) -> None:
    numbers = np.arange(12.0).reshape(3, 4)
    digests = {values.encode(pd.DataFrame(n))["digest"] for n in (numbers, np.asfortranarray(numbers))}
    one_by_one = pd.DataFrame(index=range(3))
    for i in range(4):
        one_by_one[i] = numbers[:, i]
    one_by_one.columns = pd.RangeIndex(4)
    assert {values.encode(one_by_one)["digest"]} == digests


@pytest.mark.parametrize("name", [n for n in COLUMNS if n not in ("arrow list", "category of intervals")])
def test_what_is_read_can_be_written_to(values: Values, name: str) -> None:
    tree = values.encode(pd.DataFrame({"x": COLUMNS[name], "n": [1.0] * N}))
    frame = values.decode(tree)
    frame.loc[0, "x"] = frame.loc[2, "x"]
    frame.loc[0, "n"] = 2.0
    assert values.decode(tree).loc[0, "n"] == 1.0
    single = values.decode(values.encode(pd.Series([1.0, 2.0])))
    single.iloc[0] = 5.0


SCALARS = [
    pd.Timestamp("2020-01-01T00:00:00.123456789"),
    pd.Timestamp("2020-10-25 00:30", tz="UTC").tz_convert("Europe/Berlin"),
    pd.Timestamp("2020-10-25 01:30", tz="UTC").tz_convert(ZoneInfo("Europe/Berlin")),
    pd.Timestamp("1500-01-01").as_unit("s"),
    pd.Timedelta(-1, "ns"),
    pd.Timedelta(3, "s"),
    pd.Period("2020-01", "M"),
    pd.Period("2020-01-06", "W-SUN"),
    pd.Interval(1, 2.5, closed="left"),
    pd.Interval(pd.Timestamp("2020"), pd.Timestamp("2021")),
    pd.NaT,
    pd.NA,
]


@pytest.mark.parametrize("scalar", SCALARS, ids=str)
def test_a_scalar_of_pandas_comes_back(values: Values, scalar: Any) -> None:
    (again,) = values.decode(values.encode([scalar]))
    assert type(again) is type(scalar)
    assert again is scalar or again == scalar
    for name in ("unit", "tz", "fold", "nanosecond", "closed", "freq"):
        assert getattr(again, name, None) == getattr(scalar, name, None) or scalar is pd.NaT


class Sub(pd.DataFrame):
    pass


BIG = np.zeros(10_000)
FROZEN = pd.tseries.offsets.CustomBusinessDay(holidays=["2020-01-02"])
REFUSED = [
    (Sub({"a": [1]}), "V304"),
    (pd.DataFrame({"a": pd.arrays.SparseArray([0, 0, 1])}), "V304"),
    (pd.DataFrame({"a": pd.Series([BIG, 1], dtype=object)}), "V304"),
    (pd.DataFrame({"a": pd.Series([object()], dtype=object)}), "V301"),
    (pd.DataFrame({"a": [1]}, index=pd.Index([object()])), "V301"),
    (pd.DataFrame({object(): [1]}), "V301"),
    (pd.DataFrame({"a": [1.0]}).groupby("a"), "V304"),
    (pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2020", periods=2, freq=FROZEN)), "V304"),
    (pd.array([1, 2]), "V304"),
    (pd.Series(np.array([1, 2], ">i4")), "V304"),
]


@pytest.mark.parametrize(("value", "code"), REFUSED, ids=range(len(REFUSED)))
def test_what_would_come_back_changed_is_refused(values: Values, value: Any, code: str) -> None:
    with pytest.raises(ValueRefused) as caught:
        values.encode(value)
    assert caught.value.diagnostics[0].code == code
    assert " at 0x" not in str(caught.value)


def test_the_refusal_names_the_column_and_the_row(values: Values) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": pd.Series(["x", {"k": print}], dtype=object)})
    with pytest.raises(ValueRefused) as caught:
        values.encode([frame])
    assert caught.value.diagnostics[0].what == "value[0][b][1]['k'] is a builtin_function_or_method"
