"""`drawloom catalog lineage`, `tag` and `functions`: where versions come from, their names, their code."""

from __future__ import annotations

import sys
from typing import Any

import click

from drawloom.cli.documents import function_document, version_document
from drawloom.cli.options import catalog_options, json_option, open_catalog, settings_from
from drawloom.cli.output import Column, format_time, table, write, write_json

__all__ = ["functions", "lineage", "tag"]

_VERSION_HELP = "A number, a tag, or the start of a digest (default: the latest)."


@click.command()
@click.argument("name")
@click.option("--version", metavar="VERSION", help=_VERSION_HELP)
@click.option("--up", is_flag=True, help="Only what it was made from.")
@click.option("--down", is_flag=True, help="Only what was made of it.")
@click.option("--depth", type=click.IntRange(min=0), metavar="N", help="At most so many versions away.")
@click.option("--mermaid", is_flag=True, help="Print a Mermaid flowchart.")
@catalog_options
@json_option
def lineage(
    name: str, version: str | None, up: bool, down: bool, depth: int | None, mermaid: bool, as_json: bool, **values: Any
) -> None:
    """Show what a version is made from, and went into.

    Versions, and the calls between them, across runs and pipelines.
    """
    if mermaid and as_json:
        raise click.UsageError("--mermaid and --json are two forms of one answer: give one of them")
    opened = open_catalog(settings_from(values), create=False)
    direction = "both" if up == down else "up" if up else "down"
    found = opened.lineage(name, version, direction, depth)
    if as_json:
        write_json(found.to_json())
    elif mermaid:
        write(found.to_mermaid())
    else:
        write(found.to_text(ascii_only=not _takes_lines()))


def _takes_lines() -> bool:
    """Whether stdout can show what trees are drawn with."""
    try:
        "├─│└".encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


@click.command()
@click.argument("name")
@click.argument("tag")
@click.option("--version", metavar="VERSION", help=_VERSION_HELP)
@click.option("--delete", is_flag=True, help="Take the tag away.")
@catalog_options
@json_option
def tag(name: str, tag: str, version: str | None, delete: bool, as_json: bool, **values: Any) -> None:
    """Give a version of an artifact a name, or take it away.

    A tag is at one version of an artifact: giving it to another one moves it.
    """
    if delete and version is not None:
        raise click.UsageError("--delete takes the tag from whichever version has it: leave --version out")
    opened = open_catalog(settings_from(values), create=False)
    found = opened.untag(name, tag) if delete else opened.tag(name, tag, version)
    if as_json:
        write_json({"name": name, "tag": tag, "deleted": delete, "version": version_document(found)})
    else:
        now = "no longer" if delete else "now"
        write(f"{name} version {found.number} ({found.digest[:12]}) is {now} {tag}")


@click.command()
@click.argument("pattern", default="*")
@catalog_options
@json_option
def functions(pattern: str, as_json: bool, **values: Any) -> None:
    """List the versions of tasks' functions that runs have used.

    PATTERN chooses names (module:function); `*` and `?` stand for any characters.
    """
    opened = open_catalog(settings_from(values), create=False)
    found = opened.functions(pattern)
    if as_json:
        write_json({"functions": [function_document(version) for version in found]})
        return
    if not found:
        write(f"no functions{' like that' if pattern != '*' else ''} in {opened.url}")
        return
    columns = [Column("function", whole=True), Column("version", right=True), Column("digest", whole=True)]
    columns += [Column("first used", whole=True), Column("runs", right=True), Column("first run")]
    table(
        columns,
        [[f.name, str(f.number), f.digest[:12], format_time(f.first_at), str(f.runs), f.first_run] for f in found],
    )
