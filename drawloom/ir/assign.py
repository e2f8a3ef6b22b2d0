"""Which type may flow into which: assignability on edges, and whether a constant is of a type.

As Python's typing has it (bool into int into float, a subclass into its base, a literal into its type), with `any`
going both ways, and with one difference: containers are covariant. Typing forbids `list[bool]` where `list[int]` is
wanted, because the callee could append an int to the caller's list; here a task gets a copy (edges are by value), so
nothing it does reaches the caller, and covariance is sound, also in the keys of a dict.

Tables: a source with a declared schema must have every column the target declares, with a type that fits; a source or
a target without one fits any.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from drawloom.ir.canonical import Json, canonical_json
from drawloom.ir.problems import TypeProblem
from drawloom.ir.types import BOOL, FLOAT, INT, NEVER, NONE, STR, Type

__all__ = ["RECORDS", "TABLES", "assignable", "const_fits", "const_type", "union_of", "widen"]

TABLES: Final = frozenset({"dataframe", "series", "arrow_table", "polars"})
RECORDS: Final = frozenset({"dataclass", "namedtuple", "pydantic", "typeddict", "failure"})
_WIDER: Final = {"bool": ("int", "float"), "int": ("float",), "datetime": ("date",)}
_COVARIANT: Final = frozenset({"list", "set", "frozenset", "dict", "tuple_of"})


def assignable(source: Type, target: Type) -> bool:
    """Whether every value of `source` may be passed where `target` is wanted.

    >>> from drawloom.ir.types import ANY
    >>> assignable(BOOL, FLOAT), assignable(FLOAT, INT), assignable(ANY, INT)
    (True, False, True)
    >>> assignable(Type("list", (BOOL,)), Type("list", (INT,)))
    True
    """
    if source is target or target.name == "any" or source.name == "any":
        return True
    if source.name == "union":
        return all(assignable(member, target) for member in source.args)
    if source.name == "literal":
        return all(const_fits(value, target) for value in source.values)
    if target.name == "union":
        return any(assignable(source, member) for member in target.args)
    if source.name != target.name:
        return _across(source, target)
    return _within(source, target)


def _across(source: Type, target: Type) -> bool:
    """Two types of different names."""
    if target.name in _WIDER.get(source.name, ()):
        return True
    if target.name in ("tuple", "tuple_of") and source.name in ("tuple", "namedtuple"):
        args = source.args if source.name == "tuple" else tuple(t for _, t in source.fields)
        return _within(Type("tuple", args), target) if target.name == "tuple" else _all_fit(args, target.args)
    if source.name == "typeddict" and target.name == "dict":  # sound by value, though typing knows mutable dicts only
        return assignable(STR, target.args[0]) and _all_fit([t for _, t in source.fields], target.args[1:])
    return bool(_class_of(target)) and _class_of(target) in source.bases


def _within(source: Type, target: Type) -> bool:
    """Two types of one name."""
    name = source.name
    if name in _COVARIANT or name == "tuple":
        same_length = len(source.args) == len(target.args)
        return same_length and all(assignable(s, t) for s, t in zip(source.args, target.args, strict=True))
    if name == "typeddict":  # structural, as in typing
        given = dict(source.fields)
        return all(column in given and assignable(given[column], wanted) for column, wanted in target.fields)
    if name in TABLES:
        given = dict(source.fields)
        return not given or all(c in given and assignable(given[c], wanted) for c, wanted in target.fields)
    if name == "model" and not target.ref:
        return True
    return source.ref == target.ref or target.ref in source.bases


def _all_fit(sources: tuple[Type, ...] | list[Type], targets: tuple[Type, ...]) -> bool:
    return all(assignable(source, target) for source in sources for target in targets)


_BUILTINS: Final = {
    "str": "builtins:str",
    "int": "builtins:int",
    "float": "builtins:float",
    "bytes": "builtins:bytes",
    "list": "builtins:list",
    "dict": "builtins:dict",
    "tuple_of": "builtins:tuple",
    "set": "builtins:set",
}


def _class_of(type_: Type) -> str:
    """The class that a value of another class is allowed to derive from: `class Level(IntEnum)` fits `int`."""
    return type_.ref or _BUILTINS.get(type_.name, "")


def union_of(types: list[Type]) -> Type:
    """The union of types, flat and without members that another one covers; of no types `none`, of such that can't be
    one that can't be either.
    """
    flat: list[Type] = []
    for type_ in types:
        flat += type_.args if type_.name == "union" else (type_,)
    if any(t.name == "any" for t in flat):
        return Type("any")
    kept: list[Type] = []
    for type_ in flat:
        covered = type_ in kept or (type_.name == "literal" and any(t != type_ and _covers(t, type_) for t in flat))
        if not covered:
            kept.append(type_)
    if not kept:
        return NEVER if types else NONE
    return kept[0] if len(kept) == 1 else Type("union", tuple(kept))


def _covers(type_: Type, literal: Type) -> bool:
    return type_.name != "literal" and assignable(widen(literal), type_)


def widen(type_: Type) -> Type:
    """The type a literal's values have when nobody looks at the values: `Literal["a"]` is a `str`."""
    if type_.name != "literal":
        return type_
    return union_of([_plain_type(json.loads(value)) for value in type_.values])


# constants


@lru_cache(maxsize=4096)
def const_fits(text: str, target: Type) -> bool:
    """Whether the constant whose envelope is the canonical JSON `text` is a value of `target`.

    Raises:
        TypeProblem: `text` is no envelope (G228).
    """
    return _fits(_parse(text), target)


@lru_cache(maxsize=4096)
def const_type(text: str) -> Type:
    """The type of a constant; scalars give a literal, so that `Literal` targets can be checked.

    Raises:
        TypeProblem: `text` is no envelope (G228).
    """
    tree = _parse(text)
    if tree is None or isinstance(tree, (bool, int, str)):
        return NONE if tree is None else Type("literal", values=(canonical_json(tree),))
    return _plain_type(tree)


def _parse(text: str) -> Json:
    try:
        tree = json.loads(text)
        if not isinstance(tree, (list, dict)) or _is_envelope(tree):
            return tree
    except ValueError:
        pass
    shown = text if len(text) <= 40 else f"{text[:37]}..."
    fix = "write constants with `canonical_json(encode(value))` of drawloom.ir"
    raise TypeProblem("G228", f"the constant {shown!a} is not the JSON of an envelope", fix)


def _is_envelope(tree: Json) -> bool:
    if isinstance(tree, list):
        return all(_is_envelope(item) for item in tree)
    if not isinstance(tree, dict):
        return True
    tag, inner = tree.get("$"), tree.get("v")
    if tag not in _LISTS:
        return isinstance(tag, str) and (tag not in ("enum", "flag") or "class" in tree)
    pairs = tag not in _CONTAINER_TAGS or tag == "dict"
    if not isinstance(inner, list) or (tag not in _CONTAINER_TAGS and "class" not in tree):
        return False
    if pairs:
        return all(isinstance(p, list) and len(p) == 2 and _is_envelope(p) for p in inner)
    return all(_is_envelope(item) for item in inner)


def _fits(tree: Json, target: Type) -> bool:
    if target.name == "any":
        return True
    if target.name == "union":
        return any(_fits(tree, member) for member in target.args)
    if target.name == "literal":
        return canonical_json(tree) in target.values
    check = _FITS.get(target.name)
    if check is not None:
        return check(tree, target)
    tag = tree.get("$") if isinstance(tree, dict) else None
    if target.name in ("dataclass", "namedtuple"):
        return tag == target.name and _record_fits(tree, target)
    if target.name == "enum":
        return tag in ("enum", "flag") and tree["class"] == target.ref
    if target.name in _TAGGED:
        return tag == target.name or (target.name == "date" and tag == "datetime")
    # files, frames, models, users' classes: a leaf of their codec, never a scalar or a container
    return tag is not None and tag not in _PLAIN_TAGS


def _record_fits(tree: Json, target: Type) -> bool:
    fields = dict(target.fields)
    if tree["class"] != target.ref:
        return True  # perhaps a subclass: the class isn't here to be asked
    return all(name not in fields or _fits(item, fields[name]) for name, item in tree["v"])


def _items(tree: Json, tag: str) -> list[Json] | None:
    found: list[Json] | None = tree["v"] if isinstance(tree, dict) and tree.get("$") == tag else None
    return found


def _fits_tagged(tag: str) -> Callable[[Json, Type], bool]:
    def fits(tree: Json, target: Type) -> bool:
        items = _items(tree, tag)
        return items is not None and all(_fits(item, target.args[0]) for item in items)

    return fits


def _fits_tuple(tree: Json, target: Type) -> bool:
    items = _items(tree, "tuple")
    if items is None or len(items) != len(target.args):
        return False
    return all(_fits(item, arg) for item, arg in zip(items, target.args, strict=True))


def _fits_dict(tree: Json, target: Type) -> bool:
    pairs = _items(tree, "dict")
    return pairs is not None and all(_fits(k, target.args[0]) and _fits(v, target.args[1]) for k, v in pairs)


def _fits_typeddict(tree: Json, target: Type) -> bool:
    fields = dict(target.fields)
    pairs = _items(tree, "dict")
    return pairs is not None and all(k in fields and _fits(v, fields[k]) for k, v in pairs if isinstance(k, str))


def _is_int(tree: Json) -> bool:
    return isinstance(tree, int) or (isinstance(tree, dict) and tree.get("$") == "int")


_FITS: Final[dict[str, Callable[[Json, Type], bool]]] = {
    "none": lambda tree, _: tree is None,
    "bool": lambda tree, _: isinstance(tree, bool),
    "int": lambda tree, _: _is_int(tree),
    "float": lambda tree, _: _is_int(tree) or isinstance(tree, float) or _items(tree, "float") is not None,
    "str": lambda tree, _: isinstance(tree, str) or (isinstance(tree, dict) and tree["$"] == "str"),
    "list": lambda tree, target: isinstance(tree, list) and all(_fits(item, target.args[0]) for item in tree),
    "set": _fits_tagged("set"),
    "frozenset": _fits_tagged("frozenset"),
    "tuple_of": _fits_tagged("tuple"),
    "tuple": _fits_tuple,
    "dict": _fits_dict,
    "typeddict": _fits_typeddict,
}
_TAGGED: Final = frozenset({"bytes", "datetime", "date", "time", "timedelta", "decimal", "uuid"})
_CONTAINER_TAGS: Final = frozenset({"set", "frozenset", "tuple", "dict"})
_LISTS: Final = _CONTAINER_TAGS | {"dataclass", "namedtuple", "pydantic"}
_PLAIN_TAGS: Final = _TAGGED | _CONTAINER_TAGS | {"int", "float", "str", "complex", "bytearray"}


def _plain_type(tree: Json) -> Type:
    scalar = _SCALARS.get(type(tree))
    if scalar is not None:
        return scalar
    if isinstance(tree, list):
        return Type("list", (_item_type(tree),))
    tag, inner = tree.get("$"), tree.get("v")
    if tag in ("int", "float", "str"):
        return {"int": INT, "float": FLOAT, "str": STR}[tag]
    if tag in ("set", "frozenset"):
        return Type(tag, (_item_type(inner),))
    if tag == "tuple":
        return Type("tuple", tuple(_plain_type(item) for item in inner))
    if tag == "dict":
        return Type("dict", (_item_type([k for k, _ in inner]), _item_type([v for _, v in inner])))
    if tag in _TAGGED:
        return Type(tag)
    if tag in ("dataclass", "namedtuple"):
        return Type(tag, ref=tree["class"], fields=tuple((name, _plain_type(item)) for name, item in inner))
    return Type("enum", ref=tree["class"], values=(inner,)) if tag == "enum" else Type("any")


def _item_type(items: list[Json]) -> Type:
    return union_of([_plain_type(item) for item in items]) if items else Type("any")


_SCALARS: Final[dict[type, Type]] = {bool: BOOL, int: INT, float: FLOAT, str: STR, type(None): NONE}
