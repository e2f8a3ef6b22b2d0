"""`drawloom debug` and `resume`: one node of a run again, and what is left of a run."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from drawloom.catalog.commands import RunAddress, command
from drawloom.cli.options import catalog_options, deployed_option, find_run, index_option, json_option, take_deployed
from drawloom.cli.output import format_seconds, note, output_to_stderr, write, write_json
from drawloom.cli.problems import CANCELLED, FAILED, OK
from drawloom.cli.run import progress_for, tell_run
from drawloom.cli.values import plain_tree, shorten, tree_text
from drawloom.errors import Diagnostic, ProjectError
from drawloom.project import EXECUTORS

if TYPE_CHECKING:
    from drawloom.catalog.records import FailureInfo
    from drawloom.catalog.run import Run
    from drawloom.runtimes.debug import Debugged
    from drawloom.runtimes.planned import Plan

__all__ = ["debug", "resume"]

_WHERE = click.option(
    "--pipeline", "target", metavar="TARGET", help="Where the pipeline is, if not where the run's record says."
)


@click.command()
@click.argument("run")
@click.argument("node")
@index_option
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="Compare with this attempt of the run.")
@click.option("--pdb", is_flag=True, help="Enter the debugger where it fails.")
@click.option("--break", "stop_first", is_flag=True, help="Stop in the debugger at the task's first line.")
@_WHERE
@deployed_option
@catalog_options
@json_option
def debug(
    run: str,
    node: str,
    index: tuple[int, ...] | None,
    attempt: int | None,
    pdb: bool,
    stop_first: bool,
    target: str | None,
    as_json: bool,
    **values: Any,
) -> int:
    """Run a node of a run again, here, with its exact inputs.

    The inputs come from the catalog, the code is that of your files now; the result is compared with the run's, and
    nothing is written. RUN is a run's id, the beginning of it, `last`, or `last~1` for the one before.
    """
    from drawloom import api

    if as_json and (pdb or stop_first):
        what = "--json can't go with --pdb or --break: a debugger needs the terminal"
        raise ProjectError(Diagnostic("P663", what, None, "leave out one of the two"))
    _, catalog = take_deployed(values)
    found = find_run(catalog, run)
    with output_to_stderr() if as_json else nullcontext():
        made = api.debug(
            found,
            node,
            index=index,
            attempt=attempt,
            pdb=pdb,
            stop_first=stop_first,
            pipeline=target,
            tee=not as_json,
        )
    if as_json:
        write_json(_document(made))
    else:
        _tell(made, found, traceback=not pdb)
    return {"succeeded": OK, "quit": CANCELLED}.get(made.outcome, FAILED)


def _tell(made: Debugged, run: Run, *, traceback: bool) -> None:
    sys.stdout.flush()
    if made.outcome == "failed" and made.failure is not None and traceback:
        note(made.failure.traceback.rstrip())
    at = f" {list(made.index)}" if made.index else ""
    write(f"node     {made.node}{at} of run {made.run}")
    write(f"task     {made.task}{f'  {made.where.file}:{made.where.line}' if made.where is not None else ''}")
    write(f"code     {_code_text(made)}")
    for name, tree in made.inputs:
        write(f"input    {name} = {shorten(tree_text(tree), 200)}")
    seconds = format_seconds(made.seconds)
    if made.outcome == "quit":
        write("now      left in the debugger")
        return
    result = tree_text(made.tree) if made.outcome == "succeeded" else _failure_text(made.failure)
    write(f"now      {made.outcome} in {seconds}: {shorten(result, 200)}")
    write(f"the run  {_earlier_text(made)}")
    if made.outcome == "succeeded" and made.earlier.outcome == "failed":
        write(f"next     {command('resume', run.address)}    what is left of that run")


def _code_text(made: Debugged) -> str:
    if made.same_code:
        return f"that of the run ({made.function[:12]})"
    if made.same_code is None:
        return "its version isn't known: it can't be compared with the run's"
    return f"changed since the run: {made.earlier.function[:12]} then, {made.function[:12]} now"


def _earlier_text(made: Debugged) -> str:
    earlier = made.earlier
    attempt = f"attempt {earlier.attempt} " if earlier.attempt > 1 else ""
    if made.same is None:
        return f"{attempt}{earlier.outcome}: it has no outcome to compare with"
    if made.same:
        alike = "an equal value" if made.outcome == "succeeded" else "the same exception"
        return f"{attempt}{earlier.outcome}: {alike}"
    if earlier.failure is not None:
        return f"{attempt}{earlier.outcome}: {shorten(_failure_text(earlier.failure), 200)}"
    if earlier.outcome not in ("succeeded", "cached"):
        return f"{attempt}{earlier.outcome}"
    value = "another value" if made.outcome == "succeeded" else "a value"
    return f"{attempt}{earlier.outcome}: {value} ({earlier.digest[:12]})"


def _failure_text(failure: FailureInfo | None) -> str:
    if failure is None:
        return "failed"
    return f"{failure.type.rpartition(':')[2]}{f': {failure.message}' if failure.message else ''}"


def _document(made: Debugged) -> dict[str, Any]:
    where = made.where
    return {
        "run": made.run,
        "node": made.node,
        "index": list(made.index),
        "task": made.task,
        "where": None if where is None else {"file": where.file, "line": where.line, "symbol": where.symbol},
        "function": made.function,
        "same_code": made.same_code,
        "inputs": [
            {"name": name, "text": shorten(tree_text(tree), 200), "value": plain_tree(tree)}
            for name, tree in made.inputs
        ],
        "outcome": made.outcome,
        "seconds": made.seconds,
        "digest": made.digest or None,
        "text": shorten(tree_text(made.tree), 200) if made.outcome == "succeeded" else None,
        "value": plain_tree(made.tree),
        "failure": _failure_document(made.failure),
        "log": made.log,
        "same": made.same,
        "earlier": {
            "outcome": made.earlier.outcome,
            "attempt": made.earlier.attempt,
            "function": made.earlier.function,
            "digest": made.earlier.digest or None,
            "failure": _failure_document(made.earlier.failure),
        },
    }


def _failure_document(failure: FailureInfo | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {"type": failure.type, "message": failure.message, "traceback": failure.traceback}


@click.command()
@click.argument("run")
@_WHERE
@click.option("--plan", "plan_only", is_flag=True, help="Only tell what is left, and why; run nothing.")
@click.option("--force", is_flag=True, help="Also if nobody knows whether the run has ended.")
@click.option("--executor", metavar="NAME", help=f"What runs it: {', '.join(EXECUTORS)} (default threads).")
@click.option("--workers", type=int, metavar="N", help="How many node instances run at once.")
@click.option("--cache/--no-cache", default=None, help="Whether other runs' results may answer a node (default yes).")
@click.option(
    "--fail-fast/--keep-going",
    default=None,
    help="Whether the first failure cancels what has not started (default yes).",
)
@deployed_option
@catalog_options
@json_option
@click.option("--quiet", "-q", is_flag=True, help="No progress; only the summary, or what --json prints.")
def resume(
    run: str, target: str | None, plan_only: bool, force: bool, as_json: bool, quiet: bool, **values: Any
) -> int:
    """Run what is left of a run that didn't succeed.

    It is a new run with the same parameters and your code as it is now. What succeeded, and whose code and inputs are
    the same, is adopted; effects that were done are not done again. RUN is a run's id, the beginning of it, `last`, or
    `last~1` for the one before.
    """
    from drawloom import api
    from drawloom.runtimes.local import RunInterrupted

    settings, catalog = take_deployed(values)
    found = find_run(catalog, run)
    if plan_only:
        left = api.plan_resume(found, pipeline=target, cache=settings.cache, force=force)
        _tell_plan(left, found, as_json=as_json)
        return OK
    try:
        with output_to_stderr():
            done = api.resume(
                found,
                pipeline=target,
                executor=settings.executor,
                workers=settings.workers,
                cache=settings.cache,
                fail_fast=settings.fail_fast,
                progress=progress_for(quiet, at=RunAddress("", catalog.target)),
                force=force,
            )
    except RunInterrupted as interrupted:
        done = interrupted.run
    if not as_json:
        note(f"resumed {done.record.resumed}")
    return tell_run(done, catalog, as_json=as_json)


def _tell_plan(left: Plan, run: Run, *, as_json: bool) -> None:
    from drawloom.cli.plan import plan_document, write_plan

    if as_json:
        write_json({"resumes": run.id, **plan_document(left, run.record.target)})
    else:
        write_plan(left)
