"""Servers started in the background, recorded so that exactly they are stopped later.

A record holds the process id together with the time the process started: ids are used again, the
pair isn't. Each server leads a process group of its own, which ends with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.error
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster.places import state

_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}  # those that this very process started, to reap them


@dataclass(frozen=True, slots=True)
class Record:
    """A server that was started.

    Args:
        name: The server's name, also that of its log.
        pid: Process id, and id of the process group that it leads.
        started: Time of start, in clock ticks since boot, as in /proc/PID/stat.
        arguments: The command line.
    """

    name: str
    pid: int
    started: int
    arguments: tuple[str, ...]


def ensure_started(name: str, arguments: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Record:
    """Start a server, unless the one recorded under this name still runs."""
    known = record(name)
    if known is not None and _alive(known):
        return known
    log = log_path(name)
    log.parent.mkdir(parents=True, exist_ok=True)
    command = tuple(str(argument) for argument in arguments)
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            cwd=state(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    _CHILDREN[process.pid] = process
    made = Record(name, process.pid, _started(process.pid) or 0, command)
    path = _record_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(made)))
    return made


def running(name: str) -> Record | None:
    """The record of a server that runs, or None."""
    known = record(name)
    return known if known is not None and _alive(known) else None


def record(name: str) -> Record | None:
    """What was recorded when the server was started, whether it still runs or not."""
    try:
        known = json.loads(_record_path(name).read_text())
    except FileNotFoundError:
        return None
    return Record(known["name"], known["pid"], known["started"], tuple(known["arguments"]))


def stop(name: str, *, patience_seconds: float = 10, kill: bool = False) -> None:
    """End a server and its process group: asked first, then killed; nothing happens if it doesn't run.

    Args:
        name: The server's name.
        patience_seconds: How long it may take to end by itself.
        kill: Don't ask.
    """
    known = record(name)
    if known is not None and _alive(known):
        _signal_group(known.pid, signal.SIGKILL if kill else signal.SIGTERM)
        if not _ended_within(known, patience_seconds):
            _signal_group(known.pid, signal.SIGKILL)
            _ended_within(known, 10)
    _record_path(name).unlink(missing_ok=True)


def wait_until(what: str, ready: Callable[[], bool], *, server: str, limit_seconds: float = 120) -> None:
    """Wait until `ready` says so.

    Raises:
        RuntimeError: The server that it depends on ended, or the limit passed; the message holds the end of its log.
    """
    end = time.monotonic() + limit_seconds

    def is_ready() -> bool:
        try:
            return ready()
        except urllib.error.HTTPError as problem:
            if problem.code != 429 and problem.code < 500:
                raise
        except TimeoutError:
            pass
        return False  # a busy server's way to say "not yet"

    while not is_ready():
        reason = None
        if running(server) is None:
            reason = f"{server} ended"
        elif time.monotonic() > end:
            reason = f"not so after {limit_seconds:.0f} s"
        if reason is not None:
            raise RuntimeError(f"waiting until {what}: {reason}\n{log_path(server)} ends with:\n{log_tail(server)}")
        time.sleep(0.1)


def log_path(name: str) -> Path:
    """The file that a server's stdout and stderr go to."""
    return state() / "logs" / f"{name}.log"


def log_tail(name: str, lines: int = 15) -> str:
    """The last lines of a server's log."""
    with contextlib.suppress(FileNotFoundError):
        return "\n".join(log_path(name).read_text(errors="replace").splitlines()[-lines:])
    return "(no log)"


def kill_pids(pids: Sequence[int]) -> None:
    """Kill processes that were found by something that only the cluster's own have: its cgroup or socket."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _record_path(name: str) -> Path:
    return state() / "processes" / f"{name}.json"


def _alive(known: Record) -> bool:
    child = _CHILDREN.get(known.pid)
    if child is not None:
        child.poll()
    return _started(known.pid) == known.started


def _started(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None if there is none, or only its remains."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name before may hold spaces
    return None if fields[0] in "ZX" else int(fields[19])


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def _ended_within(known: Record, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while _alive(known):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
