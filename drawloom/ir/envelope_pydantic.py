"""pydantic models in an envelope, field by field, without importing pydantic: its models describe themselves.

A model comes back through `__setstate__`, not through validation: a validator that changes what it is given would
change it twice. Private attributes, extra fields and which fields were set come along; cached properties are
made again.
"""

from __future__ import annotations

from typing import Any

from drawloom.ir.canonical import Json
from drawloom.ir.envelope import Hooks, LeafDecoder, NotDecodable, NotEncodable, decode
from drawloom.ir.envelope_records import check_fields, check_importable, class_of, encode_pairs

__all__ = ["decode_model", "encode_model"]


def encode_model(value: Any, hooks: Hooks, depth: int) -> Json:
    """The tree of a pydantic model.

    Raises:
        NotEncodable: its class can't be imported again, or a part of it has a type nobody knows.
    """
    cls = type(value)
    if "[" in cls.__qualname__:
        fix = "declare a class for it: `class Prices(Page[Price]): ...`"
        raise NotEncodable(value, "", "a parametrised generic model can't be imported again", "V302", fix)
    ref = check_importable(value)
    held = value.__dict__
    missing = [name for name in cls.__pydantic_fields__ if name not in held]
    if missing:
        raise NotEncodable(value, "", f"its field {missing[0]!r} is not set")
    fields = [(name, held[name]) for name in cls.__pydantic_fields__]
    tree: dict[str, Json] = {"$": "pydantic", "class": ref, "v": encode_pairs(value, fields, ".{}", hooks, depth)}
    tree["set"] = sorted(value.__pydantic_fields_set__)
    for key, part in (("extra", value.__pydantic_extra__), ("private", value.__pydantic_private__)):
        if part is not None:
            pairs = encode_pairs(value, sorted(part.items()), ".{}", hooks, depth)
            tree[key] = {"$": "dict", "v": pairs}
    return tree


def decode_model(tree: Json, leaf: LeafDecoder | None) -> Any:
    """The model of a tree that `encode_model` made.

    Raises:
        NotDecodable: the class has other fields now, or is no model.
        ImportError, AttributeError: the class isn't there any more.
    """
    cls = class_of(tree, object)
    fields = getattr(cls, "__pydantic_fields__", None)
    if fields is None:
        raise NotDecodable(f"{tree['class']} is not a pydantic model any more")
    check_fields(tree, list(fields))
    made = cls.__new__(cls)
    made.__setstate__(
        {
            "__dict__": {name: decode(v, leaf) for name, v in tree["v"]},
            "__pydantic_fields_set__": set(tree["set"]),
            "__pydantic_extra__": decode(tree.get("extra"), leaf),
            "__pydantic_private__": decode(tree.get("private"), leaf),
        }
    )
    return made
