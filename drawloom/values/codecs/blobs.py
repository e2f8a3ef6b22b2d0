"""Long `bytes` and `bytearray`s, kept as objects; the digest is the one `ir.envelope.normalise` gives short ones."""

from __future__ import annotations

from typing import Any

from drawloom.ir.canonical import Json
from drawloom.values.leaves import Leaves

__all__ = ["decode", "encode"]


def encode(value: bytes | bytearray, leaves: Leaves) -> Json:
    """The tree of `value`, its bytes stored."""
    stored = leaves.put(bytes(value))
    return {"$": type(value).__name__, **stored, "digest": stored["object"]}


def decode(tree: Json, leaves: Leaves) -> Any:
    """The bytes of a tree."""
    data = leaves.get(tree)
    return data if tree["$"] == "bytes" else bytearray(data)
