"""Attempts with a time limit: the task runs in a child process of the step, which is killed with all it started.

A limit kept inside the task's own process could be outlived by code that holds the interpreter, or catches everything.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from threading import current_thread, main_thread
from types import FrameType
from typing import Any

from drawloom.catalog.keys import attempt_key
from drawloom.catalog.outcomes import decode_record
from drawloom.catalog.records import (
    AttemptStarted,
    Commit,
    FailureInfo,
    Index,
    record_from_json,
    record_to_json,
)
from drawloom.errors import Diagnostic
from drawloom.ir.canonical import Json
from drawloom.ir.policies import INFRA, TIMEOUT, Policies
from drawloom.ir.tasks import TaskSpec
from drawloom.runtimes.attempt import AttemptResult, engine_failure, run_attempt
from drawloom.runtimes.context import StepContext
from drawloom.runtimes.endings import attempt_late, how_ended, node_late
from drawloom.runtimes.run_limit import run_seconds_left
from drawloom.runtimes.tracked import NOTHING, Tracked
from drawloom.storage.base import KeyMissing

__all__ = ["node_seconds_left", "run_limited", "shortest_limit"]


def node_seconds_left(step: StepContext, index: Index, policies: Policies) -> float:
    """The seconds left of `node_timeout_seconds`, counted from the start of the first attempt."""
    assert policies.node_timeout_seconds is not None, "there is a limit to ask for"
    key = attempt_key(step.run.run, step.run.generation, step.slice.node, index, 1, "started")
    try:
        first = decode_record(step.storage.read(key), key)
    except KeyMissing:
        return policies.node_timeout_seconds
    began = first.at if isinstance(first, AttemptStarted) else time.time()
    return policies.node_timeout_seconds - (time.time() - began)


def shortest_limit(step: StepContext, started: AttemptStarted, policies: Policies) -> tuple[float, Diagnostic | None]:
    """The seconds an attempt may take, and what is said once it has taken longer; there is a limit.

    Nothing is said where the time of the whole run is over by then: the attempt is cancelled, and no failure.
    """
    number = started.attempt
    limits: list[tuple[float | None, Diagnostic | None]] = [
        (policies.attempt_timeout_seconds, attempt_late(started.node, number, policies))
    ]
    if step.slice.run_timeout_seconds is not None:
        limits.append((run_seconds_left(step), None))
    if policies.node_timeout_seconds is not None:
        left = node_seconds_left(step, started.index, policies)
        limits.append((left, node_late(started.node, number, policies)))
    return min(((limit, text) for limit, text in limits if limit is not None), key=lambda found: found[0])


def run_limited(
    step: StepContext,
    started: AttemptStarted,
    function: Callable[..., Any],
    spec: TaskSpec,
    inputs: Mapping[str, Json],
    place: tuple[Any, ...],
) -> AttemptResult:
    """`run_attempt` under the limits of `spec.policies`; the outcome is `timeout` where one was reached.

    It is `cancelled` where the time of the whole run was over: the attempt is no failure then.
    """
    seconds, late = shortest_limit(step, started, spec.policies)
    began = time.monotonic()
    attempt = partial(run_attempt, function, spec, inputs, step.values, tee=True, interruptible=False, place=place)
    text, how = _run_child(lambda: _encode(attempt()), max(0.0, seconds))
    if text is None and late is None:
        return AttemptResult("cancelled", seconds=time.monotonic() - began)
    if text is None:
        return AttemptResult("timeout", None, engine_failure(TIMEOUT, str(late)), None, time.monotonic() - began)
    if not text:
        failure = engine_failure(INFRA, f"the process of the attempt {how} before it answered")
        return AttemptResult("failed", None, failure, None, time.monotonic() - began)
    return _decode(json.loads(text))


def _run_child(work: Callable[[], bytes], seconds: float) -> tuple[bytes | None, str]:
    """What `work` gives in a child process; None b"" if it died, None after `seconds`; and how it ended."""
    restore = _end_with_the_step()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            restore()
            os.setsid()  # a group of its own: what the task starts is killed with it
            os.close(reader)
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(work())
            sys.stdout.flush()
            sys.stderr.flush()
            code = 0
        finally:
            os._exit(code)  # nothing of the parent's may run twice: no exit handlers, no buffers
    os.close(writer)
    deadline = time.monotonic() + seconds
    parts: list[bytes] = []
    text: bytes | None
    try:
        while True:
            ready, _, _ = select.select([reader], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                text = None
                break
            part = os.read(reader, 1 << 16)
            if not part:
                text = b"".join(parts)
                break
            parts.append(part)
    finally:
        os.close(reader)
        with suppress(ProcessLookupError, PermissionError):  # PermissionError: on macOS, of a group of dead processes
            os.killpg(child, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        restore()
    return text, how_ended(status)


def _end_with_the_step() -> Callable[[], None]:
    """Lets SIGTERM unwind the step, so that the child is killed too: its group isn't the one the engine ends.

    Returns:
        Puts back what was there.
    """
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL or current_thread() is not main_thread():
        return lambda: None

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)

    def restore() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    return restore


def _encode(result: AttemptResult) -> bytes:
    failure = result.failure
    tree = {
        "outcome": result.outcome,
        "output": result.output,
        "seconds": result.seconds,
        "log": b64encode(result.log).decode("ascii"),
        "failure": None
        if failure is None
        else [failure.type, failure.message, list(failure.bases), failure.traceback, failure.arguments],
    }
    if result.tracked is not NOTHING:
        tracked = result.tracked
        kept = Commit("", "", metrics=tracked.metrics, series=tracked.series, logged=tracked.logged)
        tree["tracked"] = [record_to_json(kept), tracked.checkpoint]
    return json.dumps(tree).encode("ascii")


def _decode(tree: Json) -> AttemptResult:
    failure = None
    if tree["failure"] is not None:
        name, message, bases, traceback, arguments = tree["failure"]
        failure = FailureInfo(name, message, tuple(bases), traceback, arguments)
    tracked = NOTHING
    if "tracked" in tree:
        kept: Any = record_from_json(tree["tracked"][0])
        tracked = Tracked(kept.metrics, kept.series, kept.logged, tree["tracked"][1])
    log = b64decode(tree["log"])
    return AttemptResult(tree["outcome"], tree["output"], failure, None, tree["seconds"], log, tracked)
