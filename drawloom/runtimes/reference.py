"""The reference engine: runs a compiled program, one process per step, and knows nothing but order, booleans, counts,
retries.

It is for tests and for teaching: it reads `engine.json`, starts steps through the bootstrap stub in an interpreter that
can't see drawloom, and follows what they write into `--out`. It never looks into the store, but to publish the program
and to note what no process lived to write. The protocol is proven here, faults included (`engine_faults`), before any
other engine.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any, Final
from uuid import uuid4

from drawloom.catalog import keys
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.outcomes import finish_run, observe, read_run
from drawloom.catalog.records import EngineObservation, Index, RunFinished
from drawloom.catalog.run import Run
from drawloom.ir.canonical import Json
from drawloom.runtimes.begin import run_name
from drawloom.runtimes.context import split_reference
from drawloom.runtimes.engine_faults import Faults
from drawloom.runtimes.engine_follow import Follower
from drawloom.runtimes.engine_process import Starter
from drawloom.runtimes.interrupts import interrupts
from drawloom.runtimes.local import RunInterrupted
from drawloom.runtimes.publish import begin_text, publish_program, read_engine, read_files

__all__ = ["Faults", "run_bundle"]

_ENGINE: Final = "reference"
_GRACE_SECONDS: Final = 2.0  # how long steps may take to end, once the run is cancelled


def run_bundle(
    folder: str | os.PathLike[str],
    params: Mapping[str, Json],
    store: str,
    *,
    project: str = "default",
    workers: int | None = None,
    faults: Faults | None = None,
    bare: bool = False,
    identity: str = "",
    logical_time: str = "",
    interval: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
    allow_pickle: bool = False,
    told: Mapping[str, Any] | None = None,
) -> Run:
    """Runs a compiled program to its end.

    Args:
        folder: where `compile(pipeline, "reference").write(...)` has put it.
        params: parameter name -> envelope tree (`Values.encode`), its objects in the store already.
        store: the store's path or URL, which a step must be able to reach too.
        project: the project in the store.
        workers: how many steps run at once; None for the number of processors.
        faults: what goes wrong on purpose.
        bare: hide the installed packages too; else steps see them, but never a drawloom among them.
        identity: the engine's own name of this run, for begins that must be the same run; "" for a new one.
        logical_time, interval: the times the run is for, ISO 8601.
        environment: further variables for the steps' processes.
        allow_pickle: whether the returned run decodes values of the pickle codec.
        told: fields of the run's record that the caller alone knows: `target`, `static`.

    Returns:
        The run, also when it failed.

    Raises:
        RunRefused: E716, the folder holds no program of this engine; E717, the run couldn't begin.
        StoreError: the store can't be written.
        RunInterrupted: Ctrl-C; the run has ended and is written as cancelled. (KeyboardInterrupt, if it hadn't begun.)
    """
    engine = read_engine(folder, _ENGINE)
    catalog = Catalog.open(store, project, allow_pickle=allow_pickle)
    sha = publish_program(catalog.storage, read_files(folder), engine["program"])
    bundle = [f"{catalog.storage.url}/{keys.bundle_key(sha)}", sha]
    where = ["--store", store if "://" in store else os.path.abspath(store), "--project", project]
    identity = identity or uuid4().hex
    asked = begin_text(catalog, params, _ENGINE, [["run", identity]], logical_time, interval, told)
    with tempfile.TemporaryDirectory(prefix="drawloom-engine-") as scratch:
        named = {name: os.environ[name] for name in engine.get("variables", ()) if name in os.environ}
        given = {**named, **(environment or {})}
        starter = Starter(bundle, scratch, workers or os.cpu_count() or 2, bare=bare, environment=given)
        follower = Follower(starter, where, faults or Faults(lost_retries=0), _observing(catalog, identity))

        def work() -> None:
            follower.begin(engine["program"], asked)
            follower.follow(engine["body"])
            follower.end()
            starter.reap()

        interrupted = _is_interrupted(work, starter)
    if interrupted:
        raise _cancelled(catalog, follower, identity)
    return catalog.run(split_reference(follower.reference)[0])


def _observing(catalog: Catalog, identity: str) -> Callable[[str, Index, int, str, str], None]:
    """What a follower calls to take note of something."""
    run = run_name(_ENGINE, [["run", identity]])

    def note(node: str, index: Index, attempt: int, event: str, detail: str) -> None:
        seen = EngineObservation(run, node, event, index, attempt, detail=detail, at=time.time())
        observe(catalog.storage, seen)

    return note


def _is_interrupted(work: Callable[[], None], starter: Starter) -> bool:
    """Does the work in a thread, because this one has to hear Ctrl-C; leaves with every process ended."""
    happened: SimpleQueue[BaseException | None] = SimpleQueue()

    def answer() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # raised again by the thread that waits
            happened.put(error)
        else:
            happened.put(None)

    with interrupts(lambda: happened.put(KeyboardInterrupt())):
        threading.Thread(target=answer, daemon=True).start()
        try:
            error = happened.get()
        except KeyboardInterrupt as interrupt:  # a handler of somebody else's raised it
            error = interrupt
        if error is None:
            return False
        starter.stop(_GRACE_SECONDS)
    if not isinstance(error, KeyboardInterrupt):
        raise error
    return True


def _cancelled(catalog: Catalog, follower: Follower, identity: str) -> KeyboardInterrupt:
    """Writes that the run was cancelled; what to raise."""
    run = run_name(_ENGINE, [["run", identity]])  # the begin step may have made it and been ended before it said so
    if read_run(catalog.storage, run) is None:
        return KeyboardInterrupt()
    follower.cancelled()
    finish_run(catalog.storage, RunFinished(run, "cancelled", at=time.time()))
    return RunInterrupted(catalog.run(run))
