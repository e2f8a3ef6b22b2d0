"""The statistics of one column, gathered chunk by chunk in bounded memory.

Sums are merged as Chan, Golub and LeVeque do; distinct values are counted by the k smallest hashes (exact below k,
within about 1/sqrt(k) above); quantiles are exact as long as all numbers fit into the sample, and come from an even
random sample after that; top values are exact as long as all candidates fit.
"""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from drawloom.catalog.profile import ColumnProfile, Histogram
from drawloom.catalog.profile_values import (
    Shortened,
    as_text,
    cell,
    ends_of,
    finite_or_none,
    kind_of,
    numeric,
    plain,
    present_values,
    shown_end,
)

__all__ = ["ColumnStatistics", "Distinct", "Numbers", "TopValues"]

_types = pa.types
_compute: Any = import_module("pyarrow.compute")  # its functions are made at import: no checker sees them

_HASHES: Final = 1 << 15
_SAMPLE: Final = 1 << 20  # 8 MB of numbers
_SKETCH: Final = 256
_BINS: Final = 20
_TOP: Final = 20
_CANDIDATES: Final = 1 << 15
_FRACTIONS: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


class Distinct:
    """Counts different 64-bit hashes."""

    def __init__(self) -> None:
        self._least = np.empty(0, np.uint64)
        self.exact = True

    def add(self, hashes: Any) -> None:
        """Takes an array of hashes, doubles and all."""
        if not self.exact:
            hashes = hashes[hashes < self._least[-1]]
        merged = np.sort(np.concatenate([self._least, hashes]))  # `numpy.unique` takes 20 times as long over hashes
        if len(merged):
            merged = merged[np.concatenate([[True], merged[1:] != merged[:-1]])]
        if len(merged) > _HASHES:
            merged = merged[:_HASHES].copy()
            self.exact = False
        self._least = merged

    @property
    def count(self) -> int:
        """The number of different hashes, estimated where there are many."""
        if self.exact:
            return len(self._least)
        share = (float(self._least[-1]) + 1) / 2.0**64
        return round((_HASHES - 1) / share)


class Numbers:
    """Moments, sample and histogram of finite numbers."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self.low, self.high = math.inf, -math.inf
        self._squares = 0.0  # of the differences from the mean
        self._sample = np.empty(0)
        self._keys = np.empty(0)
        self._random = np.random.default_rng(0)  # the same sample each time: nothing here needs surprise
        self.edges = np.empty(0)
        self.counts = np.empty(0, np.int64)

    def add(self, values: Any) -> None:
        """Takes an array of finite floats."""
        if not len(values):
            return
        n = len(values)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean())
            squares = float(np.square(values - mean).sum())
            shift, total = mean - self.mean, self.count + n
            self.mean = mean if not self.count else self.mean + shift * (n / total)
            self._squares += squares + (shift * shift * self.count * (n / total) if self.count else 0.0)
        self.count = total
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        self._sample = np.concatenate([self._sample, values])
        if self.complete:
            return
        while len(self._keys) < len(self._sample):
            self._keys = np.concatenate([self._keys, self._random.random(len(self._sample) - len(self._keys))])
        if len(self._sample) > 2 * _SAMPLE or not self.complete:
            kept = np.argpartition(self._keys, _SAMPLE - 1)[:_SAMPLE]
            self._sample, self._keys = self._sample[kept], self._keys[kept]

    @property
    def complete(self) -> bool:
        """Whether the sample has every number."""
        return self.count <= _SAMPLE

    @property
    def std(self) -> float | None:
        """The sample's standard deviation."""
        return finite_or_none(math.sqrt(self._squares / (self.count - 1))) if self.count > 1 else None

    def quantiles(self) -> tuple[tuple[float, float], ...]:
        """(fraction, value) pairs, by linear interpolation as pandas does."""
        if not self.count:
            return ()
        # neighbours whose difference overflows: a sum of shares of them doesn't
        scaled = self._sample / 2
        return tuple((f, float(v) * 2) for f, v in zip(_FRACTIONS, np.quantile(scaled, _FRACTIONS), strict=True))

    def sketch(self) -> tuple[float, ...]:
        """The values at evenly spaced ranks."""
        if not self.count:
            return ()
        ordered = np.sort(self._sample)
        size = min(_SKETCH, len(ordered))
        places = ((np.arange(size) + 0.5) * len(ordered) / size).astype(np.int64)
        return tuple(float(v) for v in ordered[places])

    def begin_histogram(self) -> None:
        """Fixes the edges, now that the range is known; fills it where the sample is complete."""
        share = np.linspace(0.0, 1.0, _BINS + 1)
        self.edges = np.unique(self.low * (1 - share) + self.high * share)
        self.edges[0], self.edges[-1] = self.low, self.high
        self.counts = np.zeros(max(1, len(self.edges) - 1), np.int64)
        if self.complete:
            self.add_to_histogram(self._sample)

    def add_to_histogram(self, values: Any) -> None:
        """Counts finite floats."""
        places = np.searchsorted(self.edges, values, side="right") - 1
        self.counts += np.bincount(np.clip(places, 0, len(self.counts) - 1), minlength=len(self.counts))

    def histogram(self) -> Histogram | None:
        """The histogram, None without numbers."""
        if not self.count:
            return None
        edges = self.edges if len(self.edges) > 1 else np.repeat(self.edges, 2)
        return Histogram(tuple(float(e) for e in edges), tuple(int(c) for c in self.counts))


class TopValues:
    """Counts texts; the rarest give way where there are too many to keep."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._texts: dict[int, str] = {}
        self.exact = True

    def add(self, hashes: Any, texts: Any, counts: Any) -> None:
        """Takes hashes of different values, a sequence of their texts, and how often each occurs."""
        for place, (key, count) in enumerate(zip(hashes.tolist(), counts.tolist(), strict=True)):
            if key not in self._counts:
                self._texts[key] = texts[place]
            self._counts[key] = self._counts.get(key, 0) + count
        if len(self._counts) > 2 * _CANDIDATES:
            self.exact = False
            kept = sorted(self._counts, key=self._order)[:_CANDIDATES]
            self._counts = {key: self._counts[key] for key in kept}
            self._texts = {key: self._texts[key] for key in kept}

    def _order(self, key: int) -> tuple[int, str]:
        return -self._counts[key], self._texts[key]

    def top(self) -> tuple[tuple[str, int], ...]:
        """The most frequent, by falling count."""
        return tuple((self._texts[key], self._counts[key]) for key in sorted(self._counts, key=self._order)[:_TOP])


class ColumnStatistics:
    """Takes the chunks of a column, then gives its profile.

    Args:
        name: the column's label.
        type: the dtype's text; `arrow` stands for the chunks' own type.
        rows: the table's number of rows.
    """

    def __init__(self, name: str, type: str, rows: int) -> None:  # noqa: A002  # as in the profile
        self._name, self._type, self._rows = name, type, rows
        self._kind = ""
        self._arrow: Any = pa.null()
        self._nulls = self._infinite = self._seen = 0
        self._range: tuple[Any, Any] | None = None
        self._distinct = Distinct()
        self._numbers = Numbers()
        self._top = TopValues()
        self.preview: list[Any] = []

    def add(self, chunk: Any, preview_rows: int) -> None:
        """Takes a chunk; of the first ones, the first `preview_rows` rows are kept."""
        chunk = plain(chunk)
        if not self._kind:
            self._arrow = chunk.type
            self._kind = kind_of(chunk.type)
            if self._type == "arrow":
                self._type = f"{chunk.type}[pyarrow]"
        if len(self.preview) < preview_rows:
            self.preview += [cell(value) for value in chunk.slice(0, preview_rows - len(self.preview))]
        if self._kind in ("nested", "other", "null"):
            self._nulls += chunk.null_count
            return
        present = present_values(chunk)
        self._nulls += len(chunk) - len(present)
        if len(present):
            self._add_present(present)

    def _add_present(self, present: Any) -> None:
        if self._kind in ("text", "category"):
            self._add_texts(present)
        elif self._kind == "bool":
            true = int(_compute.sum(present).as_py())
            counts = np.array([true, len(present) - true])
            seen = np.array([1, 0], np.uint64)[counts > 0]
            self._distinct.add(seen)
            self._top.add(seen, [t for t, c in zip(("True", "False"), counts, strict=True) if c], counts[counts > 0])
        elif self._kind in ("number", "duration", "datetime"):
            self._add_numbers(present)

    def _add_texts(self, present: Any) -> None:
        self._seen += len(present)
        encoded = present if _types.is_dictionary(present.type) else as_text(present).dictionary_encode()
        counts = np.bincount(encoded.indices.to_numpy(), minlength=len(encoded.dictionary))
        used = np.flatnonzero(counts)
        values = as_text(encoded.dictionary.take(pa.array(used)))
        texts = values.to_pylist()
        hashes = pd.util.hash_array(np.array([*texts, ""], dtype=object)[:-1], categorize=False)
        self._distinct.add(hashes)
        places = np.arange(len(used))
        if not self._distinct.exact and 2 * self._distinct.count > self._seen:
            places = np.flatnonzero(counts[used] > 1)  # ids: nearly all would be kept for a moment, and none in the end
            self._top.exact = False
        self._top.add(hashes[places], Shortened([texts[place] for place in places]), counts[used][places])

    def _add_numbers(self, present: Any) -> None:
        exact, values = numeric(present)
        finite = np.isfinite(values)
        if not finite.all():
            self._infinite += int(len(values) - finite.sum())
            values = values[finite]
        self._distinct.add(pd.util.hash_array(exact, categorize=False))
        self._numbers.add(values)
        low, high = ends_of(present, values)
        if low is not None:
            self._range = (low, high) if self._range is None else (min(self._range[0], low), max(self._range[1], high))

    @property
    def needs_second_pass(self) -> bool:
        """Whether the chunks have to come again, for the histogram: the range is known only now."""
        if not self._numbers.count:
            return False
        self._numbers.begin_histogram()
        return not self._numbers.complete

    def add_to_histogram(self, chunk: Any) -> None:
        """Takes a chunk once more."""
        present = present_values(plain(chunk))
        if len(present):
            _, values = numeric(present)
            self._numbers.add_to_histogram(values[np.isfinite(values)])

    def profile(self) -> ColumnProfile:
        """The column's profile."""
        numbers = self._numbers
        counted = self._kind not in ("nested", "other")
        measured = self._kind in ("number", "duration") and numbers.count > 0
        low, high = (shown_end(end, self._arrow) for end in self._range or (None, None))
        return ColumnProfile(
            name=self._name,
            type=self._type,
            kind=self._kind or "null",
            rows=self._rows,
            nulls=self._nulls,
            distinct=self._distinct.count if counted else None,
            distinct_exact=self._distinct.exact,
            infinite=self._infinite,
            minimum=low,
            maximum=high,
            mean=finite_or_none(numbers.mean) if measured else None,
            std=numbers.std if measured else None,
            quantiles=numbers.quantiles() if measured else (),
            quantiles_exact=numbers.complete,
            top=self._top.top(),
            top_exact=self._top.exact,
            histogram=numbers.histogram(),
            sketch=numbers.sketch(),
        )
