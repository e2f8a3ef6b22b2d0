"""Stored values as text, from their envelopes: without their classes, and without loading a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from drawloom.ir.canonical import Json

__all__ = ["format_bytes", "shorten", "tree_text"]

_BRACKETS: Final = {"tuple": "()", "set": "{}", "frozenset": "{}"}
_RECORDS: Final = ("dataclass", "namedtuple", "pydantic")
_KINDS: Final = {
    "dataframe": "DataFrame",
    "series": "Series",
    "arrow_table": "pyarrow.Table",
    "figure": "Figure",
}


def format_bytes(size_bytes: int) -> str:
    """A size for people: `812 B`, `4.0 kB`, `1.2 MB`.

    >>> format_bytes(4_000)
    '4.0 kB'
    """
    if size_bytes < 1000:
        return f"{size_bytes} B"
    size = float(size_bytes)
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 1000:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} TB"


def shorten(text: str, limit: int) -> str:
    """`text` on one line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 3]}..."


def tree_text(tree: Json) -> str:
    """What Python would print for the value of an envelope; leaves by kind and size."""
    if isinstance(tree, list):
        return f"[{', '.join(map(tree_text, tree))}]"
    if not isinstance(tree, dict):
        return repr(tree)
    tag, inner = str(tree.get("$")), tree.get("v")
    if tag in _BRACKETS and isinstance(inner, list):
        return _sequence_text(tag, [tree_text(item) for item in inner])
    if tag == "dict" and isinstance(inner, list):
        return "{" + ", ".join(f"{tree_text(k)}: {tree_text(v)}" for k, v in inner) + "}"
    if tag in _RECORDS and isinstance(inner, list):
        return f"{_class_name(tree)}({', '.join(f'{name}={tree_text(v)}' for name, v in inner)})"
    return _scalar_text(tag, tree)


def _sequence_text(tag: str, items: list[str]) -> str:
    if tag == "tuple":
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    return f"{'' if tag == 'set' and items else tag}{'{' if items else '('}{', '.join(items)}{'}' if items else ')'}"


def _scalar_text(tag: str, tree: dict[str, Any]) -> str:
    inner = tree.get("v")
    if tag == "int":
        return str(int(str(inner), 16))
    if tag == "enum":
        return f"{_class_name(tree)}.{inner}"
    if tag in ("float", "decimal", "date", "datetime", "time", "uuid"):
        return str(inner)
    if tag in ("file", "directory"):
        return f"{tag} {tree.get('name', '')}{_size(tree)}".replace(" ,", ",")
    if tag == "secret":
        return f"Secret({tree.get('name')!r})"
    if tag == "external":
        return f"External({tree.get('uri')!r})"
    return f"{_KINDS.get(tag, tag)}{_shape(tree)}{_size(tree)}"


def _class_name(tree: dict[str, Any]) -> str:
    return str(tree.get("class", "")).rpartition(":")[2]


def _shape(tree: dict[str, Any]) -> str:
    if "class" in tree:
        return f" {_class_name(tree)}"
    if "shape" in tree:
        return f" {tree.get('dtype', '')} {' x '.join(map(str, tree['shape']))}".replace("  ", " ").rstrip()
    rows, columns = tree.get("rows"), tree.get("columns")
    if isinstance(rows, int):
        columns = columns if isinstance(columns, list) else tree.get("dtypes")  # labels of pandas' are an index
        width = f" x {len(columns)}" if isinstance(columns, list) else ""
        return f" {rows}{width}"
    return ""


def _size(tree: dict[str, Any]) -> str:
    return f", {format_bytes(tree['size'])}" if isinstance(tree.get("size"), int) else ""
