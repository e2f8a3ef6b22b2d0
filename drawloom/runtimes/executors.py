"""Where the jobs of a local run are performed: in the scheduling thread itself, or in a bounded number of threads.

Worker processes are driven from such threads too (one each), so that starting, timing and killing them is plain
blocking code. What an executor gives back goes through a queue whose `put` is safe in a signal handler.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import Protocol

from drawloom.runtimes.attempt import describe_failure
from drawloom.runtimes.capture import routed
from drawloom.runtimes.jobs import Job, JobResult, Performer

__all__ = ["Done", "Executor", "InlineExecutor", "ThreadExecutor"]

Done = tuple[Job, JobResult] | None  # None: something else happened, look around


class Executor(Protocol):
    """Performs jobs and puts their results into a queue."""

    capacity: int

    def submit(self, job: Job) -> None:
        """Begins a job; there are never more than `capacity` under way."""
        ...

    def close(self, wait_seconds: float) -> None:
        """Ends the threads; those that are busy after `wait_seconds` are left behind."""
        ...


class InlineExecutor:
    """Performs each job at once, in the calling thread: for debuggers, and for what must not leave the main thread.

    Args:
        performer: performs a job.
        done: where results go.
    """

    capacity = 1

    def __init__(self, performer: Performer, done: queue.SimpleQueue[Done]) -> None:
        self._performer = performer
        self._done = done
        self._now = threading.local()

    @property
    def busy(self) -> bool:
        """Whether a job is being performed by this thread."""
        return getattr(self._now, "busy", False)

    def submit(self, job: Job) -> None:
        self._now.busy = True
        try:
            self._done.put((job, self._performer.perform(job)))
        finally:
            self._now.busy = False

    def close(self, wait_seconds: float) -> None: ...


class ThreadExecutor:
    """Performs jobs in threads of its own, started when they are needed.

    The threads are daemons: a task that can't be stopped doesn't keep a cancelled program from ending.

    Args:
        performer: performs a job.
        done: where results go.
        workers: the most threads.
    """

    def __init__(self, performer: Performer, done: queue.SimpleQueue[Done], workers: int) -> None:
        self.capacity = workers
        self._performer = performer
        self._done = done
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._free = 0  # threads that wait for a job; changed by more than one thread, so only a hint
        self._lock = threading.Lock()

    def submit(self, job: Job) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
            elif len(self._threads) < self.capacity:
                name = f"drawloom-worker-{len(self._threads)}"
                thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
        self._jobs.put(job)

    def close(self, wait_seconds: float) -> None:
        deadline = time.monotonic() + wait_seconds
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        # a thread left behind by a cancelled run still writes to its attempt's log, not to the terminal
        with routed():
            while True:
                job = self._jobs.get()
                if job is None:
                    return
                result = self._perform(job)
                with self._lock:
                    self._free += 1
                self._done.put((job, result))

    def _perform(self, job: Job) -> JobResult:
        try:
            return self._performer.perform(job)
        except KeyboardInterrupt as exception:  # raised by the task itself: signals only reach the main thread
            result = JobResult("failed")
            result.exception, result.failure = exception, describe_failure(exception)
            return result
