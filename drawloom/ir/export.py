"""A pipeline as a networkx graph, for analysis and drawing; nothing else in drawloom uses it (extra `graph`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.ir.nodes import Call, Node, Pipeline, PipelineCall
from drawloom.ir.operands import Output, Param
from drawloom.ir.text import Printer
from drawloom.ir.walk import blocks, dims_added, operands, references, walk

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["to_networkx"]


def to_networkx(pipeline: Pipeline) -> nx.MultiDiGraph[Any]:
    """The graph of a pipeline: parameters, nodes and what flows between them.

    Args:
        pipeline: a pipeline, checked or not.

    Returns:
        A directed multigraph. Its nodes are the ids of the pipeline's nodes and `$name` for each parameter, with the
        attributes `kind` (`param`, `call`, `map`, ...), `task` (of calls), `parent` (the control node around it, "" at
        the top), `depth` (how many maps and loops are around it) and `text` (its line in the text form). Its edges go
        from producer to consumer with the attributes `kind`, which is `data`, `after` or `contains` (from a control
        node to what it holds), and `port` (of data edges).

    Raises:
        ImportError: networkx isn't installed (`pip install drawloom[graph]`).
    """
    import networkx as nx  # an extra, and heavy

    graph: nx.MultiDiGraph[Any] = nx.MultiDiGraph(name=pipeline.name)
    for port in pipeline.params:
        graph.add_node(f"${port.name}", kind="param", task="", parent="", depth=0, text=f"${port.name}: {port.type}")
    printer = Printer(pipeline)
    parents: dict[str, tuple[str, int]] = {}
    for node in walk(pipeline.body):
        parent, depth = parents.get(node.id, ("", 0))
        task = node.task if isinstance(node, Call) else ""
        graph.add_node(node.id, kind=_kind(node), task=task, parent=parent, depth=depth, text=printer.node(node))
        for block in blocks(node):
            parents |= {inner.id: (node.id, depth + dims_added(node)) for inner in block.nodes}
    for node in walk(pipeline.body):
        _add_edges(graph, node, parents)
    return graph


def _kind(node: Node) -> str:
    return "group" if isinstance(node, PipelineCall) else type(node).__name__.lower()


def _add_edges(graph: nx.MultiDiGraph[Any], node: Node, parents: dict[str, tuple[str, int]]) -> None:
    if node.id in parents:
        graph.add_edge(parents[node.id][0], node.id, kind="contains", port="")
    for producer in node.after:
        graph.add_edge(producer, node.id, kind="after", port="")
    inside = {inner.id for block in blocks(node) for inner in block.nodes}
    flows: dict[tuple[str, str], None] = {}
    for operand in operands(node):
        for reference in references(operand):
            if isinstance(reference, Output) and reference.node not in inside:
                flows[reference.node, reference.port] = None
            elif isinstance(reference, Param):
                flows[f"${reference.name}", ""] = None
    for producer, port in flows:
        graph.add_edge(producer, node.id, kind="data", port=port)
