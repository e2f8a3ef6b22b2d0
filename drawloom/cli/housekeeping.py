"""`drawloom catalog gc`, `export` and `import`: what goes out of a catalog, and what comes into it."""

from __future__ import annotations

from typing import Any

import click

from drawloom.catalog.catalog import Catalog
from drawloom.cli.moments import parse_age
from drawloom.cli.options import catalog_options, json_option, open_catalog, settings_from
from drawloom.cli.output import Column, format_bytes, table, write, write_json
from drawloom.errors import Diagnostic, ProjectError

__all__ = ["export_runs", "gc", "import_runs", "seconds_of_age"]


def seconds_of_age(text: str, option: str) -> float:
    """The seconds of an age as it is typed (`moments.parse_age`).

    Raises:
        ProjectError: P651, it is no age.
    """
    seconds = parse_age(text)
    if seconds is None:
        what = f"`{option} {text}` is no age: expected a number and one of s, m, h, d, w"
        raise ProjectError(Diagnostic("P651", what, None, f"write `{option} 30d`, `12h`, `2w`, `90m` or `10s`"))
    return seconds


@click.command()
@click.option("--keep-runs", type=click.IntRange(min=0), metavar="N", help="Of each pipeline keep the newest N runs.")
@click.option("--older-than", metavar="AGE", help="Keep runs that ended less long ago: 30d, 12h, 2w.")
@click.option("--grace", metavar="AGE", default="24h", help="Keep everything younger than this (default 24h).")
@click.option("--dry-run", is_flag=True, help="Only tell what would go, and how many bytes.")
@catalog_options
@json_option
def gc(keep_runs: int | None, older_than: str | None, grace: str, dry_run: bool, as_json: bool, **values: Any) -> None:
    """Remove old runs, and what nothing refers to.

    Without --keep-runs and --older-than all runs stay; with both, only those go that neither keeps. Runs that go on,
    that made a tagged version, whose program is deployed, or that answered nodes
    of a run that stays, stay in any case.
    """
    older = None if older_than is None else seconds_of_age(older_than, "--older-than")
    grace_seconds = seconds_of_age(grace, "--grace")
    opened = open_catalog(settings_from(values), create=False)
    found = opened.gc(keep_runs=keep_runs, older_than_seconds=older, grace_seconds=grace_seconds, dry_run=dry_run)
    kinds = [kind for kind, count in found.counts.items() if count]
    if as_json:
        counts = {
            kind.replace(" ", "_"): {"count": found.counts[kind], "size_bytes": found.sizes_bytes[kind]}
            for kind in found.counts
        }
        document = {"catalog": opened.url, "dry_run": dry_run, "runs": list(found.runs), "kept_runs": found.kept_runs}
        write_json({**document, "removed": counts, "size_bytes": found.size_bytes})
        return
    if dry_run and found.runs:
        write("\n".join(found.runs))
        write("")
    if kinds:
        columns = [
            Column("would go" if dry_run else "removed"),
            Column("count", right=True),
            Column("size", right=True),
        ]
        table(columns, [[k, str(found.counts[k]), format_bytes(found.sizes_bytes[k])] for k in kinds])
    verb = "would be removed" if dry_run else "removed"
    write(f"{opened.url}: {format_bytes(found.size_bytes)} {verb}, {_many(found.kept_runs, 'run')} kept")


@click.command("export")
@click.argument("names", nargs=-1, required=True, metavar="RUN|NAME...")
@click.option("-o", "--output", metavar="FILE", required=True, help="The archive to write.")
@catalog_options
@json_option
def export_runs(names: tuple[str, ...], output: str, as_json: bool, **values: Any) -> None:
    """Write runs, with all they refer to, into an archive.

    A RUN is an id, the beginning of one, `last` or `last~1`; a NAME is an artifact, also as NAME@VERSION, and stands
    for the run that made it.
    """
    opened = open_catalog(settings_from(values), create=False)
    _tell(opened.export_to(output, *names), opened, as_json, "to")


@click.command("import")
@click.argument("archive", metavar="FILE")
@click.option("--limit-gb", type=click.FloatRange(min=0), metavar="N", help="Refuse what unpacks to more (default 64).")
@click.option("--trust-pickles", is_flag=True, help="Take pickles although this project decodes pickles.")
@catalog_options
@json_option
def import_runs(archive: str, limit_gb: float | None, trust_pickles: bool, as_json: bool, **values: Any) -> None:
    """Bring the runs of an archive into the catalog.

    Everything is verified before anything is written; what is there already stays as it is.
    """
    opened = open_catalog(settings_from(values))
    limit_bytes = None if limit_gb is None else int(limit_gb * (1 << 30))
    _tell(opened.import_from(archive, limit_bytes=limit_bytes, trust_pickles=trust_pickles), opened, as_json, "from")


def _tell(done: Any, opened: Catalog, as_json: bool, direction: str) -> None:
    facts = {"runs": list(done.runs), "files": done.files, "new_files": done.new_files, "size_bytes": done.size_bytes}
    if as_json:
        write_json({"catalog": opened.url, "archive": done.path, **facts})
        return
    write("\n".join(done.runs))
    new = "" if direction == "to" else f", {done.new_files} of them new"
    size = format_bytes(done.size_bytes)
    write(f"{_many(len(done.runs), 'run')}, {_many(done.files, 'file')}{new}, {size} {direction} {done.path}")


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
