"""`ValueRef`: a versioned value as records carry it. Standard library alone: a step loads this module."""

from __future__ import annotations

from typing import Any

from drawloom.frozen import dataclass

__all__ = ["ValueRef"]


@dataclass(frozen=True, slots=True)
class ValueRef:
    """A versioned value: its digest, and its envelope, inline or as an object.

    Args:
        digest: the value digest (`ir.envelope.value_digest`): the version.
        size_bytes: bytes of the envelope and of all objects it refers to.
        tree: the envelope itself, where it is small (`values.store.INLINE_LIMIT_BYTES`).
        object: SHA-256 of the envelope's bytes in the store, where it is not; "" if inline.
        type: the text of the port's type, for people.
    """

    digest: str
    size_bytes: int = 0
    tree: Any = None  # a JSON tree
    object: str = ""
    type: str = ""
