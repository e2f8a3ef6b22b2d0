"""`Tracked`: what an attempt has logged besides what it printed. Standard library alone: a step loads this module."""

from __future__ import annotations

from typing import Final

from drawloom.frozen import dataclass
from drawloom.values.ref import ValueRef

__all__ = ["NOTHING", "Tracked"]


@dataclass(frozen=True, slots=True)
class Tracked:
    """What an attempt logged, in the form in which a record keeps it.

    Args:
        metrics: (name, last value) of each metric.
        series: the object with all values of those that have several, "" if there are none.
        logged: (name, version) of each artifact and figure.
        checkpoint: the name of the checkpoint folder it used, "" if it used none; in no record.
    """

    metrics: tuple[tuple[str, float], ...] = ()
    series: str = ""
    logged: tuple[tuple[str, ValueRef], ...] = ()
    checkpoint: str = ""


NOTHING: Final = Tracked()
