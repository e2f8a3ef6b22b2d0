"""Pickles: only for types that name the codec `pickle`, and only where the project allows them.

Reading a pickle runs code of whoever wrote it. The digest is that of the pickled bytes: equal values may have
different ones (a set's order, a shared string), which costs a cache miss and never a wrong hit.
"""

from __future__ import annotations

import pickle
from typing import Any

from drawloom.ir.canonical import Json, digest_bytes
from drawloom.ir.envelope import NotEncodable
from drawloom.values.leaves import Leaves
from drawloom.values.problems import refused

__all__ = ["decode", "encode"]

_PROTOCOL = 5  # fixed: the default differs between Python versions
_FIX = "set `allow_pickle = true` in the project's drawloom.toml, or name a codec of your own for the type"


def encode(value: Any, leaves: Leaves) -> Json:
    """The tree of a pickled value.

    Raises:
        NotEncodable: V306, the project doesn't allow pickles, or the value can't be pickled.
    """
    if not leaves.allow_pickle:
        raise NotEncodable(
            value, "", "its type names the codec `pickle`, which the project doesn't allow", "V306", _FIX
        )
    try:
        data = pickle.dumps(value, _PROTOCOL)
    except Exception as error:  # a class's own `__reduce__` may raise anything
        reason = f"it can't be pickled ({type(error).__name__}: {error})"
        raise NotEncodable(value, "", reason, "V306", "name a codec of your own for the type") from error
    tree = {"$": "pickle", "digest": digest_bytes(data)}
    return tree | leaves.place(data)


def decode(tree: Json, leaves: Leaves) -> Any:
    """The value of a tree.

    Raises:
        ValueRefused: V306, the project that reads doesn't allow pickles.
    """
    if not leaves.allow_pickle:
        raise refused("V306", "a stored value is a pickle, and reading one runs its writer's code", _FIX)
    return pickle.loads(leaves.fetch(tree))  # noqa: S301  # allowed above
