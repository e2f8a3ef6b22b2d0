"""Turns branches into guards: afterwards there is no branch, for engines that can fan out but not choose.

An arm becomes a map over one item if it is chosen, over none if not. That costs such an engine a step for the decision
and a fan-out for each arm.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from drawloom.compilers.passes.made_nodes import Names, computing
from drawloom.compilers.passes.rewriting import expand
from drawloom.ir.nodes import Block, Branch, Map, Node, Pipeline, Port
from drawloom.ir.operands import Apply, Const, Key, Operand, Output
from drawloom.ir.types import INT, Type
from drawloom.ir.walk import blocks, dependencies

__all__ = ["guard_branches"]

_ONE: Final = Const("[0]")
_NONE: Final = Const("[]")


def guard_branches(pipeline: Pipeline) -> Pipeline:
    """Each branch becomes a group that decides, a guarded map for each arm with nodes, and a group that picks.

    The deciding group gives the number of the arm, its tests computed one after another until one is true, as before.
    The picking group has the branch's id and results. The nodes of an arm keep their ids; their index vectors have one
    number more, a 0. Where a test or an arm's result fails, the failure's `node` is the group or the map.

    >>> from drawloom.ir.nodes import Call, Case, FunctionRef, TaskSpec
    >>> from drawloom.ir.operands import Param
    >>> from drawloom.ir.text import format_pipeline
    >>> from drawloom.ir.types import BOOL
    >>> tasks = (TaskSpec("m:f", FunctionRef("m", "f"), result=INT),)
    >>> case = Case(Param("good"), Block((Call("x", "m:f"),), (("result", Output("x")),)))
    >>> winner = Branch("winner", (case,), Block((), (("result", Const("0")),)), (Port("result", INT),))
    >>> before = Pipeline("p", (Port("good", BOOL),), tasks, Block((winner,)))
    >>> print(format_pipeline(before))
    pipeline p(good: bool)
      task m:f() -> int
    <BLANKLINE>
      winner = branch -> result: int
        case $good
          x = m:f() -> int
          give result=x
        else
          give result=0
    >>> print(format_pipeline(guard_branches(before)))
    pipeline p(good: bool)
      task m:f() -> int
    <BLANKLINE>
      winner~arm = pipeline drawloom/compute() -> arm: int
        do
          give arm=select($good, 0, 1)
      winner~arm-0 = map select((winner~arm:arm == 0), [0], []) of int -> result: list[int]
        do
          x = m:f() -> int
          give result=x
      winner = pipeline drawloom/compute() -> result: int
        do
          give result=select((winner~arm:arm == 0), winner~arm-0[0], 0)
    """
    names = Names(pipeline)

    def change(node: Node) -> Iterable[Node]:
        return _guarded(node, names) if isinstance(node, Branch) else (node,)

    return expand(pipeline, change)


def _guarded(node: Branch, names: Names) -> Iterable[Node]:
    decide = names.fresh(f"{node.id}~arm")
    arm: Operand = Const(str(len(node.cases)))
    for number in reversed(range(len(node.cases))):
        arm = Apply("select", (node.cases[number].test, Const(str(number)), arm))
    guards: list[Node] = []
    given: list[dict[str, Operand]] = []  # the results of each arm
    for number, block in enumerate(blocks(node)):
        given.append(dict(block.results))
        if block.nodes:
            guard = _guard(names.fresh(f"{node.id}~arm-{number}"), _is_arm(decide, number), node, block)
            guards.append(guard)
            given[-1] = {port.name: Output(guard.id, port.name, (Key(0),)) for port in node.results}
    picked = [(port.name, _picked(decide, [one[port.name] for one in given]), port.type) for port in node.results]
    waits = [guard.id for guard in guards] or [decide]
    return (
        computing(decide, [("arm", arm, INT)], sorted(dependencies(node))),
        *guards,
        computing(node.id, picked, waits),
    )


def _guard(name: str, chosen: Operand, node: Branch, block: Block) -> Map:
    """The map that runs an arm once or never."""
    ports = tuple(Port(port.name, Type("list", (port.type,))) for port in node.results)
    return Map(name, Apply("select", (chosen, _ONE, _NONE)), block, ports, INT)


def _is_arm(decide: str, number: int) -> Operand:
    return Apply("eq", (Output(decide, "arm"), Const(str(number))))


def _picked(decide: str, given: list[Operand]) -> Operand:
    """The result of the chosen arm, the others left alone."""
    found = given[-1]
    for number in reversed(range(len(given) - 1)):
        found = Apply("select", (_is_arm(decide, number), given[number], found))
    return found
