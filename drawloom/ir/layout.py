"""The layout of a pipeline: a `Source` for every node, in program order."""

from __future__ import annotations

from collections.abc import Mapping

from drawloom.ir.nodes import Block, Branch, Loop, Map, Node, Pipeline, PipelineCall, Try
from drawloom.ir.sources import INDEX, Results, Source
from drawloom.ir.walk import blocks, dims_added

__all__ = ["layout"]


_last: list[tuple[Pipeline, Mapping[str, Source]]] = []  # one run asks many times for one pipeline


def layout(pipeline: Pipeline) -> Mapping[str, Source]:
    """The source of each node of `pipeline`, by id, in program order."""
    for known, sources in _last:
        if known is pipeline:
            return sources
    found: dict[str, Source] = {}
    _lay_block(pipeline.body, "", 0, 0, (), found)
    _last[:] = [(pipeline, found)]
    return found


def _lay_block(
    block: Block, parent: str, arm: int, depth: int, place: tuple[int, ...], found: dict[str, Source]
) -> None:
    for ordinal, node in enumerate(block.nodes):
        position = (*place, ordinal)
        found[node.id] = Source(
            id=node.id,
            kind=_kind(node),
            depth=depth,
            position=position,
            parent=parent,
            arm=arm,
            results=_results(node),
            items=node.items if isinstance(node, Map) else None,
        )
        inner_place = (*position, INDEX) if dims_added(node) else position
        for inner_arm, inner in enumerate(blocks(node)):
            _lay_block(inner, node.id, inner_arm, depth + dims_added(node), (*inner_place, inner_arm), found)


def _kind(node: Node) -> str:
    if isinstance(node, PipelineCall):
        return "group"
    if isinstance(node, (Map, Branch, Loop, Try)):
        return type(node).__name__.lower()
    return "call"


def _results(node: Node) -> tuple[Results, ...]:
    if isinstance(node, Loop):
        return (tuple((c.name, c.initial) for c in node.carried), node.body.results)
    if isinstance(node, Try):
        return (node.body.results, *(h.block.results for h in node.handlers))
    return tuple(b.results for b in blocks(node))
