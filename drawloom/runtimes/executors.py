"""Who performs the jobs of a local run: the calling thread, or threads that take turns at the scheduler.

There is no dispatcher: a thread that is done with a job takes its *turn* (a lock) at the scheduler, brings the result
in, takes the next job and performs it outside the lock. So a stream of small tasks runs in one thread without ever
handing anything to another, which would cost more than the tasks. Other threads are called when it pays: at once where
a call is known to take long or runs in a worker process, else when the supervising thread sees that jobs wait behind
one that doesn't end. They are sent back to rest where it sees many small jobs end while the interpreter is busy all the
time: then threads only wait for its lock.

Worker processes are driven from such threads too (one each), so that starting, timing and killing them is plain
blocking code. The supervising thread, which signals reach, performs nothing itself: it can always go on.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import Final, Protocol

from drawloom.runtimes.capture import routed
from drawloom.runtimes.jobs import Job, JobResult, Performer, failed_result
from drawloom.runtimes.scheduler import Scheduler

__all__ = ["Executor", "InlineExecutor", "News", "ThreadExecutor"]

News = queue.SimpleQueue[None]
"""Wakes the supervising thread; putting is safe in a signal handler."""

_TICK_SECONDS: Final = 0.002  # how often the supervisor looks while jobs wait
_LONG_SECONDS: Final = 0.0003  # a job that takes this long is worth a thread
_BUSY: Final = (0.8, 1.25)  # shares of one processor: less waits for something else, more computes in several threads
_MANY_TURNS: Final = int(_TICK_SECONDS / _LONG_SECONDS)


class Executor(Protocol):
    """Performs jobs."""

    capacity: int

    def work(self, scheduler: Scheduler, wait_seconds: float | None) -> None:
        """Lets work be done until something has happened that the run's loop must look at, or the time is over."""
        ...

    def stop(self) -> list[tuple[Job, JobResult]]:
        """Takes no more jobs from now on; returns those that were done and not brought in."""
        ...

    def close(self, wait_seconds: float) -> list[tuple[Job, JobResult]]:
        """Ends the threads; those that are busy after `wait_seconds` are left behind. Returns as `stop` does."""
        ...


class InlineExecutor:
    """Performs each job in the calling thread: for debuggers, and for what must not leave the main thread.

    Args:
        performer: performs a job.
        news: wakes the run's loop.
    """

    capacity = 1

    def __init__(self, performer: Performer, news: News) -> None:
        self._performer = performer
        self._news = news
        self._now = threading.local()

    @property
    def busy(self) -> bool:
        """Whether a job is being performed by this thread."""
        return getattr(self._now, "busy", False)

    def work(self, scheduler: Scheduler, wait_seconds: float | None) -> None:
        job = scheduler.next_job()
        if job is None:
            if scheduler.ending is None:
                _wait(self._news, wait_seconds)
            return
        self._now.busy = True
        try:
            result = self._performer.perform(job)
        finally:
            self._now.busy = False
        scheduler.took(job, result)

    def stop(self) -> list[tuple[Job, JobResult]]:
        return []

    def close(self, wait_seconds: float) -> list[tuple[Job, JobResult]]:  # noqa: ARG002  # there is nothing to wait for
        return []


class ThreadExecutor:
    """Performs jobs in threads of its own, started when it pays.

    The threads are daemons: a task that can't be stopped doesn't keep a cancelled program from ending.

    Args:
        performer: performs a job.
        news: wakes the run's loop.
        workers: the most threads.
    """

    def __init__(self, performer: Performer, news: News, workers: int) -> None:
        self.capacity = workers
        self._performer = performer
        self._news = news
        self._turn = threading.Lock()  # whoever holds it may touch the scheduler, and what follows here
        self._scheduler: Scheduler
        self._threads: list[threading.Thread] = []
        self._calls: queue.SimpleQueue[bool] = queue.SimpleQueue()  # True wakes an idle thread, False ends one
        self._idle = 0
        self._turns = 0
        self._seen = (0, 0.0, 0.0)  # turns, time and processor time when the supervisor last looked, in seconds
        self._too_many = 0  # threads that are to rest when they next have their turn
        self._watched = False  # the supervisor looks every `_TICK_SECONDS`
        # node -> the seconds its shortest job took: the first may load modules, and many wait for the interpreter
        self._least: dict[str, float] = {}
        self._closed = False
        self._left: list[tuple[Job, JobResult]] = []
        self._broken: BaseException | None = None

    # the supervising thread

    def work(self, scheduler: Scheduler, wait_seconds: float | None) -> None:
        if not self._threads:
            self._scheduler = scheduler
            with self._turn:
                self._call()
        elif wait_seconds == 0:  # an attempt is due again
            with self._turn:
                self._call()
        wait = wait_seconds
        if self._watched:
            wait = _TICK_SECONDS if wait is None else min(wait, _TICK_SECONDS)
        _wait(self._news, wait)
        with self._turn:
            if self._broken is not None:
                raise self._broken
            if self._watched:
                self._look()

    def _look(self) -> None:
        """Calls a thread for jobs that wait, or sends one to rest."""
        before, self._seen = self._seen, (self._turns, time.monotonic(), time.process_time())
        turns, seconds, processor = (now - then for now, then in zip(self._seen, before, strict=True))
        self._watched = self._scheduler.has_ready
        if not self._watched or not seconds:
            return
        if turns <= _MANY_TURNS:  # whoever works is at something long
            self._too_many = 0
            self._call()
        elif _BUSY[0] < processor / seconds < _BUSY[1]:
            self._too_many = min(self._too_many + 1, len(self._threads) - self._idle - 1)

    def stop(self) -> list[tuple[Job, JobResult]]:
        with self._turn:
            self._closed = True
            left, self._left = self._left, []
            return left

    def close(self, wait_seconds: float) -> list[tuple[Job, JobResult]]:
        deadline = time.monotonic() + wait_seconds
        left = self.stop()
        for _ in self._threads:
            self._calls.put(False)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return left + self.stop()

    # any thread

    def _call(self) -> None:
        """Gets one more thread to work, if there may be one."""
        if self._idle:
            self._idle -= 1
            self._calls.put(True)
        elif len(self._threads) < self.capacity:
            thread = threading.Thread(target=self._work, name=f"drawloom-worker-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        # a thread left behind by a cancelled run still writes to its attempt's log, not to the terminal
        with routed():
            job: Job | None = None
            result: JobResult | None = None
            while True:
                job = self._take_turn(job, result)
                if job is None:
                    result = None
                    if not self._calls.get():
                        return
                else:
                    result = self._perform(job)
                    job.ended = time.monotonic()

    def _take_turn(self, done: Job | None, result: JobResult | None) -> Job | None:
        """Brings in what was done; the next job, None if there is none for this thread."""
        with self._turn:
            try:
                return self._next(done, result)
            except BaseException as error:  # noqa: BLE001  # the log can't be written: the run's loop raises it
                self._broken = self._broken or error
                self._closed = True
                self._news.put(None)
                return None

    def _next(self, done: Job | None, result: JobResult | None) -> Job | None:
        self._turns += 1
        scheduler = self._scheduler
        if done is not None:
            assert result is not None, "a job that is done has a result"
            if self._closed:
                self._left.append((done, result))
                return None
            took = done.ended - done.began
            self._least[done.node] = min(took, self._least.get(done.node, took))
            scheduler.took(done, result)
            if self._too_many:
                self._too_many -= 1
                self._watch()
                self._idle += 1
                return None
        job = None if self._closed else scheduler.next_job()
        if job is None:
            self._idle += 1
            self._news.put(None)  # it is over, or an attempt waits for its time
            return None
        job.began = time.monotonic()
        if scheduler.has_ready:
            if job.plan.isolated or self._least.get(job.node, 0.0) >= _LONG_SECONDS:
                self._call()
            self._watch()
        return job

    def _watch(self) -> None:
        if not self._watched:
            self._watched = True
            self._news.put(None)

    def _perform(self, job: Job) -> JobResult:
        try:
            return self._performer.perform(job)
        except KeyboardInterrupt as exception:  # raised by the task itself: signals only reach the main thread
            return failed_result(job, exception)


def _wait(news: News, wait_seconds: float | None) -> None:
    try:
        news.get(timeout=wait_seconds)
    except queue.Empty:
        return
