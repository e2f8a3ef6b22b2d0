"""`drawloom check`: every problem of a pipeline at once."""

from __future__ import annotations

from typing import Any

import click

from drawloom.cli.documents import diagnostic_document
from drawloom.cli.options import json_option
from drawloom.cli.output import note, write, write_json
from drawloom.cli.problems import OK, USAGE
from drawloom.cli.typed import TargetCommand, param_option, target_of, typed_values

__all__ = ["check"]


@click.command(cls=TargetCommand, static_only=True)
@click.argument("target")
@click.option("--engine", metavar="NAME", help="Also all that this engine can't express.")
@param_option
@json_option
@click.pass_context
def check(
    ctx: click.Context, /, target: str, engine: str | None, param: tuple[str, ...], as_json: bool, **values: Any
) -> int:
    """Tell every problem of a pipeline at once.

    TARGET is file.py:name, module:name, or a short name of [pipelines] in the project file.
    """
    from drawloom import api

    pipeline = target_of(ctx)
    found = api.check(pipeline, engine, static=typed_values(ctx, param, values))
    if as_json:
        document = {"target": target, "pipeline": pipeline.name, "engine": engine}
        write_json({**document, "problems": [diagnostic_document(d) for d in found]})
    elif found:
        for diagnostic in found:
            note(str(diagnostic))
        note(f"{len(found)} problem{'s' if len(found) > 1 else ''} in {pipeline.name}")
    else:
        write(f"{pipeline.name}: no problems{f' for {engine}' if engine else ''}")
    return USAGE if found else OK
