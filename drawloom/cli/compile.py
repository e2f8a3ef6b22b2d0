"""`drawloom compile`: writes what an engine needs to run a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from drawloom.cli.engine_options import engine_options
from drawloom.cli.options import json_option
from drawloom.cli.output import format_bytes, write, write_json
from drawloom.cli.typed import TargetCommand, param_option, target_of, typed_values
from drawloom.errors import Diagnostic, ProjectError

__all__ = ["compile_"]


@click.command("compile", cls=TargetCommand, static_only=True)
@click.argument("target")
@click.option("--engine", metavar="NAME", help="The engine: argo, reference.")
@click.option("--target", "deployed", metavar="NAME", help="The engine and the options of a [targets.NAME] instead.")
@click.option("-o", "--output", metavar="DIR", required=True, help="Folder to write to; made if it isn't there.")
@click.option("--option", metavar="NAME=TEXT", multiple=True, help="Give the engine's compiler an option.")
@param_option
@json_option
@click.pass_context
def compile_(
    ctx: click.Context,
    /,
    target: str,
    engine: str | None,
    deployed: str | None,
    output: str,
    option: tuple[str, ...],
    param: tuple[str, ...],
    as_json: bool,
    **values: Any,
) -> None:
    """Write what an engine needs to run a pipeline.

    TARGET is file.py:name, module:name, or a short name of [pipelines] in the project file. Needs no network and no
    client of the engine. An --option that takes several values is given several times (env_from_secrets=NAME), a
    mapping by its keys (env.NAME=TEXT, tasks.TASK.memory=8Gi).
    """
    from drawloom import api
    from drawloom.compilers.base import compiler_of

    pipeline = target_of(ctx)
    static = typed_values(ctx, param, values)
    engine, options = _engine(engine, deployed)
    options |= engine_options(compiler_of(engine).compile, option)
    bundle = api.compile(pipeline, engine, static=static, **options)
    bundle.write(output)
    sizes = {path: len(content if isinstance(content, bytes) else content.encode()) for path, content in bundle.items()}
    if as_json:
        files = [{"path": path, "size_bytes": size} for path, size in sorted(sizes.items())]
        document = {"target": target, "pipeline": pipeline.name, "engine": engine}
        write_json({**document, "output": str(Path(output).absolute()), "files": files})
    else:
        write(f"{pipeline.name} for {engine}: {len(sizes)} files, {format_bytes(sum(sizes.values()))}, in {output}")


def _engine(engine: str | None, deployed: str | None) -> tuple[str, dict[str, Any]]:
    """The engine to compile for, and the options that a target of the project file gives its compiler."""
    if (engine is None) == (deployed is None):
        what = "neither --engine nor --target is given" if engine is None else "--engine can't go with --target"
        raise ProjectError(Diagnostic("P674", what, None, "give the one or the other: `--engine argo`"))
    if deployed is None:
        return engine or "", {}
    from drawloom.project import load_settings
    from drawloom.project.targets import find_target

    found = find_target(deployed, load_settings())
    return found.engine, dict(found.options)
