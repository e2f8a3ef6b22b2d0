"""`drawloom push`: puts a compiled pipeline where its steps read from."""

from __future__ import annotations

import click

from drawloom.cli.options import json_option
from drawloom.cli.output import format_bytes, write, write_json

__all__ = ["push"]


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("--store", metavar="URL", help="The store, where it has another address from here than from the steps.")
@json_option
def push(folder: str, store: str | None, as_json: bool) -> None:
    """Put a compiled pipeline into the store its steps read from.

    DIR is what `drawloom compile` has written. What is in the store already stays as it is. Then the engine may be
    given its part: `kubectl create -f DIR/workflow.yaml`.
    """
    from drawloom.runtimes.publish import publish_folder

    pushed = publish_folder(folder, store)
    if as_json:
        write_json(
            {
                "pipeline": pushed.pipeline,
                "program": pushed.program,
                "bundle": pushed.bundle,
                "store": pushed.store,
                "size_bytes": pushed.size_bytes,
            }
        )
    else:
        write(f"{pushed.pipeline}: program {pushed.program[:12]}, {format_bytes(pushed.size_bytes)}, in {pushed.store}")
