"""What differs between two profiles of a table: columns, number of rows, and how values are distributed.

Distributions are compared by the columns' sketches (values at evenly spaced ranks) and most frequent values, so both
tables need not be read again. Two figures say how far apart they are: the Kolmogorov-Smirnov distance, the largest
difference between the shares of values up to any point; and the population stability index over the old table's
deciles or values, of which the field takes 0.1 for a small and 0.25 for a large shift.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, Final

from drawloom.catalog.profile import ColumnProfile, Histogram, TableProfile
from drawloom.catalog.profile_text import cut, plain_text, short_number

__all__ = ["ColumnChange", "TableChange", "compare_tables"]

SMALL_SHIFT: Final = 0.1
LARGE_SHIFT: Final = 0.25
_NULL_SHARE: Final = 0.01
_LEAST_SHARE: Final = 1 / 512  # half a place of a sketch, for an empty bin, whose logarithm has no end
_OUTLIER: Final = 0.1
_DECILES: Final = 10


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """How a column that both tables have differs.

    Args:
        name: its label.
        old_type, new_type: its dtypes.
        old_null_share, new_null_share: the shares of rows that hold nothing.
        stability_index: the population stability index, None where there is nothing to compare.
        ks_distance: the Kolmogorov-Smirnov distance of numbers and times, None for others.
        old_mean, new_mean: the means of numbers.
        mean_shift: their difference in standard deviations of the old column, None where that is 0 or unknown.
        old_range, new_range: least and greatest number or time as text, "" for others.
        wider: whether the new range goes beyond the old one by more than a tenth of it.
        appeared, vanished: values of a column with few values that only one of the tables has.
        changed: whether anything above is worth a line: another dtype, a shift, other nulls, other values.
    """

    name: str
    old_type: str
    new_type: str
    old_null_share: float = 0.0
    new_null_share: float = 0.0
    stability_index: float | None = None
    ks_distance: float | None = None
    old_mean: float | None = None
    new_mean: float | None = None
    mean_shift: float | None = None
    old_range: str = ""
    new_range: str = ""
    wider: bool = False
    appeared: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    changed: bool = False

    @property
    def retyped(self) -> bool:
        """Whether the dtype is another one."""
        return self.old_type != self.new_type

    @property
    def shift(self) -> str:
        """`large`, `small` or `` by the stability index and the Kolmogorov-Smirnov distance."""
        most = max(self.stability_index or 0.0, self.ks_distance or 0.0)
        return "large" if most >= LARGE_SHIFT else "small" if most >= SMALL_SHIFT else ""


@dataclass(frozen=True, slots=True)
class TableChange:
    """What differs between two tables.

    Args:
        old_rows, new_rows: their numbers of rows.
        added, removed: (label, dtype) of columns only the new, or only the old, table has.
        columns: the columns both have, in the new table's order, changed or not.
        reordered: whether the columns both have come in another order.
        part: where in the value the table is, "" where the value is a table itself.
    """

    old_rows: int
    new_rows: int
    added: tuple[tuple[str, str], ...] = ()
    removed: tuple[tuple[str, str], ...] = ()
    columns: tuple[ColumnChange, ...] = ()
    reordered: bool = False
    part: str = ""

    @property
    def retyped(self) -> tuple[ColumnChange, ...]:
        """The columns that have another dtype."""
        return tuple(column for column in self.columns if column.retyped)

    @property
    def changed(self) -> bool:
        """Whether anything differs that a profile can see."""
        schema = self.added or self.removed or self.reordered or self.old_rows != self.new_rows
        return bool(schema) or any(column.changed for column in self.columns)

    def to_json(self) -> dict[str, Any]:
        """The difference as a JSON object."""
        tree = asdict(self)
        for column, change in zip(tree["columns"], self.columns, strict=True):
            column["shift"] = change.shift
        for name in ("added", "removed"):
            tree[name] = [{"name": label, "type": kind} for label, kind in getattr(self, name)]
        return {**tree, "columns": list(tree["columns"]), "changed": self.changed}

    def lines(self, width: int = 80) -> list[str]:
        """The difference as text, one line for each thing that differs; none where nothing does."""
        lines = []
        if self.old_rows != self.new_rows:
            grown = f" ({100 * (self.new_rows / self.old_rows - 1):+.1f} %)" if self.old_rows else ""
            lines.append(f"rows {self.old_rows:,} -> {self.new_rows:,}{grown}")
        lines += [f"+ {plain_text(name)}  {plain_text(kind)}" for name, kind in self.added]
        lines += [f"- {plain_text(name)}  {plain_text(kind)}" for name, kind in self.removed]
        if self.reordered:
            lines.append("the columns come in another order")
        for column in self.columns:
            if column.changed:
                lines.append(f"~ {plain_text(column.name)}  {'; '.join(_words(column))}")
        return [cut(line, max(width, 20)) for line in lines]


def _words(change: ColumnChange) -> list[str]:
    words = []
    if change.retyped:
        words.append(f"{plain_text(change.old_type)} -> {plain_text(change.new_type)}")
    if change.shift:
        figures = []
        if change.stability_index is not None:
            figures.append(f"PSI {change.stability_index:.2f}")
        if change.ks_distance is not None:
            figures.append(f"KS {change.ks_distance:.2f}")
        words.append(f"{change.shift} shift ({', '.join(figures)})")
    if change.shift and change.old_mean is not None and change.new_mean is not None:
        words.append(f"mean {short_number(change.old_mean)} -> {short_number(change.new_mean)}")
    if change.wider:
        words.append(f"range {change.old_range} -> {change.new_range}")
    if abs(change.new_null_share - change.old_null_share) >= _NULL_SHARE:
        words.append(f"nulls {100 * change.old_null_share:.1f} % -> {100 * change.new_null_share:.1f} %")
    if change.appeared:
        words.append(f"new values {_listed(change.appeared)}")
    if change.vanished:
        words.append(f"gone values {_listed(change.vanished)}")
    return words


def _listed(values: Sequence[str]) -> str:
    shown = ", ".join(plain_text(value) or repr("") for value in values[:3])
    return shown if len(values) <= 3 else f"{shown} and {len(values) - 3} more"


def compare_tables(old: TableProfile, new: TableProfile) -> TableChange:
    """What differs between two profiles; columns of one label are matched in their order."""
    before, after = _by_label(old), _by_label(new)
    shared = [place for place in after if place in before]
    return TableChange(
        old_rows=old.rows,
        new_rows=new.rows,
        added=tuple((c.name, c.type) for place, c in after.items() if place not in before),
        removed=tuple((c.name, c.type) for place, c in before.items() if place not in after),
        columns=tuple(compare_columns(before[place], after[place]) for place in shared),
        reordered=[place for place in before if place in after] != shared,
        part=new.part,
    )


def _by_label(table: TableProfile) -> dict[tuple[str, int], ColumnProfile]:
    seen: Counter[str] = Counter()
    found = {}
    for column in table.columns:
        found[column.name, seen[column.name]] = column
        seen[column.name] += 1
    return found


def compare_columns(old: ColumnProfile, new: ColumnProfile) -> ColumnChange:
    """How two columns differ."""
    index = distance = shift = None
    appeared: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    if old.sketch and new.sketch and _measured(old) == _measured(new):
        distance = ks_distance(old.sketch, new.sketch)
        index = stability_index(*_decile_shares(old.sketch, new.sketch))
        if old.std and old.mean is not None and new.mean is not None:
            shift = (new.mean - old.mean) / old.std
    elif old.top and new.top:
        index = stability_index(*_value_shares(old, new))
        if _complete(old) and _complete(new):
            appeared = _only_in(new, old)
            vanished = _only_in(old, new)
    change = ColumnChange(
        name=new.name,
        old_type=old.type,
        new_type=new.type,
        old_null_share=old.null_share,
        new_null_share=new.null_share,
        stability_index=index,
        ks_distance=distance,
        old_mean=old.mean,
        new_mean=new.mean,
        mean_shift=shift if shift is not None and math.isfinite(shift) else None,
        old_range=_range(old),
        new_range=_range(new),
        wider=_measured(old) == _measured(new) and _is_wider(old.histogram, new.histogram),
        appeared=appeared,
        vanished=vanished,
    )
    return _judged(change)


def _range(column: ColumnProfile) -> str:
    if column.minimum is None:
        return ""
    return f"{short_number(column.minimum)} .. {short_number(column.maximum)}"


def _is_wider(old: Histogram | None, new: Histogram | None) -> bool:
    if old is None or new is None:
        return False
    low, high = old.edges[0], old.edges[-1]
    room = _OUTLIER * (high - low)
    return new.edges[0] < low - room or new.edges[-1] > high + room


def _judged(change: ColumnChange) -> ColumnChange:
    return replace(change, changed=bool(_words(change)))


def _measured(column: ColumnProfile) -> str:
    """What a sketch's numbers are, so that dates aren't compared with prices."""
    return "seconds" if column.kind == "duration" else column.kind


def ks_distance(old: Sequence[float], new: Sequence[float]) -> float:
    """The Kolmogorov-Smirnov distance of two ascending samples."""
    points = sorted({*old, *new})
    return max(abs(bisect_right(old, x) / len(old) - bisect_right(new, x) / len(new)) for x in points)


def _decile_shares(old: Sequence[float], new: Sequence[float]) -> tuple[list[float], list[float]]:
    """The shares of both samples between the old one's deciles, open at both ends."""
    ends = sorted({old[len(old) * place // _DECILES] for place in range(1, _DECILES)})
    return _shares_between(old, ends), _shares_between(new, ends)


def _shares_between(sample: Sequence[float], ends: Sequence[float]) -> list[float]:
    ranks = [0, *(bisect_right(sample, end) for end in ends), len(sample)]
    return [(high - low) / len(sample) for low, high in pairwise(ranks)]


def _value_shares(old: ColumnProfile, new: ColumnProfile) -> tuple[list[float], list[float]]:
    """The shares of the values both columns tell about; what only one of them lists counts as other values."""
    before, after = dict(old.top), dict(new.top)
    told = [v for v in {**before, **after} if (v in before or _complete(old)) and (v in after or _complete(new))]
    return _with_rest(before, told, old), _with_rest(after, told, new)


def _with_rest(counts: Mapping[str, int], values: Sequence[str], column: ColumnProfile) -> list[float]:
    present = max(1, column.rows - column.nulls)
    shares = [counts.get(value, 0) / present for value in values]
    return [*shares, max(0.0, 1.0 - sum(shares))]


def _complete(column: ColumnProfile) -> bool:
    """Whether all values are among the most frequent ones."""
    return column.top_exact and column.distinct == len(column.top)


def _only_in(one: ColumnProfile, other: ColumnProfile) -> tuple[str, ...]:
    known = dict(other.top)
    return tuple(value for value, _ in one.top if value not in known)


def stability_index(old: Sequence[float], new: Sequence[float]) -> float:
    """The population stability index of two lists of shares."""
    pairs = ((max(a, _LEAST_SHARE), max(b, _LEAST_SHARE)) for a, b in zip(old, new, strict=True) if a or b)
    return sum((b - a) * math.log(b / a) for a, b in pairs)
