"""Readers of one run share a large frame's columns, and none can change what the others see."""

from __future__ import annotations

import threading
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

from drawloom.storage.local import LocalStorage
from drawloom.storage.objects import Objects
from drawloom.values.store import Values

pytestmark = [
    pytest.mark.skipif(int(pd.__version__.split(".")[0]) < 3, reason="pandas 2 does not copy on write"),
    pytest.mark.filterwarnings("ignore:The inplace keyword", "ignore:Series.values"),
]
ROWS = 200_000
RANDOM = np.random.default_rng(1)


def wide() -> pd.DataFrame:
    """Of dtypes that don't compress, so that the file is mapped."""
    numbers = RANDOM.random((ROWS, 4))
    frame = pd.DataFrame(numbers, columns=["a", "b", "c", "d"])
    frame["n"] = RANDOM.integers(0, 2**62, ROWS)
    frame["when"] = pd.to_datetime(RANDOM.integers(0, 2**40, ROWS), unit="us")
    frame["zone"] = frame["when"].dt.tz_localize("Europe/Zurich", ambiguous="NaT", nonexistent="NaT")
    frame["some"] = pd.array(RANDOM.integers(0, 2**62, ROWS), "Int64")
    frame["text"] = RANDOM.integers(0, 2**62, ROWS).astype(str)
    frame["flag"] = RANDOM.random(ROWS) > 0.5
    return frame


@pytest.fixture
def values(tmp_path) -> Values:
    return Values(Objects(LocalStorage(str(tmp_path)))).sharing()


def loc(frame):
    frame.loc[0, "a"] = -1.0


def iloc(frame):
    frame.iloc[:, 4] = 7


def at(frame):
    frame.at[3, "some"] = 5


def add(frame):
    frame["b"] += 1


def fill(frame):
    frame.fillna(0.0, inplace=True)


def sort(frame):
    frame.sort_values("a", inplace=True)


def drop(frame):
    frame.drop(columns=["a"], inplace=True)


def rename(frame):
    frame.columns = [name.upper() for name in frame.columns]


def text(frame):
    frame.loc[1, "text"] = "changed"


def flag(frame):
    frame.loc[:, "flag"] = False


def new_index(frame):
    frame.index = pd.RangeIndex(5, ROWS + 5)


def column(frame):
    one = frame["c"]
    one.iloc[0] = 99.0


def subset_after_its_frame_is_gone(frame):
    part = frame[["a", "b"]]
    del frame
    part.iloc[0, 0] = 12.5
    assert part.iloc[0, 0] == 12.5


CHANGES = [loc, iloc, at, add, fill, sort, drop, rename, text, flag, new_index, column, subset_after_its_frame_is_gone]


@pytest.mark.parametrize("change", CHANGES)
def test_what_one_reader_changes_no_other_sees(values, change):
    original = wide()
    tree = values.encode(original)
    first, second = values.decode(tree), values.decode(tree)
    change(first)
    assert_frame_equal(second, original)
    assert_frame_equal(values.decode(tree), original)


def test_the_frame_a_task_returned_is_no_part_of_what_readers_get(values):
    numbers = RANDOM.random((ROWS, 8))
    frame = pd.DataFrame(numbers, copy=False)
    tree = values.encode(frame)
    expected = frame.copy(deep=True)
    numbers[:] = 0.0
    assert_frame_equal(values.decode(tree), expected)


@pytest.mark.parametrize("part", ["array", "values"])
@pytest.mark.parametrize("name", ["a", "when", "zone", "some", "text", "flag"])
def test_what_is_written_past_pandas_is_refused_or_reaches_nobody(values, name, part):
    original = wide()
    tree = values.encode(original)
    got = values.decode(tree)
    array = getattr(got[name], part)
    with suppress(ValueError):  # read-only
        array[0] = array[1]
    with suppress(ValueError):
        got[name].to_numpy()[2] = got[name].iloc[3]
    assert_series_equal(values.decode(tree)[name], original[name])


def test_readers_in_many_threads_get_equal_frames_over_the_same_memory(values):
    original = wide()
    tree = values.encode(original)
    got: list[pd.DataFrame] = []
    threads = [threading.Thread(target=lambda: got.append(values.decode(tree))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({frame["a"].to_numpy().ctypes.data for frame in got}) == 1
    for frame in got:
        assert_frame_equal(frame, original)


def test_outside_a_run_everybody_gets_a_frame_of_their_own(values):
    alone = Values(values.objects)
    tree = alone.encode(wide())
    first, second = alone.decode(tree), alone.decode(tree)
    first["a"].to_numpy(copy=False)
    assert first["a"].to_numpy().ctypes.data != second["a"].to_numpy().ctypes.data


def test_what_compresses_well_is_kept_small(values):
    frame = pd.DataFrame({"zeros": np.zeros(1_000_000), "range": np.arange(1_000_000) // 1000})
    tree = values.encode(frame)
    assert tree["size"] < 2_000_000
    assert_frame_equal(values.decode(tree), frame)
