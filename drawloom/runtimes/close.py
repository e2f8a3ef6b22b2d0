"""The step an engine runs when all is over, if it has such a one: it closes a run whose last step was never run.

    --store URL --project P --engine NAME --ids name=TEXT,... --status STATUS

Somebody stopped the engine's own run, its time was over while steps waited for a place, or the engine itself failed
(`--status Error`). A run that never began, or has ended, stays as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from time import time

from drawloom.catalog.outcomes import finish_run, is_finished, read_run
from drawloom.catalog.records import RunFinished, RunStarted
from drawloom.errors import DrawloomError
from drawloom.ir.protocol import DONE, END
from drawloom.runtimes.begin import run_name
from drawloom.runtimes.context import StepContext, check_bundle, open_project
from drawloom.runtimes.step import LOST, read_options
from drawloom.storage.base import Storage

__all__ = ["main"]

_OPTIONS = ("store", "project", "engine", "ids", "status")


def main(arguments: Sequence[str]) -> int:
    """Closes a run.

    Returns:
        `done`, however the run ended; 1 if the step couldn't do its work.
    """
    try:
        options = read_options(arguments, _OPTIONS)
        storage = open_project(options["store"], options["project"])
        ids = [part.split("=", 1) for part in options["ids"].split(",")]
        run = read_run(storage, run_name(options["engine"], ids))
        if run is not None and not is_finished(storage, run.run, run.generation):
            check_bundle(run)
            _close(storage, run, by_engine=options["status"] == "Error")
    except DrawloomError as error:
        print(error, file=sys.stderr)
        return LOST
    return DONE


def _close(storage: Storage, run: RunStarted, *, by_engine: bool) -> None:
    """Writes the end of a run that has none: by its limit, as cancelled, or as its last step would.

    Args:
        storage: the project's storage.
        run: the run.
        by_engine: whether the engine failed; else it was told to stop, if something is left to do.
    """
    step = StepContext(storage, run, END)
    if not by_engine and not _is_late(step) and _is_unfinished(step):
        finish_run(storage, RunFinished(run.run, "cancelled", run.generation, at=time()))
        return
    from drawloom.runtimes.end import run_end

    run_end(step)


def _is_late(step: StepContext) -> bool:
    if step.slice.run_timeout_seconds is None:
        return False
    from drawloom.runtimes.run_limit import failure_of_run

    return failure_of_run(step) is not None


def _is_unfinished(step: StepContext) -> bool:
    from drawloom.runtimes.failures import Closing

    closing = Closing(step.places(), step.all_failed_nodes(), step.outcomes.outcome, step.outcomes.decided)
    closing.block("", 0, ())
    return bool(closing.lost)
