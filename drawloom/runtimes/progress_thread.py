"""Progress that costs the scheduler next to nothing: events go into a queue, a thread counts and shows them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar, Final, TextIO

from drawloom.catalog.commands import RunAddress
from drawloom.catalog.records import FailureInfo, Index
from drawloom.display.failure import exception_text, log_tail, next_commands, raised_at
from drawloom.display.formats import format_seconds, one_line, place_text
from drawloom.ir.nodes import Pipeline
from drawloom.runtimes.tally import Event, Row, Tally, Told

__all__ = ["ThreadedProgress", "counts_text", "failure_block", "progress_text"]

_MOST_ITEM_LINES: Final = 20  # of what the instances of one call print
_LONGEST_PAUSE_SECONDS: Final = 0.5
_MOST_TOLD_FAILURES: Final = 3  # in full, at the end


class ThreadedProgress:
    """Puts events into a queue, and looks at them in a thread: the base of those that show something.

    Whoever derives from it gives `show`, which is called in that thread, and once more, in the caller's, at the end.

    Args:
        stream: where it is shown.
        summary: whether the end is told here.
        at: where commands find the run, if not in the project's own catalog.
    """

    pause_seconds: ClassVar[float] = 0.1  # between two looks

    def __init__(self, stream: TextIO, *, summary: bool = True, at: RunAddress | None = None) -> None:
        self.stream = stream
        self.summary = summary
        self.run = self.name = ""
        self.address = at or RunAddress("")
        self.tally: Tally | None = None
        self.began = time.monotonic()
        self._events: deque[Event] = deque()
        self._put = self._events.append  # safe in every thread without a lock
        self._over = threading.Event()
        self._showing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pipeline: Pipeline | None = None
        self._item_lines: dict[str, int] = {}
        self._failures: list[Told] = []

    # what the scheduler calls

    def begun(self, run: str, pipeline: Pipeline) -> None:
        if self._thread is not None:
            self._put((Tally.cleared, pipeline))
            return
        self.run, self.name, self._pipeline = run, pipeline.name, pipeline
        self.address = replace(self.address, run=run)
        self.began = time.monotonic()
        self._thread = threading.Thread(target=self._watch, name="drawloom-progress", daemon=True)
        self._thread.start()

    def started(self, node: str, index: Index, attempt: int) -> None:  # noqa: ARG002  # of the protocol
        self._put((Tally.started, node))

    def finished(self, node: str, index: Index, seconds: float, log: bytes) -> None:
        self._put((Tally.finished, node, index, seconds, log))

    def cached(self, node: str, index: Index) -> None:
        self._put((Tally.was_cached, node, index))

    def failed(self, node: str, index: Index, failure: FailureInfo, log: bytes) -> None:
        self._put((Tally.failed_for_good, node, index, failure, log))

    def retrying(
        self, node: str, index: Index, attempt: int, delay_seconds: float, failure: FailureInfo, log: bytes
    ) -> None:
        self._put((Tally.retrying, node, index, attempt, delay_seconds, failure, log))

    def skipped(self, node: str, index: Index) -> None:
        self._put((Tally.was_skipped, node, index))

    def decided(self, node: str, index: Index, value: int) -> None:
        self._put((Tally.decided, node, index, value))

    def noted(self, text: str) -> None:
        self._put((Tally.noted, text.encode("utf-8", "replace")))

    def ended(self, outcome: str, failure: FailureInfo | None) -> None:  # noqa: ARG002  # it was told when it failed
        self._over.set()
        try:
            if self._thread is not None:
                self._thread.join()
        finally:
            with contextlib.suppress(Exception):  # as in `_watch`
                self._look(outcome)

    # the thread

    def _watch(self) -> None:
        wait = self.pause_seconds
        while not self._over.wait(wait):
            began = time.monotonic()
            try:
                self._look("")
            except Exception:  # noqa: BLE001  # a picture that can't be drawn must not cost a run; the end tries again
                return
            took = time.monotonic() - began  # a tenth of a processor at most, but something moves twice a second
            wait = min(max(self.pause_seconds, 9 * took), _LONGEST_PAUSE_SECONDS)

    def _look(self, outcome: str) -> None:
        if self._pipeline is None:
            return
        with self._showing:
            if self.tally is None:
                self.tally = Tally(self._pipeline, self.began)
            now = time.monotonic()
            told = self.tally.take(self._events, now)
            if any(one.kind == "cleared" for one in told):
                self._forget()
            self._failures += [one for one in told if one.kind == "failed"][: _MOST_TOLD_FAILURES - len(self._failures)]
            self.show(self.tally, told, now, outcome)

    def _forget(self) -> None:
        """The run was cleared: what was shown before counts no more."""
        self._item_lines.clear()
        self._failures.clear()

    def close(self) -> None:
        """Shows nothing more: the run ended without saying so."""
        self._over.set()

    def show(self, tally: Tally, told: list[Told], now: float, outcome: str) -> None:
        """Shows what happened since the last look; `outcome` is "" until the run is over."""
        raise NotImplementedError

    # what both kinds show

    def log_lines(self, one: Told, row: Row | None) -> list[str]:
        """What an attempt wrote, each line behind the node's name; of the instances of one call only the first lines.

        Of a failure that is told in full at the end, nothing.
        """
        if not one.log or one.kind == "noted":
            return []
        texts = one.log.decode("utf-8", "replace").splitlines()
        name = one_line(place_text(one.node, one.index))
        if row is None or not row.many:
            return [f"{name} | {text}" for text in texts]
        used = self._item_lines.get(one.node, 0)
        if used > _MOST_ITEM_LINES:
            return []
        shown = texts[: _MOST_ITEM_LINES - used]
        self._item_lines[one.node] = used + len(texts)
        lines = [f"{name} | {text}" for text in shown]
        if used + len(texts) > _MOST_ITEM_LINES:
            [(command, _), *_] = next_commands(self.address, one.node)
            lines.append(f"{one_line(one.node)} | more of what it prints isn't shown here: {command}")
            self._item_lines[one.node] = _MOST_ITEM_LINES + 1
        return lines

    def told_line(self, one: Told) -> str:
        """One line about something that is told by itself."""
        if one.kind == "noted":
            return one_line(one.log.decode("utf-8"))
        if one.kind == "cleared":
            return "the run was cleared, and goes on anew"
        name = one_line(place_text(one.node, one.index))
        if one.kind == "succeeded":
            return f"{name}: succeeded in {format_seconds(one.seconds)}"
        if one.kind == "failed":
            return f"{name}: failed: {exception_text(one.failure)}"
        if one.kind == "retrying":
            pause = f" in {one.seconds:g} s" if one.seconds else ""
            return f"{name}: attempt {one.attempt} failed, trying again{pause}: {exception_text(one.failure)}"
        return f"{name}: {one.kind}"

    def end_lines(self, outcome: str, now: float) -> list[str]:
        """The failures in full, and how the run went, where nobody else tells it."""
        if not self.summary or self.tally is None:
            return []
        lines = [line for one in self._failures for line in failure_block(self.address, one)]
        counts = counts_text(self.tally.rows.values())
        return [*lines, f"{outcome} in {format_seconds(now - self.began)}{f' ({counts})' if counts else ''}"]


def failure_block(run: RunAddress, one: Told, lines: int = 10) -> list[str]:
    """A failure in full: which node, its exception, the user's line, the end of its log, and what to do next."""
    text = [f"{one_line(place_text(one.node, one.index))} failed: {exception_text(one.failure)}"]
    where = raised_at(one.failure.traceback) if one.failure is not None else ""
    if where:
        text.append(f"  where  {where}")
    label = "log"
    for line in log_tail(one.log.decode("utf-8", "replace"), lines):
        text.append(f"  {label:<5}  {one_line(line)}")
        label = ""
    label = "next"
    for command, what in next_commands(run, one.node, one.index):
        text.append(f"  {label:<5}  {command}    {what}")
        label = ""
    return text


def progress_text(row: Row) -> str:
    """`37 of 100 done (2 cached, 1 failed), 8 running`."""
    total = f" of {row.total:,}" if row.exact and row.total is not None else ""
    parts = [f"{count:,} {name}" for name, count in row.counts().items() if name != "succeeded"]
    inside = f" ({', '.join(parts)})" if parts else ""
    running = f", {row.running:,} running" if row.running else ""
    retries = f", {row.retries:,} {'retry' if row.retries == 1 else 'retries'}" if row.retries else ""
    return f"{row.done:,}{total} done{inside}{running}{retries}"


def counts_text(rows: Iterable[Row]) -> str:
    """`12 succeeded, 1 failed` over all instances of all rows."""
    counts: dict[str, int] = {}
    for row in rows:
        for name, count in row.counts().items():
            counts[name] = counts.get(name, 0) + count
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
