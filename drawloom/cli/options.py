"""Options that several commands share, and the settings and the catalog they lead to."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from drawloom.cli.output import warnings_as_notes
from drawloom.errors import Diagnostic, ProjectError
from drawloom.project import Overrides, Settings, load_settings

if TYPE_CHECKING:
    from drawloom.catalog.catalog import Catalog
    from drawloom.catalog.run import Run

__all__ = [
    "catalog_options",
    "deployed_option",
    "find_run",
    "index_option",
    "json_option",
    "open_catalog",
    "settings_from",
    "take_deployed",
]

F = TypeVar("F", bound=Callable[..., Any])


def catalog_options(function: F) -> F:
    """--catalog, --project and --profile."""
    for option in (
        click.option("--profile", metavar="NAME", help="Profile of the project file to use."),
        click.option("--project", metavar="NAME", help="Name of the project in the catalog."),
        click.option("--catalog", metavar="URL", help="Path or URL of the catalog."),
    ):
        function = option(function)
    return function


def deployed_option(function: F) -> F:
    """--target: the place of `[targets.NAME]` whose runs are meant."""
    text = "Target of the project file that it was deployed to; its store is looked into."
    return click.option("--target", "deployed", metavar="NAME", help=text)(function)


def take_deployed(values: dict[str, Any]) -> tuple[Settings, Catalog]:
    """The settings, and the catalog to look into: --catalog, else the store of --target, else the project's."""
    deployed, given = values.pop("deployed", None), values.get("catalog")
    settings = settings_from(values)
    if deployed is None or given is not None:
        return settings, open_catalog(settings, create=False)
    from drawloom.deploying import open_target
    from drawloom.project.targets import find_target

    return settings, open_target(find_target(deployed, settings), allow_pickle=settings.allow_pickle)


def json_option(function: F) -> F:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")(function)


def index_option(function: F) -> F:
    """--index: which instance of a node in maps or loops."""
    text = "Which instance of a node in maps or loops: 3, or 3,0."
    return click.option("--index", metavar="I[,J]", callback=_read_index, help=text)(function)


def _read_index(_: click.Context, __: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    """`--index 3` or `--index 3,0`.

    Raises:
        ProjectError: P661, it isn't made of whole numbers.
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.strip("[]() ").split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        what = f"`--index` needs whole numbers, got {text[:80]!r}"
        fix = "give one number for each map and loop around the node, as `drawloom show` has them: --index 3,0"
        raise ProjectError(Diagnostic("P661", what, None, fix))
    return tuple(map(int, parts))


def settings_from(values: dict[str, Any]) -> Settings:
    """The settings a command works with, taking what belongs to them out of its options' values."""
    names = ("profile", "catalog", "project", "executor", "workers", "cache", "fail_fast")
    return load_settings(Overrides(**{name: values.pop(name) for name in names if name in values}))


def open_catalog(settings: Settings, *, create: bool = True) -> Catalog:
    """The catalog the settings name; who only looks must not make one."""
    from drawloom.catalog.catalog import Catalog

    return Catalog.open(settings.catalog, settings.project, create=create, allow_pickle=settings.allow_pickle)


def find_run(catalog: Catalog, name: str) -> Run:
    """A run by its id, the beginning of it, `last`, or `last~2` for the second before it (`prev` is `last~1`).

    Raises:
        ProjectError: P630, `last` of a catalog without runs; P662, there are not so many runs before it.
        StoreError: S451, there is no such run.
    """
    counted = _LAST.fullmatch(name)
    if counted is None:
        return catalog.run(name)
    back = 1 if name == "prev" else int(counted.group(1) or 0)
    with warnings_as_notes():
        found = catalog.runs(limit=back + 1)
    if not found:
        fix = "run a pipeline first, or name another catalog with --catalog"
        raise ProjectError(Diagnostic("P630", f"there is no last run: {catalog.url} has no runs", None, fix))
    if len(found) <= back:
        what = f"there is no run `{name}`: {catalog.url} has {len(found)}"
        raise ProjectError(Diagnostic("P662", what, None, "see the runs there are with `drawloom runs`"))
    return found[back]


_LAST = re.compile(r"last(?:~(\d{1,9}))?|prev", re.ASCII)
