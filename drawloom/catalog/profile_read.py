"""Reads the columns of a stored table one after the other, and computes the profile of each.

A pandas frame is stored as one batch, however long, so memory is bounded by column: of each batch only
the column in question is read and unpacked.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from binascii import a2b_base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from drawloom.catalog.keys import object_key
from drawloom.catalog.profile import TableProfile
from drawloom.catalog.profile_stats import ColumnStatistics
from drawloom.ir.canonical import Json
from drawloom.storage.objects import Objects
from drawloom.storage.prefixed import local_path
from drawloom.values.store import Values

__all__ = ["profile_of_tree"]

_PREVIEW_ROWS: Final = 10
_CHUNK_ROWS: Final = 65_536
_CHUNK_BYTES: Final = 16 << 20
_compute: Any = import_module("pyarrow.compute")  # its functions are made at import: no checker sees them


class _Column(NamedTuple):
    """A column to be read: its label, its dtype as text, and what makes Arrow data of a stored chunk."""

    name: str
    type: str
    convert: Callable[[Any], Any] | None = None


def profile_of_tree(values: Values, objects: Objects, tree: Json, part: str = "") -> TableProfile:
    """The profile of a table.

    Args:
        values: decodes labels and categories.
        objects: where the table's file is.
        tree: the table's envelope.
        part: what the profile is to say of where it is.

    Raises:
        StoreError: an object is missing or corrupt.
    """
    with _opened(tree, objects) as path:
        schema = _schema(path)
        columns = _columns(tree, values, schema)
        rows = int(tree["rows"])
        made, previews = [], []
        for i, column in enumerate(columns):
            statistics = ColumnStatistics(column.name, column.type, rows)
            for chunk in _chunks(path, i, column):
                statistics.add(chunk, _PREVIEW_ROWS)
            if statistics.needs_second_pass:
                for chunk in _chunks(path, i, column):
                    statistics.add_to_histogram(chunk)
            made.append(statistics.profile())
            pa.default_memory_pool().release_unused()  # else it keeps a part of the file for each column
            previews.append(statistics.preview)
    first = min(rows, _PREVIEW_ROWS)
    preview = tuple(tuple(cells[row] for cells in previews) for row in range(first)) if previews else ()
    return TableProfile(rows, tuple(made), preview, part, _index_text(tree, values))


# the file


@contextmanager
def _opened(tree: Json, objects: Objects) -> Iterator[Any]:
    """What `pyarrow.OSFile` or `BufferReader` reads: a path, or bytes; None where the table has no columns.

    A file in a local folder is verified and read where it is; another one is copied beside the temporary files.
    """
    if "v" in tree:
        yield a2b_base64(tree["v"])
        return
    if "object" not in tree:
        yield None
        return
    sha = tree["object"]
    path = local_path(objects.storage, object_key(sha))
    if path is not None and _digest(path) == sha:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="drawloom-") as folder:
        copy = os.path.join(folder, "table.arrow")
        objects.get_to_file(sha, copy)  # tells what is wrong with an object that is missing or corrupt
        yield copy


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


@contextmanager
def _reader(source: Any, fields: list[int] | None = None) -> Iterator[Any]:
    options = pa.ipc.IpcReadOptions(included_fields=fields) if fields is not None else None
    opened = pa.BufferReader(source) if isinstance(source, bytes) else pa.OSFile(source)
    with opened as file, pa.ipc.open_file(file, options=options) as reader:
        yield reader


def _schema(source: Any) -> Any:
    if source is None:
        return pa.schema([])
    with _reader(source) as reader:
        return reader.schema


def _chunks(source: Any, position: int, column: _Column) -> Iterator[Any]:
    """The data of a column in pieces of some MB."""
    with _reader(source, [position]) as reader:
        for i in range(reader.num_record_batches):
            whole = reader.get_batch(i).column(0)
            rows = _rows_a_chunk(whole)
            for start in range(0, len(whole), rows):
                piece = whole.slice(start, rows)
                yield column.convert(piece) if column.convert is not None else piece


def _rows_a_chunk(whole: Any) -> int:
    if not len(whole):
        return _CHUNK_ROWS
    try:
        width = (whole.indices if isinstance(whole, pa.DictionaryArray) else whole).nbytes / len(whole)
    except (pa.ArrowException, NotImplementedError, TypeError):  # layouts Arrow can't measure yet
        return _CHUNK_ROWS
    return max(1, min(_CHUNK_ROWS, int(_CHUNK_BYTES / max(width, 1))))


# what the columns are


def _columns(tree: Json, values: Values, schema: Any) -> list[_Column]:
    tag = tree["$"]
    if tag == "dataframe":
        labels = [_label(label) for label in values.decode(tree["columns"])]
        return [_pandas_column(label, form, values) for label, form in zip(labels, tree["dtypes"], strict=True)]
    if tag == "series":
        return [_pandas_column(_label(values.decode(tree["name"])), tree["dtype"], values)]
    return [_Column(_label(field.name), str(field.type)) for field in schema]


def _label(label: Any) -> str:
    return str(label).encode("utf-8", "backslashreplace").decode()


def _pandas_column(name: str, form: Json, values: Values) -> _Column:
    """A column whose dtype isn't Arrow's, by the form `values.codecs.frame_columns` wrote."""
    if isinstance(form, str):
        dtype = np.dtype(form)
        return _Column(name, dtype.name, _complex(dtype) if dtype.kind == "c" else None)
    kind = form["kind"]
    if kind == "categorical":
        categories = [_label(category) for category in values.decode(form["categories"])]
        return _Column(name, "category", _categories(categories))
    if kind == "cells":
        return _Column(name, "object", _cells)
    if kind == "period":
        return _Column(name, f"period[{form['freq']}]", _periods(form["freq"]))
    return _Column(name, _pandas_type(form))


def _pandas_type(form: dict[str, Any]) -> str:
    kind = form["kind"]
    if kind == "string":
        return "string" if form["na"] == "NA" else "str"
    if kind == "masked":
        return str(form["dtype"])
    if kind == "zoned":
        zone = form["tz"]
        return f"datetime64[{form['unit']}, {_zone_text(zone)}]"
    if kind == "arrow":
        return "arrow"  # `ColumnStatistics` puts the Arrow type in, which only the data tells
    return str(kind)


def _zone_text(zone: Json) -> str:
    if isinstance(zone, dict):
        found = [value for value in zone.values() if isinstance(value, str)]
        return found[-1] if found else json.dumps(zone)
    return str(zone)


def _categories(categories: list[str]) -> Callable[[Any], Any]:
    dictionary = pa.array(categories, pa.large_string())

    def convert(codes: Any) -> Any:
        codes = codes.cast(pa.int64())
        present = _compute.if_else(_compute.less(codes, 0), pa.scalar(None, pa.int64()), codes)
        return pa.DictionaryArray.from_arrays(present, dictionary)

    return convert


def _complex(dtype: Any) -> Callable[[Any], Any]:
    def convert(chunk: Any) -> Any:
        raw = np.frombuffer(chunk.buffers()[1], np.uint8)
        values = raw[chunk.offset * dtype.itemsize : (chunk.offset + len(chunk)) * dtype.itemsize].view(dtype)
        return pa.array([None if np.isnan(v) else str(v) for v in values], pa.large_string())

    return convert


def _cells(texts: Any) -> Any:
    """Cells of any kind lie there as the JSON of their envelopes: text is told as text, the rest as it is."""
    return pa.array([_cell_text(text) for text in texts.to_pylist()], pa.large_string())


def _cell_text(text: str) -> str | None:
    tree = json.loads(text)
    if tree is None or isinstance(tree, str):
        return tree
    if isinstance(tree, dict) and "v" in tree and isinstance(tree["v"], (str, int, float)):
        return None if tree["v"] == "nan" and tree["$"] == "float" else str(tree["v"])
    if isinstance(tree, dict) and tree.get("kind") in ("NA", "NaT") and tree.get("$") == "pandas":
        return None
    return json.dumps(_without_tags(tree), ensure_ascii=False, default=str)


def _without_tags(tree: Json) -> Any:
    """An envelope as people would write the value: records and dicts as objects, the rest by its text."""
    if isinstance(tree, list):
        return [_without_tags(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    tag, inner = tree.get("$"), tree.get("v")
    if tag in ("dict", "dataclass", "namedtuple", "pydantic") and isinstance(inner, list):
        return {key if isinstance(key, str) else _cell_text(json.dumps(key)): _without_tags(v) for key, v in inner}
    return _without_tags(inner) if "v" in tree else tree


def _periods(freq: str) -> Callable[[Any], Any]:
    def convert(ordinals: Any) -> Any:
        periods: Any = pd.arrays.PeriodArray(ordinals.to_numpy().copy(), dtype=pd.PeriodDtype(freq))
        return pa.array([None if period is pd.NaT else str(period) for period in periods], pa.large_string())

    return convert


def _index_text(tree: Json, values: Values) -> str:
    form = tree.get("index")
    if not isinstance(form, dict) or form["kind"] == "range":
        return ""
    names = [values.decode(name) for name in form["names"]]
    kinds = [""] * len(names)
    if form["kind"] == "index":
        kinds = [_pandas_column("", form["dtype"], values).type]
    return ", ".join(
        " ".join(filter(None, ["" if name is None else _label(name), kind]))
        for name, kind in zip(names, kinds, strict=True)
    )
