"""`drawloom runs`, `show` and `logs`: what was run, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import click

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.commands import command
from drawloom.catalog.history import EarlierRun
from drawloom.catalog.queries import RunFilter, RunRow, param_names, param_values
from drawloom.catalog.records import Commit, Index, ValueRef
from drawloom.catalog.run import Run
from drawloom.cli.documents import commits_of, node_document, run_document, run_row_document, seconds_of
from drawloom.cli.moments import read_moment
from drawloom.cli.options import (
    catalog_options,
    deployed_option,
    find_run,
    index_option,
    json_option,
    take_deployed,
)
from drawloom.cli.output import (
    Column,
    format_bytes,
    format_seconds,
    format_time,
    note,
    table,
    warnings_as_notes,
    write,
    write_json,
)
from drawloom.cli.summary import counts_text, failure_lines
from drawloom.cli.tracked import logged_documents, metric_documents, told_by, write_tracked
from drawloom.cli.values import plain_tree, shorten, tree_text, value_document, value_text
from drawloom.display.formats import one_line, place_text
from drawloom.errors import did_you_mean
from drawloom.ir.canonical import canonical_json

__all__ = ["logs", "runs", "show"]

_MOST_OBSERVED = 10
_RUN_STATES = ("pending", "running", "succeeded", "failed", "cancelled")


@click.command()
@click.option("--pipeline", metavar="NAME", help="Only runs of this pipeline.")
@click.option("--state", type=click.Choice(_RUN_STATES), help="Only runs in this state.")
@click.option("--since", callback=read_moment, metavar="WHEN", help="Only runs begun since: 2026-01-31, 2h (ago), 7d.")
@click.option("--until", callback=read_moment, metavar="WHEN", help="Only runs begun before.")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="Only runs given this value.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", default=20, show_default=True, help="At most so many."
)
@deployed_option
@catalog_options
@json_option
def runs(
    pipeline: str | None,
    state: str | None,
    since: float | None,
    until: float | None,
    params: tuple[str, ...],
    limit: int,
    as_json: bool,
    **values: Any,
) -> None:
    """List runs, the latest first."""
    _, catalog = take_deployed(values)
    wanted = RunFilter(pipeline, state, since, until, _param_digests(catalog, params))
    with warnings_as_notes():  # a run that can't be read is left out, but not in silence
        found = [(row, _counts(catalog, row)) for row in catalog.run_rows(wanted, limit)]
    if as_json:
        write_json({"runs": [run_row_document(row, counts) for row, counts in found]})
        return
    if not found:
        write(f"no runs{' like that' if wanted != RunFilter() else ''} in {catalog.url}")
        return
    columns = [
        Column("run", whole=True),
        Column("pipeline"),
        Column("state", state=True),
        Column("started", whole=True),
    ]
    columns += [Column("took", right=True), Column("nodes")]
    table(columns, [[*_run_cells(row), counts_text(counts)] for row, counts in found])


def _counts(catalog: Catalog, row: RunRow) -> Mapping[str, int]:
    """The states of a run's nodes; those of a run that is under way are in its records alone."""
    return row.counts if row.counts is not None else catalog.run(row.id).counts


def _run_cells(row: RunRow) -> list[str]:
    ended = row.started_at is not None and row.finished_at is not None
    took = max(0.0, (row.finished_at or 0.0) - (row.started_at or 0.0)) if ended else None
    return [row.id, row.pipeline, row.state, format_time(row.started_at), format_seconds(took)]


def _param_digests(catalog: Catalog, params: tuple[str, ...]) -> dict[str, list[str]]:
    """Parameter name -> the digests of the values that are given as the text of each `NAME=VALUE`."""
    found: dict[str, list[str]] = {}
    for given in params:
        name, equals, text = given.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"expected NAME=VALUE, got {given!r}", param_hint="--param")
        known = catalog.index.ask(lambda db, name=name: param_values(db, name))  # type: ignore[misc]
        names = catalog.index.ask(param_names)
        if not known and names:
            what = f"no run was given a parameter {name!r}{did_you_mean(name, names)}"
            raise click.BadParameter(what, param_hint="--param")
        matching = [digest for digest, tree in known.items() if _is_given_as(tree, text)]
        found[name] = [d for d in found[name] if d in matching] if name in found else matching
    return found


def _is_given_as(tree: Any, text: str) -> bool:
    """Whether a value is what a user means by `text`: as JSON, as a text, as the name of a file or a member."""
    if isinstance(tree, dict) and text in (tree.get("name"), tree.get("uri")):
        return True
    plain = plain_tree(tree)
    if plain == text:
        return True
    try:
        parsed = json.loads(text)
    except ValueError:
        return False
    return canonical_json(plain) == canonical_json(parsed) or (
        type(plain) in (int, float) and type(parsed) in (int, float) and plain == parsed
    )


@click.command()
@click.argument("run")
@click.argument("node", required=False)
@index_option
@deployed_option
@catalog_options
@json_option
def show(run: str, node: str | None, index: Index | None, as_json: bool, **values: Any) -> None:
    """Show a run, or one node of it.

    RUN is a run's id, the beginning of it, `last`, or `last~1` for the one before.
    """
    _, catalog = take_deployed(values)
    found = find_run(catalog, run)
    if node is not None:
        _show_node(found, node, index, catalog, as_json)
    elif index is not None:
        raise click.UsageError("--index goes with a NODE")
    elif as_json:
        write_json(run_document(found, catalog))
    else:
        _show_run(found, catalog)


def _show_run(run: Run, catalog: Catalog) -> None:
    record = run.record
    took = seconds_of(run)
    write(f"run       {run.id}")
    write(f"pipeline  {run.pipeline}")
    write(
        f"state     {run.state}{f' in {format_seconds(took)}' if took is not None else ''} ({counts_text(run.counts)})"
    )
    write(f"started   {format_time(run.started_at)}, {record.executor or record.engine}, Python {record.python}")
    if record.logical_time:
        write(f"logical   {record.logical_time}")
    if record.interval:
        write(f"interval  {record.interval[0]} to {record.interval[-1]}")
    if record.resumed:
        write(f"resumed   {record.resumed}")
    if record.engine_ids and record.engine != "reference":
        at = f"{record.deployed_to}, " if record.deployed_to else ""
        write(f"deployed  {at}{', '.join(f'{name} {one_line(text)}' for name, text in record.engine_ids)}")
    for name, ref in record.params:
        write(f"param     {name} = {value_text(ref, catalog.values, 100)}")
    commit = commits_of(run, catalog).get(("", ()))
    for port, ref in commit.outputs if commit is not None else ():
        write(f"{port:<9} {value_text(ref, catalog.values)}")
    write("")
    rows = []
    for node in run.nodes():
        instances = counts_text(node.counts) if sum(node.counts.values()) > 1 else ""
        what = node.task.rpartition(":")[2] or node.kind
        rows.append([node.id, what, node.state, instances, str(node.attempts or ""), _seconds(node.seconds)])
    columns = [Column("node", whole=True), Column("task"), Column("state", state=True), Column("instances")]
    table([*columns, Column("attempts", right=True), Column("seconds", right=True)], rows)
    write_tracked(told_by(run), catalog)
    _write_observed(run)
    told: set[tuple[str, Index]] = set()
    for node in run.nodes(state="failed"):
        place = (node.id, ()) if node.failure is None else (node.failure.node or node.id, node.failure.index)
        if place not in told:  # what holds a failed call fails by it
            write("\n" + "\n".join(failure_lines(run, node)))
        told.add(place)


def _write_observed(run: Run) -> None:
    """What the engine told of nodes: what no process lived to write."""
    seen = sorted(run.facts.observations, key=lambda one: (one.at, one.node, one.index))
    for one in seen[:_MOST_OBSERVED]:
        what = f": {shorten(one_line(one.detail), 200)}" if one.detail else ""
        place = one_line(place_text(one.node, one.index))
        write(f"engine    {place}, attempt {one.attempt}: {one.event.replace('_', ' ')}{what}")
    if len(seen) > _MOST_OBSERVED:
        write(f"engine    and {len(seen) - _MOST_OBSERVED} more; --json shows all of them")


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds else ""


def _show_node(run: Run, name: str, wanted: Index | None, catalog: Catalog, as_json: bool) -> None:
    log = run.logs(name, wanted)  # refuses a node that isn't there, with a hint
    node = next(n for n in run.nodes() if n.id == name)
    commits = sorted((index, c) for (id_, index), c in commits_of(run, catalog).items() if id_ == name)
    commits = [(index, commit) for index, commit in commits if wanted is None or index == wanted]
    states = run.details.nodes[name].instances
    if as_json:
        instances = [_instance(catalog, index, c, states.get(index, "")) for index, c in commits]
        told = told_by(run, name, wanted)
        tracked = {"metrics": metric_documents(told), "logged": logged_documents(told, catalog)}
        write_json({"run": run.id, **node_document(node), "commits": instances, **tracked, "log": log})
        return
    write(f"node      {node.id}    {node.task or node.kind}")
    write(f"state     {node.state} ({counts_text(node.counts)})")
    write(f"where     {node.where or ''}")
    write(f"attempts  {node.attempts}, {format_seconds(node.seconds)}")
    earlier = EarlierRun(catalog.storage, catalog.values, run.record)
    for index, commit in commits[:_MOST_INSTANCES]:
        at = f"{list(index)} " if index else ""
        for line in _commit_lines(catalog, commit, earlier):
            write(f"{at}{line}")
    if len(commits) > _MOST_INSTANCES:
        write(f"and {len(commits) - _MOST_INSTANCES} instances more; --json shows all of them")
    if wanted is None:
        for line in failure_lines(run, node, 0):
            write(line)
    _write_failure(run, name, wanted)
    write_tracked(told_by(run, name, wanted), catalog)
    if log:
        write(f"log\n{log.rstrip()}")


_MOST_INSTANCES = 20


def _commit_lines(catalog: Catalog, commit: Commit, run: EarlierRun) -> Iterator[str]:
    width = max((len(name) for name, _ in (*commit.inputs, *commit.outputs)), default=0)
    for name, ref in commit.inputs:
        known, tree = run.tree(commit.node, commit.index, name, ref)
        what = shorten(tree_text(tree), 80) if known else format_bytes(ref.size_bytes)
        yield f"input     {name.ljust(width)}  {ref.digest[:12]}  {what}"
    for port, ref in commit.outputs:
        yield f"output    {port.ljust(width)}  {ref.digest[:12]}  {value_text(ref, catalog.values, 80)}"
    if commit.source:
        yield f"cached    from run {commit.source[0]}"


def _instance(catalog: Catalog, index: tuple[int, ...], commit: Commit, state: str) -> dict[str, Any]:
    return {
        "index": list(index),
        "state": state,
        "attempt": commit.attempt,
        "seconds": commit.seconds,
        "inputs": [_reference(name, ref) for name, ref in commit.inputs],
        "outputs": [{"port": port, **value_document(ref, catalog.values)} for port, ref in commit.outputs],
        "function": commit.function,
        "cache_key": commit.cache_key,
        "cached_from": commit.source[0] if commit.source else None,
    }


def _reference(name: str, ref: ValueRef) -> dict[str, Any]:
    return {"name": name, "digest": ref.digest, "size_bytes": ref.size_bytes}


@click.command()
@click.argument("run")
@click.argument("node")
@index_option
@click.option("--follow", "-f", is_flag=True, help="Of a deployed run: go on with what it prints, until it is done.")
@deployed_option
@catalog_options
@json_option
def logs(run: str, node: str, index: Index | None, follow: bool, as_json: bool, **values: Any) -> None:
    """Print what a node printed and logged.

    RUN is a run's id, the beginning of it, `last`, or `last~1` for the one before. NODE is a node's id; of a control
    node, the logs of all calls in it.
    """
    if follow:
        from drawloom.cli.operate import follow_logs  # only deployed runs are followed

        follow_logs(run, node, index, as_json=as_json, values=values)
        return
    _, catalog = take_deployed(values)
    found = find_run(catalog, run)
    text = found.logs(node, index)
    if as_json:
        at = {} if index is None else {"index": list(index)}
        write_json({"run": found.id, "node": node, **at, "log": text})
    else:
        write(text, end="" if text.endswith("\n") or not text else "\n")
        _write_failure(found, node, index)
        _note_sources(found, node, index, catalog)


def _write_failure(run: Run, node: str, index: Index | None) -> None:
    """The traceback of the instance that is asked for, else of the first that failed."""
    failed = run.details.nodes[node].failure
    info, at = (failed.info, failed.index) if failed is not None else (None, ())
    if index is not None:
        commit = run.facts.commits.get((node, index))
        attempt = run.facts.last_failure((node, index)) if commit is None or commit.outcome == "failed" else None
        info, at = (attempt.failure if attempt is not None else None), index
    if info is not None and info.traceback:
        if at and index is None:
            write(f"--- {place_text(failed.node if failed is not None and failed.node else node, at)} failed")
        write(info.traceback.rstrip())


def _is_in(name: str, node: str) -> bool:
    return name == node or name.startswith(f"{node}/")


def _note_sources(run: Run, node: str, index: Index | None, catalog: Catalog) -> None:
    """Says where the output is of what this run didn't execute."""
    commits = commits_of(run, catalog).items()
    inside = [c for (name, at), c in commits if _is_in(name, node) and (index is None or at == index)]
    for source in sorted({commit.source[0] for commit in inside if commit.source}):
        logs_there = command("logs", replace(run.address, run=source), node)
        note(f"answered from run {source}, which has the output: `{logs_there}`")
