"""Arrow data as the statistics of a column need it: without packed layouts, nulls or units."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any, Final

import numpy as np
import pyarrow as pa

__all__ = [
    "Shortened",
    "as_text",
    "cell",
    "ends_of",
    "finite_or_none",
    "kind_of",
    "numeric",
    "plain",
    "present_values",
    "shown_end",
]

_types = pa.types
_compute: Any = import_module("pyarrow.compute")  # its functions are made at import: no checker sees them

_CELL_CHARACTERS: Final = 80
_SECONDS: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


class Shortened:
    """Texts, each cut when it is asked for: most are never shown."""

    def __init__(self, texts: list[Any]) -> None:
        self._texts = texts

    def __getitem__(self, place: int) -> str:
        return _shorten(self._texts[place])


def _shorten(value: Any) -> str:
    text = (
        value if isinstance(value, str) else repr(value[:_CELL_CHARACTERS]) if isinstance(value, bytes) else str(value)
    )
    return text if len(text) <= _CELL_CHARACTERS else f"{text[: _CELL_CHARACTERS - 3]}..."


def kind_of(kind: Any) -> str:
    """What is computed for an Arrow type: the `kind` of a `ColumnProfile`."""
    if _types.is_boolean(kind):
        return "bool"
    if _types.is_integer(kind) or _types.is_floating(kind) or _types.is_decimal(kind):
        return "number"
    if _types.is_timestamp(kind) or _types.is_date(kind) or _types.is_time(kind):
        return "datetime"
    if _types.is_duration(kind):
        return "duration"
    if _types.is_dictionary(kind):
        return "category"
    if _types.is_null(kind):
        return "null"
    if _types.is_nested(kind):
        return "other" if _types.is_union(kind) else "nested"
    return "text" if _is_text(kind) else "other"


def _is_text(kind: Any) -> bool:
    text = _types.is_string(kind) or _types.is_large_string(kind) or _types.is_string_view(kind)
    binary = _types.is_binary(kind) or _types.is_large_binary(kind) or _types.is_binary_view(kind)
    return bool(text or binary or _types.is_fixed_size_binary(kind))


def plain(chunk: Any) -> Any:
    """The chunk without packed and user-defined layouts, and those Arrow can't compute with."""
    while True:
        if _types.is_string_view(chunk.type) or _types.is_binary_view(chunk.type):
            chunk = as_text(chunk)
        elif isinstance(chunk.type, pa.BaseExtensionType):
            chunk = chunk.storage
        elif _types.is_run_end_encoded(chunk.type):
            chunk = _compute.run_end_decode(chunk)
        elif _types.is_dictionary(chunk.type) and (chunk.dictionary.null_count or not _is_text(chunk.type.value_type)):
            chunk = chunk.dictionary_decode()
        else:
            return chunk


def present_values(chunk: Any) -> Any:
    """The chunk's values that hold something."""
    kind = chunk.type
    if _types.is_dictionary(kind):
        return chunk.filter(_compute.is_valid(chunk)) if _compute.is_null(chunk).true_count else chunk
    found = chunk.filter(chunk.is_valid()) if chunk.null_count else chunk
    if _types.is_floating(kind):
        missing = found.is_nan() if hasattr(found, "is_nan") else _compute.is_nan(found)
        return found.filter(_compute.invert(missing)) if missing.true_count else found
    return found


def as_text(values: Any) -> Any:
    """Texts of any layout as large strings, bytes as large binary."""
    kind = values.type
    text = _types.is_string(kind) or _types.is_large_string(kind) or _types.is_string_view(kind)
    return values.cast(pa.large_string() if text else pa.large_binary())


def numeric(present: Any) -> tuple[Any, Any]:
    """(what tells values apart, the values as floats); of times and durations in seconds."""
    kind = present.type
    if _types.is_decimal(kind):
        values = np.array([float(value) for value in present.to_pylist()])
        texts = np.array([str(value.normalize()) for value in present.to_pylist()], dtype=object)
        return texts, values
    if _types.is_floating(kind):
        values = present.to_numpy(zero_copy_only=False).astype(np.float64) + 0.0  # -0.0 is 0.0
        return values, values
    whole = _whole_numbers(present)
    return whole, whole.astype(np.float64) * _unit_seconds(kind)


def _whole_numbers(present: Any) -> Any:
    kind = present.type
    if _types.is_date32(kind) or _types.is_time32(kind):
        present = present.cast(pa.int32())
    elif not _types.is_integer(kind):
        present = present.cast(pa.int64())
    return present.to_numpy(zero_copy_only=False)


def _unit_seconds(kind: Any) -> float:
    if _types.is_integer(kind):
        return 1.0
    if _types.is_date32(kind):
        return 86_400.0
    return _SECONDS["ms" if _types.is_date64(kind) else kind.unit]


def ends_of(present: Any, finite: Any) -> tuple[Any, Any]:
    """The least and the greatest value, exactly; (None, None) where none is finite."""
    if _types.is_duration(present.type) or _types.is_floating(present.type):
        return (float(finite.min()), float(finite.max())) if len(finite) else (None, None)
    if _types.is_decimal(present.type):
        values = present.to_pylist()
        return min(values), max(values)
    whole = _whole_numbers(present)
    low, high = int(whole.min()), int(whole.max())
    return low, high


def _moment(value: int, kind: Any) -> str:
    """A time as ISO 8601."""
    if _types.is_time(kind):
        return str(pa.scalar(value, pa.int64()).cast(pa.time64("ns") if kind.unit == "ns" else kind).as_py())
    unit: Any = "D" if _types.is_date32(kind) else "ms" if _types.is_date64(kind) else kind.unit
    text = str(np.datetime64(value, unit))
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text}+00:00" if _types.is_timestamp(kind) and kind.tz is not None else text


def shown_end(end: Any, kind: Any) -> int | float | str | None:
    """An end of `ends_of` as a profile shows it."""
    if kind_of(kind) == "datetime" and end is not None:
        return _moment(end, kind)
    return end if end is None or isinstance(end, (int, float)) else str(end)


def finite_or_none(value: float) -> float | None:
    """A float that JSON can say."""
    return value if math.isfinite(value) else None


def cell(scalar: Any) -> Any:
    """A cell of the preview: a number, a text, True, False or None."""
    if not scalar.is_valid:
        return None
    try:
        value = scalar.as_py()
    except (ValueError, OverflowError, ImportError):  # a nanosecond or a year that Python's datetime can't say
        value = str(scalar)
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else str(value)
    return _shorten(value)
