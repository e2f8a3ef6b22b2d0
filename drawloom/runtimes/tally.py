"""The count of a run that goes on: what each of its calls is at, from the events the scheduler tells.

A call outside maps and loops is one row with a state. One inside them is one row for all its instances, with counts:
what is kept doesn't grow with the number of items.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

from drawloom.catalog.records import FailureInfo, Index
from drawloom.frozen import dataclass
from drawloom.ir.layout import layout
from drawloom.ir.nodes import Pipeline
from drawloom.ir.sources import Source

__all__ = ["Event", "Row", "Tally", "Told"]

Event = tuple[Any, ...]  # (method of Tally, node, index, ...)
_DONE: Final = ("succeeded", "cached", "failed", "skipped")


@dataclass(frozen=True, slots=True)
class Told:
    """Something that is to be shown by itself, once.

    Args:
        kind: `succeeded`, `cached`, `failed`, `retrying`, `skipped`, `complete` of all instances of a call, `noted` of
            a text about the whole run, which is the log, or `cleared` of a run that goes on anew.
        node, index: the node instance.
        seconds: how long it took, or for `retrying` the pause.
        log: what the attempt wrote.
        failure: why it failed.
        attempt: which attempt failed.
    """

    kind: str
    node: str
    index: Index
    seconds: float = 0.0
    log: bytes = b""
    failure: FailureInfo | None = None
    attempt: int = 0


class Row:
    """A call of the pipeline: its one instance, or all its instances in maps and loops.

    Attributes:
        node: its id.
        many: whether it lies in a map or a loop.
        total: how many instances there are, as far as that is known.
        exact: whether there will be exactly `total`, once that isn't None.
        succeeded, cached, failed, skipped, running, retries: how many instances and attempts.
        since, until: `time.monotonic` when its first attempt began, and when the last event came.
        seconds: how long the attempt that succeeded took, of a single instance.
    """

    __slots__ = (
        "cached",
        "exact",
        "failed",
        "many",
        "node",
        "retries",
        "running",
        "seconds",
        "since",
        "skipped",
        "succeeded",
        "total",
        "until",
    )

    def __init__(self, node: str, *, many: bool, exact: bool) -> None:
        self.node = node
        self.many = many
        self.exact = exact
        self.total: int | None = None if many else 1
        self.succeeded = self.cached = self.failed = self.skipped = self.running = self.retries = 0
        self.since: float | None = None
        self.until: float | None = None
        self.seconds: float | None = None

    @property
    def done(self) -> int:
        """How many instances are settled."""
        return self.succeeded + self.cached + self.failed + self.skipped

    @property
    def complete(self) -> bool:
        """Whether every instance there will be is settled."""
        return self.exact and self.total is not None and self.done >= self.total

    @property
    def state(self) -> str:
        """`pending`, `running`, or what became of it: failed if one instance failed, succeeded if one executed."""
        begun = self.done or self.running or self.retries or (self.many and self.total is not None)
        if not begun:
            return "pending"
        if self.running or (self.exact and not self.complete):
            return "running"
        return self.outcome

    @property
    def outcome(self) -> str:
        """The state of what is done, taken together."""
        if self.failed:
            return "failed"
        if self.succeeded or not self.done:
            return "succeeded"
        return "cached" if self.cached else "skipped"

    def counts(self) -> dict[str, int]:
        """State -> number of instances, those that don't occur left out."""
        return {name: count for name in _DONE if (count := getattr(self, name))}

    def elapsed(self, now: float) -> float | None:
        """The seconds it has taken so far, None if it hasn't begun."""
        if self.seconds is not None:
            return self.seconds
        if self.since is None:
            return None
        return (now if self.running or self.until is None else self.until) - self.since


class Tally:
    """The rows of a run.

    Args:
        pipeline: what runs.
        began: `time.monotonic` when it began.
    """

    def __init__(self, pipeline: Pipeline, began: float) -> None:
        self.told: list[Told] = []
        self.now = began
        self._before = began  # the last time anybody looked: what is new began after it
        self._lay_out(pipeline)

    def _lay_out(self, pipeline: Pipeline) -> None:
        self._sources = layout(pipeline)
        self.rows: dict[str, Row] = {}
        self._counted: dict[str, list[Row]] = {}  # map -> the calls that have one instance for each of its items
        self._inside: dict[str, list[tuple[str, int, Row]]] = {}  # control node -> (child there, arm, call) in it
        for source in self._sources.values():
            if source.kind == "call":
                self._add(source)

    def _add(self, source: Source) -> None:
        counter, exact, node = "", True, source
        above = list(self._above(source))
        for holder in above:
            if holder.kind in ("map", "loop") and not counter:
                counter = holder.id
                exact = exact and holder.kind == "map" and holder.depth == 0
            elif not counter and holder.kind in ("branch", "try"):
                exact = False
        row = self.rows[source.id] = Row(source.id, many=bool(counter), exact=exact or not counter)
        if counter:
            self._counted.setdefault(counter, []).append(row)
        for holder in above:
            self._inside.setdefault(holder.id, []).append((node.id, node.arm, row))
            node = holder

    def _above(self, source: Source) -> Iterator[Source]:
        while source.parent:
            source = self._sources[source.parent]
            yield source

    @property
    def nodes(self) -> int:
        """How many nodes the pipeline has, control nodes and those in them included."""
        return len(self._sources)

    def take(self, events: deque[Event], now: float) -> list[Told]:
        """Counts the events there are, and says what is to be shown of them."""
        self.now = now
        self.told = []
        for _ in range(len(events)):  # what comes meanwhile waits for the next time
            event = events.popleft()
            event[0](self, event)
        self._before = now
        return self.told

    # one method for each event; `event` is (method, node, index, ...)

    def started(self, event: Event) -> None:
        row = self.rows.get(event[1])
        if row is not None:
            row.running += 1
            if row.since is None:
                row.since = self._before

    def finished(self, event: Event) -> None:
        _, node, index, seconds, log = event
        row = self.rows[node]
        row.succeeded += 1
        if not row.many:
            row.seconds = seconds
        if log or not row.many:
            self.told.append(Told("succeeded", node, index, seconds, log))
        self._left(row)

    def was_cached(self, event: Event) -> None:
        row = self.rows[event[1]]
        row.cached += 1
        if not row.many:
            self.told.append(Told("cached", event[1], event[2]))
        self._settled(row)

    def failed_for_good(self, event: Event) -> None:
        _, node, index, failure, log = event
        row = self.rows.get(node)
        self.told.append(Told("failed", node, index, log=log, failure=failure))
        if row is not None:
            row.failed += 1
            self._left(row)

    def retrying(self, event: Event) -> None:
        _, node, index, attempt, pause, failure, log = event
        row = self.rows[node]
        row.retries += 1
        self._left(row)
        self.told.append(Told("retrying", node, index, pause, log, failure, attempt))

    def was_skipped(self, event: Event) -> None:
        _, node, index = event
        row = self.rows.get(node)
        if row is not None:
            row.skipped += 1
            self._settled(row)
        else:
            self._skip_inside(node, len(index))
        if not index:
            self.told.append(Told("skipped", node, index))

    def cleared(self, event: Event) -> None:
        self._lay_out(event[1])
        self.told = [*(one for one in self.told if one.kind == "noted"), Told("cleared", "", ())]

    def noted(self, event: Event) -> None:
        self.told.append(Told("noted", "", (), log=event[1]))

    def decided(self, event: Event) -> None:
        _, node, index, value = event
        source = self._sources[node]
        if source.kind == "map":
            for row in self._counted.get(node, ()):
                row.total = (row.total or 0) + value
                self._settled(row)
        elif not index and source.kind == "branch":
            self._skip_inside(node, 0, lambda arm: arm != value)
        elif not index and source.kind == "try":
            self._skip_inside(node, 0, lambda arm: 0 < arm <= len(source.results) - 1 and arm != value)

    def _skip_inside(self, node: str, depth: int, arms: Callable[[int], bool] | None = None) -> None:
        """Settles the calls in a control node that won't run; those in maps inside it have no instances at all."""
        for _, arm, row in self._inside.get(node, ()):
            if arms is not None and not arms(arm):
                continue
            if depth:
                row.skipped += depth == 1 and row.many and row.exact
            elif not row.done:
                row.skipped = 1
                if row.many:
                    row.total, row.exact = 1, True

    def _left(self, row: Row) -> None:
        if row.running:
            row.running -= 1
        self._settled(row)

    def _settled(self, row: Row) -> None:
        row.until = self.now
        if row.since is None:  # it began and ended between two looks
            row.since = self._before
        if row.many and row.complete:
            self.told.append(Told("complete", row.node, ()))
