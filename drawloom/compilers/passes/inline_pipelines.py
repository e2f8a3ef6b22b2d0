"""Inlines calls of nested pipelines: afterwards no pipeline call holds nodes.

A call of a pipeline whose results compute something is left as a group without nodes, which computes them: that can
fail, whoever reads them, and the failure is the call's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from drawloom.compilers.passes.made_nodes import can_fail, ends, waiting
from drawloom.compilers.passes.operand_types import OperandTypes
from drawloom.compilers.passes.rewriting import at_path, rebuilt, rebuilt_operand
from drawloom.ir.nodes import Block, Node, Pipeline, PipelineCall
from drawloom.ir.operands import Apply, Const, Operand, Output, Reference, RunInfo
from drawloom.ir.walk import dependencies, operands, references, walk

__all__ = ["inline_pipelines"]


def inline_pipelines(pipeline: Pipeline) -> Pipeline:
    """The nodes of each nested pipeline move to where it was called, and keep their ids.

    They come after all the call waited for; what came after the call, or read its results, comes after them all. A call
    stays as a group without nodes where its results can fail, or where a result's declared type isn't that of what is
    given (an `int` declared as `int | None`): so no edge gets another type.

    >>> from drawloom.ir.nodes import Call, FunctionRef, Port, TaskSpec
    >>> from drawloom.ir.text import format_pipeline
    >>> from drawloom.ir.types import INT
    >>> tasks = (TaskSpec("m:f", FunctionRef("m", "f"), result=INT),)
    >>> body = Block((Call("inner/x", "m:f"),), (("result", Output("inner/x")),))
    >>> inner = PipelineCall("inner", "q", body, results=(Port("result", INT),), after=("first",))
    >>> nodes = (Call("first", "m:f"), inner, Call("last", "m:f", after=("inner",)))
    >>> before = Pipeline("p", (), tasks, Block(nodes, (("result", Output("inner")),)), (Port("result", INT),))
    >>> print(format_pipeline(before))
    pipeline p() -> result: int
      task m:f() -> int
    <BLANKLINE>
      first = m:f() -> int
      inner = pipeline q() -> result: int after first
        do
          inner/x = m:f() -> int
          give result=inner/x
      last = m:f() -> int after inner
      give result=inner
    >>> print(format_pipeline(inline_pipelines(before)))
    pipeline p() -> result: int
      task m:f() -> int
    <BLANKLINE>
      first = m:f() -> int
      inner/x = m:f() -> int after first
      last = m:f() -> int after inner/x
      give result=inner/x
    """
    return replace(pipeline, body=_Inlining(pipeline).block(pipeline.body))


class _Inlining:
    """One run of the pass. `values` and `nodes` hold what stands in the place of the calls that are gone."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.types = OperandTypes(pipeline)
        self.place = {node.id: place for place, node in enumerate(walk(pipeline.body))}
        self.taken_apart = set(_taken_apart(pipeline))
        self.values: dict[Output, Operand] = {}
        self.nodes: dict[str, tuple[str, ...]] = {}

    def block(self, block: Block) -> Block:
        found: list[Node] = []
        gone: set[str] = set()
        for node in block.nodes:
            waits = self.waits(dependencies(node), gone)  # before its blocks lose what only an empty group waited for
            made = self.after(rebuilt(node, self.operand, self.nodes, self.block), waits)
            found += self.dissolved(made) if isinstance(made, PipelineCall) else (made,)
            if node.id in self.nodes:
                gone.add(node.id)
        return Block(tuple(found), tuple((name, self.operand(operand)) for name, operand in block.results))

    def waits(self, needs: set[str], gone: set[str]) -> list[str]:
        """What a node needs, with what is there now in the place of the groups of its block that are gone."""
        there = needs - self.nodes.keys()
        return [*there, *(other for group in needs & gone for other in self.nodes[group])]

    def after(self, node: Node, others: Iterable[str]) -> Node:
        return waiting(node, sorted(others, key=self.place.__getitem__))

    def dissolved(self, group: PipelineCall) -> list[Node]:
        """What stands in the place of a group whose body has been inlined."""
        needs = dependencies(group)
        nodes = group.body.nodes
        ids = {node.id for node in nodes}
        inner = [node if dependencies(node) & ids else self.after(node, needs) for node in nodes]
        types = {port.name: port.type for port in group.results}
        if all(self.replaces(Output(group.id, name), one, types[name]) for name, one in group.body.results):
            self.values |= {Output(group.id, name): operand for name, operand in group.body.results}
            self.nodes[group.id] = ends(nodes) or tuple(sorted(needs, key=self.place.__getitem__))
            return inner
        return [*inner, self.after(replace(group, body=Block((), group.body.results)), ends(nodes) or needs)]

    def replaces(self, result: Output, operand: Operand, type_: object) -> bool:
        """Whether an operand can stand wherever a result is read."""
        if isinstance(operand, (Const, RunInfo, Apply)) and result in self.taken_apart:
            return False
        return not can_fail(operand) and self.types.of(operand) == type_

    def operand(self, operand: Operand) -> Operand:
        return rebuilt_operand(operand, self.reference)

    def reference(self, reference: Reference) -> Operand:
        if isinstance(reference, Output):
            value = self.values.get(Output(reference.node, reference.port))
            if value is not None:
                return at_path(value, reference.path)
        return reference


def _taken_apart(pipeline: Pipeline) -> Iterable[Output]:
    """The results of which a part is read somewhere."""
    whole = partial(replace, path=())
    for one in (*(o for node in walk(pipeline.body) for o in operands(node)), *(o for _, o in pipeline.body.results)):
        yield from (whole(r) for r in references(one) if isinstance(r, Output) and r.path)
