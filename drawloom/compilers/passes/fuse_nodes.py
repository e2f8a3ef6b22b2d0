"""Fuses chains of small nodes: afterwards no two neighbours that could be one step are apart.

A step's start costs far more than a small call, and one step can run several nodes. A fused chain is a group that a
compiler may start as one step; its nodes keep their ids, commits and cache entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from drawloom.compilers.features import is_batched
from drawloom.compilers.passes.made_nodes import Names, is_computing
from drawloom.compilers.passes.rewriting import rename_outputs, with_blocks
from drawloom.ir.nodes import Block, Call, Map, Node, Pipeline, PipelineCall, Port
from drawloom.ir.operands import Output
from drawloom.ir.policies import Policies
from drawloom.ir.tasks import TaskSpec
from drawloom.ir.walk import blocks, dependencies, references

__all__ = ["FUSED", "fuse_nodes"]

FUSED: Final = "drawloom/fused"  # the pipeline's name of a fused chain; no function is so named


def fuse_nodes(pipeline: Pipeline) -> Pipeline:
    """Each chain of neighbours becomes a group, named after its last node.

    A chain is calls, and groups that compute expressions, that stand one right after another in a block, at least one
    call among them; each is needed by the next alone, and the others need nothing that the first doesn't. So the whole
    chain runs exactly when its first node would. Its calls are no effects, and have no policies: nothing to do again,
    limit or install for one of them alone.

    In a map with a batch size nothing is fused: a step that works on several items takes calls alone.

    Neighbours only, because to move a node would change which failure is the first. So a line written between two nodes
    of a chain ends the chain there.

    >>> from drawloom.ir.nodes import FunctionRef
    >>> from drawloom.ir.text import format_pipeline
    >>> from drawloom.ir.types import INT
    >>> tasks = (TaskSpec("m:f", FunctionRef("m", "f"), (Port("n", INT, "0"),), INT),)
    >>> nodes = (Call("a", "m:f"), Call("b", "m:f", (("n", Output("a")),)))
    >>> before = Pipeline("p", (), tasks, Block(nodes, (("result", Output("b")),)), (Port("result", INT),))
    >>> print(format_pipeline(before))
    pipeline p() -> result: int
      task m:f(n: int = 0) -> int
    <BLANKLINE>
      a = m:f() -> int
      b = m:f(n=a) -> int
      give result=b
    >>> print(format_pipeline(fuse_nodes(before)))
    pipeline p() -> result: int
      task m:f(n: int = 0) -> int
    <BLANKLINE>
      b~fused = pipeline drawloom/fused() -> result: int
        do
          a = m:f() -> int
          b = m:f(n=a) -> int
          give result=b
      give result=b~fused
    """
    names = Names(pipeline)
    tasks = {task.name: task for task in pipeline.tasks}
    chains = list(_chains(pipeline.body, tasks))
    groups = {chain[-1].id: names.fresh(f"{chain[-1].id}~fused") for chain in chains}
    lengths = {chain[-1].id: len(chain) for chain in chains}

    def fused(block: Block) -> Block:
        found: list[Node] = []
        for node in block.nodes:
            found.append(with_blocks(node, [fused(inner) for inner in blocks(node)]))
            if node.id in groups:
                found[-lengths[node.id] :] = [_group(groups[node.id], found[-lengths[node.id] :], tasks)]
        return Block(tuple(found), block.results)

    renamed = rename_outputs(pipeline, groups)
    return replace(renamed, body=fused(renamed.body))


def _group(name: str, chain: list[Node], tasks: dict[str, TaskSpec]) -> PipelineCall:
    last = chain[-1]
    ports = last.results if isinstance(last, PipelineCall) else ()
    if isinstance(last, Call) and not tasks[last.task].effect:
        ports = (Port("result", tasks[last.task].result),)
    results = tuple((port.name, Output(last.id, port.name)) for port in ports)
    return PipelineCall(name, FUSED, Block(tuple(chain), results), (), ports)


def _chains(block: Block, tasks: dict[str, TaskSpec]) -> Iterator[list[Node]]:
    """The chains of two nodes or more in a block and in those inside it."""
    needs = {node.id: dependencies(node) for node in block.nodes}
    users: dict[str, int] = dict.fromkeys(needs, 0)
    used = [name for found in needs.values() for name in found]
    used += {r.node for _, operand in block.results for r in references(operand) if isinstance(r, Output)}
    for name in used:
        if name in users:
            users[name] += 1
    chain: list[Node] = []
    for node in block.nodes:
        joins = bool(chain) and users[chain[-1].id] == 1 and chain[-1].id in needs[node.id]
        if joins and _is_small(node, tasks) and needs[node.id] <= {chain[-1].id} | needs[chain[0].id]:
            chain.append(node)
            continue
        yield from _whole(chain)
        chain = [node] if _is_small(node, tasks) else []
        if not _is_whole_step(node, tasks):
            for inner in blocks(node):
                yield from _chains(inner, tasks)
    yield from _whole(chain)


def _is_whole_step(node: Node, tasks: dict[str, TaskSpec]) -> bool:
    """Whether what a node holds is as large a step as can be: a fused chain, or several items of a map."""
    if isinstance(node, Map):
        return is_batched(node, tasks)
    return isinstance(node, PipelineCall) and node.pipeline == FUSED


def _whole(chain: list[Node]) -> Iterator[list[Node]]:
    if len(chain) > 1 and any(isinstance(node, Call) for node in chain):
        yield chain


def _is_small(node: Node, tasks: dict[str, TaskSpec]) -> bool:
    if isinstance(node, Call):
        spec = tasks[node.task]
        return not (spec.effect or spec.container or spec.engine) and (node.policies or spec.policies) == Policies()
    return is_computing(node)
