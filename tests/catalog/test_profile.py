"""Profiles of stored tables, held to what pandas computes from the same values."""

from __future__ import annotations

import datetime as dt
import json
import math
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from drawloom.catalog import profile_stats
from drawloom.catalog.artifacts import Made, Version
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.profile import ColumnProfile, TableProfile, compare, profile, profiles
from drawloom.catalog.profile_stats import Distinct, Numbers, TopValues
from drawloom.errors import CorruptObject, StoreError

HOSTILE = ["", "a b", "a\nb", "\x1b[31mred", "{{ x }}", "<b>&", "🙂" * 40, "é" * 300, "'\"", "x", "x"]


def stored(catalog: Catalog, value: Any) -> Version:
    ref = catalog.values.ref(catalog.values.encode(value))
    return Version(1, Made("p/t", "run", "t", "result", ref))


def profiled(catalog: Catalog, value: Any) -> TableProfile:
    found = profile(catalog, stored(catalog, value))
    assert found is not None
    return found


def only(catalog: Catalog, values: Any) -> ColumnProfile:
    (column,) = profiled(catalog, pa.table({"x": values})).columns
    return column


_numbers = st.lists(st.one_of(st.none(), st.floats(-1e12, 1e12), st.floats(0, 1), st.just(math.nan)), max_size=60)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(values=_numbers)
def test_numbers_are_those_of_pandas(catalog: Catalog, values: list[float | None]) -> None:
    series = pd.Series(values, dtype="float64")
    (column,) = profiled(catalog, pd.DataFrame({"x": series})).columns
    assert (column.rows, column.nulls) == (len(series), int(series.isna().sum()))
    assert (column.distinct, column.distinct_exact) == (series.nunique(), True)
    if series.notna().any():
        assert (column.minimum, column.maximum) == (series.min(), series.max())
        scale = max(1e-9, float(series.abs().max()))
        assert column.mean == pytest.approx(series.mean(), rel=1e-9, abs=scale * 1e-12)
        assert column.quantiles_exact
        for share, value in column.quantiles:
            assert value == pytest.approx(series.quantile(share), rel=1e-9, abs=scale * 1e-12)
        assert column.histogram is not None
        assert sum(column.histogram.counts) == series.notna().sum()
        assert list(column.histogram.edges) == sorted(column.histogram.edges)
    else:
        assert (column.minimum, column.mean, column.histogram, column.quantiles) == (None, None, None, ())
    if series.notna().sum() > 1:
        assert column.std == pytest.approx(series.std(), rel=1e-6, abs=scale * 1e-9)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(values=st.lists(st.one_of(st.none(), st.text(max_size=5), st.sampled_from(["a", "b"])), max_size=60))
def test_texts_are_counted(catalog: Catalog, values: list[str | None]) -> None:
    texts = [value.encode("utf-8", "replace").decode() if value is not None else None for value in values]
    column = only(catalog, pa.array(texts, pa.string()))
    counted = Counter(text for text in texts if text is not None)
    assert (column.nulls, column.distinct) == (texts.count(None), len(counted))
    assert dict(column.top) == {text: counted[text] for text, _ in column.top}
    assert [count for _, count in column.top] == sorted(counted.values(), reverse=True)[:20]


@settings(max_examples=30, deadline=None)
@given(parts=st.lists(st.lists(st.floats(-1e6, 1e6), max_size=20), min_size=1, max_size=8))
def test_chunks_add_up_to_the_whole(parts: list[list[float]]) -> None:
    numbers = Numbers()
    for part in parts:
        numbers.add(np.array(part, dtype=float))
    whole = pd.Series([value for part in parts for value in part], dtype=float)
    assert numbers.count == len(whole)
    if len(whole) > 1:
        assert numbers.mean == pytest.approx(whole.mean(), rel=1e-9, abs=1e-6)
        assert numbers.std == pytest.approx(whole.std(), rel=1e-6, abs=1e-6)


def test_large_columns_are_sampled_and_say_so(monkeypatch: pytest.MonkeyPatch, catalog: Catalog) -> None:
    for name in ("_SAMPLE", "_HASHES", "_CANDIDATES"):
        monkeypatch.setattr(profile_stats, name, 4096)
    values = np.arange(200_000, dtype=float)
    table = profiled(
        catalog, pa.table({"n": values, "t": [f"id {n}" for n in range(200_000)], "c": ["u", "v"] * 100_000})
    )
    number, text, category = table.columns
    assert (number.minimum, number.maximum, number.mean) == (0, 199_999, 99_999.5)
    assert not number.quantiles_exact
    assert dict(number.quantiles)[0.5] == pytest.approx(100_000, rel=0.05)
    assert number.histogram is not None
    assert number.histogram.counts == (10_000,) * 20
    assert number.distinct == pytest.approx(200_000, rel=0.06)
    assert text.distinct == pytest.approx(200_000, rel=0.06)
    assert (number.distinct_exact, text.distinct_exact, text.top_exact) == (False, False, False)
    assert category.top == (("u", 100_000), ("v", 100_000))
    assert category.top_exact


def test_the_rarest_texts_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile_stats, "_CANDIDATES", 10)
    top = TopValues()
    for start in range(0, 100, 10):
        texts = ["often", *(f"rare {n}" for n in range(start, start + 10))]
        top.add(np.array([7, *range(1000 + start, 1010 + start)]), texts, np.array([5] + [1] * 10))
    assert top.top()[0] == ("often", 50)
    assert not top.exact


def test_few_hashes_are_counted_exactly() -> None:
    distinct = Distinct()
    distinct.add(np.array([], np.uint64))
    distinct.add(np.array([3, 3, 2**63, 1], np.uint64))
    distinct.add(np.array([1, 3], np.uint64))
    assert (distinct.count, distinct.exact) == (3, True)


def test_each_kind_of_pandas_column(catalog: Catalog) -> None:
    n = 6
    frame = pd.DataFrame(
        {
            "bool": [True, False, True, True, False, True],
            "masked": pd.array([1, None, 3, 4, None, 3], dtype="Int64"),
            "zoned": pd.date_range("2026-01-01", periods=n, freq="h", tz="Europe/Berlin"),
            "category": pd.Categorical(["x", "y", None, "x", "x", None]),
            "period": pd.period_range("2026-01", periods=n, freq="M"),
            "delta": pd.to_timedelta([0, 1, 2, 3, 4, None], unit="s"),
            "cells": [{"a": 1}, None, [1, 2], "text", 1.5, math.nan],
            "interval": pd.interval_range(0, n),
            "complex": np.array([1 + 2j, 0, 0, 0, 0, 0]),
            "arrow": pd.array([[1], None, [2], [3], [4], [5]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
        },
        index=pd.Index(list("abcdef"), name="key"),
    )
    table = profiled(catalog, frame)
    by_name = {column.name: column for column in table.columns}
    told = {name: (c.type, c.kind, c.nulls, c.distinct) for name, c in by_name.items()}
    assert told["bool"] == ("bool", "bool", 0, 2)
    assert told["masked"] == ("Int64", "number", 2, 3)
    assert told["category"] == ("category", "category", 2, 2)
    assert told["period"] == ("period[M]", "text", 0, 6)
    assert told["cells"] == ("object", "text", 2, 4)
    assert told["interval"][1:] == ("nested", 0, None)
    assert told["complex"][1:] == ("text", 0, 2)
    assert told["arrow"] == ("list<item: int64>[pyarrow]", "nested", 1, None)
    assert by_name["bool"].top == (("True", 4), ("False", 2))
    assert (by_name["delta"].minimum, by_name["delta"].maximum, by_name["delta"].mean) == (0, 4, 2)
    assert by_name["zoned"].type.endswith("Europe/Berlin]")
    assert (by_name["zoned"].minimum, by_name["zoned"].maximum) == ("2025-12-31T23:00:00", "2026-01-01T04:00:00")
    assert table.index.startswith("key ")
    assert [row[6] for row in table.preview] == ['{"a": 1}', None, "[1, 2]", "text", "1.5", None]


def test_each_kind_of_arrow_column(catalog: Catalog) -> None:
    table = pa.table(
        {
            "time": pa.array([dt.time(1, 2, 3, 4), None, dt.time(3)]),
            "date": pa.array([dt.date(2020, 2, 29), dt.date(9999, 12, 31), None]),
            "zoned": pa.array([0, None, 10**18], pa.timestamp("ns", "UTC")),
            "decimal": pa.array([Decimal("1.5"), None, Decimal("-2.25")]),
            "null": pa.nulls(3),
            "struct": pa.array([{"x": 1}, None, {"x": 2}]),
            "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
            "binary": pa.array([b"1", b"\x00\xff", None]),
            "dictionary": pa.array(["a", None, "a"]).dictionary_encode(),
            "numbers": pa.array([5, 5, 6]).dictionary_encode(),
            "view": pa.array(["a", "b", None], pa.string_view()),
            "uint64": pa.array([0, 2**64 - 1, None], pa.uint64()),
        }
    )
    made = {column.name: column for column in profiled(catalog, table).columns}
    assert (made["time"].minimum, made["time"].maximum) == ("01:02:03.000004", "03:00:00")
    assert (made["date"].minimum, made["date"].maximum) == ("2020-02-29", "9999-12-31")
    assert (made["zoned"].minimum, made["zoned"].maximum) == (
        "1970-01-01T00:00:00+00:00",
        "2001-09-09T01:46:40+00:00",
    )
    assert (made["decimal"].minimum, made["decimal"].maximum, made["decimal"].mean) == ("-2.25", "1.50", -0.375)
    assert (made["null"].nulls, made["null"].kind, made["null"].distinct) == (3, "null", 0)
    assert (made["struct"].nulls, made["map"].nulls) == (1, 1)
    assert made["binary"].top == (("b'1'", 1), ("b'\\x00\\xff'", 1))
    assert made["dictionary"].top == (("a", 2),)
    assert (made["numbers"].kind, made["numbers"].maximum) == ("number", 6)
    assert made["view"].distinct == 2
    assert made["uint64"].maximum == 2**64 - 1
    json.dumps(profiled(catalog, table).to_json(), allow_nan=False)


@pytest.mark.parametrize(
    "values",
    [[math.inf, -math.inf, 1.0], [1.7e308, -1.7e308], [5e-324, 0.0], [-0.0, 0.0], [1e308, 1e308, 1e308], [math.inf]],
)
def test_extreme_numbers_are_told_as_finite_json(catalog: Catalog, values: list[float]) -> None:
    column = only(catalog, values)
    finite = [value for value in values if math.isfinite(value)]
    assert column.infinite == len(values) - len(finite)
    assert column.distinct == len(set(values))
    assert (column.minimum, column.maximum) == ((min(finite), max(finite)) if finite else (None, None))
    if column.histogram is not None:
        assert sum(column.histogram.counts) == len(finite)
    json.dumps(profiled(catalog, pa.table({"x": values})).to_json(sketches=True), allow_nan=False)


@pytest.mark.parametrize(
    ("value", "rows", "columns"),
    [
        (pd.DataFrame(), 0, 0),
        (pd.DataFrame(index=range(3)), 3, 0),
        (pd.DataFrame({"a": pd.Series([], dtype="float64"), "b": pd.Series([], dtype="str")}), 0, 2),
        (pa.table({"a": pa.array([], pa.int8())}), 0, 1),
        (pa.RecordBatch.from_pydict({"a": [1]}), 1, 1),
        (pd.Series([1.0, math.nan], name=("deep", 3)), 2, 1),
        (pd.DataFrame({"a": [None, None]}), 2, 1),
    ],
)
def test_empty_and_small_tables(catalog: Catalog, value: Any, rows: int, columns: int) -> None:
    found = profiled(catalog, value)
    assert (found.rows, len(found.columns)) == (rows, columns)
    assert found.lines(80)[0].startswith(f"{rows} row")
    assert compare(found, found).lines() == []


def test_columns_of_one_name_and_of_hostile_names(catalog: Catalog) -> None:
    frame = pd.DataFrame([range(len(HOSTILE))] * 3, columns=HOSTILE)
    found = profiled(catalog, frame)
    assert [column.name for column in found.columns] == HOSTILE
    for width in (40, 80, 200):
        lines = found.lines(width)
        assert all(cell_len(line) <= width for line in lines), width
        assert all(line.isprintable() for line in lines)
    page = found._repr_html_()
    assert "<b>" not in page
    assert "&lt;b&gt;&amp;" in page
    assert "\x1b" not in page
    assert [c.name for c in profiled(catalog, pd.DataFrame([[1, 2]], columns=[1, (2, "x")])).columns] == [
        "1",
        "(2, 'x')",
    ]


def test_values_without_a_table_have_no_profile(catalog: Catalog) -> None:
    for value in (None, 3, "text", [1, {"a": 2}], b"bytes", np.zeros(9)):
        assert profile(catalog, stored(catalog, value)) is None


@dataclass
class Split:
    """A record with tables in it."""

    train: Any
    test: Any
    seed: int = 1


def test_tables_inside_a_value_are_its_parts(catalog: Catalog) -> None:
    table = pa.table({"a": [1, 2]})
    frame = pd.DataFrame({"b": [1.0]})
    made = profiles(catalog, stored(catalog, [Split(table, [frame]), {"k": table}]))
    assert [(p.part, p.rows) for p in made] == [("[0].train", 2), ("[0].test[0]", 1), ('[1]["k"]', 2)]
    assert profiled(catalog, Split(table, frame)).part == "train"


def test_a_profile_is_kept_and_made_anew_where_its_file_is_gone_or_broken(catalog: Catalog, tmp_path: Path) -> None:
    version = stored(catalog, pd.DataFrame({"a": range(5000), "t": ["x"] * 5000}))
    made = profile(catalog, version)
    (file,) = (tmp_path / "cache").rglob("profiles/*.json")
    again = profile(catalog, version)
    assert again == made
    file.write_text(file.read_text()[:100])
    assert profile(catalog, version) == made
    for path in Path(catalog.url).rglob("objects/*/*"):
        path.unlink()
    assert profile(catalog, version) == made, "answered from the cache"


def test_no_cache_folder_is_no_trouble(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DRAWLOOM_CACHE", str(tmp_path / "file" / "below"))
    assert profiled(catalog, pd.DataFrame({"a": [1]})).rows == 1


def test_without_the_libraries_it_says_what_to_install(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    version = stored(catalog, pd.DataFrame({"a": range(3)}))
    for name in ("profile_read", "profile_stats", "profile_values"):
        monkeypatch.delitem(sys.modules, f"drawloom.catalog.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(StoreError, match=r"S484.*pyarrow"):
        profile(catalog, version)


def test_a_corrupt_table_is_refused(catalog: Catalog) -> None:
    version = stored(catalog, pd.DataFrame({"a": np.random.default_rng(0).random(5000)}))
    for path in Path(catalog.url).rglob("objects/*/*"):
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-100] + b"x" * 100)
    with pytest.raises(CorruptObject, match="S401"):
        profile(catalog, version)


def test_what_changed_between_two_tables(catalog: Catalog) -> None:
    rng = np.random.default_rng(1)
    n = 1000
    old = pd.DataFrame({"same": range(n), "price": rng.normal(10, 1, n), "kind": ["a", "b"] * (n // 2), "gone": 1})
    new = pd.DataFrame({"price": rng.normal(12, 1, n), "same": range(n), "kind": ["a", "c"] * (n // 2), "new\n": "x"})
    new.loc[:99, "price"] = math.nan
    change = compare(profiled(catalog, old), profiled(catalog, new.iloc[:900]))
    assert (change.old_rows, change.new_rows) == (n, 900)
    assert (change.added, change.removed) == ((("new\n", "str"),), (("gone", "int64"),)) or change.added[0][
        1
    ] == "object"
    assert change.reordered
    by_name = {column.name: column for column in change.columns}
    price = by_name["price"]
    assert price.shift == "large"
    assert price.mean_shift == pytest.approx(2, abs=0.3)
    assert price.new_null_share == pytest.approx(100 / 900)
    assert (by_name["kind"].appeared, by_name["kind"].vanished) == (("c",), ("b",))
    lines = "\n".join(change.lines(200))
    assert "rows 1,000 -> 900 (-10.0 %)" in lines
    assert "+ new\\n" in lines
    assert "- gone  int64" in lines
    assert "nulls 0.0 % -> 11.1 %" in lines
    assert all(len(line) <= 60 for line in change.lines(60))
    document = json.loads(json.dumps(change.to_json(), allow_nan=False))
    assert document["changed"]
    assert [c["shift"] for c in document["columns"] if c["name"] == "price"] == ["large"]


def test_the_same_distribution_is_no_change(catalog: Catalog) -> None:
    values = np.random.default_rng(2).permutation(np.arange(5000.0))
    frame = pd.DataFrame({"x": values, "day": pd.date_range("2026-01-01", periods=5000, freq="min")})
    shuffled = frame.sample(frac=1, random_state=3).reset_index(drop=True)
    change = compare(profiled(catalog, frame), profiled(catalog, shuffled))
    assert not change.changed
    assert change.columns[0].ks_distance == 0


def test_another_dtype_and_a_wider_range_are_changes(catalog: Catalog) -> None:
    old, new = pd.DataFrame({"x": range(1000)}), pd.DataFrame({"x": [*map(float, range(999)), 1e9]})
    (column,) = compare(profiled(catalog, old), profiled(catalog, new)).columns
    assert (column.retyped, column.wider, column.shift, column.changed) == (True, True, "", True)


BOUNDED = """
import resource, sys
from drawloom.catalog.artifacts import Made, Version
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.profile import profile
import drawloom.catalog.profile_read
from drawloom.values.ref import ValueRef

digest, size, object = sys.argv[2:]
catalog = Catalog.open(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = profile(catalog, Version(1, Made("p/t", "run", "t", "result", ValueRef(digest, int(size), object=object))))
print(found.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_million_rows_take_the_memory_of_a_few_columns(catalog: Catalog) -> None:
    rng = np.random.default_rng(0)
    table = pa.table({f"x{i} {'.' * 200}": rng.random(1_000_000) for i in range(16)})
    ref = catalog.values.ref({**catalog.values.encode(table), "note": "x" * 5000})  # long enough to be an object
    assert ref.object
    command = [sys.executable, "-c", BOUNDED, catalog.store_url, ref.digest, str(ref.size_bytes), ref.object]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows, grown_kb = map(int, done.stdout.split())
    assert rows == 1_000_000
    assert grown_kb * 1024 < 100e6 < table.nbytes
