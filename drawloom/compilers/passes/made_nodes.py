"""Nodes that passes make: their ids, the groups that compute expressions, what they wait for.

A made node's id is that of the node it is made for, `~` and a word. So it stays as long as that node's id stays, and no
name of the user's is like it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import count
from typing import Final, TypeVar

from drawloom.ir.nodes import Block, Call, Node, Pipeline, PipelineCall, Port
from drawloom.ir.operands import Apply, Operand
from drawloom.ir.types import Type
from drawloom.ir.walk import blocks, dependencies, walk

__all__ = ["COMPUTE", "Names", "can_fail", "computing", "ends", "holds_calls", "is_computing", "waiting"]

COMPUTE: Final = "drawloom/compute"  # the pipeline's name of a group that computes expressions; no function is so named
_AnyNode = TypeVar("_AnyNode", bound=Node)


class Names:
    """Gives ids to made nodes: as asked for, with an ordinal where a pipeline has that id already."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._taken = {node.id.casefold() for node in walk(pipeline.body)}

    def fresh(self, name: str) -> str:
        """An id that no node has, nor was given before; case doesn't make ids different."""
        made = next(one for n in count(1) if (one := name if n == 1 else f"{name}-{n}").casefold() not in self._taken)
        self._taken.add(made.casefold())
        return made


def computing(
    node: str, results: Iterable[tuple[str, Operand, Type]], after: Iterable[str] = (), *, pipeline: str = COMPUTE
) -> PipelineCall:
    """A group without nodes that computes expressions.

    Args:
        node: its id.
        results: (port, expression, type) of each.
        after: the nodes it comes after; those it refers to need not be named, and are left out.
        pipeline: the name of the nested pipeline that it is shown as.
    """
    found = list(results)
    ports = tuple(Port(port, type_) for port, _, type_ in found)
    made = PipelineCall(node, pipeline, Block((), tuple((port, operand) for port, operand, _ in found)), (), ports)
    return waiting(made, after)


def is_computing(node: Node) -> bool:
    """Whether a node is a group without nodes: one that only computes expressions."""
    return isinstance(node, PipelineCall) and not node.body.nodes


def ends(nodes: Sequence[Node]) -> tuple[str, ...]:
    """The ids of those nodes of a block that no other one needs: when they have succeeded, all have."""
    needed = {name for node in nodes for name in dependencies(node)}
    return tuple(node.id for node in nodes if node.id not in needed)


def holds_calls(node: Node) -> bool:
    """Whether anything in a control node's blocks is run; if not, all it does is to compute expressions."""
    inside = (inner for block in blocks(node) for inner in walk(block))
    return any(isinstance(inner, Call) for inner in inside)


def waiting(node: _AnyNode, others: Iterable[str]) -> _AnyNode:
    """The node, after others too; those it depends on already are not named once more."""
    needed = dependencies(node)
    missing = [other for other in dict.fromkeys(others) if other not in needed]
    return replace(node, after=(*node.after, *missing)) if missing else node


def can_fail(operand: Operand) -> bool:
    """Whether computing an operand may raise; a constant, a whole value, or whether there is one, can't."""
    if isinstance(operand, Apply):
        return operand.op not in ("list", "tuple", "unset", "is_none") or any(can_fail(arg) for arg in operand.args)
    return bool(getattr(operand, "path", ()))
