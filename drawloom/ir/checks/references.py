"""Why a reference leads nowhere: unknown, out of scope, too early, or part of a cycle."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from drawloom.errors import did_you_mean
from drawloom.ir.checks.cycles import shortest_way
from drawloom.ir.infer import RUN_INFO
from drawloom.ir.operands import Carried, Caught, Item, Output, Param, Reference, RunInfo

if TYPE_CHECKING:  # context imports this module
    from drawloom.ir.checks.context import Context

__all__ = ["explain"]


def explain(context: Context, reference: Reference, *, order: bool = False) -> None:
    """Reports a reference that isn't visible where the check stands.

    Args:
        context: the state of the check.
        reference: the reference.
        order: it is an order edge (`after`), not a value.
    """
    match reference:
        case Param(name):
            what = f"the pipeline has no parameter `{name}`{did_you_mean(name, context.params)}"
            context.report("G206", what, f"use one of its parameters: {_list(list(context.params))}")
        case RunInfo(name):
            what = f"a run has no fact `{name}`{did_you_mean(name, RUN_INFO)}"
            context.report("G229", what, f"use one of {_list(list(RUN_INFO))}")
        case Output(node):
            _explain_node(context, node, order)
        case Item(map_id):
            _explain_inner(context, map_id, "map", "the item", "inside that map's body")
        case Caught(node):
            _explain_inner(context, node, "try", "the failure", "inside a handler of that try")
        case Carried(loop, name):
            _explain_carried(context, loop, name)


def _explain_node(context: Context, node: str, order: bool) -> None:
    user = f"`{context.node.id}`" if context.node is not None else "the pipeline"
    verb = "comes after" if order else "takes a value from"
    source = context.sources().get(node)
    if source is None:
        what = f"{user} {verb} `{node}`, and there is no such node{_hint(context, node)}"
        context.report("G205", what, "refer to a node of this pipeline")
        return
    inside = next((arm for owner, arm in context.open if owner == node), None)
    if context.node is not None and context.node.id == node:
        context.report("G209", f"{user} {verb} itself", "take the value from the node before it")
    elif inside is not None:
        what = f"{user} {verb} `{node}`, which it is a part of: `{node}` isn't done before `{user[1:-1]}` is"
        context.report("G209", what, _carry_fix(context, node))
    elif (source.parent, source.arm) in context.open:
        _explain_later(context, node, user, verb)
    else:
        holder = context.nodes()[source.parent][1]
        what = f"{user} {verb} `{node}`, which lies in a block of `{source.parent}` and can't be seen outside it"
        kind = type(holder).__name__.lower()
        fix = f"give the value as a result of the {kind} `{source.parent}`, and refer to that"
        context.report("G208", what, fix if not order else f"come after `{source.parent}` instead")


def _carry_fix(context: Context, node: str) -> str:
    kind = type(context.nodes()[node][1]).__name__
    if kind == "Loop":
        return f"inside the loop use the carried value, not the result of `{node}`"
    return f"inside `{node}` use the values its body makes, not its results"


def _explain_later(context: Context, node: str, user: str, verb: str) -> None:
    """`node` stands later in a block around the place: a cycle if it needs this place, else just the wrong order."""
    source = context.sources()[node]
    block = (source.parent, source.arm)
    level = context.open.index(block)
    here = context.open[level + 1][0] if level + 1 < len(context.open) else context.node.id if context.node else ""
    edges, component = context.block_graph(block)
    if here not in component or component[here] != component[node]:
        fix = f"put `{node}` before {user}: nodes run in the order they are written"
        context.report("G210", f"{user} {verb} `{node}`, which stands after it", fix)
        return
    if (block, component[node]) not in context.reported:
        context.reported.add((block, component[node]))
        circle = " -> ".join(f"`{n}`" for n in (here, *shortest_way(node, here, edges)))
        what = f"these nodes wait for each other: {circle}"
        context.report("G209", what, "break the circle: take out one of these edges, or use a `while_loop`")


def _explain_inner(context: Context, owner: str, kind: str, value: str, place: str) -> None:
    user = f"`{context.node.id}`" if context.node is not None else "the pipeline"
    nodes = context.nodes()
    holders = [n for n, (_, node) in nodes.items() if type(node).__name__.lower() == kind]
    if owner not in holders:
        what = f"{user} takes {value} of `{owner}`, and there is no {kind} of that name{did_you_mean(owner, holders)}"
        context.report("G205", what, f"refer to a {kind} around the node")
        return
    what = f"{user} takes {value} of the {kind} `{owner}` outside of it"
    context.report("G208", what, f"use it {place}, or give what is made of it as a result of `{owner}`")


def _explain_carried(context: Context, loop: str, name: str) -> None:
    if loop not in context.carried:
        _explain_inner(context, loop, "loop", f"the carried value `{name}`", "inside that loop")
        return
    known = context.carried[loop]
    what = f"the loop `{loop}` carries no `{name}`{did_you_mean(name, known)}"
    context.report("G207", what, f"use one of what it carries: {_list(list(known))}")


def _list(names: list[str]) -> str:
    return ", ".join(f"`{n}`" for n in names) if names else "it has none"


_MOST_COMPARED = 1_000  # comparing a name takes some microseconds


def _hint(context: Context, name: str) -> str:
    if name not in context.hints:
        context.hints[name] = did_you_mean(name, _alike(name, context.sources()))
    return context.hints[name]


def _alike(name: str, known: Iterable[str]) -> Iterable[str]:
    """The names worth comparing with `name` where there are very many."""
    return islice((other for other in known if abs(len(other) - len(name)) <= 2), _MOST_COMPARED)
