"""The time limit of a compiled run, which its steps keep: no engine needs a clock for it.

A step that starts when the time is over does nothing, and commits for the pipeline that it took too long; an attempt
that is under way then is ended. So nodes are in the states they have after a local run that took too long. Standard
library alone: a step loads this module, where its pipeline has a limit.
"""

from __future__ import annotations

from time import time

from drawloom.catalog.records import FailureInfo
from drawloom.ir.policies import TIMEOUT
from drawloom.ir.protocol import FAILED_FINAL
from drawloom.runtimes.attempt import engine_failure
from drawloom.runtimes.context import StepContext
from drawloom.runtimes.endings import run_late

__all__ = ["failure_of_run", "give_up", "run_seconds_left"]


def run_seconds_left(step: StepContext) -> float:
    """The seconds left of the run's limit, counted from when it began."""
    assert step.slice.run_timeout_seconds is not None, "there is a limit to ask for"
    return step.slice.run_timeout_seconds - (time() - step.run.at)


def give_up(step: StepContext) -> int:
    """Commits that the run took too long; the exit code of a step that did nothing."""
    _commit(step)
    return FAILED_FINAL


def failure_of_run(step: StepContext) -> FailureInfo | None:
    """The failure of a run that took too long, None if it didn't; asked by its last step.

    It did if a step gave up. Where the time is over and something was never done, it was the engine that had no time
    for it: pods that waited for a place.
    """
    own = step.outcomes.commit("", ())
    if own is not None:
        return own.failure if own.failure is not None and own.failure.type == TIMEOUT else None
    if run_seconds_left(step) > 0:
        return None
    from drawloom.runtimes.failures import Closing

    closing = Closing(step.places(), step.all_failed_nodes(), step.outcomes.outcome, step.outcomes.decided)
    closing.block("", 0, ())
    return _commit(step) if closing.lost else None


def _commit(step: StepContext) -> FailureInfo | None:
    late = run_late(step.slice.pipeline, step.slice.run_timeout_seconds or 0)
    return step.commit("", (), "failed", failure=engine_failure(TIMEOUT, late.what)).failure
