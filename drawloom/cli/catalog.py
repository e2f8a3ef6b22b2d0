"""`drawloom catalog`: the versions of every value, and whether the store is whole."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from drawloom.catalog.artifacts import Artifact
from drawloom.cli.catalog_show import show
from drawloom.cli.documents import artifact_document, diagnostic_document
from drawloom.cli.export import export
from drawloom.cli.housekeeping import export_runs, gc, import_runs
from drawloom.cli.lineage import functions, lineage, tag
from drawloom.cli.options import catalog_options, json_option, open_catalog, settings_from
from drawloom.cli.output import Column, format_bytes, format_time, note, table, warnings_as_notes, write, write_json
from drawloom.cli.problems import OK, STORE
from drawloom.cli.profile import profile

__all__ = ["catalog"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def catalog() -> None:
    """Look into the catalog: every version of every value."""


for command in (show, lineage, tag, functions, profile, gc, export_runs, import_runs):
    catalog.add_command(command)


@catalog.command()
@click.argument("pattern", default="*")
@catalog_options
@json_option
def ls(pattern: str, as_json: bool, **values: Any) -> None:
    """List artifacts.

    PATTERN chooses names; `*` and `?` stand for any characters.
    """
    opened = open_catalog(settings_from(values), create=False)
    found = opened.artifacts(pattern)
    if as_json:
        write_json({"artifacts": [artifact_document(artifact) for artifact in found]})
        return
    if not found:
        write(f"no artifacts{' like that' if pattern != '*' else ''} in {opened.url}")
        return
    columns = [Column("name", whole=True), Column("versions", right=True), Column("type"), Column("size", right=True)]
    table([*columns, Column("made", whole=True), Column("tags")], [_artifact_cells(artifact) for artifact in found])


def _artifact_cells(artifact: Artifact) -> list[str]:
    latest = artifact.latest
    count = len(artifact.versions)
    media = f" ({latest.media_type})" if latest.media_type not in ("", "application/json") else ""
    tags = ", ".join(f"{tag} ({v.number})" for v in artifact.versions for tag in v.tags)
    return [
        artifact.name,
        str(count) if latest.number == count else f"{latest.number} of {count}",
        f"{latest.type}{media}",
        format_bytes(latest.size_bytes),
        format_time(latest.latest_at),
        tags,
    ]


@catalog.command()
@click.argument("name")
@click.option("--version", metavar="VERSION", help="A number, a tag, or the start of a digest (default: the latest).")
@click.option("-o", "--output", metavar="FILE", help="Write to this file; a table, a file or a picture needs it.")
@catalog_options
@json_option
def load(name: str, version: str | None, output: str | None, as_json: bool, **values: Any) -> None:
    """Print a value, or write it to a file.

    Numbers, texts and what can be written as JSON are printed; tables, files, folders, pictures, arrays and bytes go to
    the file after -o: .csv or .parquet for tables, .png for pictures, .npy for arrays.
    """
    opened = open_catalog(settings_from(values), create=False)
    found = opened.version(name, version)
    sys.path.append(os.getcwd())  # a value of the user's own class needs the module that defines it
    written = export(found, name, opened, output)
    if as_json:
        from drawloom.cli.values import value_document

        document = {"name": name, "version": found.number, **value_document(found.ref, opened.values)}
        write_json({**document, "output": output})
    elif output is None:
        write(written)
    else:
        write(f"{name} version {found.number} ({found.digest[:12]}) -> {output}")


@catalog.command()
@click.option("--quarantine/--no-quarantine", default=True, help="Whether corrupt objects are set aside (default yes).")
@catalog_options
@json_option
@click.pass_context
def verify(ctx: click.Context, /, quarantine: bool, as_json: bool, **values: Any) -> None:
    """Read every object and record, and tell what is wrong."""
    opened = open_catalog(settings_from(values), create=False)
    found = opened.verify(quarantine=quarantine)
    if as_json:
        write_json({"catalog": opened.url, "problems": [diagnostic_document(d) for d in found]})
    elif found:
        for diagnostic in found:
            note(str(diagnostic))
        note(f"{len(found)} problem{'s' if len(found) > 1 else ''} in {opened.url}")
    else:
        write(f"{opened.url}: all is well")
    ctx.exit(STORE if found else OK)


@catalog.command()
@catalog_options
@json_option
def rebuild(as_json: bool, **values: Any) -> None:
    """Make the index anew from the store."""
    opened = open_catalog(settings_from(values), create=False)
    opened.rebuild()
    with warnings_as_notes():
        runs, artifacts = len(opened.runs()), len(opened.artifacts())
    if as_json:
        write_json({"catalog": opened.url, "runs": runs, "artifacts": artifacts})
    else:
        write(f"{opened.url}: {runs} runs, {artifacts} artifacts")
