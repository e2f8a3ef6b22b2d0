"""A stored value as text, or as a file of a format other programs read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from drawloom.catalog.artifacts import Version
from drawloom.catalog.catalog import Catalog
from drawloom.cli.values import plain_tree
from drawloom.errors import Diagnostic, ProjectError, Span
from drawloom.ir.canonical import Json

__all__ = ["export"]

Write = Callable[[Any, Path], object]


def export(version: Version, name: str, catalog: Catalog, output: str | None) -> str:
    """Writes a value to a file, or gives its text.

    Args:
        version: which version.
        name: the artifact's name, for errors.
        catalog: where it is.
        output: the file to write; None for the text.

    Returns:
        The text; "" if a file was written.

    Raises:
        ProjectError: the value needs a file (P632), can't be written as one of that name (P633), or the file can't be
            written (P631).
    """
    tree = catalog.values.tree(version.ref)
    kind = str(tree.get("$")) if isinstance(tree, dict) else ""
    if output is None:
        if _has_leaf(tree):
            raise ProjectError(_needs_file(name, version, kind, tree, _in_python(catalog, name, version)))
        return tree if isinstance(tree, str) else json.dumps(plain_tree(tree), indent=2, ensure_ascii=False)
    path = Path(output)
    _check_format(tree, kind, path, name, _in_python(catalog, name, version))
    try:
        _write(catalog.values.decode(tree) if kind in (*_WRITERS, *_AS_THEY_ARE) else None, tree, kind, path)
    except OSError as error:
        what = f"{output!r} can't be written: {error.strerror or error}"
        raise ProjectError(Diagnostic("P631", what, Span(output, 0), "give another file after -o")) from error
    return ""


def _has_leaf(tree: Json) -> bool:
    if isinstance(tree, list):
        return any(map(_has_leaf, tree))
    if not isinstance(tree, dict):
        return False
    if "digest" in tree or tree.get("$") in ("bytes", "bytearray"):
        return True
    inner = tree.get("v")
    return isinstance(inner, list) and any(map(_has_leaf, inner))


def _tags(tree: Json) -> set[str]:
    if isinstance(tree, list):
        return set().union(*map(_tags, tree))
    return {str(tree.get("$"))} | _tags(tree.get("v")) if isinstance(tree, dict) else set()


def _in_python(catalog: Catalog, name: str, version: Version) -> str:
    where = repr(catalog.store_url) + (f", {catalog.project!r}" if catalog.project != "default" else "")
    return f"load it in Python: `Catalog.open({where}).load({name!r}, {version.number})`"


def _needs_file(name: str, version: Version, kind: str, tree: Json, in_python: str) -> Diagnostic:
    suffix = next(iter(_WRITERS.get(kind, {})), "")
    example = str(tree.get("name")) if kind in ("file", "directory") else f"{name.rpartition('/')[2]}{suffix}"
    what = f"{name!r} version {version.number} is a {version.type or kind}, which can't be printed"
    fix = f"give a file: `-o {example}`" if kind in (*_WRITERS, *_AS_THEY_ARE) else in_python
    if _tags(tree) & _TABLES:
        fix += f"; `drawloom catalog profile {name}` shows its tables"
    return Diagnostic("P632", what, None, fix)


def _check_format(tree: Json, kind: str, path: Path, name: str, in_python: str) -> None:
    """Refuses a file that can't hold the value, before the value is loaded."""
    writers = _WRITERS.get(kind)
    if writers is None and kind not in _AS_THEY_ARE and _has_leaf(tree):
        raise ProjectError(_no_format(name, kind, path, in_python))
    json_in_other = writers is None and kind not in _AS_THEY_ARE and not isinstance(tree, str)
    if json_in_other and path.suffix.lower() in {suffix for known in _WRITERS.values() for suffix in known}:
        raise ProjectError(_no_format(name, "value of JSON", path, "end the name with .json"))
    if writers is not None and path.suffix.lower() not in writers:
        raise ProjectError(_no_format(name, kind, path, f"end the name with {' or '.join(writers)}"))


def _write(value: Any, tree: Json, kind: str, path: Path) -> None:
    if kind in ("file", "directory"):
        copy = shutil.copytree if kind == "directory" else shutil.copyfile
        copy(value.path, path)
        return
    if kind in ("bytes", "bytearray"):
        path.write_bytes(value)
        return
    writers = _WRITERS.get(kind)
    if writers is None:
        text = tree if isinstance(tree, str) else json.dumps(plain_tree(tree), indent=2, ensure_ascii=False) + "\n"
        path.write_text(text, encoding="utf-8")
        return
    writers[path.suffix.lower()](value, path)


def _no_format(name: str, kind: str, path: Path, fix: str) -> Diagnostic:
    what = f"{name!r} is a {kind or 'value with parts that are no JSON'}, which can't be written as {path.name!r}"
    return Diagnostic("P633", what, Span(str(path), 0), fix)


def _arrow_to_parquet(table: Any, path: Path) -> None:
    from pyarrow import parquet  # only who keeps Arrow tables has it

    parquet.write_table(table, path)


def _arrow_to_csv(table: Any, path: Path) -> None:
    from pyarrow import csv

    csv.write_csv(table, path)


def _array_to_npy(array: Any, path: Path) -> None:
    import numpy as np  # only who keeps arrays has it

    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


_AS_THEY_ARE: Final = ("file", "directory", "bytes", "bytearray")
_TABLES: Final = {"dataframe", "series", "arrow_table", "polars"}
_WRITERS: Final[dict[str, dict[str, Write]]] = {
    "dataframe": {
        ".csv": lambda frame, path: frame.to_csv(path, index=False),
        ".parquet": lambda frame, path: frame.to_parquet(path),
    },
    "series": {".csv": lambda series, path: series.to_csv(path, index=False)},
    "arrow_table": {".parquet": _arrow_to_parquet, ".csv": _arrow_to_csv},
    "polars": {
        ".csv": lambda frame, path: frame.write_csv(path),
        ".parquet": lambda frame, path: frame.write_parquet(path),
    },
    "figure": {".png": lambda picture, path: picture.save(path)},
    "ndarray": {".npy": _array_to_npy},
}
