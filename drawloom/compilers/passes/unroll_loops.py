"""Unrolls short loops: afterwards no loop of few iterations holds calls.

For engines that can branch but not go back. A loop without calls is only an expression that is computed again and
again: such loops stay, and one step can compute them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from drawloom.compilers.passes.made_nodes import Names, can_fail, computing, ends, holds_calls, waiting
from drawloom.compilers.passes.rewriting import expand, rebuilt, rebuilt_operand, with_blocks
from drawloom.ir.nodes import Block, Branch, Carry, Case, Loop, Node, Pipeline, PipelineCall, Port
from drawloom.ir.operands import Carried, Caught, Item, Operand, Output, Reference
from drawloom.ir.types import ANY
from drawloom.ir.walk import blocks, dependencies, walk

__all__ = ["unroll_loops"]


def unroll_loops(pipeline: Pipeline, *, max_iterations: int = 3) -> Pipeline:
    """Each loop that holds calls, and has a low bound, becomes as many branches inside each other.

    A group with the loop's id stands around them and gives what the loop gave. A node `x` of the loop becomes `x~0` in
    the first iteration, and so on; where something in the loop fails, that is the failure's `node`. What a loop carries
    is computed by a group at the end of each iteration. A loop that fails at its bound ends in one without calls, with
    the same bound, which fails the same.

    Args:
        pipeline: a checked pipeline.
        max_iterations: loops with a higher bound are left as they are. The nodes of a loop inside another are
            multiplied by both bounds.

    >>> from drawloom.ir.nodes import Call, FunctionRef, TaskSpec
    >>> from drawloom.ir.operands import Apply, Const
    >>> from drawloom.ir.text import format_pipeline
    >>> from drawloom.ir.types import INT
    >>> tasks = (TaskSpec("m:f", FunctionRef("m", "f"), (Port("n", INT),), INT),)
    >>> test = Block((), (("test", Apply("lt", (Carried("grow", "n"), Const("9")))),))
    >>> body = Block((Call("next", "m:f", (("n", Carried("grow", "n")),)),), (("n", Output("next")),))
    >>> grow = Loop("grow", (Carry("n", Const("1"), INT),), test, body, max_iterations=1)
    >>> before = Pipeline("p", (), tasks, Block((grow,)))
    >>> print(format_pipeline(before))
    pipeline p()
      task m:f(n: int) -> int
    <BLANKLINE>
      grow = loop(n: int = 1) max 1
        test
          give test=(@grow:n < 9)
        do
          next = m:f(n=@grow:n) -> int
          give n=next
    >>> print(format_pipeline(unroll_loops(before)))
    pipeline p()
      task m:f(n: int) -> int
    <BLANKLINE>
      grow = pipeline drawloom/loop() -> n: int
        do
          grow~carried-0 = pipeline drawloom/compute() -> n: int
            do
              give n=1
          grow~while-0 = branch -> n: int
            case (grow~carried-0:n < 9)
              next~0 = m:f(n=grow~carried-0:n) -> int
              grow~carried-1 = pipeline drawloom/compute() -> n: int
                do
                  give n=next~0
              grow~limit = loop(test: Any = (grow~carried-1:n < 9)) max 1
                test
                  give test=@grow~limit:test
                do
                  give test=@grow~limit:test
              give n=grow~carried-1:n
            else
              give n=grow~carried-0:n
          give n=grow~while-0:n
    """
    names = Names(pipeline)

    def change(node: Node) -> Iterable[Node]:
        if isinstance(node, Loop) and node.max_iterations <= max_iterations and holds_calls(node):
            return (_Unrolling(node, names).group(),)
        return (node,)

    return expand(pipeline, change)


class _Unrolling:
    """One loop being unrolled; `ports` is what it carries."""

    def __init__(self, loop: Loop, names: Names) -> None:
        self.loop = loop
        self.names = names
        self.ports = tuple(Port(carry.name, carry.type) for carry in loop.carried)

    def group(self) -> PipelineCall:
        """The group in the loop's place."""
        loop = self.loop
        begin = self.carried(0, {carry.name: carry.initial for carry in loop.carried}, ())
        nodes, results = self.tested(0, begin.id)
        return PipelineCall(loop.id, "drawloom/loop", Block((begin, *nodes), results), (), self.ports, loop.after)

    def carried(self, number: int, values: dict[str, Operand], after: Iterable[str]) -> PipelineCall:
        """The group that computes what is carried into an iteration."""
        name = self.names.fresh(f"{self.loop.id}~carried-{number}")
        return computing(name, [(port.name, values[port.name], port.type) for port in self.ports], after)

    def tested(self, number: int, carried: str) -> tuple[tuple[Node, ...], tuple[tuple[str, Operand], ...]]:
        """What follows from the test before iteration `number` on: the nodes, and what the loop carries at the end."""
        test = self.copy(self.loop.test, number, carried)
        ids = {node.id for node in test.nodes}
        nodes = tuple(node if dependencies(node) & ids else waiting(node, (carried,)) for node in test.nodes)
        waits = ends(nodes) or (carried,)
        goes_on = test.results[0][1]
        if number == self.loop.max_iterations:
            return (*nodes, *self.limit(goes_on, waits)), self.give(carried)
        body = self.copy(self.loop.body, number, carried)
        following = self.carried(number + 1, dict(body.results), ends(body.nodes))
        inner, results = self.tested(number + 1, following.id)
        name = self.names.fresh(f"{self.loop.id}~while-{number}")
        case = Case(goes_on, Block((*body.nodes, following, *inner), results))
        branch = Branch(name, (case,), Block((), self.give(carried)), self.ports)
        return (*nodes, waiting(branch, waits)), self.give(name)

    def limit(self, test: Operand, waits: tuple[str, ...]) -> tuple[Node, ...]:
        """What tests once more after the last iteration, as a loop does, and fails as it does."""
        name = self.names.fresh(f"{self.loop.id}~limit")
        if self.loop.on_limit == "fail":
            same = Block((), (("test", Carried(name, "test")),))
            made = Loop(name, (Carry("test", test),), same, same, self.loop.max_iterations)
            return (waiting(made, waits),)
        return (computing(name, [("test", test, ANY)], waits),) if can_fail(test) else ()

    def give(self, node: str) -> tuple[tuple[str, Operand], ...]:
        return tuple((port.name, Output(node, port.name)) for port in self.ports)

    def copy(self, block: Block, number: int, carried: str) -> Block:
        """The block with ids of its own, and with what iteration `number` carries."""
        ids = {node.id: self.names.fresh(f"{node.id}~{number}") for node in walk(block)}

        def reference(one: Reference) -> Operand:
            match one:
                case Output(name) | Caught(name) if name in ids:
                    return replace(one, node=ids[name])
                case Item(name) if name in ids:
                    return replace(one, map=ids[name])
                case Carried(name) if name in ids:
                    return replace(one, loop=ids[name])
                case Carried(name, port, path) if name == self.loop.id:
                    return Output(carried, port, path)
            return one

        def operand(one: Operand) -> Operand:
            return rebuilt_operand(one, reference)

        after = {old: (new,) for old, new in ids.items()}
        nodes = tuple(_renamed(rebuilt(node, operand, after), ids) for node in block.nodes)
        return Block(nodes, tuple((name, operand(one)) for name, one in block.results))


def _renamed(node: Node, ids: dict[str, str]) -> Node:
    """The node, and those in it, under other ids."""
    inner = [Block(tuple(_renamed(one, ids) for one in block.nodes), block.results) for block in blocks(node)]
    return replace(with_blocks(node, inner), id=ids[node.id])
