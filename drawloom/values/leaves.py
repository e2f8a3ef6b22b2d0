"""Leaves: what an envelope doesn't take apart, each kind kept by a codec of its own, loaded on demand.

A codec is a module of `values.codecs` with `encode(value, leaves) -> tree` and `decode(tree, leaves) -> value`. Its
trees have the tag the codec is found by, a `digest` by content, and `object` and `size` where bytes are kept apart.
Standard library alone: a step loads this module.
"""

from __future__ import annotations

import sys
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from drawloom.ir.canonical import Json
from drawloom.ir.envelope import LeafEncoder, NotDecodable, NotEncodable, class_by_ref
from drawloom.ir.types import Type
from drawloom.storage.objects import Objects

__all__ = ["INLINE_LEAF_BYTES", "Leaves"]

INLINE_LEAF_BYTES: Final = 4096
"""Arrays and pickles up to this size lie in the tree: a fixed rule, so that equal values have equal trees."""

# by the first part of the name of a class's module, or by all of it; the class's bases are looked up too
_CODEC_BY_MODULE: Final = {
    "builtins": "blobs",
    "numpy": "arrays",
    "pandas": "frames",
    "pyarrow": "arrow",
    "polars": "polars_frames",
    "sklearn": "models",
    "matplotlib": "figures",
    "drawloom.values.figure": "figures",
    "drawloom.values.files": "files",
    "drawloom.values.external": "references",
    "drawloom.values.secret": "references",
}
_CODEC_BY_TAG: Final = {
    "bytes": "blobs",
    "bytearray": "blobs",
    "ndarray": "arrays",
    "numpy": "arrays",
    "dataframe": "frames",
    "series": "frames",
    "index": "frames",
    "pandas": "frames",
    "arrow_table": "arrow",
    "arrow_batch": "arrow",
    "polars": "polars_frames",
    "polars_series": "polars_frames",
    "model": "models",
    "figure": "figures",
    "file": "files",
    "directory": "files",
    "external": "references",
    "secret": "references",
    "pickle": "pickled",
    "codec": "named",
}


def _codec(name: str) -> Any:
    module = f"drawloom.values.codecs.{name}"
    found = sys.modules.get(module)
    if found is None or getattr(found.__spec__, "_initializing", False):  # another thread may be importing it
        from importlib import import_module

        found = import_module(module)
    return found


class Leaves:
    """The leaf codecs over a store.

    Args:
        objects: where bytes are kept.
        allow_pickle: whether values may be pickled where a type asks for it.
        scratch: the folder that files are made in when they are read; "" for one in the system's temporary folder.
    """

    def __init__(self, objects: Objects, allow_pickle: bool, scratch: str) -> None:
        self.objects = objects
        self.allow_pickle = allow_pickle
        self.scratch = scratch
        self.shared: dict[str, Any] | None = None  # what readers of one run share (`codecs.frames`)

    def put(self, data: bytes) -> dict[str, Json]:
        """Keeps bytes; returns the part of a tree that refers to them."""
        return {"object": self.objects.put(data), "size": len(data)}

    def get(self, tree: Json) -> bytes:
        """The bytes a tree refers to."""
        return self.objects.get(tree["object"])

    def place(self, data: bytes) -> dict[str, Json]:
        """Keeps bytes, in the tree itself where they are few; returns the part of a tree that tells where."""
        if len(data) <= INLINE_LEAF_BYTES:
            return {"v": b2a_base64(data, newline=False).decode("ascii")}
        return self.put(data)

    def fetch(self, tree: Json) -> bytes:
        """The bytes that `place` kept."""
        return a2b_base64(tree["v"]) if "v" in tree else self.get(tree)

    def encode(self, value: Any) -> Json:
        """The tree of a leaf.

        Raises:
            NotEncodable: no codec knows the value's type, or its codec can't keep this value exactly.
        """
        for cls in type(value).__mro__[:-1]:
            module = cls.__module__
            name = _CODEC_BY_MODULE.get(module) or _CODEC_BY_MODULE.get(module.partition(".")[0])
            if name == "blobs" and (cls not in (bytes, bytearray) or cls is not type(value)):
                continue  # other built-in classes, and what is derived from bytes
            if name is not None:
                return _codec(name).encode(value, self)
        raise NotEncodable(value, "", fix=_advice(value))

    def encode_named(self, value: Any, codec: str) -> Json:
        """The tree of a value whose type names its codec: `pickle`, or the `module:qualname` of a `ValueCodec`."""
        if codec == "pickle":
            return _codec("pickled").encode(value, self)
        return _codec("named").encode(value, codec, self)

    def decode(self, tree: Json) -> Any:
        """The value of a leaf's tree.

        Raises:
            NotDecodable: there is no codec for its tag.
        """
        name = _CODEC_BY_TAG.get(tree.get("$"))
        if name is None:
            raise NotDecodable(f"unknown tag {tree.get('$')!r}: a newer drawloom may have written it")
        return _codec(name).decode(tree, self)

    def chosen(self, kind: Type) -> Mapping[type, LeafEncoder]:
        """Class -> encoder, for the classes inside a type that name a codec.

        Raises:
            NotEncodable: a codec is named for a part that is not of a class of its own.
        """
        made: dict[type, LeafEncoder] = {}
        for part in (*kind.args, *(field for _, field in kind.fields)):
            if part.codec:
                if not part.ref:
                    reason = f"the codec {part.codec!r} is named for a part of the type {part}"
                    fix = "name a codec for a class, or for all of what the task returns"
                    raise NotEncodable(part, "", reason, "V311", fix)
                made[class_by_ref(part.ref)] = partial(self.encode_named, codec=part.codec)
            made.update(self.chosen(part))
        return made


_ADVICE: Final = {
    "dict": "convert it: `dict(value)`",
    "list": "convert it: `list(value)`",
    "tuple": "convert it: `tuple(value)`, or make it a NamedTuple",
    "set": "convert it: `set(value)`",
    "str": "convert it: `str(value)`",
    "int": "convert it: `int(value)`",
    "float": "convert it: `float(value)`",
    "bytes": "convert it: `bytes(value)`",
}
_ADVICE_BY_NAME: Final = {
    "range": "convert it: `list(value)`",
    "generator": "return a list: `list(value)`",
    "map": "return a list: `list(value)`",
    "filter": "return a list: `list(value)`",
    "zip": "return a list: `list(value)`",
    "dict_keys": "return a list: `list(value)`",
    "dict_values": "return a list: `list(value)`",
    "dict_items": "return a list: `list(value)`",
    "PosixPath": "return `drawloom.File(path)` to hand over what is in the file, or `str(path)` for its name",
    "WindowsPath": "return `drawloom.File(path)` to hand over what is in the file, or `str(path)` for its name",
    "TextIOWrapper": "return `drawloom.File(path)`",
    "BufferedReader": "return `drawloom.File(path)`",
    "BufferedWriter": "close it and return `drawloom.File(path)`",
    "Fraction": "return its `numerator` and `denominator`",
    "memoryview": "convert it: `bytes(value)`",
    "lock": "make it inside the task that uses it",
    "function": "pass it as a name, or call it inside a task",
    "module": "import it inside the task that uses it",
    "coroutine": "await it inside the task: `asyncio.run(...)`",
}


def _advice(value: Any) -> str:
    """What to do about a type that no codec knows, "" for the general advice."""
    found = _ADVICE_BY_NAME.get(type(value).__name__)
    if found is not None:
        return found
    for cls in type(value).__mro__:
        if cls.__module__ == "builtins" and cls.__name__ in _ADVICE:
            return _ADVICE[cls.__name__]
    return ""
