"""numpy arrays and scalars: arrays as `.npy` files without pickle, scalars in the tree.

Digest: dtype, shape and elements in C order, little-endian, with one NaN and one zero. The order in memory comes back
but is no part of the digest.
"""

from __future__ import annotations

import io
from hashlib import sha256
from typing import Any, Final

import numpy as np

from drawloom.ir.canonical import Json, canonical_json
from drawloom.ir.envelope import NotEncodable
from drawloom.ir.envelope import decode as decode_part
from drawloom.ir.envelope import encode as encode_part
from drawloom.values.leaves import Leaves

__all__ = ["array_digest", "canonical_bytes", "decode", "encode"]

_CHUNK: Final = 1 << 16  # elements; a chunk stays in the processor's cache while it is normalised and hashed
_OBJECTS_FIX = "give it a number or str dtype (`array.astype(float)`), or return a list"


def encode(value: Any, leaves: Leaves) -> Json:
    """The tree of an array or a scalar.

    Raises:
        NotEncodable: V304, it is a subclass of array, or of a dtype that `.npy` doesn't bring back.
    """
    if isinstance(value, np.generic):
        return _encode_scalar(value)
    if type(value) is not np.ndarray:
        fix = "convert it: `numpy.asarray(value)`" if isinstance(value, np.ndarray) else _OBJECTS_FIX
        raise NotEncodable(value, "", "only numpy.ndarray itself and numpy's scalars are kept", "V304", fix)
    _check(value.dtype, value)
    file = io.BytesIO()
    np.lib.format.write_array(file, value, allow_pickle=False)
    data = file.getvalue()
    tree = {
        "$": "ndarray",
        "digest": array_digest(value),
        "dtype": _dtype_name(value.dtype),
        "shape": list(value.shape),
    }
    return tree | leaves.place(data)


def _dtype_name(dtype: np.dtype[Any]) -> str:
    return dtype.str if dtype.names is None else canonical_json(np.lib.format.dtype_to_descr(dtype))


def _check(dtype: np.dtype[Any], value: Any) -> None:
    if dtype.hasobject:
        raise NotEncodable(value, "", f"its dtype {dtype} holds Python objects", "V304", _OBJECTS_FIX)
    if not _is_portable(dtype):
        fix = "convert it to a dtype that is the same everywhere: `value.astype('float64')`, `value.astype(str)`"
        raise NotEncodable(value, "", f"its dtype {dtype} can't be read on every machine", "V304", fix)
    if dtype.metadata is not None or np.lib.format.descr_to_dtype(np.lib.format.dtype_to_descr(dtype)) != dtype:
        fix = "make a copy with a plain dtype: `numpy.array(value, dtype=...)`"
        raise NotEncodable(value, "", f"its dtype {dtype} would come back changed", "V304", fix)


def _is_portable(dtype: np.dtype[Any]) -> bool:
    base = dtype.base
    if base.fields is not None:
        return all(_is_portable(field[0]) for field in base.fields.values())
    return base.kind in "biufcmMSUV" and base.char not in "gG"


def array_digest(array: Any) -> str:
    """The content digest of an array of a dtype without objects."""
    dtype = array.dtype
    if dtype.names is not None:
        parts = [[name, array_digest(np.asarray(array[name]))] for name in dtype.names]
        text = canonical_json(["records", list(array.shape), parts])
        return sha256(text.encode("ascii")).hexdigest()
    digest = sha256(canonical_json([dtype.str, list(array.shape)]).encode("ascii"))
    for chunk in canonical_bytes(array):
        digest.update(chunk)
    return digest.hexdigest()


def canonical_bytes(array: Any) -> Any:
    """The elements in C order as buffers, with one NaN and one zero, little-endian."""
    flat = array.reshape(-1)  # a view where the elements lie in C order, a copy where they don't
    kind = flat.dtype.kind
    little = flat.dtype.newbyteorder("<")
    for start in range(0, len(flat), _CHUNK):
        part = np.ascontiguousarray(flat[start : start + _CHUNK]).astype(little, copy=False)
        if kind in "fc":
            part = part.view(_REAL[part.dtype.itemsize]) if kind == "c" else part
            part = part + part.dtype.type(0)  # -0.0 + 0.0 is 0.0
            missing = np.isnan(part)
            if missing.any():
                part[missing] = np.nan
        yield part.tobytes() if kind in "mMUSV" or part.ndim != 1 else part.view(np.uint8).data


_REAL: Final = {8: "<f4", 16: "<f8"}


def _encode_scalar(value: np.generic) -> Json:
    kind = value.dtype.kind
    if kind == "V" or value.dtype.char in "gGO":
        raise NotEncodable(value, "", f"its dtype {value.dtype} is not kept", "V304", "convert it: `value.item()`")
    name = value.dtype.str
    if kind in "mM":
        return {"$": "numpy", "dtype": name, "v": int(value.astype(np.int64))}
    return {"$": "numpy", "dtype": name, "v": encode_part(value.item())}


def decode(tree: Json, leaves: Leaves) -> Any:
    """The array or scalar of a tree; an array is writable and nobody else's."""
    if tree["$"] == "numpy":
        return _decode_scalar(np.dtype(tree["dtype"]), decode_part(tree["v"]))
    data = leaves.fetch(tree)
    return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)


def _decode_scalar(dtype: np.dtype[Any], item: Any) -> Any:
    if dtype.kind in "mM":
        return np.array(item, np.int64).view(dtype)[()]
    return dtype.type(item)
