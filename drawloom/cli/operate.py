"""`drawloom watch`, `cancel`, `retry`, `suspend` and `unsuspend`: what can be done with a run that was deployed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from drawloom.catalog.commands import command
from drawloom.catalog.records import Index
from drawloom.cli.options import catalog_options, deployed_option, json_option, settings_from
from drawloom.cli.output import note, write, write_json
from drawloom.cli.problems import CANCELLED, FAILED, OK
from drawloom.cli.run import progress_for, tell_run
from drawloom.errors import Diagnostic, ProjectError

if TYPE_CHECKING:
    from drawloom.deploying import Deployed

__all__ = ["cancel", "follow_logs", "retry", "suspend", "unsuspend", "watch", "watch_to_the_end"]

_QUIET = click.option("--quiet", "-q", is_flag=True, help="No progress; only the summary, or what --json prints.")


def _find(run: str, values: dict[str, Any]) -> Deployed:
    """The deployed run that a command is about; its options' values are used up."""
    from drawloom.catalog.catalog import Catalog
    from drawloom.deploying import deployed_run

    target, given = values.pop("deployed"), values.get("catalog")
    settings = settings_from(values)
    catalog = None
    if given is not None:
        catalog = Catalog.open(settings.catalog, settings.project, create=False, allow_pickle=settings.allow_pickle)
    return deployed_run(run, settings, target=target, catalog=catalog)


def watch_to_the_end(found: Deployed, *, as_json: bool, quiet: bool, document: Mapping[str, Any] | None = None) -> int:
    """Watches a run and tells how it went; returns the exit code. Ctrl-C ends the watching alone."""
    from drawloom.runtimes.watching import goes_on

    try:
        done = found.watch(progress=progress_for(quiet, summary=as_json, at=found.run.address), note=note)
    except KeyboardInterrupt:
        note(f"no longer watched: {goes_on(found.run)}")
        return CANCELLED
    if as_json and document is not None:
        from drawloom.cli.documents import run_document

        write_json({**run_document(done, found.catalog), **document})
        return {"succeeded": OK, "cancelled": CANCELLED}.get(done.state, FAILED)
    return tell_run(done, found.catalog, as_json=as_json)


@click.command()
@click.argument("run")
@deployed_option
@catalog_options
@json_option
@_QUIET
def watch(run: str, as_json: bool, quiet: bool, **values: Any) -> int:
    """Watch a deployed run to its end.

    RUN is a run's id, the beginning of it, or `last`. Ctrl-C ends the watching; the run goes on.
    """
    return watch_to_the_end(_find(run, values), as_json=as_json, quiet=quiet)


@click.command()
@click.argument("run")
@click.option("--now", is_flag=True, help="Kill its processes at once, rather than ask them to end.")
@click.option("--wait/--no-wait", default=True, help="Whether to wait until it has ended (default yes).")
@deployed_option
@catalog_options
@json_option
def cancel(run: str, now: bool, wait: bool, as_json: bool, **values: Any) -> int:
    """End a deployed run; what it has done is kept.

    RUN is a run's id, the beginning of it, or `last`.
    """
    found = _find(run, values)
    done = found.cancel(now=now) if wait else found.cancel(now=now, wait_seconds=0.0)
    state = done.state if done is not None else "never begun"
    _told(found, as_json, f"run {found.id} is {state}", state=state if done is not None else None)
    if done is not None and done.state == "running" and wait:
        note(f"it is still ending; `{command('watch', found.run.address)}` waits for it")
    return OK


@click.command()
@click.argument("run")
@click.option("--wait/--no-wait", default=True, help="Whether the new run is watched to its end (default yes).")
@deployed_option
@catalog_options
@json_option
@_QUIET
def retry(run: str, wait: bool, as_json: bool, quiet: bool, **values: Any) -> int:
    """Run what is left of a deployed run, there.

    Of one that failed or was cancelled: as a new run of the same program with the same parameters. What succeeded is
    adopted; effects that were done are not done again. RUN is a run's id, the beginning of it, or `last`.
    """
    found = _find(run, values)
    made = found.retry()
    if not wait:
        watching = command("watch", made.run.address)
        _told(made, as_json, f"run {made.id} goes on with {found.id}    {watching}", resumes=found.id)
        return OK
    if not as_json:
        note(f"run {made.id} goes on with {found.id}")
    return watch_to_the_end(made, as_json=as_json, quiet=quiet)


@click.command()
@click.argument("run")
@deployed_option
@catalog_options
@json_option
def suspend(run: str, as_json: bool, **values: Any) -> int:
    """Let a deployed run start nothing more; what runs goes on.

    RUN is a run's id, the beginning of it, or `last`.
    """
    found = _find(run, values)
    found.client.suspend(found.run)
    unsuspending = command("unsuspend", found.run.address)
    return _told(found, as_json, f"run {found.id} is suspended    {unsuspending}", suspended=True)


@click.command()
@click.argument("run")
@deployed_option
@catalog_options
@json_option
def unsuspend(run: str, as_json: bool, **values: Any) -> int:
    """Let a suspended run go on.

    RUN is a run's id, the beginning of it, or `last`.
    """
    found = _find(run, values)
    found.client.unsuspend(found.run)
    return _told(found, as_json, f"run {found.id} goes on", suspended=False)


def _told(found: Deployed, as_json: bool, text: str, **more: Any) -> int:
    if as_json:
        write_json({"run": found.id, "target": found.run.target or None, "engine": dict(found.run.ids), **more})
    else:
        write(text)
    return OK


def follow_logs(run: str, node: str, index: Index | None, *, as_json: bool, values: dict[str, Any]) -> None:
    """`drawloom logs --follow`: what a node's processes print, while they do."""
    if as_json:
        what = "--json can't go with --follow: what is printed isn't one document"
        raise ProjectError(Diagnostic("P674", what, None, "leave out one of the two"))
    found = _find(run, values)
    _check_node(found, node)
    try:
        for text in found.logs(node, index, follow=True, note=note):
            sys.stdout.write(text)
            sys.stdout.flush()
    except KeyboardInterrupt:
        note("no longer followed: the run goes on")
        raise


def _check_node(found: Deployed, node: str) -> None:
    """A node that the pipeline hasn't got is refused, with a hint, rather than waited for."""
    from drawloom.catalog.outcomes import read_run

    if read_run(found.catalog.storage, found.id) is not None:
        found.catalog.run(found.id).logs(node)
