"""What tasks logged, as `show` tells it: metrics and artifacts, as lines of a table and as JSON."""

from __future__ import annotations

from typing import Any, Final

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.logged import Telling, logged_name
from drawloom.catalog.records import Index, ValueRef
from drawloom.catalog.run import Run
from drawloom.cli.output import Column, format_bytes, table, write
from drawloom.cli.values import value_document, value_text
from drawloom.storage.objects import object_key
from drawloom.storage.prefixed import local_path

__all__ = ["logged_documents", "metric_documents", "number_document", "number_text", "told_by", "write_tracked"]

_MOST: Final = 20  # lines of each kind

Told = list[tuple[str, Index, Telling]]  # (node, index, the record that tells)


def told_by(run: Run, node: str | None = None, index: Index | None = None) -> Told:
    """What the calls of a run logged, or those in one node, or one instance of it."""
    return list(run.told(node, index))


def metric_documents(told: Told) -> list[dict[str, Any]]:
    """Each metric with its last value; NaN and infinities as texts."""
    return [
        {
            "node": node,
            "index": list(index),
            "name": name,
            "value": number_document(value),
        }
        for node, index, record in told
        for name, value in record.metrics
    ]


def number_document(value: float) -> float | str:
    """A metric's value in a JSON document: NaN and infinities, which JSON has not, as texts."""
    return value if value - value == 0.0 else repr(value)


def logged_documents(told: Told, catalog: Catalog) -> list[dict[str, Any]]:
    """Each artifact and figure."""
    return [
        {
            "node": node,
            "index": list(index),
            "name": name,
            **value_document(ref, catalog.values),
            "path": _picture(ref, catalog),
        }
        for node, index, record in told
        for name, ref in record.logged
    ]


def write_tracked(told: Told, catalog: Catalog) -> None:
    """A table of the metrics and one of the artifacts; nothing where there are none."""
    metrics = [[logged_name(n, i, name), number_text(v)] for n, i, record in told for name, v in record.metrics]
    _write_some([Column("metric", whole=True), Column("last value", right=True)], metrics, "metrics", len(metrics))
    refs = [(logged_name(n, i, name), ref) for n, i, record in told for name, ref in record.logged]
    rows = [
        [name, ref.digest[:12], format_bytes(ref.size_bytes), value_text(ref, catalog.values, 80)]
        for name, ref in refs[:_MOST]
    ]
    columns = [Column("logged", whole=True), Column("digest", whole=True), Column("size", right=True), Column("value")]
    _write_some(columns, rows, "artifacts", len(refs))
    for name, ref in refs[:_MOST]:
        path = _picture(ref, catalog)
        if path is not None:
            write(f"picture   {name}  {path}")


def _write_some(columns: list[Column], rows: list[list[str]], what: str, count: int) -> None:
    if not rows:
        return
    write("")
    table(columns, rows[:_MOST])
    if count > _MOST:
        write(f"... {count - _MOST} {what} more; --json shows all of them")


def number_text(value: float) -> str:
    """A metric's value as a person reads it."""
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else f"{value:.6g}"


def _picture(ref: ValueRef, catalog: Catalog) -> str | None:
    """Where the PNG file of a picture lies; None for other values."""
    tree = catalog.values.tree(ref)
    if not isinstance(tree, dict) or tree.get("$") != "figure":
        return None
    key = object_key(tree["object"])
    return local_path(catalog.storage, key) or f"{catalog.url}/{key}"
