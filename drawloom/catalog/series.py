"""Every value of an attempt's metrics, as one object of JSON lines.

A line is a piece of one metric, its points in the order they were logged:

    {"metric": "loss", "steps": [0, 1, 2], "values": [0.9, 0.4, "nan"]}

`nan`, `inf` and `-inf` are texts, because JSON has no such numbers. While an attempt goes on, a bounded number of
points is kept in memory; more go to a scratch file. Standard library alone: a step loads this module once a task logs.
"""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Final

from drawloom.storage.objects import Objects
from drawloom.values.scratch import new_folder

__all__ = ["SeriesWriter", "read_series"]

_BUFFERED_POINTS: Final = 65_536  # 1 MB


class _Column:
    """The points of one metric that are not in the file yet."""

    __slots__ = ("count", "steps", "told", "values")

    def __init__(self) -> None:
        self.count = 0  # of all points, those in the file included
        self.told = False  # whether the task has named a step
        self.steps = array("q")
        self.values = array("d")


class SeriesWriter:
    """Takes points one by one; the caller lets one thread in at a time."""

    def __init__(self) -> None:
        self._columns: dict[str, _Column] = {}
        self._buffered = 0
        self._file: IO[bytes] | None = None

    def add(self, name: str, value: float, step: int | None) -> None:
        """Takes a point; without a step it is the number of points before it.

        Raises:
            OverflowError: the step has more than 64 bits.
            OSError: the scratch file can't be written.
        """
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = _Column()
        column.steps.append(column.count if step is None else step)
        column.values.append(value)
        column.count += 1
        column.told = column.told or step is not None
        self._buffered += 1
        if self._buffered >= _BUFFERED_POINTS:
            self._spill()

    def finish(self, objects: Objects) -> str:
        """Puts what was taken into the store.

        Returns:
            The object's digest; "" if no metric has several values or a step of its own.

        Raises:
            StoreError: the store can't be written.
            OSError: the scratch file can't be written.
        """
        told = [name for name, column in self._columns.items() if column.count > 1 or column.told]
        if not told:
            return ""
        if self._file is None:
            return objects.put(b"".join(self._lines(told)))
        self._spill()
        self._file.close()
        sha, _ = objects.put_file(self._file.name)
        self.close()
        return sha

    def close(self) -> None:
        """Removes the scratch file, if there is one."""
        if self._file is not None:
            self._file.close()
            with suppress(OSError):
                os.unlink(self._file.name)
            self._file = None

    def _spill(self) -> None:
        if self._file is None:
            self._file = open(os.path.join(new_folder(), "series.jsonl"), "wb")  # noqa: SIM115  # closed by `close`
        self._file.writelines(self._lines(list(self._columns)))
        for column in self._columns.values():
            del column.steps[:], column.values[:]
        self._buffered = 0

    def _lines(self, names: list[str]) -> Iterator[bytes]:
        for name in names:
            column = self._columns[name]
            if column.values:
                values = [v if v - v == 0.0 else repr(v) for v in column.values]
                line = {"metric": name, "steps": column.steps.tolist(), "values": values}
                yield json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"


def read_series(data: bytes) -> dict[str, list[tuple[int, float]]]:
    """Metric name -> its (step, value) points in the order they were logged.

    Args:
        data: the object that a record's `series` names.
    """
    found: dict[str, list[tuple[int, float]]] = {}
    for line in data.splitlines():
        part = json.loads(line)
        points = zip(part["steps"], map(float, part["values"]), strict=True)
        found.setdefault(part["metric"], []).extend(points)
    return found
