"""What a pipeline means, comparable before and after a pass: the result or the failure, every call, their order."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import assume
from ir_program_tasks import FUNCTIONS, PARAMS

from drawloom.compilers.passes.rewriting import rebuilt, rebuilt_operand, rename_outputs, with_blocks
from drawloom.ir.canonical import canonical_json, digest_json
from drawloom.ir.envelope import class_ref, encode
from drawloom.ir.interpret import interpret
from drawloom.ir.nodes import Block, Map, Node, Pipeline, PipelineCall, Port
from drawloom.ir.operands import Apply, Caught, Const, Field, Item, Operand, Output, Reference
from drawloom.ir.types import Type
from drawloom.ir.walk import blocks, walk
from drawloom.values.failure import Failure

__all__ = ["Meaning", "meaning", "with_nested_maps", "without_places"]

TIME = datetime(2024, 2, 29, 23, 59, tzinfo=UTC)
_ITERATION = re.compile(r"~\d+")


@dataclass(frozen=True)
class Meaning:
    """What came of a run.

    Args:
        result: the digest of the result, or the class and text of the failure that counts.
        calls: (task, digest of its inputs) of each attempt, in order, effects among them.
        commits: how often a node committed a value or a failure; those of unrolled loops under the node's own id.
    """

    result: str
    calls: tuple[tuple[str, str], ...]
    commits: Mapping[tuple[str, str], int]


def meaning(pipeline: Pipeline, *, at_most: int = 300) -> Meaning:
    """What a pipeline with the parameters and tasks of `ir_programs` means; passes over those that make much."""
    calls: list[tuple[str, str]] = []

    def noted(name: str) -> Callable[..., Any]:
        def run(**inputs: Any) -> Any:
            calls.append((name, _digest([[k, v] for k, v in sorted(inputs.items()) if k != "path"])))
            return FUNCTIONS[name](**inputs)

        return run

    with tempfile.TemporaryDirectory(prefix="drawloom-passes-") as folder:
        functions = {name: noted(name) for name in FUNCTIONS}
        outcome = interpret(pipeline, functions, PARAMS | {"path": folder}, info={"logical_time": TIME})
    assume(len(outcome.instances) <= at_most)
    commits = Counter((_ITERATION.sub("", node), _digest(value)) for (node, _), value in outcome.commits.items())
    result = outcome.result if outcome.failure is None else outcome.failure
    return Meaning(_digest(result), tuple(calls), commits)


def _digest(value: Any) -> str:
    if isinstance(value, BaseException):
        return f"{class_ref(type(value))} {value}"
    return digest_json(encode(value))


_NOBODY = Const(canonical_json(encode(Failure(type="builtins:ValueError", message="", node=""))))


def without_places(pipeline: Pipeline) -> Pipeline:
    """The pipeline whose handlers don't read in which node a failure was: some passes move what can fail."""

    def change(reference: Reference) -> Operand:
        if isinstance(reference, Caught):
            return replace(reference, path=(Field("message"),)) if reference.path else _NOBODY
        return reference

    return _changed(pipeline, change)


def _changed(pipeline: Pipeline, change: Callable[[Reference], Operand]) -> Pipeline:
    def operand(one: Operand) -> Operand:
        return rebuilt_operand(one, change)

    nodes = tuple(rebuilt(node, operand, {}) for node in pipeline.body.nodes)
    results = tuple((name, operand(one)) for name, one in pipeline.body.results)
    return replace(pipeline, body=Block(nodes, results))


def with_nested_maps(pipeline: Pipeline, levels: int = 1) -> Pipeline:
    """The pipeline with each map inside so many others: over its items, over none, and over its items once more."""
    flat = {node.id: f"{node.id}_flat" for node in walk(pipeline.body) if isinstance(node, Map)}

    def nodes(block: Block) -> Block:
        made: list[Node] = []
        for node in block.nodes:
            inner = with_blocks(node, [nodes(one) for one in blocks(node)])
            made += _nested(inner, levels) if isinstance(inner, Map) else (inner,)
        return Block(tuple(made), block.results)

    renamed = rename_outputs(pipeline, flat)
    return replace(renamed, body=nodes(renamed.body))


def _nested(node: Map, levels: int) -> tuple[Node, Node]:
    """A map in maps, and a group that makes one list of the lists they give."""
    made = replace(node, after=(), parallelism=None)
    joined: dict[str, Operand] = {}
    for level in range(1, levels + 1):
        name, given = (
            f"{node.id}_outer_{level}",
            tuple((port.name, Output(made.id, port.name)) for port in made.results),
        )
        ports = tuple(Port(port.name, Type("list", (port.type,))) for port in made.results)
        items = Apply("list", (made.items, Const("[]"), made.items))
        body = Block((replace(made, items=Item(name)),), given)
        made = Map(name, items, body, ports, Type("list", (made.item,)))
    for port in node.results:
        joined[port.name] = Output(made.id, port.name)
        for _ in range(levels):
            joined[port.name] = Apply("flatten", (joined[port.name],))
    group = PipelineCall(f"{node.id}_flat", "joined", Block((), tuple(joined.items())), (), node.results, (made.id,))
    return replace(made, after=node.after), group
