"""pandas frames, series and indexes: columns as an Arrow IPC file, all that Arrow can't say in the tree.

Index, MultiIndex, labels of any type, categories, time zones, nullable dtypes, frequencies and `attrs` come back
exactly; what wouldn't is refused. Digest: labels, dtypes, values and index by content; a `RangeIndex` counts as the
integers it stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, Thread
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from drawloom.ir.canonical import Json, canonical_json, digest_json
from drawloom.ir.envelope import NotEncodable, normalise
from drawloom.ir.envelope import decode as decode_part
from drawloom.ir.envelope import encode as encode_part
from drawloom.values.codecs.arrow import fetch_table, place_table
from drawloom.values.codecs.frame_columns import Column, pack, unpack
from drawloom.values.codecs.pandas_scalars import decode_scalar, encode_scalar, offset_text
from drawloom.values.leaves import INLINE_LEAF_BYTES, Leaves

__all__ = ["decode", "encode"]

_BESIDE_BYTES: Final = 1 << 22  # from here on a second thread pays
_COPIES_ON_WRITE: Final = int(pd.__version__.split(".")[0]) >= 3
_SHARING: Final = Lock()  # readers of one frame come at the same time: one of them maps it


class _File:
    """The columns of one IPC file, in the order they were added; the same order on the way back.

    `mapped` says that they lie in a file, where nobody can change them.
    """

    def __init__(self, columns: list[Any] | None = None, *, mapped: bool = False) -> None:
        self.columns: list[Any] = columns or []
        self.names: list[str] = []
        self.mapped = mapped

    def add(self, name: str, data: Any) -> None:
        self.columns.append(data)
        self.names.append(name)

    def take(self) -> Any:
        return self.columns.pop(0)

    def place(self, leaves: Leaves) -> dict[str, Json]:
        if not self.columns:
            return {}
        return place_table(pa.Table.from_arrays(self.columns, names=self.names), leaves)

    @classmethod
    def of(cls, tree: Json, leaves: Leaves) -> _File:
        if "v" not in tree and "object" not in tree:
            return cls()
        table, mapped = fetch_table(tree, leaves)
        return cls(list(table.columns), mapped=mapped)


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
    columns = []
    for i in range(frame.shape[1]):
        try:
            column = pack(frame.iloc[:, i].array, leaves)
        except NotEncodable as error:
            raise error.inside(f"[{_shown(frame.columns[i])}]") from error.__cause__
        file.add(_shown(frame.columns[i]), column.data)
        columns.append(column)
    labels = encode(frame.columns, leaves)
    index, index_digest = _pack_index(frame.index, file, leaves)
    tree, kept = _properties(frame, leaves)
    digests, placed = _digests_beside(columns, lambda: file.place(leaves))
    digest = digest_json(["dataframe", labels["digest"], index_digest, digests, normalise(kept)])
    forms = [column.form for column in columns]
    tree |= {"$": "dataframe", "rows": len(frame), "columns": labels, "dtypes": forms, "index": index, "digest": digest}
    return tree | placed


def _digests_beside(columns: list[Column], place: Callable[[], dict[str, Json]]) -> tuple[list[str], dict[str, Json]]:
    """The columns' digests and what `place` returns: both hash all of the content, large ones at the same time."""
    if sum(column.data.nbytes for column in columns) < _BESIDE_BYTES:
        return [column.digest for column in columns], place()
    digests: list[str] = []
    thread = Thread(target=lambda: digests.extend(column.digest for column in columns), name="drawloom-digests")
    thread.start()
    try:
        placed = place()
    finally:
        thread.join()
    if len(digests) < len(columns):  # it failed in the thread: again here, where the error is told
        digests = [column.digest for column in columns]
    return digests, placed


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
    if tag == "index":
        return _unpack_index(tree["form"], _File.of(tree, leaves), leaves)
    if leaves.shared is not None and _COPIES_ON_WRITE and tree.get("size", 0) >= _BESIDE_BYTES:
        return _decode_shared(tree, leaves, leaves.shared)
    return _decode_whole(tree, _File.of(tree, leaves), leaves)


def _decode_whole(tree: Json, file: _File, leaves: Leaves) -> Any:
    made = (_decode_frame if tree["$"] == "dataframe" else _decode_series)(tree, file, leaves)
    if "attrs" in tree:
        made.attrs = decode_part(tree["attrs"], leaves.decode)
    return made.set_flags(allows_duplicate_labels=False) if tree.get("unique") else made


def _decode_shared(tree: Json, leaves: Leaves, shared: dict[str, Any]) -> Any:
    """A frame over columns in a mapped file that all readers share.

    Nobody can change them: the file's pages are read-only, and pandas (from 3 on) copies a column before it writes to
    it as long as another frame has it, which `shared` keeps.
    """
    key = canonical_json(tree)
    with _SHARING:
        base = shared.get(key)
        if base is None:
            file = _File.of(tree, leaves)
            if not file.mapped:
                return _decode_whole(tree, file, leaves)
            base = shared[key] = _decode_whole(tree, file, leaves)
    made = base.copy(deep=False)
    if tree["$"] == "dataframe":
        for i, form in enumerate(tree["dtypes"]):
            if not _may_be_shared(form):
                made.isetitem(i, base.iloc[:, i].array.copy())
        return made
    return made if _may_be_shared(tree["dtype"]) else base.copy(deep=True)


def _may_be_shared(form: Json) -> bool:
    """Whether nobody can write to such a column's array past pandas: Arrow's arrays, and numpy's if they say so."""
    if isinstance(form, str):
        return True
    return form["kind"] in ("object", "arrow") or (form["kind"] == "string" and form["storage"] != "python")


def _decode_frame(tree: Json, file: _File, leaves: Leaves) -> Any:
    arrays = [unpack(file.take(), form, leaves, shared=file.mapped) for form in tree["dtypes"]]
    index = _unpack_index(tree["index"], file, leaves)
    columns = {i: pd.Series(a, index=index, dtype=a.dtype, copy=False) for i, a in enumerate(arrays)}
    frame = pd.DataFrame(columns, index=index, copy=None if not file.mapped else False)
    frame.columns = leaves.decode(tree["columns"])
    return frame


def _decode_series(tree: Json, file: _File, leaves: Leaves) -> Any:
    array = unpack(file.take(), tree["dtype"], leaves, shared=file.mapped)
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
