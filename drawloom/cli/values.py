"""Stored values as text and as plain JSON, from their envelopes: without their classes, and without loading a table."""

from __future__ import annotations

import json
from typing import Any, Final

from drawloom.catalog.records import ValueRef
from drawloom.ir.canonical import Json
from drawloom.values.store import Values
from drawloom.values.text import shorten, tree_text

__all__ = ["plain_tree", "shorten", "tree_text", "value_document", "value_text"]

_BRACKETS: Final = {"tuple": "()", "set": "{}", "frozenset": "{}"}
_RECORDS: Final = ("dataclass", "namedtuple", "pydantic")


def value_text(ref: ValueRef, values: Values, limit: int = 200) -> str:
    """A version's value on one line, shortened to `limit` characters."""
    return shorten(tree_text(values.tree(ref)), limit)


def value_document(ref: ValueRef, values: Values) -> dict[str, Any]:
    """A version as a JSON object: type, digest, size, its text, and `value` where it can be written as plain JSON."""
    tree = values.tree(ref)
    return {
        "type": ref.type,
        "digest": ref.digest,
        "size_bytes": ref.size_bytes,
        "text": shorten(tree_text(tree), 200),
        "value": plain_tree(tree),
    }


def plain_tree(tree: Json) -> Json:
    """The value of an envelope as plain JSON: tuples as lists, records as objects, dates as texts; None for leaves."""
    if isinstance(tree, list):
        return [plain_tree(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    tag, inner = str(tree.get("$")), tree.get("v")
    if tag in _BRACKETS and isinstance(inner, list):
        return [plain_tree(item) for item in inner]
    if tag == "dict" and isinstance(inner, list):
        return {_key(k): plain_tree(v) for k, v in inner}
    if tag in _RECORDS and isinstance(inner, list):
        return {name: plain_tree(v) for name, v in inner}
    if tag in ("int", "float", "enum", "decimal", "date", "datetime", "time", "uuid", "numpy"):
        return int(str(inner), 16) if tag == "int" else inner
    return None


def _key(tree: Json) -> str:
    plain = plain_tree(tree)
    return plain if isinstance(plain, str) else json.dumps(plain)
