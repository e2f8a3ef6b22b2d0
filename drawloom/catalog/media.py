"""What a stored value is made of: its objects, their sizes and media types, told from the envelope alone."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from drawloom.ir.canonical import Json

__all__ = ["StoredObject", "codec_of", "media_type", "stored_objects"]

_ARROW: Final = "application/vnd.apache.arrow.file"
_BYTES: Final = "application/octet-stream"
_MEDIA_TYPES: Final = {
    "dataframe": _ARROW,
    "series": _ARROW,
    "index": _ARROW,
    "arrow_table": _ARROW,
    "arrow_batch": _ARROW,
    "polars": _ARROW,
    "polars_series": _ARROW,
    "ndarray": "application/x-npy",
    "model": "application/x-skops",
    "figure": "image/png",
    "bytes": _BYTES,
    "bytearray": _BYTES,
    "pickle": "application/x-python-pickle",
    "codec": _BYTES,
    "directory": "inode/directory",
}


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of the store that holds a value, or a part of one.

    Args:
        sha256: its digest, 64 hex characters; its key follows from it (`keys.object_key`).
        size_bytes: its size.
        media_type: what its bytes are.
        codec: the tag of the envelope's leaf: `dataframe`, `figure`, `file`, ...; "" for a long envelope itself.
        name: the file's name, "" for what has none.
    """

    sha256: str
    size_bytes: int
    media_type: str
    codec: str = ""
    name: str = ""


def codec_of(tree: Json) -> str:
    """The codec whose leaf a value is, "" for a value of plain parts.

    >>> codec_of({"$": "figure", "object": "ab", "size": 3, "digest": "cd"}), codec_of([1])
    ('figure', '')
    """
    if not isinstance(tree, dict):
        return ""
    tag = str(tree.get("$"))
    return tag if tag in _MEDIA_TYPES or tag in ("file", "external") else ""


def media_type(tree: Json) -> str:
    """What the bytes of a value are; `application/json` for what lies in its envelope.

    >>> media_type([1, 2]), media_type({"$": "file", "name": "a.csv"})
    ('application/json', 'text/csv')
    """
    codec = codec_of(tree)
    if codec == "file":
        return _by_name(str(tree.get("name", "")))
    if codec == "external":
        return _by_name(str(tree.get("uri", "")).partition("?")[0])
    return _MEDIA_TYPES.get(codec, "application/json")


def stored_objects(tree: Json) -> Iterator[StoredObject]:
    """The objects that the envelope of a value refers to, in its order."""
    if isinstance(tree, list):
        for part in tree:
            yield from stored_objects(part)
    elif isinstance(tree, dict):
        if isinstance(tree.get("object"), str):
            codec, name = str(tree.get("$", "file")), str(tree.get("name", ""))
            kind = _by_name(name) if codec == "file" else _MEDIA_TYPES.get(codec, _BYTES)
            yield StoredObject(tree["object"], int(tree.get("size", 0)), kind, codec, name)
        for part in tree.values():
            if isinstance(part, (list, dict)):
                yield from stored_objects(part)


def _by_name(name: str) -> str:
    return mimetypes.guess_type(name, strict=False)[0] or _BYTES
