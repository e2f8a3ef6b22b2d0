"""A whole loop or map in one step, for an engine that can't follow it: the step is a small engine itself.

It starts the steps of every iteration or item, each a process of its own that commits as on any engine; started again,
it goes on where it was.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import time
from types import FrameType
from typing import Final

from drawloom.catalog import keys
from drawloom.catalog.outcomes import observe
from drawloom.catalog.records import EngineObservation, Index
from drawloom.ir.protocol import DONE, FAILED_FINAL, SKIPPED
from drawloom.runtimes.context import StepContext, run_reference
from drawloom.runtimes.decide import skip
from drawloom.runtimes.engine_faults import Faults
from drawloom.runtimes.engine_follow import Follower, Observe
from drawloom.runtimes.engine_process import Starter

__all__ = ["run_follow"]

_GRACE_SECONDS: Final = 5.0


def run_follow(step: StepContext, index: Index) -> int:
    """Runs a node to its end; returns an exit code of `ir.protocol`."""
    node = step.slice.node
    if step.is_behind(index):
        return skip(step, node, index)
    sha = step.run.bundle
    bundle = (f"{step.storage.url}/{keys.bundle_key(sha)}", sha)
    with tempfile.TemporaryDirectory(prefix="drawloom-follow-") as scratch:
        starter = Starter(bundle, scratch, os.cpu_count() or 2, bare=False, environment=dict(os.environ))
        follower = Follower(starter, step.where, Faults(lost_retries=0), _observing(step))
        follower.reference = run_reference(step.run.run, step.run.generation)
        with _ended_with(starter):
            status = follower.follow(json.loads(step.slice.entries), [index])
    return _exit_code(step, node, index, status)


def _exit_code(step: StepContext, node: str, index: Index, status: str) -> int:
    if step.hides_failure:
        return DONE
    failed = step.failed_nodes()
    if status == "failed" or (failed is not None and failed.first_in(node, index) is not None):
        return FAILED_FINAL
    return SKIPPED if step.outcomes.outcome(node, index) == "skipped" else DONE


def _observing(step: StepContext) -> Observe:
    run = step.run

    def note(node: str, index: Index, attempt: int, event: str, detail: str) -> None:
        observe(step.storage, EngineObservation(run.run, node, event, index, attempt, run.generation, detail, time()))

    return note


@contextmanager
def _ended_with(starter: Starter) -> Iterator[None]:
    """Whoever ends this process ends what it has started, too."""

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise SystemExit(128 + number)

    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, end) if in_main else None
    try:
        yield
    except BaseException:
        starter.stop(_GRACE_SECONDS)
        raise
    finally:
        if in_main:
            signal.signal(signal.SIGTERM, before)
