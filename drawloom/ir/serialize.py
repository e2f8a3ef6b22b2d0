"""Frozen dataclasses to JSON trees and back, strictly: an unknown field, kind or type is refused.

A dataclass becomes an object with `kind` first and only the fields that differ from their defaults; tuples become
lists. A class with a field `kind` of its own (a pipeline) is told by that one, and `ir_version` is always written.
Reading follows the annotations, which are resolved once per class on first use. Standard library alone: a step reads
its slice with this.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from drawloom.frozen import MISSING, field_defaults, is_frozen
from drawloom.ir.canonical import Json

__all__ = ["MalformedDocument", "from_json", "kind_of", "to_json"]

T = TypeVar("T")


class MalformedDocument(ValueError):  # named by what it says, as the other exceptions here
    """A JSON document doesn't have the form its kind prescribes; the message has the path to the place."""


@cache
def kind_of(cls: type) -> str:
    """The `kind` under which a class is written: its name in snake case.

    >>> from drawloom.ir.nodes import PipelineCall
    >>> kind_of(PipelineCall)
    'pipeline_call'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


_ALWAYS_WRITTEN = ("kind", "ir_version")
_NO_DEFAULT = object()


@cache
def _fields(cls: type) -> tuple[tuple[str, Any], ...]:
    fields = field_defaults(cls)
    return tuple((name, _NO_DEFAULT if name in _ALWAYS_WRITTEN else default) for name, default in fields)


def to_json(value: Any) -> Json:
    """The JSON tree of a dataclass, a tuple of them, or a scalar."""
    if isinstance(value, tuple):
        items: list[Json] = []
        for item in value:  # not a comprehension: before Python 3.12 it takes a stack frame at each level
            items.append(to_json(item))  # noqa: PERF401
        return items
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    cls: Any = type(value)
    tree: dict[str, Json] = {"kind": kind_of(cls)}
    for name, default in _fields(cls):
        item = getattr(value, name)
        if item is default or (item == default and type(item) is type(default)):
            continue
        tree[name] = to_json(item)
    return tree


def from_json(cls: type[T], tree: Json) -> T:
    """The inverse of `to_json`.

    Args:
        cls: the class expected at the top.
        tree: what `to_json` gave, perhaps from another version of drawloom.

    Raises:
        MalformedDocument: a field is unknown, missing or of another type, or a kind is unknown.
    """
    hint: Any = cls
    made: T = _reader(hint)(tree, "$")
    return made


Reader = Callable[[Json, str], Any]


@cache
def _reader(hint: Any) -> Reader:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _union_reader(typing.get_args(hint))
    if origin is tuple:
        args = typing.get_args(hint)
        return _list_reader(args[0]) if args[1:] == (...,) else _tuple_reader(args)
    return _record_reader(hint) if is_frozen(hint) else _scalar_reader(hint)


def _scalar_reader(cls: type) -> Reader:
    def read(tree: Json, path: str) -> Any:
        if type(tree) is cls or (cls is float and type(tree) is int):
            return tree
        raise MalformedDocument(f"{path} must be {cls.__name__}, got {type(tree).__name__}")

    return read


def _list_reader(hint: Any) -> Reader:
    item: list[Reader] = []  # resolved on first use: types may refer to themselves

    def read(tree: Json, path: str) -> Any:
        if not isinstance(tree, list):
            raise MalformedDocument(f"{path} must be a list, got {type(tree).__name__}")
        if not item:
            item.append(_reader(hint))
        made = []
        for i, t in enumerate(tree):  # as in `to_json`
            made.append(item[0](t, f"{path}[{i}]"))
        return tuple(made)

    return read


def _tuple_reader(hints: tuple[Any, ...]) -> Reader:
    def read(tree: Json, path: str) -> Any:
        if not isinstance(tree, list) or len(tree) != len(hints):
            raise MalformedDocument(f"{path} must be a list of {len(hints)}")
        made = []
        for i, (hint, t) in enumerate(zip(hints, tree, strict=True)):
            made.append(_reader(hint)(t, f"{path}[{i}]"))
        return tuple(made)

    return read


def _union_reader(hints: tuple[Any, ...]) -> Reader:
    records = {kind_of(h): h for h in hints if is_frozen(h)}
    scalars = tuple(h for h in hints if not is_frozen(h))

    def read(tree: Json, path: str) -> Any:
        if isinstance(tree, dict):
            kind = tree.get("kind")
            if kind not in records:
                raise MalformedDocument(f"{path} has the unknown kind {kind!r}; known: {', '.join(sorted(records))}")
            return _reader(records[kind])(tree, path)
        if type(tree) in scalars:
            return tree
        if float in scalars and type(tree) is int:
            return tree
        names = sorted([*records, *(h.__name__ for h in scalars)])
        raise MalformedDocument(f"{path} must be one of {', '.join(names)}, got {type(tree).__name__}")

    return read


def _record_reader(cls: type) -> Reader:
    hints: dict[str, Any] = {}
    required = [name for name, default in field_defaults(cls) if default is MISSING or name in _ALWAYS_WRITTEN]
    own_kind = "kind" in required  # `kind` is a field of the class, not the tag

    def read(tree: Json, path: str) -> Any:
        if not isinstance(tree, dict) or (not own_kind and tree.get("kind") != kind_of(cls)):
            got = tree.get("kind") if isinstance(tree, dict) else type(tree).__name__
            raise MalformedDocument(f"{path} must be a {kind_of(cls)}, got {got!r}")
        if not hints:
            hints.update(typing.get_type_hints(cls))
        values = {}
        for name, item in tree.items():
            if name == "kind" and not own_kind:
                continue
            if name not in hints:
                raise MalformedDocument(f"{path} has the unknown field {name!r}; known: {', '.join(sorted(hints))}")
            values[name] = _reader(hints[name])(item, f"{path}.{name}")
        missing = [name for name in required if name not in values]
        if missing:
            raise MalformedDocument(f"{path} lacks the field {missing[0]!r}")
        return cls(**values)

    return read
