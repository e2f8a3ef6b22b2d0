"""The structural envelope: Python values of standard types as a JSON tree, and back.

JSON's own null, true, false, strings, lists, finite floats and integers below 2^53 stand for themselves; everything
else is an object with a tag under `"$"`. What the envelope doesn't know (arrays, frames, files, models) is a *leaf*:
the caller's hook turns it into a tagged tree and back, so that one item or field of a value can be read without the
rest. Types must match exactly: a subclass of `dict` would come back as a `dict`, so it is refused rather than changed.
A value is a tree: two places that hold the same list come back as two equal lists.

Two values are *equal* here if they have the same type and equal parts; dicts and sets compare without order, 0.0
equals -0.0 and NaN equals NaN. `value_digest` follows that. Standard library alone: a step loads this
module. Records (dataclasses, enums, datetimes, ...) are in `ir.envelope_records`, loaded when the first one turns up.
"""

from __future__ import annotations

import sys
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from typing import Any

from drawloom.ir.canonical import Json, canonical_json, digest_bytes, digest_json

__all__ = [
    "BLOB_BYTES",
    "MAX_DEPTH",
    "Hooks",
    "LeafDecoder",
    "NotDecodable",
    "NotEncodable",
    "class_by_ref",
    "class_ref",
    "decode",
    "encode",
    "encode_part",
    "normalise",
    "show_key",
    "too_deep",
    "value_digest",
]

BLOB_BYTES = 4096
"""Bytes longer than this are a leaf where there is a hook; the digest is the same either way."""

MAX_DEPTH = 150
"""How deep a value may be nested: a fixed number, so that it doesn't depend on the stack of whoever encodes.

Encoding, hashing and writing need up to six stack frames a level, and CPython's default limit is 1,000.
"""

_SAFE_INT = 2**53
LeafEncoder = Callable[[Any], Json]
LeafDecoder = Callable[[Json], Any]
# what `encode` hands down: the leaf hook, and the hooks of classes whose codec was chosen by name
Hooks = tuple[LeafEncoder | None, Mapping[type, LeafEncoder]]
Encoder = Callable[[Any, Hooks, int], Json]


class NotEncodable(TypeError):
    """A value, or a part of one, can't be put in an envelope; `path` leads from the value to the part.

    Args:
        value: the part.
        path: the way to it, as Python writes it: `['a'][3].x`.
        reason: why not, "" where its type is simply unknown.
        code: `V301` unknown type, `V302` a class that can't be imported again, `V303` too deep,
            others a codec's.
        fix: what to do about it, "" for the advice that goes with the code.
    """

    def __init__(self, value: object, path: str, reason: str = "", code: str = "V301", fix: str = "") -> None:
        self.type_name = _type_name(type(value))
        self.path = path
        self.reason = reason
        self.code = code
        self.fix = fix
        super().__init__()

    def __str__(self) -> str:
        return self.told("value")

    def told(self, what: str) -> str:
        """The sentence, with the name the value has for its user."""
        path = self.path if len(self.path) <= 200 else f"{self.path[:60]}...{self.path[-60:]}"
        return f"{what}{path} is {_article(self.type_name)}{self.reason and ': ' + self.reason}"

    def inside(self, step: str) -> NotEncodable:
        """Puts a step before the path, on the way out of a container."""
        self.path = step + self.path
        return self


class NotDecodable(ValueError):
    """A tree isn't the envelope of any value here: an unknown tag, or a class that is gone or has changed."""


def _type_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _article(name: str) -> str:
    return f"an {name}" if name[:1].lower() in "aeio" else f"a {name}"


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
    found: Any = sys.modules.get(module)
    if found is None or getattr(found.__spec__, "_initializing", False):  # another thread may be importing it
        from importlib import import_module

        found = import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


def encode(value: Any, leaf: LeafEncoder | None = None, chosen: Mapping[type, LeafEncoder] | None = None) -> Json:
    """The envelope of `value`.

    Args:
        value: any value of the types above, nested at will.
        leaf: called for a value of any other type, and for long bytes; returns its tagged tree, or raises
            `NotEncodable` with the path inside that value.
        chosen: class -> hook, for classes that are not to be taken apart even where the envelope could.

    Returns:
        A JSON tree.

    Raises:
        NotEncodable: a part has a type nobody knows, or the value contains itself or is nested too deep.
    """
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _encode_str(value)
    if kind is int:
        return value if -_SAFE_INT < value < _SAFE_INT else {"$": "int", "v": hex(value)}
    return encode_part(value, (leaf, chosen or {}), 0)


def encode_part(value: Any, hooks: Hooks, depth: int) -> Json:
    """`encode`, `depth` levels inside a value; for the modules that know more kinds of records."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    encoder = _ENCODERS.get(kind)
    if encoder is not None:
        return encoder(value, hooks, depth)
    hook = hooks[1].get(kind)
    if hook is not None:
        return hook(value)
    from drawloom.ir.envelope_records import encode_record  # its imports wait until a record turns up

    record = encode_record(value, hooks, depth)
    if record is not None:
        return record
    if hooks[0] is None:
        raise NotEncodable(value, "")
    return hooks[0](value)


def too_deep(value: Any) -> NotEncodable:
    """The refusal of a container that lies too deep, or in itself."""
    return NotEncodable(value, "", f"it contains itself, or is nested more than {MAX_DEPTH} levels deep", "V303")


def _encode_str(value: str, _hooks: Hooks | None = None, _depth: int = 0) -> Json:
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        # JSON would join two lone surrogates into one character, so such a string is kept as bytes
        raw = value.encode("utf-8", "surrogatepass")
        return {"$": "str", "v": b2a_base64(raw, newline=False).decode("ascii")}
    return value


def _encode_int(value: int, _hooks: Hooks, _depth: int) -> Json:
    return value if -_SAFE_INT < value < _SAFE_INT else {"$": "int", "v": hex(value)}


def _encode_float(value: float, _hooks: Hooks, _depth: int) -> Json:
    return value if value - value == 0.0 else {"$": "float", "v": repr(value)}  # inf - inf and NaN - NaN are NaN


def _is_plain(values: list[Any]) -> bool:
    """Whether each item stands for itself; a million floats are looked through in a few milliseconds."""
    kinds = set(map(type, values))
    if len(kinds) != 1:
        return False
    kind = kinds.pop()
    if kind is float:
        total = sum(values)
        return bool(total - total == 0.0)  # a NaN or an infinity would have survived the sum
    if kind is int:
        return bool(min(values) > -_SAFE_INT and max(values) < _SAFE_INT)
    if kind is str:
        return all(map(str.isascii, values))
    return kind is bool


def _encode_list(value: list[Any], hooks: Hooks, depth: int) -> Json:
    if len(value) > 8 and _is_plain(value):
        return value.copy()
    return _encode_items(value, hooks, depth)


def _encode_items(values: Any, hooks: Hooks, depth: int) -> list[Json]:
    if depth > MAX_DEPTH:
        raise too_deep(values)
    made: list[Json] = []
    try:
        for item in values:
            made.append(encode_part(item, hooks, depth + 1))  # noqa: PERF401 - its length tells where it stopped
    except NotEncodable as error:
        raise error.inside(f"[{len(made)}]") from None
    return made


def _encode_tuple(value: tuple[Any, ...], hooks: Hooks, depth: int) -> Json:
    return {"$": "tuple", "v": _encode_items(value, hooks, depth)}


def _encode_set(value: Any, hooks: Hooks, depth: int) -> Json:
    if depth > MAX_DEPTH:
        raise too_deep(value)
    try:
        made = [encode_part(v, hooks, depth + 1) for v in value]
    except NotEncodable as error:
        raise error.inside("{...}") from None
    # a set has no order of its own: the written one is that of the canonical text, the same in every process
    return {"$": type(value).__name__, "v": sorted(made, key=canonical_json)}


def _encode_dict(value: dict[Any, Any], hooks: Hooks, depth: int) -> Json:
    if depth > MAX_DEPTH:
        raise too_deep(value)
    pairs = []
    for key, item in value.items():
        try:
            name = encode_part(key, _NO_HOOKS, depth + 1)  # keys are compared and hashed: never a leaf
        except NotEncodable as error:
            raise error.inside(f" key {show_key(key)}") from None
        try:
            pairs.append([name, encode_part(item, hooks, depth + 1)])
        except NotEncodable as error:
            raise error.inside(f"[{show_key(key)}]") from None
    return {"$": "dict", "v": pairs}


def show_key(key: Any) -> str:
    """A key as its user would write it: short, and without an object's address."""
    kind = type(key)
    if kind in (str, bytes, float, bool, type(None)) or (kind is int and -_SAFE_INT < key < _SAFE_INT):
        shown = repr(key)
        return shown if len(shown) <= 60 else shown[:56] + "..."
    if kind is tuple and len(key) <= 4:
        return f"({', '.join(map(show_key, key))})"
    return f"<{_type_name(kind)}>"


def _encode_bytes(value: bytes | bytearray, hooks: Hooks, _depth: int) -> Json:
    if len(value) > BLOB_BYTES and hooks[0] is not None:
        return hooks[0](value)
    return {"$": type(value).__name__, "v": b2a_base64(value, newline=False).decode("ascii")}


def _encode_complex(value: complex, hooks: Hooks, depth: int) -> Json:
    return {"$": "complex", "v": [_encode_float(value.real, hooks, depth), _encode_float(value.imag, hooks, depth)]}


_NO_HOOKS: Hooks = (None, {})
_ENCODERS: dict[type, Encoder] = {
    int: _encode_int,
    str: _encode_str,
    float: _encode_float,
    list: _encode_list,
    tuple: _encode_tuple,
    set: _encode_set,
    frozenset: _encode_set,
    dict: _encode_dict,
    bytes: _encode_bytes,
    bytearray: _encode_bytes,
    complex: _encode_complex,
}


def decode(tree: Json, leaf: LeafDecoder | None = None) -> Any:
    """The value of an envelope; the inverse of `encode`.

    Args:
        tree: a JSON tree that `encode` made.
        leaf: called with each tagged tree the envelope doesn't know.

    Raises:
        NotDecodable: a tag is unknown and there is no hook, or a record's class has other fields now.
        ImportError, AttributeError: the class of a record or an enum isn't there any more.
    """
    kind = type(tree)
    if kind is list:
        return [decode(t, leaf) if type(t) in _NESTED else t for t in tree]
    if kind is not dict:
        return tree
    tag = tree.get("$")
    decoder = _DECODERS.get(tag)
    if decoder is None or "object" in tree:
        if leaf is None:
            raise NotDecodable(f"unknown tag {tag!r} in an envelope")
        return leaf(tree)
    return decoder(tree, leaf)


def _decode_record(tree: Json, leaf: LeafDecoder | None) -> Any:
    from drawloom.ir.envelope_records import decode_record

    return decode_record(tree, leaf)


_NESTED = (list, dict)
_DECODERS: dict[Any, Callable[[Json, LeafDecoder | None], Any]] = {
    "str": lambda t, _: a2b_base64(t["v"]).decode("utf-8", "surrogatepass"),
    "int": lambda t, _: int(t["v"], 16),
    "float": lambda t, _: float(t["v"]),
    "complex": lambda t, leaf: complex(*[decode(v, leaf) for v in t["v"]]),
    "tuple": lambda t, leaf: tuple([decode(v, leaf) for v in t["v"]]),
    "set": lambda t, leaf: {decode(v, leaf) for v in t["v"]},
    "frozenset": lambda t, leaf: frozenset([decode(v, leaf) for v in t["v"]]),
    "dict": lambda t, leaf: {decode(k): decode(v, leaf) for k, v in t["v"]},
    "bytes": lambda t, _: a2b_base64(t["v"]),
    "bytearray": lambda t, _: bytearray(a2b_base64(t["v"])),
    **dict.fromkeys(
        (
            "enum",
            "flag",
            "dataclass",
            "namedtuple",
            "pydantic",
            "datetime",
            "time",
            "date",
            "timedelta",
            "decimal",
            "uuid",
        ),
        _decode_record,
    ),
}


def normalise(tree: Json) -> Json:
    """An envelope with all that equality ignores taken out: the order of dicts, the sign of zero, a leaf's bytes."""
    kind = type(tree)
    if kind is float:
        return tree + 0.0  # IEEE 754: -0.0 + 0.0 is 0.0
    if kind is list:
        return [normalise(t) for t in tree]
    if kind is not dict:
        return tree
    tag = tree.get("$")
    if "digest" in tree:  # a leaf: its codec says what equal content is
        return {"$": tag, "digest": tree["digest"]}
    if tag == "dict":
        return {"$": tag, "v": _sorted_pairs([[normalise(k), normalise(v)] for k, v in tree["v"]])}
    if tag in ("set", "frozenset"):
        return {"$": tag, "v": sorted([normalise(t) for t in tree["v"]], key=canonical_json)}
    if tag in ("bytes", "bytearray"):  # as the blob codec does for long ones
        return {"$": tag, "digest": digest_bytes(a2b_base64(tree["v"]))}
    if tag == "pydantic":  # which fields were given and which are defaults is no part of its equality
        tree = {key: part for key, part in tree.items() if key != "set"}
    return {key: part if type(part) is str else normalise(part) for key, part in tree.items()}


def _sorted_pairs(pairs: list[Json]) -> list[Json]:
    made = sorted([(canonical_json(pair[0]), pair) for pair in pairs], key=lambda p: p[0])
    if any(made[i][0] == made[i + 1][0] for i in range(len(made) - 1)):  # two NaN keys: their values decide
        made.sort(key=lambda p: (p[0], canonical_json(p[1][1])))
    return [pair for _, pair in made]


def value_digest(tree: Json, text: str = "") -> str:
    """The digest of the value an envelope stands for: equal values have equal digests, 64 hex characters.

    Args:
        tree: the envelope.
        text: its canonical JSON, where the caller has it already.
    """
    text = text or canonical_json(tree)
    if "{" not in text and "-0.0" not in text:  # plain scalars and lists of them: `normalise` would change nothing
        return digest_bytes(text.encode("ascii"))
    return digest_json(normalise(tree))
