"""Ways through a pipeline: nodes in program order, the blocks a node holds, the operands and references it has."""

from __future__ import annotations

from collections.abc import Iterator

from drawloom.ir.nodes import Block, Branch, Call, Loop, Map, Node, PipelineCall
from drawloom.ir.operands import Apply, Carried, Caught, Const, Item, Operand, Output, Param, Path, Reference

__all__ = ["blocks", "dependencies", "dims_added", "operands", "references", "walk", "with_path"]


def blocks(node: Node) -> tuple[Block, ...]:
    """The blocks a node holds, in the order of their arms.

    Map and PipelineCall: the body. Branch: the cases, then `otherwise`. Loop: the test, then the body.
    Try: the body, the handlers, then `final` if there is one. The others hold none.
    """
    if isinstance(node, Call):
        return ()
    if isinstance(node, (Map, PipelineCall)):
        return (node.body,)
    if isinstance(node, Branch):
        return (*(case.block for case in node.cases), node.otherwise)
    if isinstance(node, Loop):
        return (node.test, node.body)
    return (node.body, *(h.block for h in node.handlers), *((node.final,) if node.final is not None else ()))


def dims_added(node: Node) -> int:
    """How many numbers a node adds to the index vector of the nodes in it: 1 for Map and Loop, else 0."""
    return 1 if isinstance(node, (Map, Loop)) else 0


def walk(block: Block) -> Iterator[Node]:
    """Every node of a block and of the blocks in it, in program order, a control node before what it holds."""
    for node in block.nodes:
        yield node
        for inner in blocks(node):
            yield from walk(inner)


def operands(node: Node) -> Iterator[Operand]:
    """The operands a node has itself, without those of the nodes in its blocks."""
    if isinstance(node, (Call, PipelineCall)):
        for _, operand in node.inputs:
            yield operand
    elif isinstance(node, Map):
        yield node.items
    elif isinstance(node, Branch):
        for case in node.cases:
            yield case.test
    elif isinstance(node, Loop):
        for carry in node.carried:
            yield carry.initial
    for block in blocks(node):
        for _, operand in block.results:
            yield operand


def references(operand: Operand) -> Iterator[Reference]:
    """Every reference in an operand, left to right."""
    if isinstance(operand, Apply):
        for arg in operand.args:
            yield from references(arg)
    elif not isinstance(operand, Const):
        yield operand


def with_path(reference: Reference, path: Path) -> Reference:
    """The reference to another part of the same value; `dataclasses.replace` would load that module."""
    match reference:
        case Param(name):
            return Param(name, path)
        case Output(node, port):
            return Output(node, port, path)
        case Item(map_id):
            return Item(map_id, path)
        case Carried(loop, name):
            return Carried(loop, name, path)
        case Caught(node):
            return Caught(node, path)
    raise AssertionError(f"{type(reference).__name__} has no path")


def dependencies(node: Node) -> set[str]:
    """The ids of all nodes that `node`, or a node in it, refers to or comes after, those inside it left out."""
    needed = set(node.after)
    if isinstance(node, Call):  # most nodes are
        needed.update(ref.node for _, operand in node.inputs for ref in references(operand) if isinstance(ref, Output))
        return needed
    inside = {node.id}
    stack: list[Node] = [node]
    while stack:
        current = stack.pop()
        needed.update(current.after)
        for operand in operands(current):
            needed.update(ref.node for ref in references(operand) if isinstance(ref, Output))
        for block in blocks(current):
            inside.update(n.id for n in block.nodes)
            stack.extend(block.nodes)
    return needed - inside
