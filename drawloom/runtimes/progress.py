"""What a run tells while it goes on: a protocol, and what prints it in a terminal or as plain lines."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

from drawloom.catalog.records import FailureInfo, Index

__all__ = ["LinesProgress", "LiveProgress", "Progress", "SilentProgress", "choose_progress"]


class Progress(Protocol):
    """Is told of each event of a run, from more than one thread. A node instance is its id and index vector."""

    def begun(self, run: str, pipeline: str, nodes: int) -> None:
        """The run begins; `nodes` is the number of nodes in the pipeline."""
        ...

    def started(self, node: str, index: Index, attempt: int) -> None:
        """An attempt begins."""
        ...

    def finished(self, node: str, index: Index, seconds: float, log: bytes) -> None:
        """A call succeeded; `log` is what its last attempt wrote."""
        ...

    def cached(self, node: str, index: Index) -> None:
        """A call was answered from the cache."""
        ...

    def failed(self, node: str, index: Index, failure: FailureInfo, log: bytes) -> None:
        """A node failed for good; `node` is "" for the pipeline's own results."""
        ...

    def retrying(
        self, node: str, index: Index, attempt: int, delay_seconds: float, failure: FailureInfo, log: bytes
    ) -> None:
        """Attempt number `attempt` failed; there will be another after a pause."""
        ...

    def skipped(self, node: str, index: Index) -> None:
        """A node won't run, because one it needs failed or was skipped."""
        ...

    def decided(self, node: str, index: Index, value: int) -> None:
        """A control node decided (`records.Decision.value`)."""
        ...

    def ended(self, outcome: str, failure: FailureInfo | None) -> None:
        """The run is over."""
        ...


class SilentProgress:
    """Tells nobody; tasks' output goes where it always went."""

    def begun(self, run: str, pipeline: str, nodes: int) -> None: ...

    def started(self, node: str, index: Index, attempt: int) -> None: ...

    def finished(self, node: str, index: Index, seconds: float, log: bytes) -> None: ...

    def cached(self, node: str, index: Index) -> None: ...

    def failed(self, node: str, index: Index, failure: FailureInfo, log: bytes) -> None: ...

    def retrying(
        self, node: str, index: Index, attempt: int, delay_seconds: float, failure: FailureInfo, log: bytes
    ) -> None: ...

    def skipped(self, node: str, index: Index) -> None: ...

    def decided(self, node: str, index: Index, value: int) -> None: ...

    def ended(self, outcome: str, failure: FailureInfo | None) -> None: ...


def choose_progress(stream: TextIO | None = None) -> Progress:
    """What suits `stream` (default: standard error): a live display in a terminal, else plain lines."""
    chosen = sys.stderr if stream is None else stream
    return LiveProgress(chosen) if chosen.isatty() else LinesProgress(chosen)


def place_text(node: str, index: Index) -> str:
    """`train[3]`, as people read a node instance."""
    return (node or "the results") + (f"[{', '.join(map(str, index))}]" if index else "")


def _failure_text(failure: FailureInfo) -> str:
    name = failure.type.rpartition(":")[2]
    return f"{name}: {failure.message}" if failure.message else name


class LinesProgress(SilentProgress):
    """One line for each thing that happened, and tasks' output with the node's name in front.

    Args:
        stream: where the lines go.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._counts: dict[str, int] = {}

    def begun(self, run: str, pipeline: str, nodes: int) -> None:
        self._began = time.monotonic()
        self._say(f"run {run} of {pipeline}: {nodes} nodes")

    def finished(self, node: str, index: Index, seconds: float, log: bytes) -> None:
        self._say(f"{place_text(node, index)}: succeeded in {seconds:.2f} s", node, index, log, count="succeeded")

    def cached(self, node: str, index: Index) -> None:
        self._say(f"{place_text(node, index)}: cached", count="cached")

    def failed(self, node: str, index: Index, failure: FailureInfo, log: bytes) -> None:
        self._say(f"{place_text(node, index)}: failed: {_failure_text(failure)}", node, index, log, count="failed")

    def retrying(
        self, node: str, index: Index, attempt: int, delay_seconds: float, failure: FailureInfo, log: bytes
    ) -> None:
        pause = f" in {delay_seconds:g} s" if delay_seconds else ""
        line = f"{place_text(node, index)}: attempt {attempt} failed, trying again{pause}: {_failure_text(failure)}"
        self._say(line, node, index, log)

    def skipped(self, node: str, index: Index) -> None:
        self._say(f"{place_text(node, index)}: skipped", count="skipped")

    def ended(self, outcome: str, failure: FailureInfo | None) -> None:  # noqa: ARG002  # it was told when it failed
        counts = ", ".join(f"{count} {name}" for name, count in self._counts.items())
        self._say(f"{outcome} in {time.monotonic() - self._began:.2f} s{f' ({counts})' if counts else ''}")

    def _say(self, line: str, node: str = "", index: Index = (), log: bytes = b"", count: str = "") -> None:
        lines = [f"{place_text(node, index)} | {text}" for text in log.decode("utf-8", "replace").splitlines()]
        with self._lock:
            if count:
                self._counts[count] = self._counts.get(count, 0) + 1
            self._print([*lines, line])

    def _print(self, lines: list[str]) -> None:
        print("\n".join(lines), file=self._stream, flush=True)


class LiveProgress(LinesProgress):
    """The same lines above a line that is redrawn: what runs now, and how far the run is.

    Args:
        stream: the terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        from rich.console import Console  # 30 ms: only who looks at a terminal pays for it

        self._console = Console(file=stream)
        self._live: Any = None  # rich.live.Live
        self._running: dict[tuple[str, Index], float] = {}

    def begun(self, run: str, pipeline: str, nodes: int) -> None:
        from rich.live import Live

        super().begun(run, pipeline, nodes)
        self._live = Live(get_renderable=self._table, console=self._console, transient=True, refresh_per_second=8)
        self._live.start()

    def started(self, node: str, index: Index, attempt: int) -> None:  # noqa: ARG002
        with self._lock:
            self._running[node, index] = time.monotonic()

    def ended(self, outcome: str, failure: FailureInfo | None) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        super().ended(outcome, failure)

    def finished(self, node: str, index: Index, seconds: float, log: bytes) -> None:
        self._gone(node, index)
        super().finished(node, index, seconds, log)

    def failed(self, node: str, index: Index, failure: FailureInfo, log: bytes) -> None:
        self._gone(node, index)
        super().failed(node, index, failure, log)

    def retrying(
        self, node: str, index: Index, attempt: int, delay_seconds: float, failure: FailureInfo, log: bytes
    ) -> None:
        self._gone(node, index)
        super().retrying(node, index, attempt, delay_seconds, failure, log)

    def _gone(self, node: str, index: Index) -> None:
        with self._lock:
            self._running.pop((node, index), None)

    def _print(self, lines: list[str]) -> None:
        from rich.text import Text

        for line in lines:
            self._console.print(Text(line), soft_wrap=True)

    def _table(self) -> Any:  # a rich renderable
        from rich.spinner import Spinner
        from rich.text import Text

        now = time.monotonic()
        running: Mapping[tuple[str, Index], float] = dict(self._running)
        names = [f"{place_text(*key)} {now - since:.0f} s" for key, since in list(running.items())[:6]]
        more = f" and {len(running) - 6} more" if len(running) > 6 else ""
        done = sum(self._counts.values())
        return Spinner(
            "dots", Text(f"{done} done, {len(running)} running: {', '.join(names)}{more}", overflow="ellipsis")
        )
