"""The structural envelope: Python values of standard types as a JSON tree, and back.

JSON's own null, true, false, strings, lists, finite floats and integers below 2^53 stand for themselves; everything
else is an object with a tag under `"$"`. What the envelope doesn't know (arrays, frames, files, models) is a *leaf*:
the caller's hook turns it into a tagged tree and back, so that one item or field of a value can be read without the
rest. Types must match exactly: a subclass of `dict` would come back as a `dict`, so it is refused rather than changed.

Two values are *equal* here if they have the same type and equal parts; dicts and sets compare without order, 0.0
equals -0.0 and NaN equals NaN. `value_digest` follows that. Standard library alone: a step loads this module.
"""

from __future__ import annotations

import importlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

from drawloom.ir.canonical import Json, canonical_json, digest_json

__all__ = ["NotEncodable", "class_by_ref", "class_ref", "decode", "encode", "normalise", "value_digest"]

_SAFE_INT = 2**53
LeafEncoder = Callable[[Any], Json]
LeafDecoder = Callable[[Json], Any]


class NotEncodable(TypeError):
    """A value, or a part of one, has a type that neither the envelope nor the leaf hook knows; `path` leads to it."""

    def __init__(self, value: object, path: str, reason: str = "") -> None:
        self.type_name = f"{type(value).__module__}.{type(value).__qualname__}"
        self.path = path
        self.reason = reason
        super().__init__(f"value{path} is a {self.type_name}{': ' + reason if reason else ''}")


def class_ref(cls: type) -> str:
    """The `module:qualname` of a class."""
    return f"{cls.__module__}:{cls.__qualname__}"


def class_by_ref(ref: str) -> Any:
    """The object that `module:qualname` names, importing its module.

    Raises:
        ImportError: the module can't be imported.
        AttributeError: the module has no such name.
    """
    module, _, qualname = ref.partition(":")
    found: Any = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


def encode(value: Any, leaf: LeafEncoder | None = None) -> Json:
    """The envelope of `value`.

    Args:
        value: any value of the types above, nested at will.
        leaf: called for a value of any other type; returns its tagged tree, or raises `NotEncodable`.

    Returns:
        A JSON tree.

    Raises:
        NotEncodable: a part has a type nobody knows, or the value contains itself.
    """
    try:
        return _encode(value, leaf, "")
    except RecursionError:
        raise NotEncodable(value, "", "it contains itself, or is nested deeper than Python's stack") from None


def _encode(value: Any, leaf: LeafEncoder | None, path: str) -> Json:
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return value
    encoder = _ENCODERS.get(kind)
    if encoder is not None:
        return encoder(value, leaf, path)
    record = _encode_record(value, leaf, path)
    if record is not None:
        return record
    if leaf is None:
        raise NotEncodable(value, path)
    return leaf(value)


def _encode_int(value: int, leaf: LeafEncoder | None, path: str) -> Json:
    return value if -_SAFE_INT < value < _SAFE_INT else {"$": "int", "v": hex(value)}


def _encode_float(value: float, leaf: LeafEncoder | None, path: str) -> Json:
    if value != value or value in (float("inf"), float("-inf")):
        return {"$": "float", "v": repr(value)}
    return value


def _encode_list(value: list[Any], leaf: LeafEncoder | None, path: str) -> Json:
    return [_encode(v, leaf, f"{path}[{i}]") for i, v in enumerate(value)]


def _encode_sequence(tag: str) -> Callable[[Any, LeafEncoder | None, str], Json]:
    def encode_tagged(value: Any, leaf: LeafEncoder | None, path: str) -> Json:
        return {"$": tag, "v": [_encode(v, leaf, f"{path}[{i}]") for i, v in enumerate(value)]}

    return encode_tagged


def _encode_set(tag: str) -> Callable[[Any, LeafEncoder | None, str], Json]:
    def encode_tagged(value: Any, leaf: LeafEncoder | None, path: str) -> Json:
        # a set has no order of its own: the written one is that of the canonical text, the same in every process
        return {"$": tag, "v": sorted((_encode(v, leaf, f"{path}{{...}}") for v in value), key=canonical_json)}

    return encode_tagged


def _encode_dict(value: dict[Any, Any], leaf: LeafEncoder | None, path: str) -> Json:
    pairs = []
    for k, v in value.items():
        pairs.append([_encode(k, None, f"{path} key {k!r}"), _encode(v, leaf, f"{path}[{k!r}]")])
    return {"$": "dict", "v": pairs}


def _encode_bytes(tag: str) -> Callable[[Any, LeafEncoder | None, str], Json]:
    def encode_tagged(value: Any, leaf: LeafEncoder | None, path: str) -> Json:
        return {"$": tag, "v": b64encode(value).decode("ascii")}

    return encode_tagged


def _encode_complex(value: complex, leaf: LeafEncoder | None, path: str) -> Json:
    return {"$": "complex", "v": [_encode_float(value.real, None, path), _encode_float(value.imag, None, path)]}


_ENCODERS: dict[type, Callable[[Any, LeafEncoder | None, str], Json]] = {
    int: _encode_int,
    float: _encode_float,
    list: _encode_list,
    tuple: _encode_sequence("tuple"),
    set: _encode_set("set"),
    frozenset: _encode_set("frozenset"),
    dict: _encode_dict,
    bytes: _encode_bytes("bytes"),
    bytearray: _encode_bytes("bytearray"),
    complex: _encode_complex,
}


def _encode_record(value: Any, leaf: LeafEncoder | None, path: str) -> Json | None:
    """Classes known by what they are, not by name; None for any other. Imports wait until such a value turns up."""
    kind = type(value)
    module = kind.__module__
    if module in ("datetime", "decimal", "uuid"):
        return _encode_standard(value, kind.__name__)
    if _is_enum(kind):
        return {"$": "enum", "class": class_ref(kind), "v": value.name}
    fields = getattr(kind, "__dataclass_fields__", None)
    if fields is not None:
        names = [f for f, spec in fields.items() if spec._field_type.name == "_FIELD"]
        return _encode_fields("dataclass", value, names, leaf, path)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _encode_fields("namedtuple", value, kind._fields, leaf, path)
    return None


def _is_enum(kind: type) -> bool:
    from enum import Enum

    return issubclass(kind, Enum)


def _encode_fields(tag: str, value: Any, names: Any, leaf: LeafEncoder | None, path: str) -> Json:
    pairs = [[name, _encode(getattr(value, name), leaf, f"{path}.{name}")] for name in names]
    return {"$": tag, "class": class_ref(type(value)), "v": pairs}


def _encode_standard(value: Any, name: str) -> Json | None:
    if name == "datetime":
        zone = _encode_zone(value)
        tree = {"$": "datetime", "v": value.replace(tzinfo=None).isoformat()}
        return tree | ({"tz": zone} if zone is not None else {}) | ({"fold": 1} if value.fold else {})
    if name == "time":
        zone = _encode_zone(value)
        tree = {"$": "time", "v": value.replace(tzinfo=None).isoformat()}
        return tree | ({"tz": zone} if zone is not None else {}) | ({"fold": 1} if value.fold else {})
    if name == "date":
        return {"$": "date", "v": value.isoformat()}
    if name == "timedelta":
        return {"$": "timedelta", "v": [value.days, value.seconds, value.microseconds]}
    if name == "Decimal":
        return {"$": "decimal", "v": str(value)}
    if name == "UUID":
        return {"$": "uuid", "v": str(value)}
    return None


def _encode_zone(value: Any) -> Json | None:
    zone = value.tzinfo
    if zone is None:
        return None
    key = getattr(zone, "key", None)  # zoneinfo.ZoneInfo
    if key is not None:
        return {"zone": key}
    from datetime import timezone

    if type(zone) is not timezone:
        raise NotEncodable(zone, ".tzinfo", "only datetime.timezone and zoneinfo.ZoneInfo are kept")
    offset = zone.utcoffset(None)
    return {"offset": [offset.days, offset.seconds, offset.microseconds]}


def decode(tree: Json, leaf: LeafDecoder | None = None) -> Any:
    """The value of an envelope; the inverse of `encode`.

    Args:
        tree: a JSON tree that `encode` made.
        leaf: called with each tagged tree the envelope doesn't know.

    Raises:
        ValueError: a tag is unknown and there is no hook.
        ImportError, AttributeError: the class of a record or an enum isn't there any more.
    """
    if isinstance(tree, list):
        return [decode(t, leaf) for t in tree]
    if not isinstance(tree, dict):
        return tree
    decoder = _DECODERS.get(tree["$"])
    if decoder is not None:
        return decoder(tree, leaf)
    if leaf is None:
        raise ValueError(f"unknown tag {tree['$']!r} in an envelope")
    return leaf(tree)


def _decode_record(tree: Json, leaf: LeafDecoder | None) -> Any:
    cls = class_by_ref(tree["class"])
    made = cls.__new__(cls) if tree["$"] == "dataclass" else None
    if made is None:
        return cls(*[decode(v, leaf) for _, v in tree["v"]])
    # not through __init__: InitVars and derived fields would run twice; object.__setattr__ serves frozen classes too
    for name, v in tree["v"]:
        object.__setattr__(made, name, decode(v, leaf))
    return made


def _decode_zone(tree: Json) -> Any:
    zone = tree.get("tz")
    if zone is None:
        return None
    if "zone" in zone:
        from zoneinfo import ZoneInfo

        return ZoneInfo(zone["zone"])
    from datetime import timedelta, timezone

    return timezone(timedelta(*zone["offset"]))


def _decode_standard(tree: Json, leaf: LeafDecoder | None) -> Any:
    tag, text = tree["$"], tree["v"]
    if tag in ("datetime", "time", "date", "timedelta"):
        import datetime

        if tag == "timedelta":
            return datetime.timedelta(*text)
        made = getattr(datetime, tag).fromisoformat(text)
        return made if tag == "date" else made.replace(tzinfo=_decode_zone(tree), fold=tree.get("fold", 0))
    if tag == "decimal":
        from decimal import Decimal

        return Decimal(text)
    from uuid import UUID

    return UUID(text)


_DECODERS: dict[str, Callable[[Json, LeafDecoder | None], Any]] = {
    "int": lambda t, _: int(t["v"], 16),
    "float": lambda t, _: float(t["v"]),
    "complex": lambda t, leaf: complex(*[decode(v, leaf) for v in t["v"]]),
    "tuple": lambda t, leaf: tuple(decode(v, leaf) for v in t["v"]),
    "set": lambda t, leaf: {decode(v, leaf) for v in t["v"]},
    "frozenset": lambda t, leaf: frozenset(decode(v, leaf) for v in t["v"]),
    "dict": lambda t, leaf: {decode(k, leaf): decode(v, leaf) for k, v in t["v"]},
    "bytes": lambda t, _: b64decode(t["v"]),
    "bytearray": lambda t, _: bytearray(b64decode(t["v"])),
    "enum": lambda t, _: class_by_ref(t["class"])[t["v"]],
    "dataclass": _decode_record,
    "namedtuple": _decode_record,
    **dict.fromkeys(("datetime", "time", "date", "timedelta", "decimal", "uuid"), _decode_standard),
}


def normalise(tree: Json) -> Json:
    """An envelope with all that equality ignores taken out: the order of dicts, the sign of zero, a leaf's bytes."""
    if isinstance(tree, list):
        return [normalise(t) for t in tree]
    if isinstance(tree, float):
        return tree + 0.0  # IEEE 754: -0.0 + 0.0 is 0.0
    if not isinstance(tree, dict):
        return tree
    tag = tree["$"]
    if tag == "dict":
        return {"$": tag, "v": sorted(([normalise(k), normalise(v)] for k, v in tree["v"]), key=lambda p: canonical_json(p[0]))}
    if tag in ("set", "frozenset"):
        return {"$": tag, "v": sorted((normalise(t) for t in tree["v"]), key=canonical_json)}
    if "digest" in tree:  # a leaf: its codec says what equal content is
        return {"$": tag, "digest": tree["digest"]}
    if tag in ("dataclass", "namedtuple"):
        return {"$": tag, "class": tree["class"], "v": [[name, normalise(v)] for name, v in tree["v"]]}
    if isinstance(tree.get("v"), list):
        return tree | {"v": [normalise(t) for t in tree["v"]]}
    return tree


def value_digest(tree: Json) -> str:
    """The digest of the value an envelope stands for: equal values have equal digests, 64 hex characters."""
    return digest_json(normalise(tree))
