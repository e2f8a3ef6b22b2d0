"""What a run tells while it goes on: a protocol, and the choice of who shows it.

The scheduler calls these methods for every node instance, so they only put a tuple into a queue (0.2 us); a thread of
its own counts, draws and prints a few times a second (`runtimes.progress_thread`).
"""

from __future__ import annotations

import os
import sys
from typing import Protocol, TextIO

from drawloom.catalog.commands import RunAddress
from drawloom.catalog.records import FailureInfo, Index
from drawloom.ir.nodes import Pipeline

__all__ = ["Progress", "SilentProgress", "choose_progress"]


class Progress(Protocol):
    """Is told of each event of a run, from more than one thread. A node instance is its id and index vector."""

    def begun(self, run: str, pipeline: Pipeline) -> None:
        """The run begins; told once more, it was cleared and goes on anew: nothing that was told before counts."""
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

    def noted(self, text: str) -> None:
        """Something that is no event of a node's is to be told: what an engine says, a connection that was lost."""
        ...

    def ended(self, outcome: str, failure: FailureInfo | None) -> None:
        """The run is over."""
        ...

    def close(self) -> None:
        """A fault of drawloom's or of the store ended the run: nothing more is shown, the terminal is given back."""
        ...


class SilentProgress:
    """Tells nobody; tasks' output goes where it always went."""

    def begun(self, run: str, pipeline: Pipeline) -> None: ...

    def started(self, node: str, index: Index, attempt: int) -> None: ...

    def finished(self, node: str, index: Index, seconds: float, log: bytes) -> None: ...

    def cached(self, node: str, index: Index) -> None: ...

    def failed(self, node: str, index: Index, failure: FailureInfo, log: bytes) -> None: ...

    def retrying(
        self, node: str, index: Index, attempt: int, delay_seconds: float, failure: FailureInfo, log: bytes
    ) -> None: ...

    def skipped(self, node: str, index: Index) -> None: ...

    def decided(self, node: str, index: Index, value: int) -> None: ...

    def noted(self, text: str) -> None: ...

    def ended(self, outcome: str, failure: FailureInfo | None) -> None: ...

    def close(self) -> None: ...


def choose_progress(stream: TextIO | None = None, *, summary: bool = True, at: RunAddress | None = None) -> Progress:
    """What suits `stream`: a live display in a terminal that can move its cursor, else plain lines.

    Args:
        stream: where it is shown (default: standard error).
        summary: whether failures are told in full and the end is told; not where the caller does it.
        at: where commands find the run, if not in the project's own catalog.
    """
    chosen = sys.stderr if stream is None else stream
    if chosen.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown"):
        from drawloom.runtimes.progress_live import LiveProgress

        return LiveProgress(chosen, summary=summary, at=at)
    from drawloom.runtimes.progress_lines import LinesProgress

    return LinesProgress(chosen, summary=summary, at=at)
