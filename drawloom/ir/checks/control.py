"""Nodes that hold blocks: what goes in, what their blocks give, what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from drawloom.errors import did_you_mean
from drawloom.ir.assign import assignable
from drawloom.ir.checks.context import UNKNOWN_PORTS, Context, Ports
from drawloom.ir.checks.interface import check_map_policies, repeated, sound
from drawloom.ir.iterated import iterated_type
from drawloom.ir.narrow import Facts, facts, together, told_by
from drawloom.ir.nodes import Block, Branch, Loop, Map, Node, PipelineCall, Port, Try
from drawloom.ir.operands import Output
from drawloom.ir.types import ANY, BOOL, Type

__all__ = ["MAX_NESTING", "check_control"]

MAX_NESTING: Final = 100  # blocks inside each other; readers and engines recurse through them
Nodes = Callable[[Block], list[str]]  # checks the nodes of a block, returns what became visible


def check_control(context: Context, node: Node, nodes: Nodes) -> Ports:
    """Checks a node that isn't a call of a task, and all it holds.

    Args:
        context: the state of the check; its `node` is this one.
        node: the node.
        nodes: checks the nodes of a block.

    Returns:
        The node's ports.
    """
    rule = _RULES.get(type(node))
    if rule is None:
        context.node = None  # there is no text form of it to show
        what = f"the node `{node.id}` has the kind `{type(node).__name__}`, which this drawloom doesn't know"
        context.report("G227", what, "use a newer drawloom, or one of the kinds in drawloom.ir.nodes")
        return UNKNOWN_PORTS
    return rule(context, node, nodes)


def _inside(context: Context, node: Node, arm: int, block: Block, nodes: Nodes, results: Callable[[], None]) -> None:
    """Checks a block and, with its nodes visible, what `results` checks of its results."""
    if len(context.open) > MAX_NESTING:
        what = f"`{node.id}` holds a block {MAX_NESTING + 1} levels deep; {MAX_NESTING} are the most"
        context.report("G234", what, "make it flatter: put an inner part into a @task")
        return
    context.open.append((node.id, arm))
    added = nodes(block)
    context.node = node
    results()
    for name in added:
        del context.visible[name]
    context.open.pop()


def _ports(context: Context, node: Node, ports: Sequence[Port]) -> dict[str, Type]:
    repeated(context, [p.name for p in ports], f"`{node.id}` declares the result `{{}}` twice")
    return {p.name: sound(context, p.type, f"the result `{p.name}` of `{node.id}`") for p in ports}


def _check_group(context: Context, node: PipelineCall, nodes: Nodes) -> Ports:
    for _, operand in node.inputs:
        context.type_of(operand)
    ports = _ports(context, node, node.results)

    def results() -> None:
        context.results(node.body, node.results, f"`{node.id}`", f"the body of `{node.id}`")

    _inside(context, node, 0, node.body, nodes, results)
    return ports


def _check_map(context: Context, node: Map, nodes: Nodes) -> Ports:
    check_map_policies(context, node)
    item = sound(context, node.item, f"the item of `{node.id}`")
    items = context.type_of(node.items)
    given = None if items.name in _NOT_MAPPED else iterated_type(items)
    if given is None:
        what = f"the map `{node.id}` runs over {items}, which is no list, tuple or set"
        context.report("G219", what, "give it a list, a tuple or a set; make one in a @task")
    elif not assignable(given, item):
        what = f"an item of the map `{node.id}` needs {item}, got {given}"
        context.report("G203", what, f"make the items {item}, or put a @task that converts between the two")
    ports = _ports(context, node, node.results)
    for name, type_ in ports.items():
        if type_.name not in ("list", "any"):
            what = f"the result `{name}` of the map `{node.id}` is declared as {type_}, and a map gives a list"
            context.report("G218", what, f"declare it as list[{type_}]")
    items_of = [Port(p.name, p.type.args[0] if p.type.name == "list" and p.type.args else ANY) for p in node.results]

    def results() -> None:
        context.results(node.body, items_of, f"an item of `{node.id}`", f"the body of `{node.id}`")

    context.items[node.id] = item
    _inside(context, node, 0, node.body, nodes, results)
    del context.items[node.id]
    return ports


_NOT_MAPPED: Final = frozenset({"str", "bytes", "literal", "dataframe", "series", "ndarray", "arrow_table", "polars"})


def _check_branch(context: Context, node: Branch, nodes: Nodes) -> Ports:
    ports = _ports(context, node, node.results)
    untaken: Facts = {}  # what is known once the cases before weren't taken
    arms: list[tuple[Facts, Block]] = []
    for arm, case in enumerate(node.cases):
        with context.under(untaken):
            context.type_of(case.test)
            taken = facts(case.test, True, context.told)
            with context.under(taken):
                _check_arms(context, node, [(case.block, f"case {arm + 1} of `{node.id}`")], node.results, nodes, arm)
        arms.append((together(untaken, taken), case.block))
        untaken = together(untaken, facts(case.test, False, context.told))
    with context.under(untaken):
        last = [(node.otherwise, f"the `otherwise` of `{node.id}`")]
        _check_arms(context, node, last, node.results, nodes, len(node.cases))
    _note_flags(context, node, [*arms, (untaken, node.otherwise)])
    return ports


def _note_flags(context: Context, node: Branch | Try, arms: Sequence[tuple[Facts, Block]]) -> None:
    """Keep what the flags tell that the arms give."""
    given = [(known, dict(block.results)) for known, block in arms]
    for port in node.results:
        if port.type == BOOL and all(port.name in results for _, results in given):
            flags = [(known, results[port.name]) for known, results in given]
            context.told[Output(node.id, port.name)] = told_by(flags, context.told)


def _check_arms(
    context: Context,
    node: Branch | Try,
    arms: Sequence[tuple[Block, str]],
    ports: Sequence[Port],
    nodes: Nodes,
    start: int = 0,
) -> None:
    for arm, (block, title) in enumerate(arms, start):

        def results(block: Block = block, title: str = title) -> None:
            context.results(block, ports, f"`{node.id}`", title)

        _inside(context, node, arm, block, nodes, results)


def _check_loop(context: Context, node: Loop, nodes: Nodes) -> Ports:
    if node.max_iterations < 1:
        what = f"the loop `{node.id}` has max_iterations={node.max_iterations}"
        context.report("G221", what, "use at least 1: how often the body may run")
    if node.on_limit not in _ON_LIMIT:
        what = f"the loop `{node.id}` has on_limit=`{node.on_limit}`{did_you_mean(node.on_limit, _ON_LIMIT)}"
        context.report("G221", what, "use `fail` or `stop`")
    repeated(context, [c.name for c in node.carried], f"the loop `{node.id}` carries `{{}}` twice")
    carried = {c.name: sound(context, c.type, f"`{c.name}` in the loop `{node.id}`") for c in node.carried}
    for carry in node.carried:
        context.edge(f"the initial `{carry.name}` of the loop `{node.id}`", carry.initial, carried[carry.name])
    context.carried[node.id] = carried
    _inside(context, node, 0, node.test, nodes, lambda: _test_results(context, node))
    _inside(context, node, 1, node.body, nodes, lambda: _body_results(context, node, carried))
    del context.carried[node.id]
    return carried


_ON_LIMIT: Final = ("fail", "stop")


def _test_results(context: Context, node: Loop) -> None:
    for _, operand in node.test.results:
        context.type_of(operand)
    names = [name for name, _ in node.test.results]
    if names != ["test"]:
        what = f"the test of the loop `{node.id}` must give the one result `test`, got {_shown(names)}"
        context.report("G220", what, "give the value to be tested as `test`")


def _body_results(context: Context, node: Loop, carried: Mapping[str, Type]) -> None:
    given = dict(node.body.results)
    for name, operand in node.body.results:
        if name in carried:
            context.edge(f"the next `{name}` of the loop `{node.id}`", operand, carried[name])
        else:
            context.type_of(operand)
            what = f"the body of the loop `{node.id}` gives `{name}`, which the loop doesn't carry"
            context.report("G220", f"{what}{did_you_mean(name, carried)}", f"it carries {_shown(list(carried))}")
    for name in carried:
        if name not in given:
            what = f"the body of the loop `{node.id}` doesn't give the next `{name}`, which the loop carries"
            context.report("G220", what, f"give `{name}` as a result of the body (the carried value, if it stays)")


def _check_try(context: Context, node: Try, nodes: Nodes) -> Ports:
    ports = _ports(context, node, node.results)
    _check_arms(context, node, [(node.body, f"the body of `{node.id}`")], node.results, nodes)
    for number, handler in enumerate(node.handlers, 1):
        title = f"handler {number} of `{node.id}`"
        if not handler.exceptions or any(":" not in e for e in handler.exceptions):
            what = f"{title} is for {_shown(handler.exceptions)}; it needs `module:qualname` of exception classes"
            context.report("G232", what, "name the classes in full: `builtins:ValueError`")
        context.caught.add(node.id)
        _check_arms(context, node, [(handler.block, title)], node.results, nodes, number)
        context.caught.discard(node.id)
    if node.final is not None:
        final = node.final
        _inside(context, node, 1 + len(node.handlers), final, nodes, lambda: _no_results(context, node, final))
    _note_flags(context, node, [({}, block) for block in (node.body, *(handler.block for handler in node.handlers))])
    return ports


def _no_results(context: Context, node: Try, final: Block) -> None:
    names = [name for name, _ in final.results]
    if names:
        what = f"the `final` block of `{node.id}` gives {_shown(names)}, and nothing can take it"
        context.report("G218", what, "give it from the body and the handlers instead")


def _shown(names: Sequence[str]) -> str:
    return ", ".join(f"`{n}`" for n in names) if names else "nothing"


_RULES: Final[dict[type, Callable[..., Ports]]] = {
    PipelineCall: _check_group,
    Map: _check_map,
    Branch: _check_branch,
    Loop: _check_loop,
    Try: _check_try,
}
