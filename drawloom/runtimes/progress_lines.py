"""Progress as plain lines, for pipes, logs and terminals that can't move their cursor."""

from __future__ import annotations

from typing import ClassVar, Final, TextIO

from drawloom.catalog.commands import RunAddress
from drawloom.display.formats import format_seconds, one_line
from drawloom.runtimes.progress_thread import ThreadedProgress, progress_text
from drawloom.runtimes.tally import Row, Tally, Told

__all__ = ["LinesProgress"]

_BETWEEN_SECONDS: Final = 1.0  # between two lines about the same map or loop


class LinesProgress(ThreadedProgress):
    """One line for each call outside maps and loops; for those in them one a second at most, and one at the end.

    Failures and further attempts are told each by itself, whatever they belong to.

    Args:
        stream: where the lines go.
        summary: whether failures are told in full and the end is told; not where the caller does it.
        at: where commands find the run, if not in the project's own catalog.
    """

    pause_seconds: ClassVar[float] = 0.2

    def __init__(self, stream: TextIO, *, summary: bool = True, at: RunAddress | None = None) -> None:
        super().__init__(stream, summary=summary, at=at)
        self._last: dict[str, tuple[float, int]] = {}  # row -> (when it was told, how many were done then)
        self._complete: set[str] = set()
        self._headed = False

    def show(self, tally: Tally, told: list[Told], now: float, outcome: str) -> None:
        lines: list[str] = []
        if not self._headed:
            self._headed = True
            lines.append(f"run {self.run} of {self.name}: {tally.nodes} nodes")
        for one in told:
            row = tally.rows.get(one.node)
            if one.kind != "failed" or not self._told_later(one):
                lines += self.log_lines(one, row)
            if one.kind == "complete" and row is not None:
                lines += self._row_lines(row, now, over=True)
            elif one.kind in ("failed", "retrying") or row is None or not row.many:
                lines.append(self.told_line(one))
        for row in tally.rows.values():
            if row.many and row.done and row.node not in self._complete:
                lines += self._row_lines(row, now, over=bool(outcome))
        if outcome:
            lines += self.end_lines(outcome, now)
        if lines:
            print("\n".join(lines), file=self.stream, flush=True)

    def _forget(self) -> None:
        super()._forget()
        self._last.clear()
        self._complete.clear()

    def _told_later(self, one: Told) -> bool:
        """Whether what a failed attempt wrote is shown at the end: by the caller, or by `end_lines`."""
        return not self.summary or one in self._failures

    def _row_lines(self, row: Row, now: float, *, over: bool) -> list[str]:
        when, done = self._last.get(row.node, (self.began, 0))
        if row.complete or over:
            self._complete.add(row.node)
            counts = ", ".join(f"{count:,} {name}" for name, count in row.counts().items())
            state = row.outcome if row.complete or not row.exact else f"{progress_text(row)}"
            return [f"{one_line(row.node)}: {state} in {format_seconds(row.elapsed(now))} ({counts})"]
        if row.done == done or now - when < _BETWEEN_SECONDS:
            return []
        self._last[row.node] = (now, row.done)
        return [f"{one_line(row.node)}: {progress_text(row)}"]
