"""The types of the operators that make lists of what can be iterated over, or take it apart (see `ir.operators`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from drawloom.ir.assign import union_of
from drawloom.ir.iterated import SEQUENCES, UNHASHABLE, iterated_type
from drawloom.ir.types import ANY, BOOL, INT, STR, Type

__all__ = ["LIST_RULES"]

Rule = Callable[[list[Type]], Type | None]


def _any_items(args: list[Type]) -> Type | None:
    return BOOL if iterated_type(args[0]) is not None else None


def _range(args: list[Type]) -> Type | None:
    fits = 1 <= len(args) <= 3 and all(a.name in ("int", "bool") for a in args)
    return Type("list", (INT,)) if fits else None


def _zip(args: list[Type]) -> Type | None:
    items = [iterated_type(a) for a in args]
    if any(item is None for item in items):
        return None
    return Type("list", (Type("tuple", tuple(item for item in items if item is not None)),))


def _enumerate(args: list[Type]) -> Type | None:
    item = iterated_type(args[0])
    return Type("list", (Type("tuple", (INT, item)),)) if item is not None and args[1].name in ("int", "bool") else None


def _reversed(args: list[Type]) -> Type | None:
    if args[0].name not in (*SEQUENCES, "dict"):
        return None
    return _as_list(args)


def _of_dict(parts: Callable[[Type], Type]) -> Rule:
    def rule(args: list[Type]) -> Type | None:
        (table,) = args
        if table.name == "typeddict":
            table = Type("dict", (STR, union_of([t for _, t in table.fields])))
        return Type("list", (parts(table),)) if table.name == "dict" else None

    return rule


def _as_list(args: list[Type]) -> Type | None:
    item = iterated_type(args[0])
    return None if item is None else Type("list", (item,))


def _as_tuple(args: list[Type]) -> Type | None:
    item = iterated_type(args[0])
    return args[0] if args[0].name == "tuple" else None if item is None else Type("tuple_of", (item,))


def _as_set(args: list[Type]) -> Type | None:
    item = iterated_type(args[0])
    return Type("set", (item,)) if item is not None and item.name not in UNHASHABLE else None


def _as_dict(args: list[Type]) -> Type | None:
    (pairs,) = args
    if pairs.name in ("dict", "typeddict"):
        return pairs
    pair = iterated_type(pairs)
    if pair is None or pair.name in ("any", "union"):
        return None if pair is None else Type("dict", (ANY, ANY))
    if pair.name == "tuple" and len(pair.args) == 2:
        return None if pair.args[0].name in UNHASHABLE else Type("dict", pair.args)
    return Type("dict", (ANY, ANY)) if iterated_type(pair) is not None else None


def _flatten(args: list[Type]) -> Type | None:
    inner = iterated_type(args[0])
    item = None if inner is None else iterated_type(inner)
    return None if item is None else Type("list", (item,))


def _slice(args: list[Type]) -> Type | None:
    container, *limits = args
    if any(limit.name not in ("int", "bool", "none") for limit in limits):
        return None
    if container.name == "tuple":
        return Type("tuple_of", (union_of(list(container.args)),))
    return container if container.name in SEQUENCES else None


LIST_RULES: Final[dict[str, Rule]] = {
    "any": _any_items,
    "all": _any_items,
    "range": _range,
    "zip": _zip,
    "enumerate": _enumerate,
    "reversed": _reversed,
    "keys": _of_dict(lambda table: table.args[0]),
    "values": _of_dict(lambda table: table.args[1]),
    "items": _of_dict(lambda table: Type("tuple", table.args)),
    "as_list": _as_list,
    "as_tuple": _as_tuple,
    "as_set": _as_set,
    "as_dict": _as_dict,
    "flatten": _flatten,
    "slice": _slice,
}
