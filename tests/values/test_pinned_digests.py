"""Digests that must never change: a change would lose every cache and give every stored value another version."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from drawloom.values.failure import Failure
from drawloom.values.files import Directory, File
from drawloom.values.secret import Secret
from drawloom.values.store import Values


class Pinned(NamedTuple):
    make: Callable[[], Any]  # made when the test runs: a file needs its scratch folder
    digest: str


def frame() -> Any:
    """Every dtype is named: what pandas infers differs between its versions."""
    made = pd.DataFrame(
        {
            "f": np.array([1.5, np.nan, -0.0]),
            "i": np.array([1, 2, 3], "i4"),
            "o": pd.Series(["a", None, "{{"], dtype=object),
            "n": pd.array([1, None, 3], dtype="Int64"),
            "c": pd.Series(pd.Categorical.from_codes([0, 1, -1], [10, 20])),
        }
    )
    made.columns = pd.Index(list("fionc"), dtype=object)
    return made


def table() -> Any:
    return pa.table({"a": pa.array([1, None], pa.int64()), "s": pa.array([["x"], None], pa.list_(pa.string()))})


PINS: dict[str, Pinned] = {
    "none": Pinned(lambda: None, "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b"),
    "true": Pinned(lambda: True, "b5bea41b6c623f7c09f1bf24dcae58ebab3c0cdd90ad966bc43a45b44867e12b"),
    "an int": Pinned(lambda: 42, "73475cb40a568e8da8a045ced110137e159f890ac4da883b6b17dc651b3a8049"),
    "a huge int": Pinned(lambda: 2**70, "c15c2807e41fa5c1c80cc07b02fdfd3074184a4b29dd3d4fee71d44efbbffc10"),
    "a float": Pinned(lambda: 0.1, "14be4b45f18e0d8c67b4f719b5144eee88497e413709d11d85b096d8e2346310"),
    "minus zero": Pinned(lambda: -0.0, "8aed642bf5118b9d3c859bd4be35ecac75b6e873cce34e7b6f554b06f75550d7"),
    "nan": Pinned(lambda: float("nan"), "add717fc6de42dbb588d80385843968a7e7d5bda6d276fbe5304e2353a42df9b"),
    "a str": Pinned(lambda: "{{é😀}}", "d83360273da2f986de027e3a1e6d1335789921621c4da4cdbccbcf4501b7c32f"),
    "lone surrogates": Pinned(
        lambda: "\ud83d\ude00", "6ff9fa341daa2b083f281bb8a79185ac721931923d77f24df4e226b032119a9e"
    ),
    "bytes": Pinned(lambda: b"\x00\xff", "f398f4e6d4204106a7f7cd3aaf700e5e615a4e2dcda702b405cb0cff52c2a6ba"),
    "long bytes": Pinned(lambda: bytes(10_000), "0f024d030c8d11407a89d1127d4ac51a701893e5c5f96989a487b9801a1bd998"),
    "a complex": Pinned(lambda: 1 + 2j, "89c26afd533b22a225032e7bc8780275bb94e7e6bf6997d112e443966873a610"),
    "a list": Pinned(lambda: [1, "a", None, [2.5]], "ea8ddd919b6183706043ddec3d39455436d27ee4627d024181bfc6636f296950"),
    "a tuple": Pinned(lambda: (1, (2,)), "d18e2eb3f7d18c3be0ca65b56d1e64fa85d06e6f5700b6a00cb74e95b7fa1e99"),
    "a set": Pinned(lambda: {3, 1, "x"}, "cae3f552eb1712aa083e8de1aaeb76aacf9aa2985b99702b7e5ce3a88a4d6547"),
    "a dict": Pinned(
        lambda: {"b": 1, "a": {(1, 2): None}}, "bf11440d3479d68b1805f7fbf8ec9649749eecbbaa9ff3bb85be8d4ccb734038"
    ),
    "a datetime": Pinned(
        lambda: dt.datetime(2020, 1, 2, 3, 4, 5, 6, ZoneInfo("Europe/Berlin")),
        "c5e87335f9865a49e9687f4fd16517277dbbc8a9ae19f4441393388312e9bb41",
    ),
    "a fixed offset": Pinned(
        lambda: dt.datetime(2020, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=-5, seconds=3))),
        "b350c706d36de4046015c8c2e74db50a6788b9b929d00b7ac664f5cd31044d9c",
    ),
    "a date": Pinned(lambda: dt.date(2020, 1, 2), "d9588a4f4cfe6859242639c51ddbbafd2991cbfbb6f45e92e19ef5720c376ee2"),
    "a timedelta": Pinned(
        lambda: dt.timedelta(1, 2, 3), "8f45ba49e6dcf222d128dc101f2c5eb64865ef9cdae233a4b39f0d52d36f3bc8"
    ),
    "a decimal": Pinned(lambda: Decimal("1.10"), "69a55432bb4a82bd6f50f04bb6e4ada994b869339ff48a1104f954437699cda0"),
    "a uuid": Pinned(lambda: uuid.UUID(int=1), "6e927b05873f0c82717ac23b62e8572b5ad3928911dd9e4730cb6e580914c010"),
    "a record": Pinned(
        lambda: Failure("builtins:ValueError", "no", "load"),
        "1348224ba7cdf85540a6833bbf250c3f1dcd118995431b8dff19792e5e2ba335",
    ),
    "a file": Pinned(
        lambda: File.write("hello", "a.txt"), "d054d740ee3d3153aa6eee14fcd5aa8dd4e33d3f49b89bfc06d155ee6b2c070a"
    ),
    "an empty directory": Pinned(
        lambda: Directory.create("d"), "4a01847e4225328421b2d72abd810d1a36738c0bbbd15c6d990b1e7bce6d9ebf"
    ),
    "a secret": Pinned(lambda: Secret("token"), "a9918e58ebc8e871b0402ac4638c5c003ed4117b153eb26678915b526a8461e2"),
    "a numpy scalar": Pinned(
        lambda: np.float32(1.5), "fcc29455a4b59b3195a7c5bef9a3c3276a143da65c525de35dff2265c9f95973"
    ),
    "an array": Pinned(
        lambda: np.arange(6.0).reshape(2, 3), "f50f94d44959e424b420059b731ad6d27d039aac2477f3cc5e7a7f8f0951befc"
    ),
    "an array of text": Pinned(
        lambda: np.array(["a", "é"]), "c20e7bee514c97dc827b3ffc5f4ab7984f7fb063f6481fa4235d66091fe9af1b"
    ),
    "an array of times": Pinned(
        lambda: np.array(["2020-01-01", "NaT"], "M8[ms]"),
        "a9ee4c2909d2ffd603bd535d789927abfca4f7ff927538d8e1f533145f77003e",
    ),
    "a frame": Pinned(lambda: frame(), "58e5cc6237ce240a4b38ee0c9f175d49542243b493e445771b6d218d9489fa1f"),
    "a series": Pinned(
        lambda: pd.Series([1.0, 2.0], index=pd.Index([5, 6]), name=("a", 1)),
        "588bd897eff1eeaee1081f3d8d3980c85d86f175027fe4aedc29bb5a9044e483",
    ),
    "an index of times": Pinned(
        lambda: pd.DatetimeIndex(np.array(["2020-01-01", "2020-01-02"], "M8[ns]"), freq="D"),
        "482bffbdafc2c40853ee8e04215c2e3c92514c49c2edbd091a67655799371854",
    ),
    "a timestamp": Pinned(
        lambda: pd.Timestamp(np.datetime64("2020-01-01", "us")),
        "6f2814323332ae386c19b27dcec392161e6a0977cc8debdd6209fe81322f81e1",
    ),
    "a table": Pinned(lambda: table(), "d32a13acd65deef88bb9a7bd361dcd053e772079bb438b96fbdd7347e675060c"),
}


@pytest.mark.parametrize("name", PINS)
def test_a_digest_stays_what_it_was(values: Values, name: str) -> None:
    pinned = PINS[name]
    assert values.ref(values.encode(pinned.make())).digest == pinned.digest
