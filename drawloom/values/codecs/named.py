"""Values of types that name a codec of the project's own (`values.codec.ValueCodec`)."""

from __future__ import annotations

from typing import Any

from drawloom.ir.canonical import Json, digest_json
from drawloom.ir.envelope import NotDecodable, NotEncodable, class_by_ref
from drawloom.values.codec import ValueCodec
from drawloom.values.leaves import Leaves

__all__ = ["decode", "encode"]

_FIX = 'name it by its module: `Codec("package.module:MeshCodec")`, a subclass of `drawloom.values.codec.ValueCodec`'


def _find(name: str) -> ValueCodec[Any]:
    """The codec of a name; only classes made to be codecs are ever called, since the name may come from a store."""
    if ":" not in name:
        raise NotDecodable(f"{name!r} is not the name of a codec")
    found = class_by_ref(name)
    if not isinstance(found, type) or not issubclass(found, ValueCodec):
        raise NotDecodable(f"{name} is not a subclass of drawloom.values.codec.ValueCodec")
    made: ValueCodec[Any] = found()
    return made


def encode(value: Any, name: str, leaves: Leaves) -> Json:
    """The tree of a value, as the codec called `name` writes it.

    Raises:
        NotEncodable: V311, there is no such codec, it fails, or it doesn't give bytes.
    """
    try:
        codec = _find(name)
    except (NotDecodable, ImportError, AttributeError) as error:
        raise NotEncodable(value, "", f"its codec {name!r} can't be used ({error})", "V311", _FIX) from error
    try:
        data: object = codec.encode(value)
        digest: object = codec.digest(value)
    except Exception as error:  # the project's own code
        reason = f"its codec {name!r} failed ({type(error).__name__}: {error})"
        raise NotEncodable(value, "", reason, "V311", "mend the codec, or the value it can't take") from error
    if not isinstance(data, bytes) or not isinstance(digest, str):
        reason = f"its codec {name!r} gave {type(data).__name__} and {type(digest).__name__}"
        raise NotEncodable(value, "", reason, "V311", "`encode` must return bytes, and `digest` a str")
    tree = {"$": "codec", "codec": name, "digest": digest_json([name, digest])}
    return tree | leaves.place(data)


def decode(tree: Json, leaves: Leaves) -> Any:
    """The value of a tree."""
    codec = _find(tree["codec"])
    return codec.decode(leaves.fetch(tree))
