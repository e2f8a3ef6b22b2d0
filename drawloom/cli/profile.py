"""`drawloom catalog profile`: what is in a stored table, without loading it."""

from __future__ import annotations

import shutil
import sys
from typing import Any, Final

import click

from drawloom.cli.options import catalog_options, json_option, open_catalog, settings_from
from drawloom.cli.output import write, write_json
from drawloom.errors import Diagnostic, ProjectError

__all__ = ["profile"]

_PIPED_WIDTH: Final = 100_000


@click.command()
@click.argument("name")
@click.option("--version", metavar="VERSION", help="A number, a tag, or the start of a digest (default: the latest).")
@catalog_options
@json_option
def profile(name: str, version: str | None, as_json: bool, **values: Any) -> None:
    """Show a table's columns, statistics, histograms and first rows.

    Tables inside a list, a dict or a record are shown one after the other.
    """
    from drawloom.catalog.profile import profiles

    opened = open_catalog(settings_from(values), create=False)
    found = opened.version(name, version)
    tables = profiles(opened, found)
    if as_json:
        document = {"name": name, "version": found.number, "digest": found.digest}
        write_json({**document, "tables": [table.to_json() for table in tables]})
        return
    if not tables:
        raise ProjectError(_no_table(name, found.type))
    write(f"{name}  version {found.number}  {found.digest[:12]}  {found.type}")
    for table in tables:
        write("\n".join(["", *table.lines(_width())]))


def _width() -> int:
    """The terminal's width; in a pipe nothing is cut, because a program may be reading."""
    return shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else _PIPED_WIDTH


def _no_table(name: str, kind: str) -> Diagnostic:
    fix = "see what it is with `drawloom catalog load`"
    return Diagnostic("P652", f"`{name}` holds no table: its type is {kind or 'not known'}", None, fix)
