"""The last stage of a container's pod: reads what the command left, commits, and tells the engine by its exit code.

--store URL --project P --run REF --step ID --index 0,3 --attempt N --root /drawloom
[--after done|ended]
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from drawloom.catalog.records import AttemptStarted
from drawloom.errors import DrawloomError
from drawloom.ir.canonical import Json
from drawloom.ir.policies import TIMEOUT
from drawloom.ir.protocol import parse_indices
from drawloom.runtimes.attempt import AttemptResult, describe_failure, encoded_result, engine_failure, redacted
from drawloom.runtimes.call import Instance, prepared
from drawloom.runtimes.containers import ended_badly, read_result
from drawloom.runtimes.staging import STAGE_OPTIONS, Ended, read_ended, read_stage
from drawloom.runtimes.step import LOST, opened, read_options

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Commits what came of the command.

    Returns:
        An exit code of `ir.protocol`; 1 if the stage couldn't do its work.
    """
    try:
        options = read_options(arguments, STAGE_OPTIONS, optional=("after",))
        told = read_stage(options["root"])
        if "code" in told:
            return int(told["code"])
        ended = read_ended(options["root"])
        sys.stdout.buffer.write(ended.log)  # where an engine's user looks first
        sys.stdout.flush()
        if ended.code is None:
            print("the command's script didn't come to its end", file=sys.stderr)
            return LOST
        (index,) = parse_indices(options["index"])
        found = prepared(opened(options), index)
        return found if isinstance(found, int) else _end(found, told, ended, options["root"])
    except DrawloomError as error:
        print(error, file=sys.stderr)
        return LOST


def _end(instance: Instance, told: Mapping[str, Json], ended: Ended, root: str) -> int:
    step = instance.step
    run, node, index = step.run, step.slice.node, instance.index
    instance.take_key()
    attempt = AttemptStarted(run.run, node, index, told["attempt"], run.generation, told["worker"], told["at"])
    return instance.end(attempt, _result(instance, ended, root, told["late"]))


def _result(instance: Instance, ended: Ended, root: str, late: str) -> AttemptResult:
    spec, log = instance.spec, redacted(ended.log)
    if ended.late and not late:  # the time of the whole run was over
        return AttemptResult("cancelled", seconds=ended.seconds, log=log)
    if ended.late:
        return AttemptResult("timeout", None, engine_failure(TIMEOUT, late), None, ended.seconds, log)
    try:
        if ended.code:
            raise ended_badly(spec, ended.code, ended.log)
        output = encoded_result(spec, read_result(spec, root), instance.step.values)
    except Exception as exception:  # noqa: BLE001  # what the command left may be anything
        return AttemptResult("failed", None, describe_failure(exception), exception, ended.seconds, log)
    return AttemptResult("succeeded", output, None, None, ended.seconds, log)
