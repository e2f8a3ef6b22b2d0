"""Values as plain JSON, as people and other programs write it, where a type leaves no doubt what is meant.

`ir.envelope` can hold anything and says what it is; this can hold what JSON has, dates and times, lists and mappings of
them, and takes the type from elsewhere. Standard library alone: a step loads this module.
"""

from __future__ import annotations

import json
from typing import Any, Final

from drawloom.ir.canonical import Json
from drawloom.ir.types import Type

__all__ = ["Misread", "from_plain", "has_plain_form", "plain_tree"]

# Any: values of any type a codec knows

_SCALARS: Final = ("int", "float", "str", "bool", "none")
_TIMES: Final = ("datetime", "date", "time")
_LISTS: Final = ("list", "tuple_of", "tuple", "set", "frozenset")


class Misread(ValueError):
    """A JSON tree is no value of a type."""


def has_plain_form(type_: Type) -> bool:
    """Whether every value of a type can be written as plain JSON, and read again by the type.

    >>> from drawloom.ir.types import INT
    >>> has_plain_form(Type("list", (INT,))), has_plain_form(Type("file"))
    (True, False)
    """
    if type_.codec:
        return False
    if type_.name == "dict":
        return type_.args[0].name == "str" and has_plain_form(type_.args[1])
    if type_.name == "literal":
        return all(not isinstance(json.loads(value), (dict, list)) for value in type_.values)
    if type_.name == "union":
        return bool(type_.args) and all(map(has_plain_form, type_.args))
    return type_.name in (*_SCALARS, *_TIMES) or (type_.name in _LISTS and all(map(has_plain_form, type_.args)))


def plain_tree(tree: Json) -> tuple[Json] | None:
    """The plain JSON of an envelope, in a tuple of one; None if it has none (NaN, bytes, a class of the user's).

    Args:
        tree: the envelope, whose type has a plain form.
    """
    try:
        return (_plain(tree),)
    except Misread:
        return None


def _plain(tree: Json) -> Json:
    if isinstance(tree, list):
        return [_plain(one) for one in tree]
    if not isinstance(tree, dict):
        return tree
    kind, value = tree.get("$"), tree.get("v")
    if kind in ("tuple", "set", "frozenset") and isinstance(value, list):
        return [_plain(one) for one in value]
    if kind == "dict" and isinstance(value, list):
        return {key: _plain(item) for key, item in value if isinstance(key, str)}
    if kind in _TIMES:
        return _iso(tree)
    if kind == "int" and isinstance(value, str):
        return int(value, 16)
    raise Misread(str(kind))


def _iso(tree: Json) -> str:
    from drawloom.ir.envelope import decode, encode

    time = decode(tree)
    text: str = time.isoformat()
    if encode(type(time).fromisoformat(text)) != tree:  # a zone's name is no part of it
        raise Misread(text)
    return text


def from_plain(tree: Json, type_: Type) -> Any:
    """The value that plain JSON stands for.

    Args:
        tree: the JSON.
        type_: what it is to be; a union is the first of its members that fits.

    Raises:
        Misread: it is none.
    """
    match type_.name:
        case "bool" | "str" | "none" | "int":
            if type(tree) is _CLASSES[type_.name]:
                return tree
        case "float":
            if type(tree) in (int, float):
                return float(tree)
        case "datetime" | "date" | "time":
            if isinstance(tree, str):
                return _time(tree, type_.name)
        case "literal":
            if any(_is_same(tree, json.loads(value)) for value in type_.values):
                return tree
        case "union":
            return _first(tree, type_)
        case "dict":
            if isinstance(tree, dict):
                return {key: from_plain(item, type_.args[1]) for key, item in tree.items()}
        case "tuple" | "list" | "tuple_of" | "set" | "frozenset":
            if isinstance(tree, list) and (type_.name != "tuple" or len(tree) == len(type_.args)):
                return _items(tree, type_)
    raise Misread(f"{json.dumps(tree)[:80]} is no {type_}")


_MADE: Final[dict[str, Any]] = {
    "tuple": tuple,
    "list": list,
    "tuple_of": tuple,
    "set": set,
    "frozenset": frozenset,
}
_CLASSES: Final = {"bool": bool, "str": str, "none": type(None), "int": int}


def _items(trees: list[Json], type_: Type) -> Any:
    types = type_.args if type_.name == "tuple" else type_.args * len(trees)
    return _MADE[type_.name](from_plain(one, inner) for one, inner in zip(trees, types, strict=True))


def _is_same(one: Json, other: Json) -> bool:
    return type(one) is type(other) and one == other


def _first(tree: Json, type_: Type) -> Any:
    # JSON's own kinds before what reads a text: "2026-01-01" is a str, if that is among them
    ordered = sorted(type_.args, key=lambda one: (one.name in _TIMES, one.name == "float"))
    for option in ordered:
        try:
            return from_plain(tree, option)
        except Misread:
            continue
    raise Misread(f"{json.dumps(tree)[:80]} is no {type_}")


def _time(text: str, name: str) -> Any:
    from datetime import date, datetime, time

    made: Any = {"datetime": datetime, "date": date, "time": time}[name]
    try:
        return made.fromisoformat(text)
    except ValueError:
        raise Misread(f"{text[:80]!r} is no {name} in ISO 8601") from None
