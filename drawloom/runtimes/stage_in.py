"""The first stage of a container's pod: adopts what is known, else writes the inputs and the script that is run.

--store URL --project P --run REF --step ID --index 0,3 --attempt N --root /drawloom
[--after done|ended]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from drawloom.catalog.records import AttemptStarted, Index
from drawloom.errors import DrawloomError
from drawloom.ir.protocol import DONE, FAILED_FINAL, SKIPPED, parse_indices
from drawloom.runtimes.attempt import AttemptResult, decoded_inputs, describe_failure
from drawloom.runtimes.call import Instance, prepared
from drawloom.runtimes.containers import command_line, container_of, make_folders, write_inputs
from drawloom.runtimes.context import StepContext
from drawloom.runtimes.staging import STAGE_OPTIONS, write_script, write_stage
from drawloom.runtimes.step import LOST, is_started_late, opened, out_of_time, read_options

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Makes everything ready for the command, or for there being nothing to run.

    Returns:
        0, whatever the outcome of the node is: the second stage tells it; 1 if the stage couldn't do its work.
    """
    try:
        options = read_options(arguments, STAGE_OPTIONS, optional=("after",))
        (index,) = parse_indices(options["index"])
        code = _begin(opened(options), index, options["root"])
        if code is not None:
            write_script(options["root"], (), {}, None)
            write_stage(options["root"], {"code": code})
    except DrawloomError as error:
        print(error, file=sys.stderr)
        return LOST
    return DONE


def _begin(step: StepContext, index: Index, root: str) -> int | None:
    """Begins the instance; gives an exit code of `ir.protocol` if there is nothing to run."""
    if is_started_late(step, (index,)):
        return FAILED_FINAL
    late = out_of_time(step)
    if late is not None:
        return late
    step.begin_anew(index)
    if not step.is_wanted(index):
        return SKIPPED
    found = prepared(step, index)
    return found if isinstance(found, int) else _stage(found, root)


def _stage(instance: Instance, root: str) -> int | None:
    """Begins an attempt; gives an exit code of `ir.protocol` if there is nothing to run."""
    started = instance.begin()
    if isinstance(started, int):
        return started
    spec = instance.spec
    try:
        given = decoded_inputs(spec, instance.inputs, instance.step.values)
        make_folders(spec, root)
        command = command_line(spec, given, write_inputs(spec, given, root), root)
    except Exception as exception:  # noqa: BLE001  # a value of the user's may fail in any way
        return instance.end(started, AttemptResult("failed", None, describe_failure(exception), exception))
    seconds, late = _limit(instance, started)
    write_script(root, command, dict(container_of(spec).env), seconds)
    write_stage(root, {"attempt": started.attempt, "at": started.at, "worker": started.worker, "late": late})
    return None


def _limit(instance: Instance, started: AttemptStarted) -> tuple[float | None, str]:
    """How long the command may run, and what is said if that isn't enough: nothing where the run's time is over."""
    policies, step = instance.spec.policies, instance.step
    if (policies.attempt_timeout_seconds, policies.node_timeout_seconds, step.slice.run_timeout_seconds) == _NO_LIMITS:
        return None, ""
    from drawloom.runtimes.watchdog import shortest_limit

    seconds, late = shortest_limit(step, started, policies)
    return seconds, "" if late is None else str(late)


_NO_LIMITS = (None, None, None)
