"""`Values`: Python values to envelope trees and back, with what the envelope can't hold kept in a store.

Standard library alone: a step loads this module, and a codec's library only when a value of its kind turns up.
"""

from __future__ import annotations

import json
from typing import Any, Final

from drawloom.ir.canonical import Json, canonical_json, digest_bytes
from drawloom.ir.envelope import NotEncodable, decode, encode, value_digest
from drawloom.ir.operands import Field, Key, Path
from drawloom.ir.types import Type
from drawloom.storage.objects import Objects
from drawloom.values.leaves import Leaves
from drawloom.values.problems import refused, refused_part, unreadable
from drawloom.values.ref import ValueRef

__all__ = ["INLINE_LIMIT_BYTES", "Values"]

INLINE_LIMIT_BYTES: Final = 4096
"""An envelope of up to this many characters lies in the record that refers to it; a longer one is an object."""

_RECORDS: Final = ("dataclass", "namedtuple", "pydantic")
# what a tree from a damaged or foreign record makes the decoders raise
_UNREADABLE: Final = (ValueError, ImportError, AttributeError, KeyError, IndexError, TypeError)


class Values:
    """Encodes, stores, reads and versions values.

    Args:
        objects: where bytes are kept.
        allow_pickle: whether a type may name the codec `pickle` (the project file's `allow_pickle`).
        scratch: the folder that files are made in when a task reads them; None for the system's temporary folder.
    """

    def __init__(self, objects: Objects, *, allow_pickle: bool = False, scratch: str | None = None) -> None:
        self.objects = objects
        self._leaves = Leaves(objects, allow_pickle, scratch or "")

    def sharing(self) -> Values:
        """The same values for one run: its readers may share what none of them can change, until the run is over."""
        made = Values(self.objects, allow_pickle=self._leaves.allow_pickle, scratch=self._leaves.scratch)
        made._leaves.shared = {}
        return made

    def encode(self, value: Any, type: Type | None = None, what: str = "value") -> Json:  # noqa: A002  # reads well
        """The tree of a value, its leaves stored.

        Args:
            value: what a task returned, or a parameter.
            type: the port's type; only the codecs it names count here (`conform` checks the rest).
            what: what the value is called in an error.

        Raises:
            ValueRefused: V301-V309, a part of it can't be kept; the error says which, why and what to do.
            StoreError: the store can't be written.
        """
        try:
            if type is None:
                return encode(value, self._leaves.encode)
            if type.codec and value is not None:
                return self._leaves.encode_named(value, type.codec)
            return encode(value, self._leaves.encode, self._leaves.chosen(type) if type.args or type.fields else None)
        except NotEncodable as error:
            raise refused_part(error, what) from error.__cause__
        except RecursionError:
            raise refused("V303", f"{what} contains itself, or is nested too deep") from None

    def decode(self, tree: Json) -> Any:
        """The value of a tree: a copy of its own at each call, so that nobody changes anybody else's.

        Raises:
            ValueRefused: V307, the class or library is missing or has changed; V306, it is a pickle.
            StoreError: an object is missing or corrupt.
        """
        try:
            return decode(tree, self._leaves.decode)
        except _UNREADABLE as error:
            raise unreadable(error) from error

    def ref(self, tree: Json, type: str = "") -> ValueRef:  # noqa: A002  # the name of the record's field
        """The versioned reference to the value of a tree; a long tree is stored as an object.

        Args:
            tree: what `encode` returned.
            type: the text of the port's type, for people.
        """
        if tree.__class__ is int:  # the commonest small value by far; a JSON tree has no larger ones than 2^53
            text = repr(tree)
            return ValueRef(digest_bytes(text.encode("ascii")), len(text), tree, "", type)
        text = canonical_json(tree)
        size = len(text) + _leaf_bytes(tree) if "{" in text else len(text)
        digest = value_digest(tree, text)
        if len(text) <= INLINE_LIMIT_BYTES:
            return ValueRef(digest, size, tree, "", type)
        return ValueRef(digest, size, object=self.objects.put(text.encode("ascii")), type=type)

    def tree(self, ref: ValueRef) -> Json:
        """The tree of a reference, read from the store if it isn't inline.

        Raises:
            StoreError: the object is missing or corrupt.
        """
        return json.loads(self.objects.get(ref.object)) if ref.object else ref.tree

    def narrow(self, tree: Json, path: Path) -> Json:
        """The tree of the part of a value that a path leads to, without decoding the rest where that is possible.

        Raises:
            AttributeError, KeyError, IndexError, TypeError: what Python raises where there is no such part.
            ValueRefused: the part is computed (a property, a column) and can't be kept.
        """
        for position, step in enumerate(path):
            found, part = _field(tree, step.name) if isinstance(step, Field) else _item(tree, step)
            if not found:
                return self._follow(tree, path[position:])
            tree = part
        return tree

    def _follow(self, tree: Json, path: Path) -> Json:
        value = self.decode(tree)
        for step in path:
            value = getattr(value, step.name) if isinstance(step, Field) else value[step.key]
        return self.encode(value, what="the selected part")


def _field(tree: Json, name: str) -> tuple[bool, Json]:
    if isinstance(tree, dict) and tree["$"] in _RECORDS:
        for key, part in tree["v"]:
            if key == name:
                return True, part
    return False, None


def _item(tree: Json, step: Key) -> tuple[bool, Json]:
    key = step.key
    if isinstance(tree, list):
        return _at(tree, key)
    if not isinstance(tree, dict):
        return False, None
    if tree["$"] == "tuple":
        return _at(tree["v"], key)
    if tree["$"] == "namedtuple":
        found, pair = _at(tree["v"], key)
        return found, pair[1] if found else None
    if tree["$"] == "dict":
        wanted = encode(key)
        for name, part in tree["v"]:
            if name == wanted:  # plain numbers compare as Python's: 1, 1.0 and True are one key
                return True, part
    return False, None


def _at(items: list[Json], key: str | int) -> tuple[bool, Json]:
    if isinstance(key, int) and -len(items) <= key < len(items):
        return True, items[key]
    return False, None


def _leaf_bytes(tree: Json) -> int:
    """The bytes of the objects a tree refers to."""
    if isinstance(tree, list):
        return sum(_leaf_bytes(t) for t in tree if isinstance(t, (list, dict)))
    if not isinstance(tree, dict):
        return 0
    own: int = tree["size"] if "object" in tree else 0
    return own + sum(_leaf_bytes(t) for t in tree.values() if isinstance(t, (list, dict)))
