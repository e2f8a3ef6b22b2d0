"""What a shell is offered for the arguments and options of commands: runs, nodes, artifacts, tags, pipelines, names.

Commands need not say anything: `attach` goes by the names of their parameters, which mean the same everywhere. A
question must be answered at once and disturb nothing: no user's module is imported, pipelines are found in the text of
files, and whatever goes wrong offers nothing.
"""

from __future__ import annotations

import ast
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

__all__ = ["attach", "pipeline_options"]

_MOST: Final = 100
_PLAIN: Final = re.compile(r"[\w./:@%+,=\[\]-]+")  # what no shell takes for more than text
_RUNS: Final = ("run", "run1", "run2", "other")
_ARTIFACTS: Final = ("name", "artifact", "pattern")

Complete = Callable[[click.Context, str], Iterable[str]]


def attach(command: click.Command) -> None:
    """Gives each parameter of a command, and of the commands in it, what offers its values."""
    for parameter in command.params:
        complete = _for(parameter)
        if complete is not None and not isinstance(parameter.type, click.Choice):
            parameter._custom_shell_complete = _quietly(complete)
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            attach(inner)


def _for(parameter: click.Parameter) -> Complete | None:
    """What offers the values of a parameter, by its name and what stands for it in the help."""
    name, shown = parameter.name or "", (parameter.metavar or "").upper()
    if isinstance(parameter, click.Argument):
        kinds: list[Complete] = []
        if name == "target" or "TARGET" in shown:
            kinds.append(_targets)
        if name in _RUNS or "RUN" in shown.split("|"):
            kinds.append(_runs)
        if name == "node":
            kinds.append(_nodes)
        if name in _ARTIFACTS or "ARTIFACT" in shown:
            kinds.append(_artifacts)
        if name == "engine":
            kinds.append(_engines)
        if name == "tag":
            kinds.append(_tags)
        return (lambda ctx, text: (item for kind in kinds for item in kind(ctx, text))) if kinds else None
    known: dict[str, Complete] = {
        "engine": _engines,
        "executor": _executors,
        "pipeline": _pipelines,
        "profile": _profiles,
        "version": _versions,
        "node": _nodes,
        "run": _runs,
        "target": _targets,
        "targets": _targets,
        "deployed": _deploy_targets,
    }
    return known.get(name)


def _quietly(complete: Complete) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem[Any]]]:
    def offered(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = list(dict.fromkeys(_matching(complete(ctx, incomplete), incomplete)))
        except Exception:  # noqa: BLE001  # whoever presses the key wants no traceback
            found = []
        if not found and "TARGET" in (parameter.metavar or "TARGET").upper() and parameter.name == "target":
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(value) for value in found]

    return offered


def _matching(values: Iterable[str], incomplete: str) -> Iterator[str]:
    count = 0
    for value in values:
        if value.startswith(incomplete) and _PLAIN.fullmatch(value):
            yield value
            count += 1
            if count == _MOST:
                return


# what there is


def _catalog(ctx: click.Context) -> Any:  # the catalog of the options given so far
    from drawloom.cli.options import take_deployed

    given = {name: ctx.params.get(name) for name in ("catalog", "project", "profile", "deployed")}
    return take_deployed(given)[1]


def _runs(ctx: click.Context, incomplete: str) -> Iterator[str]:
    from drawloom.catalog.queries import RunFilter

    catalog = _catalog(ctx)
    if incomplete:
        yield from ("last", *sorted(catalog.storage.folders("runs/"), reverse=True))
        return
    found = [row.id for row in catalog.run_rows(RunFilter(), 20)]  # ids don't sort by time within a second
    yield from ("last", *found) if found else ()


def _nodes(ctx: click.Context, _: str) -> Iterator[str]:
    from drawloom.cli.options import find_run
    from drawloom.ir.walk import walk

    run = next((ctx.params[name] for name in _RUNS if ctx.params.get(name)), None)
    if run is not None:
        pipeline = find_run(_catalog(ctx), run).program.pipeline
        yield from (node.id for node in walk(pipeline.body))


def _names(ctx: click.Context) -> list[str]:
    from drawloom.catalog.queries import artifact_names

    found: list[str] = _catalog(ctx).index.ask(artifact_names)
    return found


def _artifacts(ctx: click.Context, _: str) -> list[str]:
    return sorted(_names(ctx))


def _pipelines(ctx: click.Context, _: str) -> list[str]:
    return sorted({name.partition("/")[0] for name in _names(ctx)})


def _tags(ctx: click.Context, _: str) -> Iterator[str]:
    for version in _catalog(ctx).artifact(_named(ctx)).versions:
        yield from version.tags


def _versions(ctx: click.Context, _: str) -> Iterator[str]:
    yield "latest"
    yield from _tags(ctx, "")
    yield from (str(v.number) for v in reversed(_catalog(ctx).artifact(_named(ctx)).versions))


def _named(ctx: click.Context) -> str:
    """The artifact that was named; click gives up parsing at an option whose value is what is being asked for."""
    if ctx.params.get("name"):
        return str(ctx.params["name"])
    words = os.environ.get("COMP_WORDS", "").split()
    after = words[words.index(str(ctx.info_name)) + 1 :]
    return next(word for word in after if not word.startswith("-"))


def _engines(_: click.Context, __: str) -> list[str]:
    from drawloom.compilers.base import engine_names

    return engine_names()


def _executors(_: click.Context, __: str) -> Iterable[str]:
    from drawloom.project import EXECUTORS

    return EXECUTORS


def _profiles(_: click.Context, __: str) -> Iterable[str]:
    from drawloom.project import find_project

    project = find_project(os.getcwd())
    return sorted(project.model.profiles) if project is not None else ()


def _deploy_targets(_: click.Context, __: str) -> Iterable[str]:
    from drawloom.project import find_project

    project = find_project(os.getcwd())
    return sorted(project.model.targets) if project is not None else ()


# targets, from the text of files


def _targets(_: click.Context, incomplete: str) -> Iterator[str]:
    from drawloom.project import find_project

    project = find_project(os.getcwd())
    if project is not None:
        yield from sorted(project.targets)
    folder, _colon, _name = incomplete.partition(":")
    place = Path(folder)
    below = place if folder.endswith("/") else place.parent
    prefix = "" if str(below) == "." else f"{below}/"
    for path in sorted(below.glob("*.py"))[:_MOST]:
        for name in _pipelines_in(path):
            yield f"{prefix}{path.name}:{name}"


def _pipelines_in(path: Path) -> list[str]:
    return [function.name for function in _functions(path) if any(map(_is_pipeline, function.decorator_list))]


def _functions(path: Path) -> list[ast.FunctionDef]:
    text = path.read_text(encoding="utf-8", errors="replace")
    if "pipeline" not in text:
        return []
    try:
        return [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    except (SyntaxError, ValueError):  # it is being written
        return []


def _is_pipeline(decorator: ast.expr) -> bool:
    if isinstance(decorator, ast.Call):
        decorator = decorator.func
    return (decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")) == "pipeline"


def pipeline_options(target: str) -> list[click.Option]:
    """Options for the parameters of the pipeline a TARGET names, read from the text of its file.

    Args:
        target: as given so far.

    Returns:
        One option for each parameter; none where the file or the function isn't found.
    """
    from drawloom.project import find_project

    try:
        project = find_project(os.getcwd())
        full = project.targets.get(target, target) if project is not None else target
        place, _, name = full.rpartition(":")
        base = Path(project.folder) if project is not None and not place.endswith(".py") else Path.cwd()
        path = Path(place) if place.endswith(".py") else base / f"{place.replace('.', '/')}.py"
        [function] = [found for found in _functions(path) if found.name == name]
    except Exception:  # noqa: BLE001  # as above
        return []
    return [_option(argument) for argument in (*function.args.args, *function.args.kwonlyargs)]


def _option(argument: ast.arg) -> click.Option:
    name, key = argument.arg.replace("_", "-"), f"typed_{argument.arg}"
    annotation = ast.unparse(argument.annotation) if argument.annotation is not None else ""
    if annotation == "bool":
        return click.Option([key, f"--{name}/--no-{name}"], default=None, help=annotation)
    return click.Option([key, f"--{name}"], multiple=True, help=annotation)
