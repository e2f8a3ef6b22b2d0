"""pandas' own scalars (timestamps, periods, missing values), and the time zones and labels of its objects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drawloom.ir.canonical import Json
from drawloom.ir.envelope import NotEncodable
from drawloom.ir.envelope_records import decode_zone, encode_zone

__all__ = ["decode_scalar", "encode_scalar", "offset_text", "zone_from_tree", "zone_to_tree"]


def zone_to_tree(zone: Any) -> Json:
    """The tree of a time zone: of `datetime`, `zoneinfo`, or pytz, which pandas 2 uses.

    Raises:
        NotEncodable: it is of another kind.
    """
    if type(zone).__module__.partition(".")[0] == "pytz":
        name = getattr(zone, "zone", None)
        if name:
            return {"pytz": name}
    return encode_zone(zone)


def zone_from_tree(tree: Json) -> Any:
    """The time zone of a tree."""
    if tree is not None and "pytz" in tree:
        import pytz  # type: ignore[import-untyped]  # only where pandas 2 brought it

        return pytz.timezone(tree["pytz"])
    return decode_zone(tree)


def offset_text(freq: Any, value: Any) -> str:
    """The text of a frequency, `""` for none.

    Raises:
        NotEncodable: V304, its text doesn't say all of it (a calendar with holidays).
    """
    if freq is None:
        return ""
    text = str(freq.freqstr)
    if pd.tseries.frequencies.to_offset(text) != freq:
        fix = "drop the frequency: `index.freq = None`"
        raise NotEncodable(value, "", f"its frequency {text} has settings that its name doesn't tell", "V304", fix)
    return text


def encode_scalar(value: Any) -> Json | None:
    """The tree of a scalar of pandas; None for anything else."""
    if value is pd.NA or value is pd.NaT:
        return {"$": "pandas", "kind": "NA" if value is pd.NA else "NaT"}
    kind = type(value)
    if kind is pd.Timestamp:
        raw = (
            value.to_datetime64() if value.tzinfo is None else value.tz_convert("UTC").tz_localize(None).to_datetime64()
        )
        tree = {"$": "pandas", "kind": "Timestamp", "v": int(raw.astype(np.int64)), "unit": value.unit}
        if value.tzinfo is not None:
            return tree | {"tz": zone_to_tree(value.tzinfo)}
        return tree | ({"fold": 1} if value.fold else {})
    if kind is pd.Timedelta:
        return {
            "$": "pandas",
            "kind": "Timedelta",
            "v": int(value.to_timedelta64().astype(np.int64)),
            "unit": value.unit,
        }
    if kind is pd.Period:
        return {"$": "pandas", "kind": "Period", "v": value.ordinal, "freq": value.freqstr}
    return None


def decode_scalar(tree: Json) -> Any:
    """The scalar of a tree."""
    kind = tree["kind"]
    if kind in ("NA", "NaT"):
        return getattr(pd, kind)
    if kind == "Period":
        return pd.Period(ordinal=tree["v"], freq=tree["freq"])
    if kind == "Timedelta":
        return pd.Timedelta(np.timedelta64(tree["v"], tree["unit"]))
    made = pd.Timestamp(np.datetime64(tree["v"], tree["unit"]))
    if "tz" in tree:
        return made.tz_localize("UTC").tz_convert(zone_from_tree(tree["tz"]))
    return made.replace(fold=1) if "fold" in tree else made
