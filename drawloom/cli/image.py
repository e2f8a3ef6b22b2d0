"""`drawloom image`: Dockerfiles and locks for the environments that a pipeline's tasks declare."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from drawloom.cli.options import json_option
from drawloom.cli.output import Column, table, write, write_json
from drawloom.cli.typed import TargetCommand, param_option, target_of, typed_values

__all__ = ["image"]


@click.command(cls=TargetCommand, static_only=True)
@click.argument("target")
@click.option("-o", "--output", metavar="DIR", required=True, help="Folder to write to; made if it isn't there.")
@click.option("--base", metavar="IMAGE", help="The image that is built upon (default: the stock one of this Python).")
@param_option
@json_option
@click.pass_context
def image(
    ctx: click.Context,
    /,
    target: str,
    output: str,
    base: str | None,
    param: tuple[str, ...],
    as_json: bool,
    **values: Any,
) -> None:
    """Write Dockerfiles and locks for packages that tasks need.

    TARGET is file.py:name, module:name, or a short name of [pipelines] in the project file. The lock pins what is
    installed here, for packages that tasks declare and for all they need. Tasks that declare no packages need no image
    of their own: a stock Python will do.
    """
    from drawloom.compilers.base import Bundle
    from drawloom.compilers.emit.images import default_base, environments_of, image_files
    from drawloom.graphs import twice_traced

    pipeline = target_of(ctx)
    program = twice_traced(pipeline, typed_values(ctx, param, values)).program
    environments = environments_of(program)
    Bundle(image_files(environments, base or default_base()) if environments else {}).write(output)
    if as_json:
        found = [
            {
                "folder": str(Path(output, one.folder).absolute()),
                "image": one.image,
                "packages": list(one.packages),
                "tasks": list(one.tasks),
                "pins": {pin.name: pin.version for pin in one.pins},
            }
            for one in environments
        ]
        document = {"target": target, "pipeline": pipeline.name, "base": base or default_base()}
        write_json({**document, "environments": found})
        return
    if not environments:
        write(f"{pipeline.name}: no task declares packages: a stock image of Python will do")
        return
    columns = [Column("folder", whole=True), Column("tasks"), Column("packages"), Column("pins", right=True)]
    rows = [
        [
            os.path.join(output, one.folder),
            ", ".join(task.rpartition(":")[2] for task in one.tasks),
            ", ".join(one.packages),
            str(len(one.pins)),
        ]
        for one in environments
    ]
    table(columns, rows)
    for one in environments:
        write(f"docker build -t {one.image or f'REGISTRY/{one.folder.lower()}:1'} {os.path.join(output, one.folder)}")
