"""The content digest of Arrow data: the same for equal values, however they are chunked, sliced or laid out in memory.

Every kind of layout is hashed as streams that don't depend on where a chunk ends: the positions of the nulls, the
lengths of the items that have one, and the values, those under a null taken as zero.
"""

from __future__ import annotations

from hashlib import sha256
from importlib import import_module
from typing import Any

import numpy as np
import pyarrow as pa

from drawloom.ir.canonical import canonical_json
from drawloom.values.codecs.arrays import canonical_bytes

__all__ = ["UnknownLayout", "arrow_digest"]

_types = pa.types
_compute: Any = import_module("pyarrow.compute")  # its functions are made at import: no checker sees them


class UnknownLayout(TypeError):
    """Arrow data of a type that has no digest here."""


def arrow_digest(data: Any) -> str:
    """The content digest of a `pyarrow.Array` or `ChunkedArray`; its type counts.

    Raises:
        UnknownLayout: it is, or holds, a union.
    """
    hasher = _hasher(data.type)
    for chunk in data.chunks if isinstance(data, pa.ChunkedArray) else (data,):
        hasher.update(chunk)
    text = canonical_json([str(data.type), hasher.digest()])
    return sha256(text.encode("ascii")).hexdigest()


class _Hasher:
    """Takes chunks of one type; `digest` sums up all of them."""

    def __init__(self) -> None:
        self.length = 0
        self.nulls = sha256()
        self.values = sha256()

    def update(self, chunk: Any) -> None:
        if chunk.null_count:
            positions = np.flatnonzero(_null_mask(chunk)) + self.length
            self.nulls.update(positions.astype("<i8").tobytes())
        self.length += len(chunk)
        if len(chunk):
            self.feed(chunk)

    def feed(self, chunk: Any) -> None:
        """Hashes the values of a chunk that isn't empty."""

    def digest(self) -> list[Any]:
        return [self.length, self.nulls.hexdigest(), self.values.hexdigest()]


def _null_mask(chunk: Any) -> Any:
    return _compute.is_null(chunk).to_numpy(zero_copy_only=False)


class _Fixed(_Hasher):
    def feed(self, chunk: Any) -> None:
        if _types.is_boolean(chunk.type):
            chunk = chunk.cast(pa.uint8())
        width = chunk.type.bit_width // 8
        raw = np.frombuffer(chunk.buffers()[1], np.uint8)[chunk.offset * width : (chunk.offset + len(chunk)) * width]
        values = (
            raw.view(_float_dtype(chunk.type)) if _types.is_floating(chunk.type) else raw.reshape(len(chunk), width)
        )
        if chunk.null_count:
            values = values.copy()
            values[_null_mask(chunk)] = 0
        for part in canonical_bytes(values):
            self.values.update(part)


def _float_dtype(kind: Any) -> str:
    return f"<f{kind.bit_width // 8}"


class _Text(_Hasher):
    def __init__(self) -> None:
        super().__init__()
        self.lengths = sha256()

    def feed(self, chunk: Any) -> None:
        chunk = chunk.cast(pa.large_binary())
        if chunk.null_count:
            chunk = _compute.fill_null(chunk, b"")
        _, offsets, data = chunk.buffers()
        ends = np.frombuffer(offsets, "<i8")[chunk.offset : chunk.offset + len(chunk) + 1]
        self.lengths.update(np.diff(ends).astype("<i8").tobytes())
        if data is not None:
            self.values.update(memoryview(data)[ends[0] : ends[-1]])

    def digest(self) -> list[Any]:
        return [*super().digest(), self.lengths.hexdigest()]


class _List(_Hasher):
    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.items = _hasher(
            kind.value_type if not _types.is_map(kind) else pa.struct([kind.key_field, kind.item_field])
        )

    def feed(self, chunk: Any) -> None:
        if _types.is_map(chunk.type):
            chunk = chunk.cast(pa.list_(pa.struct([chunk.type.key_field, chunk.type.item_field])))
        lengths = _compute.fill_null(_compute.list_value_length(chunk), 0)
        self.values.update(np.asarray(lengths).astype("<i8").tobytes())
        self.items.update(chunk.flatten())

    def digest(self) -> list[Any]:
        return [*super().digest(), self.items.digest()]


class _Struct(_Hasher):
    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.fields = [_hasher(kind.field(i).type) for i in range(kind.num_fields)]

    def feed(self, chunk: Any) -> None:
        for hasher, field in zip(self.fields, chunk.flatten(), strict=True):  # flatten hands a struct's nulls down
            hasher.update(field)

    def digest(self) -> list[Any]:
        return [*super().digest(), *[hasher.digest() for hasher in self.fields]]


class _Unpacked(_Hasher):
    """Hashes as what a packed layout stands for."""

    def __init__(self, kind: Any, unpack: Any) -> None:
        super().__init__()
        self.inner, self.unpack = _hasher(kind), unpack

    def update(self, chunk: Any) -> None:
        self.inner.update(self.unpack(chunk))

    def digest(self) -> list[Any]:
        return self.inner.digest()


def _hasher(kind: Any) -> _Hasher:
    if isinstance(kind, pa.BaseExtensionType):
        return _Unpacked(kind.storage_type, lambda chunk: chunk.storage)
    if _types.is_dictionary(kind):
        return _Unpacked(kind.value_type, lambda chunk: chunk.dictionary_decode())
    if _types.is_run_end_encoded(kind):
        return _Unpacked(kind.value_type, _compute.run_end_decode)
    if _types.is_struct(kind):
        return _Struct(kind)
    if _types.is_list(kind) or _types.is_large_list(kind) or _types.is_fixed_size_list(kind) or _types.is_map(kind):
        return _List(kind)
    if _is_text(kind):
        return _Text()
    if _types.is_null(kind):
        return _Hasher()
    try:
        if kind.bit_width:
            return _Fixed()
    except ValueError:
        pass
    raise UnknownLayout(f"the Arrow type {kind} has no digest")


def _is_text(kind: Any) -> bool:
    views = _types.is_string_view(kind) or _types.is_binary_view(kind)
    large = _types.is_large_string(kind) or _types.is_large_binary(kind)
    return bool(views or large or _types.is_string(kind) or kind.equals(pa.binary()))
