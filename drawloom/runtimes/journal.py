"""What a local run writes down: each event becomes one record, appended to the log of the run, and is shown."""

from __future__ import annotations

import time
from collections.abc import Mapping

from drawloom.catalog.records import (
    AttemptFinished,
    AttemptStarted,
    Commit,
    Decision,
    EngineObservation,
    FailureInfo,
    Index,
    Record,
    RunFinished,
    ValueRef,
    results_of_item,
)
from drawloom.catalog.runlog import RunWriter
from drawloom.ir.protocol import index_text
from drawloom.runtimes.jobs import Job, JobResult
from drawloom.runtimes.progress import Progress

__all__ = ["Journal"]


class Journal:
    """The records of one run; `started` may be called by any thread, the rest by the one whose turn it is.

    Args:
        run: the run's id.
        progress: what is told of the events as well.
    """

    def __init__(self, run: str, progress: Progress) -> None:
        self._run = run
        self._progress = progress
        self._open: dict[Job, float] = {}  # attempts under way, and when each began
        self._told: set[Job] = set()  # those of them whose beginning is written down
        self._writer: RunWriter

    def write_to(self, writer: RunWriter) -> None:
        """Says where the records go; before the first one."""
        self._writer = writer

    def under_way(self) -> list[Record]:
        """The beginning of each attempt that is under way and not written down yet.

        An attempt that ends before the log is flushed leaves its commit alone: that says the same.
        """
        made: list[Record] = []
        for job, at in tuple(self._open.items()):
            if job not in self._told:
                self._told.add(job)
                made.append(AttemptStarted(self._run, job.node, job.index, job.attempt, at=at))
        return made

    def started(self, job: Job) -> None:
        """An attempt begins, now that no cache entry answered the call."""
        self._open[job] = time.time()
        self._writer.touch()
        self._progress.started(job.node, job.index, job.attempt)

    def attempt_ended(self, job: Job, result: JobResult) -> None:
        """An attempt ended, in whichever way; what a successful one made is told by `succeeded`."""
        self._open.pop(job, None)
        if self._told:
            self._told.discard(job)
        if result.outcome == "succeeded":
            return
        outcome = result.outcome if result.outcome in ("timeout", "cancelled") else "failed"
        self._writer.append(
            AttemptFinished(
                self._run,
                job.node,
                job.index,
                job.attempt,
                outcome=outcome,
                seconds=result.seconds,
                failure=result.failure,
                log=result.log_object,
                at=time.time(),
            )
        )

    def succeeded(self, job: Job, result: JobResult) -> None:
        """A call has its commit, by an attempt or from the cache."""
        self._writer.append(result)
        if result.outcome == "cached":
            self._progress.cached(job.node, job.index)
        else:
            self._progress.finished(job.node, job.index, result.seconds, result.log)

    def failed(self, job: Job, result: JobResult) -> None:
        """A call has failed for good."""
        assert result.failure is not None, "a call that failed has a failure"
        self._writer.append(
            Commit(
                self._run,
                job.node,
                job.index,
                attempt=job.attempt,
                outcome="failed",
                inputs=result.input_refs,
                failure=result.failure,
                function=job.plan.spec.function.digest,
                seconds=result.seconds,
                log=result.log_object,
                at=time.time(),
            )
        )
        self._progress.failed(job.node, job.index, result.failure, result.log)

    def given_up(self, job: Job) -> None:
        """The run ends before a call is tried again."""
        self._writer.append(EngineObservation(self._run, job.node, "cancelled", job.index, job.attempt, at=time.time()))

    def retrying(self, job: Job, failure: FailureInfo, delay_seconds: float, log: bytes) -> None:
        """A call that failed will be tried again."""
        self._progress.retrying(job.node, job.index, job.attempt, delay_seconds, failure, log)

    def control_failed(self, node: str, index: Index, failure: FailureInfo) -> None:
        """A control node, a call's inputs or the pipeline's results failed without an attempt at anything."""
        self._writer.append(
            Commit(self._run, node, index, attempt=0, outcome="failed", failure=failure, at=time.time())
        )
        self._progress.failed(node, index, failure, b"")

    def map_failed(self, node: str, index: Index, failure: FailureInfo) -> None:
        """A map has no results, because an item of it failed (which was told already)."""
        self._writer.append(
            Commit(self._run, node, index, attempt=0, outcome="failed", failure=failure, at=time.time())
        )

    def item_failed(self, node: str, index: Index, failure: FailureInfo) -> None:
        """The results of one item of the map `node` failed; `index` is the item's."""
        self.map_failed(results_of_item(node), index, failure)

    def collected(self, node: str, index: Index, outputs: Mapping[str, ValueRef], key: str = "") -> None:
        """A map, or with the node "" the pipeline, has its results; `key` is the cache key they answer, if any."""
        made = tuple(outputs.items())
        self._writer.append(Commit(self._run, node, index, outputs=made, cache_key=key, at=time.time()))

    def adopted(self, node: str, index: Index, key: str, found: Commit, inner: list[str], count: int) -> None:
        """A map of `count` items is answered as a whole; `inner` are the calls in it."""
        source = (found.run, found.node, index_text(found.index))
        self._writer.append(
            Commit(
                self._run,
                node,
                index,
                attempt=0,
                outcome="cached",
                outputs=found.outputs,
                cache_key=key,
                source=source,
                at=time.time(),
            )
        )
        for call in inner:
            for k in range(count):
                self._progress.cached(call, (*index, k))

    def skipped(self, node: str, index: Index) -> None:
        """A node will not run, because one it needs failed or was skipped."""
        self._writer.append(Commit(self._run, node, index, attempt=0, outcome="skipped", at=time.time()))
        self._progress.skipped(node, index)

    def decided(self, node: str, index: Index, value: int, caught: FailureInfo | None = None) -> None:
        """A control node has decided."""
        self._writer.append(Decision(self._run, node, index, value=value, caught=caught, at=time.time()))
        self._progress.decided(node, index, value)

    def run_ended(self, outcome: str, failure: FailureInfo | None) -> None:
        """The run is over: the last record."""
        self._writer.append(RunFinished(self._run, outcome, failure=failure, at=time.time()))
