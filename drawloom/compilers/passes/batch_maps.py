"""Batches maps: afterwards no map over calls alone starts a step for each item.

A step's start costs far more than a small task; a step works on a range of items as well as on one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from drawloom.compilers.passes.rewriting import expand
from drawloom.ir.nodes import Call, Map, Node, Pipeline
from drawloom.ir.operands import Apply, Const, Operand

__all__ = ["batch_maps"]


def batch_maps(pipeline: Pipeline, *, items_per_step: int = 16) -> Pipeline:
    """Each map whose body holds calls alone, and that has no batch size of its own, gets one.

    Left as they are: maps that hold control nodes, because what comes next is another thing for each of their items;
    maps over a list that is known to have one item or none (`guard_branches` makes them).

    Args:
        pipeline: a checked pipeline.
        items_per_step: the number of items one step works on, at least 1.

    >>> from drawloom.ir.nodes import Block, FunctionRef, TaskSpec
    >>> from drawloom.ir.operands import Const
    >>> from drawloom.ir.text import format_pipeline
    >>> tasks = (TaskSpec("m:f", FunctionRef("m", "f")),)
    >>> each = Map("each", Const("[1,2,3]"), Block((Call("one", "m:f"),)))
    >>> before = Pipeline("p", tasks=tasks, body=Block((each,)))
    >>> print(format_pipeline(before))
    pipeline p()
      task m:f() -> Any
    <BLANKLINE>
      each = map [1,2,3] of Any
        do
          one = m:f() -> Any
    >>> print(format_pipeline(batch_maps(before, items_per_step=2)))
    pipeline p()
      task m:f() -> Any
    <BLANKLINE>
      each = map [1,2,3] of Any with batch_size=2
        do
          one = m:f() -> Any
    """

    def change(node: Node) -> Iterable[Node]:
        if isinstance(node, Map) and node.batch_size == 1 and _calls_alone(node) and not _at_most_one(node.items):
            return (replace(node, batch_size=items_per_step),)
        return (node,)

    return expand(pipeline, change)


def _at_most_one(items: Operand) -> bool:
    if isinstance(items, Const):
        found = json.loads(items.json)
        return isinstance(found, list) and len(found) <= 1
    if isinstance(items, Apply) and items.op == "select":
        return all(_at_most_one(one) for one in items.args[1:])
    return isinstance(items, Apply) and items.op == "list" and len(items.args) <= 1


def _calls_alone(node: Map) -> bool:
    return bool(node.body.nodes) and all(isinstance(inner, Call) for inner in node.body.nodes)
