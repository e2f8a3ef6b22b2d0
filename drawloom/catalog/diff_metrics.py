"""The metrics of two runs, side by side: which have another last value, came or went."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drawloom.catalog.logged import logged_name
from drawloom.catalog.records import Index

if TYPE_CHECKING:
    from drawloom.catalog.run import Run

__all__ = ["MetricDiff", "metric_differences"]


@dataclass(frozen=True, slots=True)
class MetricDiff:
    """A metric whose last value differs between two runs; None where a run hasn't logged it.

    Args:
        node, index: the call that logged it.
        metric: its name.
        before, after: the last values.
    """

    node: str
    index: Index
    metric: str
    before: float | None
    after: float | None

    @property
    def name(self) -> str:
        """What it is called in its pipeline: `train[3]:loss`."""
        return logged_name(self.node, self.index, self.metric)


def metric_differences(before: Run, after: Run) -> Iterator[MetricDiff]:
    """The metrics that differ: the later run's in program order, then those that it hasn't got."""
    one, other = _metrics(before), _metrics(after)
    for key in dict.fromkeys((*other, *one)):
        old, new = one.get(key), other.get(key)
        both_nan = old is not None and new is not None and old != old and new != new
        if old != new and not both_nan:
            yield MetricDiff(*key, old, new)


def _metrics(run: Run) -> dict[tuple[str, Index, str], float]:
    return {(node, index, name): value for node, index, record in run.told() for name, value in record.metrics}
