"""`drawloom engines`: which engine can do what, computed from what the compilers declare."""

from __future__ import annotations

from typing import Any

import click

from drawloom.cli.options import json_option
from drawloom.cli.output import Column, table, write, write_json
from drawloom.compilers.base import Lowered, Refused, Support, compiler_of, engine_names
from drawloom.compilers.features import FEATURES
from drawloom.compilers.matrix import support_word

__all__ = ["engines"]


@click.command()
@click.argument("engine", required=False)
@click.option("--why", is_flag=True, help="Also how a feature is lowered, and why one is refused.")
@json_option
def engines(engine: str | None, why: bool, as_json: bool) -> None:
    """Show which engine can do what.

    native: the engine has it itself; lowered: expressed by what the engine has, with the same results; refused:
    `drawloom compile` says so. ENGINE chooses one engine.
    """
    compilers = [compiler_of(name) for name in ([engine] if engine is not None else engine_names())]
    if as_json:
        features = [
            {"feature": name, "what": what, "support": {c.engine: _document(c.support[name]) for c in compilers}}
            for name, what in FEATURES.items()
        ]
        write_json({"engines": [c.engine for c in compilers], "features": features})
        return
    columns = [Column("feature", whole=True), Column("what"), *(Column(c.engine, state=True) for c in compilers)]
    rows = [[name, what, *(support_word(c.support[name]) for c in compilers)] for name, what in FEATURES.items()]
    table(columns, rows)
    for compiler in compilers if why or engine is not None else ():
        write(f"\n{compiler.engine}")
        for name in FEATURES:
            reason = _reason(compiler.support[name])
            if reason:
                write(f"  {name}: {reason}")


def _document(support: Support) -> dict[str, Any]:
    return {"support": support_word(support), "reason": _text(support)}


def _text(support: Support) -> str | None:
    if isinstance(support, Lowered):
        return support.how
    return support.reason if isinstance(support, Refused) else None


def _reason(support: Support) -> str:
    text = _text(support)
    return (
        "" if text is None else f"{support_word(support)}{', because' if isinstance(support, Refused) else ':'} {text}"
    )
