"""Canonical JSON: the one byte form that is hashed, and the SHA-256 over it.

Keys sorted, no white space, ASCII only, no NaN: the same bytes in every process, on every machine, in every Python
version. (RFC 8785 orders keys by UTF-16 units and prints floats as ECMAScript does; Python's shortest `repr` and code
point order are kept here instead, because both sides are always Python.)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

__all__ = ["Json", "canonical_json", "digest_bytes", "digest_json"]

Json = Any  # a JSON tree; a recursive alias costs every reader a cast

_sha256 = hashlib.sha256
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True, check_circular=False
)


def _encode() -> Callable[[Json], str]:
    """`_ENCODER.encode` without the encoder it makes anew at each call, where the interpreter has one in C."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return _ENCODER.encode
    chunks = make(None, _ENCODER.default, json.encoder.encode_basestring_ascii, None, ":", ",", True, False, False)

    def encode(tree: Json) -> str:
        return "".join(chunks(tree, 0))

    return encode


_encoded = _encode()


def canonical_json(tree: Json) -> str:
    """The canonical JSON text of `tree`.

    Args:
        tree: dicts with str keys, lists or tuples, str, int, finite float, bool, None.

    Raises:
        ValueError: `tree` holds a NaN or an infinity.
        TypeError: `tree` holds anything else.

    >>> canonical_json({"b": [1, 1.0, "é"], "a": None})
    '{"a":null,"b":[1,1.0,"\\\\u00e9"]}'
    """
    return _encoded(tree)


def digest_bytes(data: bytes) -> str:
    """SHA-256 of `data`, 64 hex characters (FIPS 180-4)."""
    return _sha256(data).hexdigest()


def digest_json(tree: Json) -> str:
    """SHA-256 of the canonical JSON of `tree`, 64 hex characters."""
    return digest_bytes(canonical_json(tree).encode("ascii"))
