"""A step of a compiled program: the process an engine starts, and the only place where a compiled run does its work.

    --store URL --project P --run REF --step ID --index 0,3[;0,4...] --attempt N --out DIR [--after done|ended]

`--attempt` counts from 1; an engine that counts from 0 writes a sum, `1+0`. An engine that can't leave out the steps
of an arm that wasn't chosen starts all of them, and says with `--after` how those before this one have ended: all of
them well (`done`; the steps of a `try` as far as they tell), or in whichever way (`ended`). Then the step finds out by
itself whether it is wanted; and after `ended`, steps of a `try` tell the engine of their failures.

It reads its slice of the program and the outcomes of the steps before it, does its part for each index vector,
commits, and answers with an exit code of `ir.protocol` and the decisions in `--out`. Standard library alone until a
codec or a storage scheme asks for more, and little of that: a step of an empty task should cost no more than starting
Python.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from io import TextIOWrapper

from drawloom.catalog.records import Index
from drawloom.errors import DrawloomError
from drawloom.ir.protocol import DONE, FAILED_FINAL, FAILED_RETRY, SKIPPED, parse_indices
from drawloom.runtimes.context import StepContext, check_bundle, is_over, open_project, read_started

__all__ = ["LOST", "STEP_OPTIONS", "is_started_late", "main", "opened", "out_of_time", "read_options"]

STEP_OPTIONS = ("store", "project", "run", "step", "index", "attempt", "out")
LOST = 1  # the step itself couldn't do its work: an engine treats it as any crash
# of several index vectors, the one that asks most of the engine speaks for all
_RANK = (FAILED_FINAL, FAILED_RETRY, SKIPPED, DONE)


def main(arguments: Sequence[str]) -> int:
    """Runs a step.

    Args:
        arguments: the command line after the program's name.

    Returns:
        An exit code of `ir.protocol`; 1 if the step couldn't do its work, with the reason on stderr.
    """
    try:
        return _main(arguments)
    except DrawloomError as error:
        print(error, file=sys.stderr)
        return LOST


def _main(arguments: Sequence[str]) -> int:
    options = read_options(arguments, STEP_OPTIONS, optional=("after",))
    step, indices = opened(options), parse_indices(options["index"])
    if is_started_late(step, indices):
        return FAILED_FINAL
    codes = {_run_one(step, index, several=len(indices) > 1) for index in indices}
    return next(code for code in _RANK if code in codes)


def opened(options: Mapping[str, str]) -> StepContext:
    """The step that a command line asks for.

    Args:
        options: `store`, `project`, `run`, `step`, `attempt`, `out`, if the engine reads anything, and `after`.

    Raises:
        StoreError: E710, E711, E718.
    """
    faults = os.environ.get("DRAWLOOM_FAULTS", "")
    if faults:
        from drawloom.runtimes.faults import at

        at("start", faults)
    storage = open_project(options["store"], options["project"], faults)
    run = read_started(storage, options["run"])
    check_bundle(run)
    attempt = sum(map(int, options["attempt"].split("+")))
    where = ("--store", options["store"], "--project", options["project"])
    return StepContext(storage, run, options["step"], attempt, options.get("out", ""), options.get("after", ""), where)


def is_started_late(step: StepContext, indices: Sequence[Index]) -> bool:
    """Whether the run has ended, so that a step of it does nothing any more, and says so (E743)."""
    if step.slice.does == "end" or not is_over(step.storage, step.run):
        return False
    from drawloom.runtimes.step_errors import refuse_late_step

    refuse_late_step(step.storage, step.run, step.slice.id, indices, step.attempt)
    return True


def out_of_time(step: StepContext) -> int | None:
    """The exit code of a step whose run has no time left; None if it may begin."""
    if step.slice.run_timeout_seconds is None or step.slice.does == "end":
        return None
    from drawloom.runtimes.run_limit import give_up, run_seconds_left

    return give_up(step) if run_seconds_left(step) <= 0 else None


def _run_one(step: StepContext, index: Index, *, several: bool) -> int:
    late = out_of_time(step)
    if late is not None:
        return late
    step.begin_anew(index)
    if not step.is_wanted(index):
        return SKIPPED
    if several and step.out:
        step.choose_folder(index)
    does = step.slice.does
    if does == "call":
        return _call(step, index)
    if does == "end":
        from drawloom.runtimes.end import run_end

        return run_end(step)
    if does == "follow":
        from drawloom.runtimes.follow import run_follow

        return run_follow(step, index)
    return _decide(step, index)


def _call(step: StepContext, index: Index) -> int:
    from drawloom.runtimes.call import run_call

    if isinstance(sys.stdout, TextIOWrapper):  # an engine shows what is printed while it is, and has it all at the end
        sys.stdout.reconfigure(line_buffering=True)
    code = run_call(step, index)
    following = step.following()
    return code if code != DONE or following is None else _decide(following, index)


def _decide(step: StepContext, index: Index) -> int:
    from drawloom.runtimes.decide import DECIDERS

    code: int = DECIDERS[step.slice.does](step, index)
    return code


def read_options(arguments: Sequence[str], names: Sequence[str], optional: Sequence[str] = ()) -> dict[str, str]:
    """The options of a command line, each of which must be there once; of `optional` ones, at most once.

    Raises:
        RunRefused: E713.
    """
    # not argparse: it would cost a step 6 ms, and nobody types these
    options = {name.removeprefix("--"): value for name, value in zip(arguments[::2], arguments[1::2], strict=False)}
    problem = ""
    if len(arguments) % 2 or any(not name.startswith("--") for name in arguments[::2]):
        problem = "it takes pairs of an option and its value"
    elif set(options) - set(optional) != set(names) or len(arguments) != 2 * len(options):
        wrong = sorted((set(options) - set(optional)) ^ set(names))
        problem = f"missing, unknown or doubled: {', '.join('--' + name for name in wrong) or 'an option'}"
    if problem:
        from drawloom.runtimes.step_errors import bad_arguments

        raise bad_arguments(problem)
    return options
