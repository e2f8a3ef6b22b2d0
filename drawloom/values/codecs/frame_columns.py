"""Columns of pandas objects: each dtype to an Arrow array and back, with its content digest.

What isn't listed is refused. A column's *form* is what the Arrow array doesn't tell: a numpy dtype's name, or an
object with a `kind`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from drawloom.ir.canonical import Json, canonical_json, digest_json
from drawloom.ir.envelope import NotEncodable, decode, encode, normalise
from drawloom.values.codecs.arrays import array_digest
from drawloom.values.codecs.arrow_digest import UnknownLayout, arrow_digest
from drawloom.values.codecs.pandas_scalars import zone_from_tree, zone_to_tree
from drawloom.values.leaves import Leaves

__all__ = ["Column", "pack", "unpack"]


class Column(NamedTuple):
    """A column ready to be written: its Arrow array, its form, and what gives its content digest."""

    data: Any
    form: Json
    content: str | Callable[[], str]

    @property
    def digest(self) -> str:
        """The content digest; for numbers it is computed when it is asked for."""
        return self.content if isinstance(self.content, str) else self.content()


def pack(array: Any, leaves: Leaves) -> Column:
    """The column of a pandas array (`series.array`).

    Raises:
        NotEncodable: V304, its dtype or one of its items wouldn't come back the same.
    """
    if type(array) is pd.arrays.NumpyExtensionArray:  # a StringArray is one of its kind
        array = array.to_numpy()
    dtype = array.dtype
    if isinstance(dtype, np.dtype):
        values = np.asarray(array)
        return _pack_objects(values, leaves) if dtype.hasobject else _pack_numpy(values)
    for kind, packer in _PACKERS:
        if isinstance(dtype, kind):
            packed: Column = packer(array, dtype, leaves)
            return packed
    if isinstance(getattr(dtype, "numpy_dtype", None), np.dtype):  # Int64, Float32, boolean: values and a mask
        data = pa.array(array)
        return Column(data, {"kind": "masked", "dtype": dtype.name}, digest_json([dtype.name, arrow_digest(data)]))
    raise _refuse(array, dtype)


def _refuse(array: Any, dtype: Any) -> NotEncodable:
    fix = "convert the column to a dtype of numpy's, pandas' or Arrow's: `frame.astype({'column': ...})`"
    return NotEncodable(array, "", f"its dtype {dtype} wouldn't come back the same", "V304", fix)


def _pack_numpy(values: Any) -> Column:
    dtype = values.dtype
    if dtype.kind not in "biufcmM" or dtype.char in "gG" or not dtype.isnative:
        raise _refuse(values, dtype)
    if dtype.kind == "c":
        raw = pa.py_buffer(np.ascontiguousarray(values))
        data = pa.FixedSizeBinaryArray.from_buffers(pa.binary(dtype.itemsize), len(values), [None, raw])
    else:
        data = pa.array(np.ascontiguousarray(values), from_pandas=False)
    return Column(data, dtype.str, partial(array_digest, values))


def _pack_objects(values: Any, leaves: Leaves) -> Column:
    missing = _missing_among_str(values)
    if missing is not None:
        try:
            data = pa.array(values, type=pa.large_string(), from_pandas=True)
        except UnicodeEncodeError:  # a lone surrogate: only the envelope keeps it
            pass
        else:
            form = {"kind": "object", "missing": missing}
            return Column(data, form, digest_json([form, arrow_digest(data)]))
    trees = []
    for i, item in enumerate(values):
        try:
            tree = encode(item, leaves.encode)
        except NotEncodable as error:
            raise error.inside(f"[{i}]") from None
        if isinstance(tree, dict) and _has_object(tree):
            fix = "keep large items apart: a list of them, or files, beside the table"
            raise NotEncodable(values, "", f"its item {i} is too large to lie in a table", "V304", fix)
        trees.append(tree)
    data = pa.array([canonical_json(tree) for tree in trees], pa.large_string())
    content = pa.array([canonical_json(normalise(tree)) for tree in trees], pa.large_string())
    return Column(data, {"kind": "cells"}, digest_json(["cells", arrow_digest(content)]))


def _missing_among_str(values: Any) -> str | None:
    """How a column of str writes missing items (`none`, `nan`, or "" if there are none); None if it has other items."""
    kinds = set(map(type, values))
    kinds.discard(str)
    if not kinds:
        return ""
    if kinds == {type(None)}:
        return "none"
    if kinds == {float} and all(item != item for item in values if type(item) is float):
        return "nan"
    return None


def _has_object(tree: Json) -> bool:
    if isinstance(tree, list):
        return any(_has_object(t) for t in tree)
    return isinstance(tree, dict) and ("object" in tree or any(_has_object(t) for t in tree.values()))


def _pack_string(array: Any, dtype: Any, _leaves: Leaves) -> Column:
    try:
        data = pa.chunked_array(pa.array(array, type=pa.large_string()))
    except (TypeError, pa.ArrowException, UnicodeEncodeError):
        data = pa.array(array.to_numpy(dtype=object), type=pa.large_string(), from_pandas=True)
    form = {"kind": "string", "storage": dtype.storage, "na": "NA" if dtype.na_value is pd.NA else "nan"}
    return Column(data, form, digest_json([form, arrow_digest(data)]))


def _pack_categorical(array: Any, dtype: Any, leaves: Leaves) -> Column:
    from drawloom.values.codecs.frames import encode  # categories are an index of their own, whatever they hold

    categories = encode(dtype.categories, leaves)
    data = pa.array(np.asarray(array.codes))
    form = {"kind": "categorical", "ordered": bool(dtype.ordered), "categories": categories}
    digest = digest_json(["categorical", form["ordered"], categories["digest"], array_digest(np.asarray(array.codes))])
    return Column(data, form, digest)


def _pack_zoned(array: Any, dtype: Any, _leaves: Leaves) -> Column:
    values = array.asi8.view(f"M8[{dtype.unit}]")
    form = {"kind": "zoned", "unit": dtype.unit, "tz": zone_to_tree(dtype.tz)}
    return Column(pa.array(values), form, digest_json([form, array_digest(values)]))


def _pack_period(array: Any, dtype: Any, _leaves: Leaves) -> Column:
    form = {"kind": "period", "freq": dtype.name.removeprefix("period[").removesuffix("]")}
    return Column(pa.array(array.asi8), form, digest_json([form, array_digest(array.asi8)]))


def _pack_interval(array: Any, dtype: Any, leaves: Leaves) -> Column:
    left, right = pack(array.left.array, leaves), pack(array.right.array, leaves)
    data = pa.StructArray.from_arrays([left.data, right.data], ["left", "right"])
    form = {"kind": "interval", "closed": dtype.closed, "left": left.form, "right": right.form}
    return Column(data, form, digest_json(["interval", dtype.closed, left.digest, right.digest]))


def _pack_arrow(array: Any, dtype: Any, _leaves: Leaves) -> Column:
    data = array.__arrow_array__()
    try:
        return Column(data, {"kind": "arrow"}, digest_json(["arrow", str(dtype), arrow_digest(data)]))
    except UnknownLayout:
        raise _refuse(array, dtype) from None


_PACKERS: tuple[tuple[Any, Any], ...] = (
    (pd.StringDtype, _pack_string),
    (pd.CategoricalDtype, _pack_categorical),
    (pd.DatetimeTZDtype, _pack_zoned),
    (pd.PeriodDtype, _pack_period),
    (pd.IntervalDtype, _pack_interval),
    (pd.ArrowDtype, _pack_arrow),
)


def unpack(data: Any, form: Json, leaves: Leaves, *, shared: bool = False) -> Any:
    """The array of a column, writable and nobody else's.

    Args:
        data: the `ChunkedArray` that was read.
        form: the column's form.
        leaves: reads categories.
        shared: numpy's arrays are read-only, and numbers may stay where they lie.
    """
    if isinstance(form, str):
        plain = shared and np.dtype(form).kind not in "bc"
        made = data.to_numpy(zero_copy_only=False) if plain else _unpack_numpy(data, np.dtype(form))
    else:
        made = _UNPACKERS[form["kind"]](data, form, leaves)
    if shared and isinstance(made, np.ndarray):
        made.flags.writeable = False
    return made


def _unpack_numpy(data: Any, dtype: Any) -> Any:
    if dtype.kind == "c":
        raw = b"".join(
            np.frombuffer(c.buffers()[1], np.uint8)[c.offset * dtype.itemsize :].tobytes() for c in data.chunks
        )
        return np.frombuffer(raw, dtype, len(data)).copy()
    values = data.to_numpy(zero_copy_only=False)
    return values if values.flags.writeable else values.copy()


def _unpack_object(data: Any, form: Json, _leaves: Leaves) -> Any:
    values = np.empty(len(data), object)
    values[:] = data.to_pylist()
    if form["missing"] == "nan":
        values[data.is_null().to_numpy()] = np.nan
    return values


def _unpack_cells(data: Any, _form: Json, leaves: Leaves) -> Any:
    values = np.empty(len(data), object)
    for i, text in enumerate(data.to_pylist()):
        values[i] = decode(json.loads(text), leaves.decode)
    return values


def _unpack_string(data: Any, form: Json, _leaves: Leaves) -> Any:
    # pandas 2.2 knows no `na_value`: there the storage `pyarrow_numpy` says that NaN is what is missing
    options = {} if form["na"] == "NA" or form["storage"] == "pyarrow_numpy" else {"na_value": np.nan}
    dtype: Any = pd.StringDtype(form["storage"], **options)  # pandas-stubs leave `__from_arrow__` out
    return dtype.__from_arrow__(data)


def _unpack_masked(data: Any, form: Json, _leaves: Leaves) -> Any:
    dtype: Any = pd.api.types.pandas_dtype(form["dtype"])  # as above
    return dtype.__from_arrow__(data).copy()


def _unpack_categorical(data: Any, form: Json, leaves: Leaves) -> Any:
    categories = leaves.decode(form["categories"])
    dtype = pd.CategoricalDtype(categories, form["ordered"])
    return pd.Categorical.from_codes(_unpack_numpy(data, np.dtype("i8")), dtype=dtype)


def _unpack_zoned(data: Any, form: Json, _leaves: Leaves) -> Any:
    values = _unpack_numpy(data, np.dtype(f"M8[{form['unit']}]"))
    return pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(zone_from_tree(form["tz"])).array


def _unpack_period(data: Any, form: Json, _leaves: Leaves) -> Any:
    return pd.arrays.PeriodArray(_unpack_numpy(data, np.dtype("i8")), dtype=pd.PeriodDtype(form["freq"]))


def _unpack_interval(data: Any, form: Json, leaves: Leaves) -> Any:
    left, right = (pa.chunked_array([c.field(side) for c in data.chunks], t) for side, t in _sides(data.type))
    low, high = unpack(left, form["left"], leaves), unpack(right, form["right"], leaves)
    return pd.arrays.IntervalArray.from_arrays(low, high, closed=form["closed"])


def _sides(kind: Any) -> list[tuple[str, Any]]:
    return [(name, kind.field(name).type) for name in ("left", "right")]


def _unpack_arrow(data: Any, _form: Json, _leaves: Leaves) -> Any:
    return pd.arrays.ArrowExtensionArray(data)


_UNPACKERS = {
    "object": _unpack_object,
    "cells": _unpack_cells,
    "string": _unpack_string,
    "masked": _unpack_masked,
    "categorical": _unpack_categorical,
    "zoned": _unpack_zoned,
    "period": _unpack_period,
    "interval": _unpack_interval,
    "arrow": _unpack_arrow,
}
