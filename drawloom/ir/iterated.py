"""What iterating over a value gives, and the kinds of types that the operators know."""

from __future__ import annotations

from typing import Final

from drawloom.ir.assign import union_of, widen
from drawloom.ir.types import ANY, INT, NEVER, STR, Type

__all__ = ["DATES", "KNOWN", "RANK", "SEQUENCES", "SETS", "UNHASHABLE", "iterated_type"]

RANK: Final = {"bool": 0, "int": 1, "float": 2}
DATES: Final = ("datetime", "date")
SETS: Final = ("set", "frozenset")
SEQUENCES: Final = ("list", "tuple", "tuple_of", "str", "bytes")
# types whose operators are known here; the others (arrays, frames, models, users' classes) may overload any of them
KNOWN: Final = frozenset(
    {*RANK, *DATES, *SETS, *SEQUENCES, "none", "dict", "typeddict", "decimal", "timedelta", "time", "uuid"}
)
UNHASHABLE: Final = ("list", "dict", "set", "typeddict")
_STRING: Final = frozenset({"str", "bytes"})


def iterated_type(type_: Type) -> Type | None:
    """The type of the items that iterating over a value gives; `any` where that can't be known, None if it can't be."""
    if type_ == NEVER:
        return type_
    members = type_.args if type_.name == "union" else (type_,)
    items = [_item_type(widen(member)) for member in members]
    found = [item for item in items if item is not None]
    return union_of(found) if len(found) == len(items) else None


def _item_type(type_: Type) -> Type | None:
    name = type_.name
    if name in ("list", "set", "frozenset", "tuple_of", "dict"):
        return type_.args[0]
    if name in ("tuple", "namedtuple"):
        parts = list(type_.args) if name == "tuple" else [t for _, t in type_.fields]
        return union_of(parts) if parts else ANY
    if name in _STRING:
        return STR if name == "str" else INT
    if name == "typeddict":
        return STR
    return None if name in KNOWN or name in ("enum", "dataclass", "file", "directory", "secret", "failure") else ANY
