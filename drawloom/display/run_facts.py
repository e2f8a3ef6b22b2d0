"""What a run says of its nodes, for pictures of it."""

from __future__ import annotations

from drawloom.catalog.run import NodeView, Run
from drawloom.display.formats import format_seconds
from drawloom.display.graph import NodeFacts

__all__ = ["node_facts", "note"]


def node_facts(run: Run) -> dict[str, NodeFacts]:
    """Node id -> its state and a note."""
    return {node.id: NodeFacts(node.state, note(node)) for node in run.nodes()}


def note(node: NodeView) -> str:
    """`98 succeeded, 2 failed` where there are several instances, else how long it took: `1.2 s, 2 attempts`."""
    if sum(node.counts.values()) > 1:
        return ", ".join(f"{count:,} {state}" for state, count in node.counts.items())
    if node.kind != "call" or node.state in ("pending", "skipped"):
        return ""
    parts = [node.state] if node.state == "cached" else [format_seconds(node.seconds)]
    parts += [f"{node.attempts} attempts"] if node.attempts > 1 else []
    return ", ".join(parts)
