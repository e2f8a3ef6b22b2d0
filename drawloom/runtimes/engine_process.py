"""The processes of the reference engine: each step in an interpreter of its own, started through the bootstrap stub."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Final

from drawloom.ir.protocol import stub_text
from drawloom.runtimes.endings import how_ended
from drawloom.runtimes.engine_faults import Fate

__all__ = ["Ended", "Starter", "Stopped"]

_KEPT_VARIABLES: Final = ("PATH", "HOME", "LANG", "TMPDIR", "TZ", "SSL_CERT_FILE")
# what numeric libraries choose their kernels and threads by: with other ones the last bits of a sum differ
_NUMERIC_PREFIXES: Final = ("BLIS_", "MKL_", "NUMEXPR_", "OMP_", "OPENBLAS_", "VECLIB_")
_DETAIL_CHARACTERS: Final = 2000


class Stopped(Exception):
    """The engine was told to stop: no step may be started any more."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a start of a step ended, as far as the engine knows.

    Args:
        code: the exit code; None if the step was lost: killed, or nobody heard.
        texts: what it wrote into `--out`, by file name.
        said: the end of what it wrote to stderr.
        how: how it ended, as the end of a sentence.
    """

    code: int | None
    texts: Mapping[str, str]
    said: str
    how: str


class Starter:
    """Starts steps, so many at once.

    Args:
        bundle: the place and the SHA-256 of the code bundle.
        scratch: a folder for what steps write to the engine.
        workers: how many processes at once, doubles and zombies left out.
        bare: hide installed packages from the steps.
        environment: further variables for them.
    """

    def __init__(
        self, bundle: Sequence[str], scratch: str, workers: int, *, bare: bool, environment: Mapping[str, str]
    ) -> None:
        # -I: neither the caller's folder nor PYTHONPATH; -S: no site-packages. The bundle is first on sys.path anyway
        flags = ["-I", "-S"] if bare else ["-I"]
        self._command = [sys.executable, *flags, "-c", stub_text(), *bundle]
        self._scratch = scratch
        self._slots = threading.Semaphore(workers)
        self._numbers = count()
        self._left: list[subprocess.Popen[bytes]] = []
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        prefixes = ("AWS_", "DOCKER_", "DRAWLOOM_CONTAINER_", "DRAWLOOM_SECRET_", *_NUMERIC_PREFIXES)
        kept |= {name: text for name, text in os.environ.items() if name.startswith(prefixes)}
        cache = os.environ.get("DRAWLOOM_CACHE") or os.path.join(tempfile.gettempdir(), f"drawloom-{os.getuid()}")
        self._environment = {**kept, "DRAWLOOM_CACHE": cache, **environment}

    def start(self, arguments: Sequence[str], fate: Fate) -> Ended:
        """Starts a step and waits for it, as far as its fate lets the engine.

        Args:
            arguments: the module below `drawloom.runtimes`, then its own, `--out` left out.
            fate: what goes wrong.

        Raises:
            Stopped: `stop` was called, before or meanwhile.
        """
        out = os.path.join(self._scratch, str(next(self._numbers)))
        os.mkdir(out)
        with self._slots:
            process = self._open(arguments, out, fate)
            if fate.zombie:
                self._left.append(process)
                return Ended(None, {}, "", "it was given up while it ran")
            if fate.twice:
                self._left.append(self._open(arguments, out, fate))
            said = process.communicate()[1].decode("utf-8", "replace")[-_DETAIL_CHARACTERS:]
        with self._lock:
            self._running.discard(process)
            if self._stopped.is_set():
                raise Stopped  # how it ended is our own doing
        known = process.returncode >= 0 and not fate.forget
        how = "nobody heard how it ended" if fate.forget else f"it {how_ended(process.returncode)}"
        return Ended(process.returncode if known else None, _read_texts(out) if known else {}, said, how)

    def reap(self) -> None:
        """Waits for the processes nobody has waited for, so that none outlives the engine."""
        for process in self._left:
            process.communicate()

    def pause(self, seconds: float) -> None:
        """Waits, until `stop` is called at most.

        Raises:
            Stopped: it was called.
        """
        if self._stopped.wait(seconds):
            raise Stopped

    def stop(self, grace_seconds: float) -> None:
        """Ends every process, with all it started; none is started any more.

        Args:
            grace_seconds: how long they may take to end by themselves, once they are asked to.
        """
        with self._lock:
            self._stopped.set()
            running = list(self._running)
        deadline = time.monotonic() + grace_seconds
        try:
            _signal_groups(running, signal.SIGTERM)
            for process in running:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, deadline - time.monotonic()))
        finally:  # also where another Ctrl-C is in a hurry
            _signal_groups(running, signal.SIGKILL)
        for process in running:
            process.wait()

    def _open(self, arguments: Sequence[str], out: str, fate: Fate) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped.is_set():
                raise Stopped
            process = subprocess.Popen(
                [*self._command, *arguments, "--out", out],
                env={**self._environment, **dict(fate.environment)},
                cwd=self._scratch,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                process_group=0,  # its own: a terminal's Ctrl-C is for the engine, which ends it with all it started
            )
            self._running.add(process)
        return process


def _signal_groups(processes: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    for process in processes:
        with suppress(ProcessLookupError, PermissionError):  # PermissionError: on macOS, of a group of dead processes
            os.killpg(process.pid, number)


def _read_texts(folder: str) -> dict[str, str]:
    texts = {}
    for name in os.listdir(folder):
        if not name.endswith(".part"):
            with open(os.path.join(folder, name), encoding="ascii") as file:
                texts[name] = file.read()
    return texts
