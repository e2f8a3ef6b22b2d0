"""What a worker process runs: attempts, one after another, until the parent closes the pipe.

The main thread runs the tasks; another reads requests and ends the process at once when the parent has gone, whatever a
task is doing then.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

from drawloom.catalog.records import Commit, record_to_json
from drawloom.errors import Diagnostic, RunRefused
from drawloom.ir.canonical import Json
from drawloom.ir.serialize import from_json
from drawloom.ir.tasks import TaskSpec
from drawloom.ir.variables import Variables
from drawloom.runtimes.attempt import AttemptResult, describe_failure, load_function, redacted, run_attempt
from drawloom.runtimes.frames import read_frame, write_frame
from drawloom.runtimes.mainmodule import stand_in_for_main
from drawloom.storage.base import Storage
from drawloom.storage.objects import Objects
from drawloom.values.store import Values

__all__ = ["importing", "main"]

_IMPORTING = threading.local()


def importing() -> bool:
    """Whether this is a worker process that is just importing the user's module: no run may start then."""
    return getattr(_IMPORTING, "now", False)


def _set_importing(now: bool) -> None:
    _IMPORTING.now = now


def main(requests: int, replies: int) -> None:
    """Serves requests on the descriptor `requests`, answers on `replies`."""
    os.set_inheritable(requests, False)  # what a task starts must not keep the pipes open
    os.set_inheritable(replies, False)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # they are files: what a killed task wrote is there
        stream.close = _stay_open  # type: ignore[method-assign]  # as in a thread of the parent (`capture`)
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(requests, waiting), daemon=True).start()
    setup = json.loads(waiting.get())
    values = _open(setup)
    env = tuple((name, text) for name, text in setup["env"])
    write_frame(replies, b"{}")
    tasks: dict[str, tuple[TaskSpec, Callable[..., Any]]] = {}
    while True:
        request = json.loads(waiting.get())
        if "load" in request:
            with Variables(env), contextlib.suppress(BaseException):  # told when the attempt is made, with its log
                _task(request["load"], tasks)
            write_frame(replies, b"{}")
            continue
        answer = json.dumps(_serve(request, tasks, values, env)).encode()
        _redact_log()
        write_frame(replies, answer)


def _stay_open() -> None:
    """A task that closes its output must not close that of the next one."""


def _redact_log() -> None:
    """Takes revealed secrets out of what was written; the parent reads it when it has the answer."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the task may have closed it, or put anything in its place
            stream.flush()
    size = os.fstat(1).st_size
    log = os.pread(1, size, 0) if size else b""
    clean = redacted(log)
    if clean != log:
        os.ftruncate(1, 0)
        os.write(1, clean)  # a regular file takes all of it


def _receive(requests: int, waiting: queue.SimpleQueue[bytes]) -> None:
    while True:
        message = read_frame(requests)
        if message is None:
            os._exit(0)  # the parent is done with this worker, or dead: nobody waits for what the main thread does
        waiting.put(message)


def _open(setup: Json) -> Values:
    stand_in_for_main(setup["main"], _set_importing)
    storage = _storage(setup["storage"])
    if setup["env"] and "://" in setup["storage"]:
        storage.exists("worker")  # connects it now, with the variables of the run: a task's may be for another service
    return Values(Objects(storage), allow_pickle=setup["allow_pickle"])


def _storage(url: str) -> Storage:
    """The project's storage; its root was looked at by the parent."""
    if "://" not in url:
        from drawloom.storage.local import LocalStorage

        return LocalStorage(url)
    from drawloom.storage.remote import open_remote

    return open_remote(url)


def _serve(
    request: Json,
    tasks: dict[str, tuple[TaskSpec, Callable[..., Any]]],
    values: Values,
    env: tuple[tuple[str, str], ...],
) -> Json:
    ref = None
    try:
        with Variables(env):
            spec, function = _task(request["spec"], tasks)
    except BaseException as exception:  # noqa: BLE001  # the user's module runs here
        result = AttemptResult("failed", None, describe_failure(exception))
    else:
        _log_to_stderr()
        # Ctrl-C doesn't reach a worker
        source, node, index = request["place"]
        place = (source, node, tuple(index))
        with Variables(env):
            result = run_attempt(function, spec, request["inputs"], values, tee=True, interruptible=False, place=place)
        if result.outcome == "succeeded":
            try:
                ref = values.ref(result.output, str(spec.result))
            except Exception as exception:  # noqa: BLE001  # the store: full, gone
                failure = describe_failure(exception)
                result = AttemptResult("failed", None, failure, None, result.seconds, tracked=result.tracked)
    outputs = (("result", ref),) if ref is not None else ()
    tracked = result.tracked
    commit = Commit(
        "",
        "",
        outcome=result.outcome,
        outputs=outputs,
        failure=result.failure,
        seconds=result.seconds,
        metrics=tracked.metrics,
        series=tracked.series,
        logged=tracked.logged,
    )
    return {"commit": record_to_json(commit), "output": result.output, "checkpoint": tracked.checkpoint}


def _log_to_stderr() -> None:
    """Log records look as in a thread of the parent (`capture`), unless the user's module set up logging itself."""
    logging = sys.modules.get("logging")
    if logging is not None and not logging.getLogger().handlers:
        logging.basicConfig()


def _task(text: str, tasks: dict[str, tuple[TaskSpec, Callable[..., Any]]]) -> tuple[TaskSpec, Callable[..., Any]]:
    if text not in tasks:
        spec = from_json(TaskSpec, json.loads(text))
        _set_importing(True)
        try:
            tasks[text] = (spec, _load(spec))
        finally:
            _set_importing(False)
    return tasks[text]


def _load(spec: TaskSpec) -> Callable[..., Any]:
    try:
        return load_function(spec.function)
    except (ImportError, AttributeError) as exception:
        raise RunRefused(
            Diagnostic(
                "R517",
                f"task `{spec.name}` can't be imported in a worker process: {type(exception).__name__}: {exception}",
                None,
                f"make `{spec.function.module}` importable by that name, or run with executor='threads'",
            )
        ) from exception
