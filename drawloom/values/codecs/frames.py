"""pandas frames, series and indexes: columns as an Arrow IPC file, all that Arrow can't say in the tree.

Index, MultiIndex, labels of any type, categories, time zones, nullable dtypes, frequencies and `attrs` come back
exactly; what wouldn't is refused. Digest: labels, dtypes, values and index by content; a `RangeIndex` counts as the
integers it stands for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from drawloom.ir.canonical import Json, canonical_json, digest_json
from drawloom.ir.envelope import NotEncodable, normalise
from drawloom.ir.envelope import decode as decode_part
from drawloom.ir.envelope import encode as encode_part
from drawloom.values.codecs.arrow import read_ipc, write_ipc
from drawloom.values.codecs.frame_columns import Column, pack, unpack
from drawloom.values.codecs.pandas_scalars import decode_scalar, encode_scalar, offset_text
from drawloom.values.leaves import INLINE_LEAF_BYTES, Leaves

__all__ = ["decode", "encode"]


class _File:
    """The columns of one IPC file, in the order they were added; the same order on the way back."""

    def __init__(self, columns: list[Any] | None = None) -> None:
        self.columns: list[Any] = columns or []
        self.names: list[str] = []

    def add(self, name: str, data: Any) -> None:
        self.columns.append(data)
        self.names.append(name)

    def take(self) -> Any:
        return self.columns.pop(0)

    def place(self, leaves: Leaves) -> dict[str, Json]:
        if not self.columns:
            return {}
        return leaves.place(write_ipc(pa.Table.from_arrays(self.columns, names=self.names)))

    @classmethod
    def of(cls, tree: Json, leaves: Leaves) -> _File:
        if "v" not in tree and "object" not in tree:
            return cls()
        return cls(list(read_ipc(leaves.fetch(tree)).columns))


def encode(value: Any, leaves: Leaves) -> Json:
    """The tree of a frame, series, index or scalar of pandas.

    Raises:
        NotEncodable: V304, it is a subclass or another object, or a part of it wouldn't come back the same.
    """
    if type(value) is pd.DataFrame:
        return _encode_frame(value, leaves)
    if type(value) is pd.Series:
        return _encode_series(value, leaves)
    if isinstance(value, pd.Index):
        file = _File()
        form, digest = _pack_index(value, file, leaves)
        return {"$": "index", "form": form, "digest": digest, **file.place(leaves)}
    if type(value) is pd.Interval:
        ends = [encode_part(end, leaves.encode) for end in (value.left, value.right)]
        return {"$": "pandas", "kind": "Interval", "v": ends, "closed": value.closed}
    scalar = encode_scalar(value)
    if scalar is None:
        fix = "convert it: `pandas.DataFrame(value)`, or a series' or frame's columns"
        raise NotEncodable(
            value, "", "of pandas' objects only frames, series, indexes and scalars are kept", "V304", fix
        )
    return scalar


def _encode_frame(frame: pd.DataFrame, leaves: Leaves) -> Json:
    file = _File()
    forms, digests = [], []
    for i in range(frame.shape[1]):
        try:
            column = pack(frame.iloc[:, i].array, leaves)
        except NotEncodable as error:
            raise error.inside(f"[{_shown(frame.columns[i])}]") from error.__cause__
        file.add(_shown(frame.columns[i]), column.data)
        forms.append(column.form)
        digests.append(column.digest)
    labels = encode(frame.columns, leaves)
    index, index_digest = _pack_index(frame.index, file, leaves)
    tree, kept = _properties(frame, leaves)
    digest = digest_json(["dataframe", labels["digest"], index_digest, digests, normalise(kept)])
    tree |= {"$": "dataframe", "rows": len(frame), "columns": labels, "dtypes": forms, "index": index, "digest": digest}
    return tree | file.place(leaves)


def _encode_series(series: Any, leaves: Leaves) -> Json:
    file = _File()
    column = pack(series.array, leaves)
    file.add(_shown(series.name), column.data)
    index, index_digest = _pack_index(series.index, file, leaves)
    tree, kept = _properties(series, leaves)
    tree["name"] = _encode_label(series.name, leaves)
    digest = digest_json(["series", normalise(tree["name"]), index_digest, column.digest, normalise(kept)])
    tree |= {"$": "series", "rows": len(series), "dtype": column.form, "index": index, "digest": digest}
    return tree | file.place(leaves)


def _properties(value: Any, leaves: Leaves) -> tuple[dict[str, Json], Json]:
    """What a frame or series has beside its values: `attrs`, and the flag against duplicate labels."""
    tree: dict[str, Json] = {}
    if value.attrs:
        try:
            tree["attrs"] = encode_part(dict(value.attrs), leaves.encode)
        except NotEncodable as error:
            raise error.inside(".attrs") from None
    if not value.flags.allows_duplicate_labels:
        tree["unique"] = True
    return tree, [tree.get("attrs"), tree.get("unique")]


def _shown(label: Any) -> str:
    return str(label).encode("utf-8", "backslashreplace").decode()


def _encode_label(label: Any, leaves: Leaves) -> Json:
    return encode_part(label, leaves.encode)


def _pack_index(index: Any, file: _File, leaves: Leaves) -> tuple[Json, str]:
    """The form of an index and its digest; values that need columns go into `file`."""
    names = [_encode_label(name, leaves) for name in index.names]
    if type(index) is pd.MultiIndex:
        return _pack_multi_index(index, names, file, leaves)
    if type(index) is pd.RangeIndex:
        form: dict[str, Json] = {"kind": "range", "v": [index.start, index.stop, index.step], "names": names}
        column = pack(index.array, leaves)
    else:
        form = {"kind": "index", "names": names}
        freq = offset_text(getattr(index, "freq", None), index) if isinstance(index, _WITH_FREQ) else ""
        if freq:
            form["freq"] = freq
        column = pack(index.array, leaves)
        _place_column(column, index, form, file)
    return form, digest_json(["index", normalise(names), column.digest, form.get("freq", "")])


_WITH_FREQ = (pd.DatetimeIndex, pd.TimedeltaIndex)


def _place_column(column: Column, index: Any, form: dict[str, Json], file: _File) -> None:
    """Few plain labels lie in the tree, where people can read them; others are a column."""
    form["dtype"] = column.form
    if not file.columns and len(index) <= 256 and (column.form == "<i8" or _is_text_form(column.form)):
        labels = column.data.to_pylist()
        try:
            short = len(canonical_json(labels)) <= INLINE_LEAF_BYTES
        except ValueError:
            short = False
        if short:
            form["labels"] = labels
            return
    file.add("index", column.data)


def _is_text_form(form: Json) -> bool:
    return isinstance(form, dict) and form["kind"] in ("string", "object")


def _pack_multi_index(index: Any, names: list[Json], file: _File, leaves: Leaves) -> tuple[Json, str]:
    levels, digests = [], []
    for i in range(index.nlevels):
        codes = np.asarray(index.codes[i])
        file.add(f"index {i}", pa.array(codes))
        levels.append(encode(index.levels[i].rename(None), leaves))
        digests.append(pack(index.get_level_values(i).array, leaves).digest)
    form = {"kind": "multi", "names": names, "levels": levels}
    return form, digest_json(["multi", normalise(names), digests])


def decode(tree: Json, leaves: Leaves) -> Any:
    """The object of a tree, writable and nobody else's."""
    tag = tree["$"]
    if tag == "pandas":
        if tree["kind"] == "Interval":
            left, right = (decode_part(end, leaves.decode) for end in tree["v"])
            return pd.Interval(left, right, closed=tree["closed"])
        return decode_scalar(tree)
    file = _File.of(tree, leaves)
    if tag == "index":
        return _unpack_index(tree["form"], file, leaves)
    made = _decode_frame(tree, file, leaves) if tag == "dataframe" else _decode_series(tree, file, leaves)
    if "attrs" in tree:
        made.attrs = decode_part(tree["attrs"], leaves.decode)
    return made.set_flags(allows_duplicate_labels=False) if tree.get("unique") else made


def _decode_frame(tree: Json, file: _File, leaves: Leaves) -> Any:
    arrays = [unpack(file.take(), form, leaves) for form in tree["dtypes"]]
    index = _unpack_index(tree["index"], file, leaves)
    columns = {i: pd.Series(a, index=index, dtype=a.dtype, copy=False) for i, a in enumerate(arrays)}
    frame = pd.DataFrame(columns, index=index)
    frame.columns = leaves.decode(tree["columns"])
    return frame


def _decode_series(tree: Json, file: _File, leaves: Leaves) -> Any:
    array = unpack(file.take(), tree["dtype"], leaves)
    index = _unpack_index(tree["index"], file, leaves)
    name = decode_part(tree["name"], leaves.decode)
    return pd.Series(array, index=index, dtype=array.dtype, name=name, copy=False)


def _unpack_index(form: Json, file: _File, leaves: Leaves) -> Any:
    names = [decode_part(name, leaves.decode) for name in form["names"]]
    if form["kind"] == "range":
        start, stop, step = form["v"]
        return pd.RangeIndex(start, stop, step, name=names[0])
    if form["kind"] == "multi":
        levels = [leaves.decode(level) for level in form["levels"]]
        codes = [file.take().to_numpy() for _ in levels]
        return pd.MultiIndex(levels=levels, codes=codes, names=names)
    if "labels" in form:
        kind = pa.int64() if form["dtype"] == "<i8" else pa.large_string()
        data = pa.chunked_array([pa.array(form["labels"], kind)])
    else:
        data = file.take()
    array = unpack(data, form["dtype"], leaves)
    index: Any = pd.Index(array, dtype=array.dtype, name=names[0], copy=False)
    if "freq" in form:
        index.freq = form["freq"]
    return index
