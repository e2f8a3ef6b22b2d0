"""Separates decisions from what they decide: afterwards branches, loops and maps go by a whole result of a node.

An engine is given a boolean or a count that some step wrote; it never computes one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce

from drawloom.compilers.passes.made_nodes import Names, can_fail, computing, ends
from drawloom.compilers.passes.operand_types import OperandTypes
from drawloom.compilers.passes.rewriting import expand
from drawloom.ir.nodes import Block, Branch, Case, Loop, Map, Node, Pipeline
from drawloom.ir.operands import Apply, Const, Operand, Output
from drawloom.ir.types import BOOL
from drawloom.ir.walk import dependencies

__all__ = ["separate_decisions"]


def separate_decisions(pipeline: Pipeline) -> Pipeline:
    """Each test and each list of items that isn't a whole result of a node becomes one, of a group that computes it.

    Tests become `true` or `false`. A later case's test that may raise is computed only if no earlier case was chosen,
    as before. The group waits for all that the control node waits for, so it computes only what would have been. Where
    the computing fails, the failure's `node` is the group.

    >>> from drawloom.ir.nodes import Port
    >>> from drawloom.ir.operands import Param
    >>> from drawloom.ir.text import format_pipeline
    >>> from drawloom.ir.types import INT, STR
    >>> case = Case(Apply("gt", (Param("n"), Const("0"))), Block((), (("result", Const('"more"')),)))
    >>> winner = Branch("winner", (case,), Block((), (("result", Const('"less"')),)), (Port("result", STR),))
    >>> before = Pipeline("p", (Port("n", INT),), body=Block((winner,)))
    >>> print(format_pipeline(before))
    pipeline p(n: int)
      winner = branch -> result: str
        case ($n > 0)
          give result="more"
        else
          give result="less"
    >>> print(format_pipeline(separate_decisions(before)))
    pipeline p(n: int)
      winner~case-1 = pipeline drawloom/compute() -> test: bool
        do
          give test=($n > 0)
      winner = branch -> result: str
        case winner~case-1:test
          give result="more"
        else
          give result="less"
    """
    separation = _Separation(pipeline)
    return expand(pipeline, separation.nodes)


class _Separation:
    """One run of the pass."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.names = Names(pipeline)
        self.types = OperandTypes(pipeline)

    def nodes(self, node: Node) -> Iterable[Node]:
        """The groups that compute what a node decides by, and the node."""
        match node:
            case Branch():
                return self.branch(node)
            case Loop():
                return (self.loop(node),)
            case Map():
                return self.map(node)
        return (node,)

    def branch(self, node: Branch) -> Iterable[Node]:
        needs = sorted(dependencies(node))
        made: list[Node] = []
        cases: list[Case] = []
        for number, case in enumerate(node.cases, 1):
            test = case.test
            if not _is_whole(test):
                test = self.boolean(test)
                if cases and can_fail(test):
                    earlier = reduce(lambda a, b: Apply("or", (a, b)), (before.test for before in cases))
                    test = Apply("select", (earlier, Const("false"), test))
                name = self.names.fresh(f"{node.id}~case-{number}")
                made.append(computing(name, [("test", test, BOOL)], needs))
                test = Output(name, "test")
            cases.append(Case(test, case.block))
        return (*made, replace(node, cases=tuple(cases)))

    def loop(self, node: Loop) -> Node:
        nodes, ((_, test),) = node.test.nodes, node.test.results
        if _is_whole(test):
            return node
        name = self.names.fresh(f"{node.id}~while")
        group = computing(name, [("test", self.boolean(test), BOOL)], ends(nodes))
        return replace(node, test=Block((*nodes, group), (("test", Output(name, "test")),)))

    def map(self, node: Map) -> Iterable[Node]:
        if _is_whole(node.items):
            return (node,)
        name = self.names.fresh(f"{node.id}~items")
        group = computing(name, [("items", node.items, self.types.of(node.items))], sorted(dependencies(node)))
        return group, replace(node, items=Output(name, "items"))

    def boolean(self, test: Operand) -> Operand:
        return test if self.types.of(test) == BOOL else Apply("bool", (test,))


def _is_whole(operand: Operand) -> bool:
    return isinstance(operand, Output) and not operand.path
