"""Worker processes: Python interpreters of our own that make one attempt after another, and may be killed at any time.

A worker is started with `sys.executable`, takes the parent's `sys.path`, imports the user's modules by name and reads
and writes values through the store. Parent and worker speak length-prefixed JSON over two pipes (`frames`). What a
worker prints, C libraries included, goes to a file that outlives it. A worker leads a session of its own: Ctrl-C
doesn't reach it, and killing it takes what it started with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from drawloom.catalog.records import Commit, ValueRef, record_from_json
from drawloom.ir.canonical import Json, canonical_json
from drawloom.ir.serialize import to_json
from drawloom.ir.tasks import TaskSpec
from drawloom.runtimes.attempt import AttemptResult
from drawloom.runtimes.endings import how_ended
from drawloom.runtimes.frames import HEADER_BYTES, frame_length, write_frame
from drawloom.runtimes.tracked import Tracked

__all__ = ["Worker", "WorkerLost", "WorkerPool", "WorkerTimeout"]

_LOOK_SECONDS: Final = 0.5  # how often a silent worker is looked at: a forked child of it may hold its pipe open
_GOODBYE_SECONDS: Final = 1.0  # how long an idle worker may take to end by itself


class WorkerLost(Exception):  # a state, told to the user as a diagnostic
    """A worker process ended before it answered: `how` it did, and the `log` of its attempt."""

    def __init__(self, how: str, log: bytes) -> None:
        super().__init__(how)
        self.how = how
        self.log = log


class WorkerTimeout(Exception):  # a state, told to the user as a diagnostic
    """An attempt took longer than it may; its worker was killed. `log` is what the attempt had written."""

    def __init__(self, log: bytes) -> None:
        super().__init__("timeout")
        self.log = log


class Worker:
    """One worker process.

    Args:
        setup: what it needs to know of the project (`worker.main`).
        env: the variables that the tasks it runs are given.
    """

    def __init__(self, setup: Mapping[str, Json], env: tuple[tuple[str, str], ...] = ()) -> None:
        import fcntl  # lazy, with the next ones 5 ms: a run in threads starts no worker
        import select
        import subprocess
        import tempfile

        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the worker
        # appended to by two descriptors of the worker, and cut by the parent between attempts
        fcntl.fcntl(self._log, fcntl.F_SETFL, fcntl.fcntl(self._log, fcntl.F_GETFL) | os.O_APPEND)
        theirs_in, self._requests = os.pipe()
        self._replies, theirs_out = os.pipe()
        self._closed = False
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    *_flags(),
                    "-c",
                    _START,
                    str(theirs_in),
                    str(theirs_out),
                    json.dumps([*(str(p) for p in sys.path), _ROOT]),
                ],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(theirs_in, theirs_out),
                start_new_session=True,
            )
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self._poll = select.poll()  # not select: it is limited to descriptors below 1024
        self._poll.register(self._replies, select.POLLIN)
        self._setup: Mapping[str, Json] | None = {**setup, "env": [list(pair) for pair in env]}
        self.env = env
        self.pid = self._process.pid
        self.broken = False
        self._known: set[str] = set()  # the tasks it has loaded

    def attempt(
        self, spec: TaskSpec, inputs: Mapping[str, Json], limit_seconds: float | None, place: tuple[Any, ...]
    ) -> tuple[AttemptResult, ValueRef | None]:
        """Makes one attempt in the worker.

        Args:
            spec: the task.
            inputs: parameter name -> tree.
            limit_seconds: the longest it may take, the worker's start and imports left out; None for no limit.
            place: of `run_attempt`.

        Returns:
            How it ended, and the reference of its output.

        Raises:
            WorkerLost: the process ended.
            WorkerTimeout: it took too long, and was killed.
        """
        if self._setup is not None:  # the interpreter's start is no part of the attempt
            setup, self._setup = self._setup, None
            self._ask(dict(setup), None)
        text = canonical_json(to_json(spec))
        if text not in self._known:  # nor is the import of the user's module
            self._known.add(text)
            self._ask({"load": text}, None)
        answer = self._ask({"spec": text, "inputs": dict(inputs), "place": place}, limit_seconds)
        log = self._take_log()
        commit = record_from_json(answer["commit"])
        assert isinstance(commit, Commit), "a worker answers with a commit"
        tracked = Tracked(commit.metrics, commit.series, commit.logged, answer["checkpoint"])
        result = AttemptResult(commit.outcome, answer["output"], commit.failure, None, commit.seconds, log, tracked)
        return result, dict(commit.outputs).get("result")

    def kill(self) -> None:
        """Ends the process at once, and the processes it started in its session."""
        import signal

        self.broken = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Lets an idle process end; kills it if it doesn't."""
        if self._closed:
            return
        self._closed = True
        import subprocess

        os.close(self._requests)
        try:
            self._process.wait(0 if self.broken else _GOODBYE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        os.close(self._replies)
        self._log.close()

    def _ask(self, request: dict[str, Json], limit_seconds: float | None) -> Any:
        deadline = None if limit_seconds is None else time.monotonic() + limit_seconds
        try:
            write_frame(self._requests, json.dumps(request).encode())
        except OSError:
            raise self._lost() from None
        length = frame_length(self._read(HEADER_BYTES, deadline))
        return json.loads(self._read(length, deadline))

    def _read(self, count: int, deadline: float | None) -> bytes:
        parts = []
        while count:
            self._wait(deadline)
            part = os.read(self._replies, min(count, 1 << 20))
            if not part:
                raise self._lost()
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _wait(self, deadline: float | None) -> None:
        """Returns when the worker has something to say or its pipe has ended."""
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                self.kill()
                self._process.wait()
                raise WorkerTimeout(self._take_log())
            if self._poll.poll(1000 * min(_LOOK_SECONDS, left if left is not None else _LOOK_SECONDS)):
                return
            if self._process.poll() is not None and not self._poll.poll(0):
                raise self._lost()

    def _lost(self) -> WorkerLost:
        self.kill()  # what it started may live on
        status = self._process.wait()
        return WorkerLost(_how_ended(status), self._take_log())

    def _take_log(self) -> bytes:
        size = os.fstat(self._log.fileno()).st_size
        data = os.pread(self._log.fileno(), size, 0) if size else b""
        if size:
            os.ftruncate(self._log.fileno(), 0)
        return data


# drawloom is imported before the parent's path counts, as it was in the parent: a `queue.py` or a `json.py` beside the
# user's pipeline must not stand for the standard library's
_START: Final = (
    "import sys, json; path = json.loads(sys.argv[3]); sys.path.insert(0, path.pop());"
    " from drawloom.runtimes.worker import main; sys.path[:] = path; main(int(sys.argv[1]), int(sys.argv[2]))"
)
_ROOT: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _flags() -> list[str]:
    """The parent's interpreter flags that change what code means."""
    optimize = ["-" + "O" * sys.flags.optimize] if sys.flags.optimize else []
    warnings = [f"-W{option}" for option in sys.warnoptions]  # `-W error` makes a task fail
    return ["-P", *optimize, *warnings, *(["-X", "utf8"] if sys.flags.utf8_mode else [])]


def _how_ended(status: int) -> str:
    return f"{how_ended(status)} before it answered" if status >= 0 else how_ended(status)


class WorkerPool:
    """Worker processes, started when needed and used again; as many as are leased at once.

    Args:
        setup: what each needs to know of the project.
    """

    def __init__(self, setup: Mapping[str, Json]) -> None:
        self._setup = setup
        self._lock = threading.Lock()
        self._idle: dict[tuple[tuple[str, str], ...], list[Worker]] = {}  # by their variables
        self._leased: set[Worker] = set()
        self._killed = False

    def lease(self, env: tuple[tuple[str, str], ...] = ()) -> Worker:
        """A worker for the caller alone until `release`.

        Args:
            env: the variables of the task. A worker has those of one task all its life, so that what a module reads
                while it is imported is the same as in a step.
        """
        with self._lock:
            if self._killed:
                raise WorkerLost("was not started: the run is being cancelled", b"")
            idle = self._idle.get(env)
            worker = idle.pop() if idle else Worker(self._setup, env)
            self._leased.add(worker)
            return worker

    def release(self, worker: Worker) -> None:
        """Gives a worker back; a broken one is done with."""
        with self._lock:
            self._leased.discard(worker)
            if not worker.broken and not self._killed:
                self._idle.setdefault(worker.env, []).append(worker)
                return
        worker.close()

    def kill(self) -> None:
        """Ends every worker at once; leased ones are lost to their lessees."""
        with self._lock:
            self._killed = True
            for worker in self._leased:
                worker.kill()

    def close(self) -> None:
        """Ends the idle workers; there must be no leased ones but killed ones."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for workers in idle.values():
            for worker in workers:
                worker.close()
