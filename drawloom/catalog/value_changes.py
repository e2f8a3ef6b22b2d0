"""How two versions of a value differ, in a line: by what their envelopes show, without reading what they refer to."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from drawloom.catalog.records import ValueRef
from drawloom.ir.canonical import Json
from drawloom.values.store import Values
from drawloom.values.text import format_bytes, shorten, tree_text

__all__ = ["table_differences", "value_change"]

_WIDTH: Final = 40
_MOST_LINES: Final = 10
_TABLES: Final = ("dataframe", "series", "arrow_table", "arrow_batch", "polars", "polars_series")


def value_change(
    before: ValueRef, after: ValueRef, old: tuple[bool, Json], new: tuple[bool, Json]
) -> tuple[str, tuple[str, ...]]:
    """What went from one version to the other: a short text, and more in lines.

    Args:
        before, after: the versions.
        old, new: (whether the envelope can be had, the envelope) of each.
    """
    if not (old[0] and new[0]):
        return f"{_size_text(before)} -> {_size_text(after)}", ()
    one, other = old[1], new[1]
    if _tag(one) == _tag(other) and _tag(one) in (*_TABLES, "file", "directory"):
        return _content(one, other), ()
    short = [shorten(tree_text(tree), _WIDTH) for tree in (one, other)]
    if short[0] == short[1]:  # they differ behind what is shown
        return f"{short[0]} (digest {before.digest[:12]} -> {after.digest[:12]})", tuple(_parts(one, other))
    return f"{short[0]} -> {short[1]}", tuple(_parts(one, other))


def _size_text(ref: ValueRef) -> str:
    return f"{ref.digest[:12]} ({format_bytes(ref.size_bytes)})"


def _tag(tree: Json) -> str:
    return str(tree.get("$")) if isinstance(tree, dict) else ""


def _content(one: Any, other: Any) -> str:
    """Of a table its rows and columns, of a file its size and name, where they differ; else the digests."""
    found = []
    if isinstance(one.get("rows"), int) and one.get("rows") != other.get("rows"):
        found.append(f"rows {one['rows']} -> {other.get('rows')}")
    found += _columns(one.get("columns"), other.get("columns"))
    if one.get("name") != other.get("name"):
        found.append(f"name {one.get('name')} -> {other.get('name')}")
    if isinstance(one.get("size"), int) and isinstance(other.get("size"), int) and _tag(one) not in _TABLES:
        sizes = [format_bytes(tree["size"]) for tree in (one, other)]
        found += [f"{sizes[0]} -> {sizes[1]}"] if sizes[0] != sizes[1] else []
    if not found:
        digests = [str(tree.get("object") or tree.get("digest") or "")[:12] for tree in (one, other)]
        found.append(f"{tree_text(other)}, content {digests[0]} -> {digests[1]}")
    return ", ".join(found)


def _columns(one: Any, other: Any) -> list[str]:
    """Which labels came and went; a table's columns are the envelope of an index."""
    try:
        old, new = ([tree_text(label) for label in columns["form"]["labels"]] for columns in (one, other))
    except (KeyError, TypeError):
        return []
    gone, come = [c for c in old if c not in new], [c for c in new if c not in old]
    found = [f"columns {', '.join(come)} added"] if come else []
    return found + ([f"columns {', '.join(gone)} removed"] if gone else [])


def _parts(one: Json, other: Json) -> list[str]:
    """The parts of two lists, dicts or records that differ, a line each."""
    old, new = _items(one), _items(other)
    if not old or not new or _tag(one) != _tag(other):
        return []
    lines = []
    for name in dict.fromkeys([*old, *new]):
        if name in old and name in new and old[name] == new[name]:
            continue
        texts = [shorten(tree_text(side[name]), _WIDTH) if name in side else "nothing" for side in (old, new)]
        lines.append(f"{name}: {texts[0]} -> {texts[1]}")
    more = len(lines) - _MOST_LINES
    return [*lines[:_MOST_LINES], f"and {more} more"] if more > 0 else lines


def _items(tree: Any) -> dict[str, Json]:
    if isinstance(tree, list):
        return {f"[{k}]": item for k, item in enumerate(tree)}
    tag, inner = _tag(tree), tree.get("v") if isinstance(tree, dict) else None
    if not isinstance(inner, list):
        return {}
    if tag == "tuple":
        return {f"[{k}]": item for k, item in enumerate(inner)}
    if tag in ("dict", "dataclass", "namedtuple", "pydantic"):
        return {tree_text(key) if tag == "dict" else str(key): item for key, item in inner}
    return {}


def table_differences(values: Values) -> Callable[[Json, Json], tuple[str, ...]]:
    """What says in lines how two tables differ, their contents read: schema, rows, distributions."""

    def differ(old: Json, new: Json) -> tuple[str, ...]:
        if _tag(old) not in _TABLES or _tag(new) not in _TABLES:
            return ()
        try:  # lazy: pandas and pyarrow, only where somebody asks this much
            made = import_module("drawloom.catalog.profile_read").profile_of_tree
            compared = import_module("drawloom.catalog.profile_compare").compare_tables
        except ImportError:
            return ()
        found: Any = compared(*(made(values, values.objects, tree, "") for tree in (old, new)))
        return tuple(found.lines(100))

    return differ
