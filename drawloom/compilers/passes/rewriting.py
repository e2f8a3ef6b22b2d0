"""Ways to change a pipeline: its nodes one by one, its operands, its order edges; the counterpart of `ir.walk`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from drawloom.ir.nodes import Block, Branch, Call, Loop, Map, Node, Pipeline, PipelineCall
from drawloom.ir.operands import Apply, Carried, Caught, Const, Item, Operand, Output, Param, Path, Reference
from drawloom.ir.walk import blocks

__all__ = ["at_path", "expand", "rebuilt", "rebuilt_operand", "rename_outputs", "with_blocks"]

_Pairs = tuple[tuple[str, Operand], ...]


def expand(pipeline: Pipeline, change: Callable[[Node], Iterable[Node]]) -> Pipeline:
    """The pipeline with nodes in the place of each node; those inside a node come before it.

    Args:
        pipeline: the pipeline.
        change: gives what stands in the place of a node, whose blocks have been expanded.
    """
    return replace(pipeline, body=_expanded(pipeline.body, change))


def _expanded(block: Block, change: Callable[[Node], Iterable[Node]]) -> Block:
    nodes: list[Node] = []
    for node in block.nodes:
        nodes += change(with_blocks(node, [_expanded(inner, change) for inner in blocks(node)]))
    return Block(tuple(nodes), block.results)


def with_blocks(node: Node, made: Sequence[Block]) -> Node:
    """The node with these blocks, as many as `walk.blocks` gives and in that order."""
    if isinstance(node, Call):
        return node
    if isinstance(node, (Map, PipelineCall)):
        return replace(node, body=made[0])
    if isinstance(node, Branch):
        cases = tuple(replace(case, block=block) for case, block in zip(node.cases, made))
        return replace(node, cases=cases, otherwise=made[-1])
    if isinstance(node, Loop):
        return replace(node, test=made[0], body=made[1])
    handlers = tuple(replace(handler, block=block) for handler, block in zip(node.handlers, made[1:]))
    return replace(node, body=made[0], handlers=handlers, final=made[-1] if node.final is not None else None)


def rebuilt(
    node: Node,
    operand: Callable[[Operand], Operand],
    after: Mapping[str, Sequence[str]],
    block: Callable[[Block], Block] | None = None,
) -> Node:
    """The node with its operands, its order edges and its blocks changed.

    Args:
        node: the node.
        operand: what becomes of an operand.
        after: node id -> the nodes to come after in its place.
        block: what becomes of a block the node holds; None: its nodes and results are rebuilt likewise.
    """

    def within(inner: Block) -> Block:
        nodes = tuple(rebuilt(one, operand, after) for one in inner.nodes)
        return Block(nodes, _each(inner.results, operand))

    named = dict.fromkeys(new for old in node.after for new in after.get(old, (old,)))
    made = with_blocks(_own(node, operand), [(block or within)(inner) for inner in blocks(node)])
    return replace(made, after=tuple(named))


def _own(node: Node, operand: Callable[[Operand], Operand]) -> Node:
    """The node with what `walk.operands` gives changed, the results of its blocks left out."""
    match node:
        case Call() | PipelineCall():
            return replace(node, inputs=_each(node.inputs, operand))
        case Map():
            return replace(node, items=operand(node.items))
        case Branch():
            return replace(node, cases=tuple(replace(case, test=operand(case.test)) for case in node.cases))
        case Loop():
            carried = tuple(replace(carry, initial=operand(carry.initial)) for carry in node.carried)
            return replace(node, carried=carried)
    return node


def _each(pairs: _Pairs, operand: Callable[[Operand], Operand]) -> _Pairs:
    return tuple((name, operand(one)) for name, one in pairs)


def rebuilt_operand(operand: Operand, change: Callable[[Reference], Operand]) -> Operand:
    """The operand with every reference in it changed."""
    if isinstance(operand, Const):
        return operand
    if isinstance(operand, Apply):
        return Apply(operand.op, tuple(rebuilt_operand(arg, change) for arg in operand.args))
    return change(operand)


def at_path(operand: Operand, path: Path) -> Operand:
    """The part of an operand's value that a path leads to; only references have parts.

    Raises:
        TypeError: the operand is no reference with a path.
    """
    if not path:
        return operand
    if isinstance(operand, (Param, Output, Item, Carried, Caught)):
        return replace(operand, path=(*operand.path, *path))
    raise TypeError(f"{type(operand).__name__} has no path")


def rename_outputs(pipeline: Pipeline, names: Mapping[str, str]) -> Pipeline:
    """The pipeline with other nodes taking values from, and coming after, the new ones instead of the old."""

    def change(reference: Reference) -> Operand:
        if isinstance(reference, Output) and reference.node in names:
            return replace(reference, node=names[reference.node])
        return reference

    def operand(one: Operand) -> Operand:
        return rebuilt_operand(one, change)

    after = {old: (new,) for old, new in names.items()}
    nodes = tuple(rebuilt(node, operand, after) for node in pipeline.body.nodes)
    return replace(pipeline, body=Block(nodes, _each(pipeline.body.results, operand)))
