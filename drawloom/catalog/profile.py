"""The profile of a stored table: columns, statistics, histograms and first rows, computed when somebody asks.

Nothing is computed when a value is written: that path has to be fast. The stored file is read column by column,
batch by batch, so that memory holds one column of one batch, and what was found lies in the index's cache folder, a
small file for each value digest, which can be deleted at any time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from drawloom.catalog.artifacts import Version
from drawloom.catalog.cache_folder import cache_folder
from drawloom.errors import Diagnostic, StoreError
from drawloom.ir.canonical import Json, digest_json

if TYPE_CHECKING:
    from drawloom.catalog.catalog import Catalog
    from drawloom.catalog.profile_compare import TableChange

__all__ = ["ColumnProfile", "Histogram", "TableProfile", "compare", "profile", "profiles", "profiles_of_tree"]

_PROFILE_VERSION: Final = 1  # of what is computed: another one makes the cached files anew
_TABLES: Final = ("dataframe", "series", "arrow_table", "arrow_batch", "polars", "polars_series")
_RECORDS: Final = ("dataclass", "namedtuple", "pydantic")
_PARTS_LIMIT: Final = 100


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many values lie between each two neighbours of `edges`; the last interval includes its end.

    Args:
        edges: ascending; one more than `counts`. Of datetimes: seconds since the epoch.
        counts: for each interval.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column. What doesn't apply to its kind, or to a column without values, is None or empty.

    Args:
        name: the label, as text; several columns may have the same.
        type: the dtype, as pandas or Arrow call it.
        kind: `number`, `bool`, `datetime`, `duration` (numbers of it are seconds), `text`, `category`, `nested`, `null`
            or `other`.
        rows: rows of the table.
        nulls: how many of them hold nothing: null, None, NaN, NaT.
        distinct: how many different values there are.
        distinct_exact: whether `distinct` is exact; it is estimated (within about 1 %) where there are very many.
        infinite: how many numbers are infinite; the other statistics leave them out.
        minimum, maximum: the ends of the range; ISO 8601 for datetimes.
        mean, std: the mean and the sample's standard deviation.
        quantiles: (fraction, value) pairs.
        quantiles_exact: whether they, and `sketch`, are exact; they come from a sample where there are very many rows.
        top: the most frequent values as text, and how often each occurs.
        top_exact: whether these are surely the most frequent, with their exact counts.
        histogram: of numbers, durations and datetimes.
        sketch: values at evenly spaced ranks, ascending: what `compare` compares distributions by.
    """

    name: str
    type: str
    kind: str
    rows: int = 0
    nulls: int = 0
    distinct: int | None = None
    distinct_exact: bool = True
    infinite: int = 0
    minimum: int | float | str | None = None
    maximum: int | float | str | None = None
    mean: float | None = None
    std: float | None = None
    quantiles: tuple[tuple[float, float], ...] = ()
    quantiles_exact: bool = True
    top: tuple[tuple[str, int], ...] = ()
    top_exact: bool = True
    histogram: Histogram | None = None
    sketch: tuple[float, ...] = ()

    @property
    def null_share(self) -> float:
        """The share of rows that hold nothing, 0 for a table without rows."""
        return self.nulls / self.rows if self.rows else 0.0


@dataclass(frozen=True, slots=True)
class TableProfile:
    """A table: its columns in order, its number of rows, and the first few of them.

    Args:
        rows: how many there are.
        columns: in order.
        preview: the first rows; each cell a number, a text or None.
        part: where in the value the table is (`train`, `[2]`), "" where the value is a table itself.
        index: the names and dtypes of a pandas index that isn't just the row numbers, "" otherwise.
    """

    rows: int
    columns: tuple[ColumnProfile, ...]
    preview: tuple[tuple[Any, ...], ...] = ()
    part: str = ""
    index: str = ""

    def to_json(self, *, sketches: bool = False) -> dict[str, Any]:
        """The profile as a JSON object.

        Args:
            sketches: whether the columns' sketches are in it; 256 numbers for each.
        """
        columns = [asdict(column) for column in self.columns]
        for column in columns:
            if not sketches:
                del column["sketch"]
        rows = [list(row) for row in self.preview]
        return {"part": self.part, "rows": self.rows, "index": self.index, "columns": columns, "preview": rows}

    @classmethod
    def from_json(cls, document: Any) -> TableProfile:
        """The profile of what `to_json(sketches=True)` gave.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: it is something else.
        """
        columns = tuple(_column(tree) for tree in document["columns"])
        preview = tuple(tuple(row) for row in document["preview"])
        return cls(document["rows"], columns, preview, document["part"], document["index"])

    def lines(self, width: int = 80) -> list[str]:
        """The profile as text, no line wider than `width` characters (which can't be below 40)."""
        from drawloom.catalog.profile_text import profile_lines

        return profile_lines(self, width)

    def _repr_html_(self) -> str:
        from drawloom.catalog.profile_text import profile_html

        return profile_html(self)


def _column(tree: dict[str, Any]) -> ColumnProfile:
    given = dict(tree)
    histogram = given.pop("histogram")
    if histogram is not None:
        histogram = Histogram(tuple(histogram["edges"]), tuple(histogram["counts"]))
    for name in ("quantiles", "top"):
        given[name] = tuple((one, two) for one, two in given[name])
    given["sketch"] = tuple(given["sketch"])
    return ColumnProfile(**given, histogram=histogram)


def profile(catalog: Catalog, version: Version) -> TableProfile | None:
    """The profile of the table a version is, or of the first table in it; None if it holds no table.

    Raises:
        StoreError: an object is missing or corrupt; S484, pandas or pyarrow isn't installed.
    """
    return next(_each(catalog, version), None)


def profiles(catalog: Catalog, version: Version) -> list[TableProfile]:
    """The profiles of all tables in a version: parts of lists, dicts, tuples, NamedTuples, dataclasses, models.

    At most 100 of them; `part` says which is which.

    Raises:
        StoreError: as `profile`.
    """
    return [found for found, _ in zip(_each(catalog, version), range(_PARTS_LIMIT), strict=False)]


def profiles_of_tree(catalog: Catalog, tree: Json) -> list[TableProfile]:
    """The profiles of all tables in the value of an envelope, as `profiles` gives those in a version."""
    found = zip(_tables_in(tree, ""), range(_PARTS_LIMIT), strict=False)
    return [_of_tree(catalog, part, table) for (part, table), _ in found]


def compare(old: TableProfile, new: TableProfile) -> TableChange:
    """What differs between two profiles: columns, number of rows, distributions."""
    from drawloom.catalog.profile_compare import compare_tables  # whoever only looks needs none of it

    return compare_tables(old, new)


def _each(catalog: Catalog, version: Version) -> Iterator[TableProfile]:
    for part, tree in _tables_in(catalog.values.tree(version.ref), ""):
        yield _of_tree(catalog, part, tree)


def _tables_in(tree: Json, part: str) -> Iterator[tuple[str, Json]]:
    """(part, tree) of each table in a value, in the value's order."""
    inner = tree.get("v") if isinstance(tree, dict) else None
    tag = tree.get("$") if isinstance(tree, dict) else None
    if tag in _TABLES:
        yield part, tree
    elif isinstance(tree, list) or (tag == "tuple" and isinstance(inner, list)):
        for i, item in enumerate(tree if isinstance(tree, list) else inner or ()):
            yield from _tables_in(item, f"{part}[{i}]")
    elif tag in _RECORDS and isinstance(inner, list):
        for name, item in inner:
            yield from _tables_in(item, f"{part}.{name}" if part else str(name))
    elif tag == "dict" and isinstance(inner, list):
        for key, item in inner:
            yield from _tables_in(item, f"{part}[{json.dumps(key, ensure_ascii=False)}]")


def _of_tree(catalog: Catalog, part: str, tree: Json) -> TableProfile:
    path = _cache_path(catalog, part, tree)
    found = _read_cached(path) if path is not None else None
    if found is not None:
        return found
    try:
        from drawloom.catalog.profile_read import profile_of_tree  # loads pandas and pyarrow
    except ImportError as error:
        raise StoreError(_no_library(error)) from error
    made = profile_of_tree(catalog.values, catalog.objects, tree, part)
    if path is not None:
        _write_cached(path, made)
    return made


def _no_library(error: ImportError) -> Diagnostic:
    return Diagnostic(
        code="S484",
        what=f"the table can't be profiled: {error}",
        where=None,
        fix="install pandas and pyarrow: `pip install 'drawloom[tables]'`",
    )


# the cache


def _cache_path(catalog: Catalog, part: str, tree: Json) -> str | None:
    folder = cache_folder(catalog.storage.url)
    if folder is None:
        return None
    name = digest_json([_PROFILE_VERSION, part, tree["$"], tree["digest"]])
    return os.path.join(folder, "profiles", f"{name}.json")


def _read_cached(path: str) -> TableProfile | None:
    try:
        with open(path, encoding="utf-8") as file:
            return TableProfile.from_json(json.load(file))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None  # not there, cut off, or of another version: it is made anew


def _write_cached(path: str, made: TableProfile) -> None:
    part = f"{path}.{os.getpid():x}-{os.urandom(4).hex()}"
    with suppress(OSError):  # a cache that can't be written costs time, nothing else
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        try:
            with open(part, "w", encoding="utf-8") as file:
                json.dump(made.to_json(sketches=True), file)
            os.replace(part, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(part)
