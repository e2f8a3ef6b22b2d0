"""`drawloom plan`: what a run would do with each node, and why; nothing is run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import click

from drawloom.cli.options import catalog_options, json_option, settings_from
from drawloom.cli.output import format_bytes, format_seconds, write, write_json
from drawloom.cli.reason_lines import diff_lines, heading, reason_document, source_place, wrapped
from drawloom.cli.typed import TargetCommand, param_option, target_of, typed_values
from drawloom.runtimes.planned import Estimate, NodePlan, Plan, PlanGroup, group_texts

__all__ = ["plan", "plan_document", "write_plan"]

_MOST_WIDTH: Final = 32  # of the columns before a node's place
_SHOWN_SECONDS: Final = 0.01


@click.command(cls=TargetCommand)
@click.argument("target")
@param_option
@click.option("--cache/--no-cache", default=None, help="Whether earlier results may answer a node (default yes).")
@click.option("--diff", is_flag=True, help="Show how code changed, and compare the contents of tables that did.")
@catalog_options
@json_option
@click.pass_context
def plan(ctx: click.Context, /, target: str, as_json: bool, diff: bool, param: tuple[str, ...], **values: Any) -> None:
    """Tell what a run would do with each node, and why.

    Nothing is run and nothing is written. TARGET and its parameters are those of `drawloom run`. A node is `run`,
    `cached`, or `perhaps` run, where that depends on what another one gives.
    """
    from drawloom import api

    params = typed_values(ctx, param, values)
    settings = settings_from(values)
    found = api.plan(target_of(ctx), params, catalog=_catalog(settings), cache=settings.cache, deep=diff)
    if as_json:
        write_json(plan_document(found, target, diff=diff))
    else:
        write_plan(found, diff=diff)


def _catalog(settings: Any) -> Any:
    """The catalog of the settings, if it is there: `plan` makes none."""
    from drawloom.catalog.catalog import Catalog
    from drawloom.errors import StoreError

    try:
        return Catalog.open(settings.catalog, settings.project, create=False, allow_pickle=settings.allow_pickle)
    except StoreError as error:
        if all(diagnostic.code == "S411" for diagnostic in error.diagnostics):
            return settings.catalog
        raise


def write_plan(found: Plan, *, diff: bool = False) -> None:
    """Prints a plan."""
    widths = [min(_MOST_WIDTH, max((len(text) for text in texts), default=0)) for texts in _columns(found)]
    for node in found.nodes:
        write("\n".join(_node_lines(node, widths, diff=diff)))
    write("\n" + "\n".join(_summary(found)))


def _columns(found: Plan) -> list[list[str]]:
    return [[node.id for node in found.nodes], [_what(node) for node in found.nodes]]


def _what(node: NodePlan) -> str:
    return node.task.rpartition(":")[2] or node.kind


def _node_lines(node: NodePlan, widths: list[int], *, diff: bool) -> Iterator[str]:
    where = source_place(node.where)
    name, what = node.id.ljust(widths[0]), _what(node).ljust(widths[1])
    yield heading(node.state, name, what, where, _estimate_text(node.estimate))
    for group, text in zip(node.groups, group_texts(node), strict=True):
        if text:
            yield from wrapped(text, 10)
        for line in _more(group, diff=diff):
            yield from wrapped(line, 12)


def _more(group: PlanGroup, *, diff: bool) -> Iterator[str]:
    for reason in group.reasons:
        yield from reason.lines
        if diff:
            yield from diff_lines(reason)


def _estimate_text(estimate: Estimate) -> str:
    seconds = estimate.least_seconds or estimate.most_seconds
    return f"about {format_seconds(seconds)}" if seconds >= _SHOWN_SECONDS else ""


def _summary(found: Plan) -> Iterator[str]:
    counts = ", ".join(f"{count:,} {state}" for state, count in found.counts.items()) or "no calls"
    yield f"{found.pipeline}: {counts}"
    yield f"catalog   {found.catalog}"
    if found.most_seconds >= _SHOWN_SECONDS:
        yield f"time      {_time_text(found)}"
    if found.estimate.output_bytes:
        yield f"results   about {format_bytes(found.estimate.output_bytes)}"


def _time_text(found: Plan) -> str:
    least, most = format_seconds(found.seconds), format_seconds(found.most_seconds)
    more = f", {most} if all that is perhaps run is" if most != least else ""
    unknown = f"; nothing known of {found.estimate.unknown}" if found.estimate.unknown else ""
    return f"about {least}{more}, by earlier runs, on {found.cores} cores{unknown}"


def plan_document(found: Plan, target: str, *, diff: bool = False) -> dict[str, Any]:
    """A plan as a JSON object."""
    return {
        "target": target,
        "pipeline": found.pipeline,
        "catalog": found.catalog,
        "compared_with": found.compared or None,
        "counts": found.counts,
        "nodes": [_node_document(node, diff=diff) for node in found.nodes],
        "estimate": {
            **_estimate_document(found.estimate),
            "seconds": found.seconds,
            "most_seconds": found.most_seconds,
            "path_seconds": found.path_seconds,
            "most_path_seconds": found.most_path_seconds,
            "cores": found.cores,
        },
    }


def _node_document(node: NodePlan, *, diff: bool) -> dict[str, Any]:
    where = node.where
    return {
        "node": node.id,
        "kind": node.kind,
        "task": node.task,
        "state": node.state,
        "instances": node.counts,
        "groups": [
            {
                "state": group.state,
                "count": group.count or None,
                "first": [number if number >= 0 else None for number in group.first],
                "reasons": [reason_document(reason, diff=diff) for reason in group.reasons],
            }
            for group in node.groups
        ],
        "estimate": _estimate_document(node.estimate),
        "where": None if where is None else {"file": where.file, "line": where.line, "symbol": where.symbol},
    }


def _estimate_document(estimate: Estimate) -> dict[str, Any]:
    return {
        "work_seconds": estimate.least_seconds,
        "most_work_seconds": estimate.most_seconds,
        "output_bytes": estimate.output_bytes,
        "instances_without_history": estimate.unknown,
    }
