"""Records in an envelope: dataclasses, named tuples, enums, and the standard library's dates, decimals and UUIDs.

Apart from `ir.envelope` because most steps never meet one and shouldn't pay for the imports. A record comes back
without its `__init__`: what that derived is in the fields already. So everything an instance holds must be a field;
one that holds more is refused, and so is a class that can't be imported again by its name. Standard library alone.
"""

from __future__ import annotations

import sys
from datetime import date, datetime, time, timedelta, timezone
from enum import Enum, Flag
from typing import Any

from drawloom.ir.canonical import Json
from drawloom.ir.envelope import (
    MAX_DEPTH,
    Hooks,
    LeafDecoder,
    NotDecodable,
    NotEncodable,
    class_by_ref,
    class_ref,
    decode,
    encode_part,
    too_deep,
)

__all__ = [
    "check_fields",
    "check_importable",
    "class_of",
    "decode_record",
    "decode_zone",
    "encode_pairs",
    "encode_record",
    "encode_zone",
]

# a dataclass on top of one of these has content that isn't in its fields
_WITH_CONTENT = (dict, list, tuple, set, frozenset, str, bytes, bytearray, int, float, complex, BaseException, type)


def encode_record(value: Any, hooks: Hooks, depth: int) -> Json | None:
    """The tree of a record; None for a value of any other kind."""
    kind = type(value)
    if kind.__module__ in ("datetime", "decimal", "uuid", "_decimal", "_pydecimal"):
        standard = _encode_standard(value, kind.__name__)
        if standard is not None:
            return standard
    if issubclass(kind, Enum):
        return _encode_enum(value)
    if hasattr(kind, "__dataclass_fields__"):
        return _encode_dataclass(value, hooks, depth)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _encode_namedtuple(value, hooks, depth)
    if hasattr(kind, "__pydantic_fields__"):
        from drawloom.ir.envelope_pydantic import encode_model

        return encode_model(value, hooks, depth)
    return None


def check_importable(value: Any) -> str:
    """The class reference of a value's class, once it is certain that it leads back to that class.

    Raises:
        NotEncodable: V302, the class is local to a function, or its name means something else.
    """
    kind = type(value)
    ref = class_ref(kind)
    if "<locals>" in kind.__qualname__:
        raise NotEncodable(value, "", "a class defined inside a function can't be imported again", "V302")
    try:
        found = class_by_ref(ref)
    except (ImportError, AttributeError):
        raise NotEncodable(value, "", f"there is no {ref} to import it from", "V302") from None
    if found is not kind:
        raise NotEncodable(value, "", f"{ref} is another object now", "V302")
    return ref


def _encode_enum(value: Enum) -> Json:
    ref = check_importable(value)
    name = value.name
    if type(value).__members__.get(name) is value:
        return {"$": "enum", "class": ref, "v": name}
    if not isinstance(value, Flag):
        raise NotEncodable(value, "", "it is not one of its class's members")
    return {"$": "flag", "class": ref, "v": hex(value.value)}  # several flags together, or none


def _encode_dataclass(value: Any, hooks: Hooks, depth: int) -> Json:
    if isinstance(value, _WITH_CONTENT):
        raise NotEncodable(value, "", "it holds more than its fields", fix="make what it inherits a field of its own")
    ref = check_importable(value)
    names = [name for name, spec in type(value).__dataclass_fields__.items() if spec._field_type.name == "_FIELD"]
    _refuse_extra(value, names)
    return {"$": "dataclass", "class": ref, "v": encode_pairs(value, _held(value, names), ".{}", hooks, depth)}


def _encode_namedtuple(value: Any, hooks: Hooks, depth: int) -> Json:
    ref = check_importable(value)
    names = type(value)._fields
    if len(value) != len(names):
        raise NotEncodable(value, "", f"it has {len(value)} items and {len(names)} names")
    _refuse_extra(value, names)
    pairs = encode_pairs(value, zip(names, value, strict=True), ".{}", hooks, depth)
    return {"$": "namedtuple", "class": ref, "v": pairs}


def _held(value: Any, names: list[str]) -> Any:
    for name in names:
        try:
            yield name, getattr(value, name)
        except AttributeError:
            raise NotEncodable(value, "", f"its field {name!r} is not set") from None


def encode_pairs(value: Any, items: Any, step: str, hooks: Hooks, depth: int) -> list[Json]:
    """The [name, tree] pairs of a record's (name, item) pairs; `step` is how the path to an item is written."""
    if depth > MAX_DEPTH:
        raise too_deep(value)
    pairs: list[Json] = []
    for name, item in items:
        try:
            pairs.append([name, encode_part(item, hooks, depth + 1)])
        except NotEncodable as error:
            raise error.inside(step.format(name)) from None
    return pairs


def _refuse_extra(value: Any, names: Any) -> None:
    held = getattr(value, "__dict__", None) or {}
    extra = [name for name in held if name not in names and not _is_derived(type(value), name)]
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        own = [slot for slot in ((slots,) if isinstance(slots, str) else slots) if not slot.startswith("__")]
        extra += [slot for slot in own if slot not in names and hasattr(value, slot)]
    if extra:
        told = ", ".join(repr(name) for name in sorted(extra))
        fix = "declare it as a field (`field(init=False)` if it is derived), or compute it when it is asked for"
        raise NotEncodable(value, "", f"its attribute {told} is not a field and would be lost", fix=fix)


def _is_derived(cls: type, name: str) -> bool:
    """Whether an attribute makes itself again: a cached property, or what `Box[int](...)` leaves behind."""
    if name == "__orig_class__":
        return True
    functools = sys.modules.get("functools")
    return functools is not None and isinstance(getattr(cls, name, None), functools.cached_property)


def _encode_standard(value: Any, name: str) -> Json | None:
    kind = type(value)
    if kind is datetime or kind is time:
        tree: dict[str, Json] = {"$": name, "v": value.replace(tzinfo=None).isoformat()}
        if value.tzinfo is not None:
            tree["tz"] = encode_zone(value.tzinfo)
        return tree | ({"fold": 1} if value.fold else {})
    if kind is date:
        return {"$": "date", "v": value.isoformat()}
    if kind is timedelta:
        return {"$": "timedelta", "v": [value.days, value.seconds, value.microseconds]}
    if name == "Decimal":
        return {"$": "decimal", "v": str(value)}
    return {"$": "uuid", "v": str(value)} if name == "UUID" else None


def encode_zone(zone: Any) -> Json:
    """The tree of a time zone.

    Raises:
        NotEncodable: it is neither a `datetime.timezone` nor a named `zoneinfo.ZoneInfo`.
    """
    kind = type(zone)
    if kind is timezone:
        offset = zone.utcoffset(None)
        tree: dict[str, Json] = {"offset": [offset.days, offset.seconds, offset.microseconds]}
        name = zone.tzname(None)
        return tree if name == timezone(offset).tzname(None) else tree | {"name": encode_part(name, (None, {}), 0)}
    if kind.__module__.startswith("zoneinfo") and kind.__name__ == "ZoneInfo" and zone.key:
        return {"zone": zone.key}
    fix = 'use zoneinfo.ZoneInfo("Europe/Berlin") or datetime.timezone'
    raise NotEncodable(zone, ".tzinfo", "only datetime.timezone and named zoneinfo.ZoneInfo zones are kept", fix=fix)


def decode_zone(tree: Json) -> Any:
    """The time zone of a tree; None for None."""
    if tree is None:
        return None
    if "zone" in tree:
        from zoneinfo import ZoneInfo

        return ZoneInfo(tree["zone"])
    offset = timedelta(*tree["offset"])
    return timezone(offset, decode(tree["name"])) if "name" in tree else timezone(offset)


def decode_record(tree: Json, leaf: LeafDecoder | None) -> Any:
    """The record of a tree that `encode_record` made.

    Raises:
        NotDecodable: the class is no longer what the tree says.
        ImportError, AttributeError: the class isn't there any more.
    """
    tag = tree["$"]
    if tag in ("dataclass", "namedtuple"):
        return _decode_fields(tree, leaf)
    if tag in ("enum", "flag"):
        return _decode_enum(tree)
    if tag == "pydantic":
        from drawloom.ir.envelope_pydantic import decode_model

        return decode_model(tree, leaf)
    return _decode_standard(tree)


def _decode_enum(tree: Json) -> Any:
    cls = class_of(tree, Enum)
    if tree["$"] == "flag":
        return cls(int(tree["v"], 16))
    found = cls.__members__.get(tree["v"])
    if found is None:
        raise NotDecodable(f"{tree['class']} has no member {tree['v']!r} any more")
    return found


def class_of(tree: Json, base: type) -> Any:
    """The class a tree names, which must be one of `base`.

    Raises:
        NotDecodable: the name stands for something else.
        ImportError, AttributeError: it stands for nothing.
    """
    cls = class_by_ref(tree["class"])
    # a tree is data: it must not be able to call what isn't a record
    if not isinstance(cls, type) or not issubclass(cls, base):
        raise NotDecodable(f"{tree['class']} is no {tree['$']} class")
    return cls


def _decode_fields(tree: Json, leaf: LeafDecoder | None) -> Any:
    is_tuple = tree["$"] == "namedtuple"
    cls = class_of(tree, tuple if is_tuple else object)
    specs = getattr(cls, "__dataclass_fields__", {})
    fields = [name for name, spec in specs.items() if spec._field_type.name == "_FIELD"]
    names: list[str] = list(getattr(cls, "_fields", ())) if is_tuple else fields
    check_fields(tree, names)
    if not is_tuple and not hasattr(cls, "__dataclass_fields__"):
        raise NotDecodable(f"{tree['class']} is not a dataclass any more")
    values = {name: decode(v, leaf) for name, v in tree["v"]}
    if is_tuple:
        return tuple.__new__(cls, [values[name] for name in names])
    made = object.__new__(cls)
    for name, item in values.items():
        object.__setattr__(made, name, item)  # it serves frozen classes too
    return made


def check_fields(tree: Json, names: list[str]) -> None:
    """Refuses (`NotDecodable`) a record whose class has other fields now than when it was stored."""
    stored = [name for name, _ in tree["v"]]
    if sorted(stored) != sorted(names):
        now, then = ", ".join(names) or "none", ", ".join(stored) or "none"
        raise NotDecodable(f"{tree['class']} has the fields {now} now; the stored value has {then}")


def _decode_standard(tree: Json) -> Any:
    tag, text = tree["$"], tree["v"]
    if tag == "timedelta":
        return timedelta(*text)
    if tag == "date":
        return date.fromisoformat(text)
    if tag == "datetime":
        return datetime.fromisoformat(text).replace(tzinfo=decode_zone(tree.get("tz")), fold=tree.get("fold", 0))
    if tag == "time":
        return time.fromisoformat(text).replace(tzinfo=decode_zone(tree.get("tz")), fold=tree.get("fold", 0))
    if tag == "decimal":
        from decimal import Decimal

        return Decimal(text)
    from uuid import UUID

    return UUID(text)
