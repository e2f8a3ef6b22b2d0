"""`drawloom run`: runs a pipeline here, and tells how it went."""

from __future__ import annotations

import sys
from typing import Any

import click

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.commands import RunAddress
from drawloom.catalog.run import Run
from drawloom.cli.options import catalog_options, json_option, open_catalog, settings_from
from drawloom.cli.output import note, output_to_stderr, tolerant, write, write_json
from drawloom.cli.problems import CANCELLED, FAILED, OK, STORE
from drawloom.cli.times import take_times, time_options
from drawloom.cli.typed import TargetCommand, param_option, target_of, typed_values
from drawloom.errors import Diagnostic, ProjectError, StoreError
from drawloom.project import EXECUTORS

__all__ = ["progress_for", "run", "tell_run"]

_STORE_ERROR = f"{StoreError.__module__}:{StoreError.__qualname__}"  # as a failure's record names it


@click.command(cls=TargetCommand)
@click.argument("target")
@param_option
@click.option("--executor", metavar="NAME", help=f"What runs it: {', '.join(EXECUTORS)} (default threads).")
@click.option("--engine", metavar="NAME", help="Compile it, and run it step by step on this engine: reference.")
@click.option("--workers", type=int, metavar="N", help="How many node instances run at once.")
@click.option("--cache/--no-cache", default=None, help="Whether earlier results may answer a node (default yes).")
@click.option(
    "--fail-fast/--keep-going",
    default=None,
    help="Whether the first failure cancels what has not started (default yes).",
)
@time_options
@catalog_options
@json_option
@click.option("--quiet", "-q", is_flag=True, help="No progress; only the summary, or what --json prints.")
@click.pass_context
def run(ctx: click.Context, /, target: str, as_json: bool, quiet: bool, param: tuple[str, ...], **values: Any) -> int:  # noqa: ARG001  # `target` is read by TargetCommand
    """Run a pipeline here, in parallel, cached and catalogued.

    TARGET is file.py:name, module:name, or a short name of [pipelines] in the project file. The pipeline's parameters
    become options: they come after TARGET, and `drawloom run TARGET --help` lists them.
    """
    from drawloom import api
    from drawloom.runtimes.local import RunInterrupted

    engine = values.pop("engine")
    if engine is not None:
        _refuse_local_options(engine, values)
    params = typed_values(ctx, param, values)
    times = take_times(values)
    settings = settings_from(values)
    catalog = open_catalog(settings)
    progress = progress_for(quiet, summary=as_json)
    try:
        with output_to_stderr():
            if engine is not None:
                done = api.run_compiled(
                    target_of(ctx), params, engine=engine, catalog=catalog, workers=settings.workers, **times
                )
            else:
                done = api.run(
                    target_of(ctx),
                    params,
                    catalog=catalog,
                    executor=settings.executor,
                    workers=settings.workers,
                    cache=settings.cache,
                    fail_fast=settings.fail_fast,
                    progress=progress,
                    **times,
                )
    except RunInterrupted as interrupted:
        done = interrupted.run
    return tell_run(done, catalog, as_json=as_json)


def _refuse_local_options(engine: str, values: dict[str, Any]) -> None:
    """An option that an engine knows nothing of is refused rather than dropped."""
    given = [name for name in ("executor", "cache", "fail_fast") if values.get(name) is not None]
    if given:
        names = {"executor": "--executor", "cache": "--cache/--no-cache", "fail_fast": "--fail-fast/--keep-going"}
        what = f"{', '.join(names[name] for name in given)} can't go with --engine {engine}: it is for local runs"
        raise ProjectError(Diagnostic("P641", what, None, "leave out one of the two"))


def tell_run(done: Run, catalog: Catalog, *, as_json: bool) -> int:
    """Prints how a run went; returns the exit code."""
    if as_json:
        from drawloom.cli.documents import run_document

        write_json(run_document(done, catalog))
    else:
        from drawloom.cli.summary import summary_lines

        write("\n".join(summary_lines(done, catalog)))
    failure = done.details.failure
    if failure is not None and failure.info is not None and _STORE_ERROR in failure.info.bases:
        note(failure.info.message)  # a full disk, say: nothing is wrong with the pipeline
        return STORE
    return _code(done)


# returns a runtimes.progress.Progress, which only commands that run something import
def progress_for(quiet: bool, *, summary: bool = False, at: RunAddress | None = None) -> Any:
    """What shows the progress of a run that a command makes.

    Args:
        quiet: whether nothing is shown.
        summary: whether it also tells failures in full and the end: where the command prints JSON instead.
        at: where commands find the run, if not in the project's own catalog.
    """
    from drawloom.runtimes.progress import SilentProgress, choose_progress

    if quiet or sys.stderr is None:
        return SilentProgress()
    # where the command's own summary goes into a file or a pipe, whoever sits at the terminal wants one, too
    elsewhere = sys.stderr.isatty() and not (sys.stdout is not None and sys.stdout.isatty())
    return choose_progress(tolerant(sys.stderr), summary=summary or elsewhere, at=at)


def _code(done: Run) -> int:
    return {"succeeded": OK, "cancelled": CANCELLED}.get(done.state, FAILED)
