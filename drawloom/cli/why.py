"""`drawloom why`: why a node of a run was executed, answered, skipped or failed."""

from __future__ import annotations

from typing import Any

import click

from drawloom.catalog.why import Why
from drawloom.cli.options import catalog_options, deployed_option, find_run, index_option, json_option, take_deployed
from drawloom.cli.output import write, write_json
from drawloom.cli.reason_lines import heading, reason_document, reason_lines, source_place, wrapped

__all__ = ["why"]


@click.command()
@click.argument("run")
@click.argument("node")
@index_option
@click.option("--diff", is_flag=True, help="Show how code changed, and compare the contents of tables that did.")
@deployed_option
@catalog_options
@json_option
def why(run: str, node: str, index: tuple[int, ...] | None, as_json: bool, diff: bool, **values: Any) -> None:
    """Tell why a node was run, cached, skipped or failed.

    RUN is a run's id, the beginning of it, `last`, or `last~1` for the one before; NODE a node's id. It is compared
    with the latest earlier run of the same pipeline.
    """
    _, catalog = take_deployed(values)
    found = find_run(catalog, run).why(node, index, deep=diff)
    if as_json:
        write_json(why_document(found, diff=diff))
        return
    what = found.task.rpartition(":")[2] or found.kind
    write(heading(found.state, found.node, what, source_place(found.where)))
    single = len(found.groups) == 1 and found.groups[0].count <= 1
    for group in found.groups:
        if not single:
            first = f", the first {list(group.first)}" if group.first else ""
            write("\n".join(wrapped(f"{group.count:,} {group.state}{first if group.count > 1 else first[11:]}", 10)))
        for line in reason_lines(group.reasons, diff=diff):
            write("\n".join(wrapped(line, 10 if single else 12)))
    write(f"run       {found.run}" + (f", compared with {found.compared}" if found.compared else ""))


def why_document(found: Why, *, diff: bool = False) -> dict[str, Any]:
    """An answer as a JSON object."""
    where = found.where
    return {
        "run": found.run,
        "node": found.node,
        "kind": found.kind,
        "task": found.task,
        "state": found.state,
        "compared_with": found.compared or None,
        "groups": [
            {
                "state": group.state,
                "count": group.count,
                "first": list(group.first),
                "reasons": [reason_document(reason, diff=diff) for reason in group.reasons],
            }
            for group in found.groups
        ],
        "where": None if where is None else {"file": where.file, "line": where.line, "symbol": where.symbol},
    }
