"""A lineage for people: trees of lines, and a Mermaid flowchart."""

from __future__ import annotations

from drawloom.catalog.lineage import Execution, Lineage, VersionNode

__all__ = ["lineage_mermaid", "lineage_text"]

_LINES = {False: ("├─ ", "└─ ", "│  "), True: ("|- ", "`- ", "|  ")}
_DIGEST_CHARACTERS = 8


def lineage_text(lineage: Lineage, *, ascii_only: bool = False) -> str:
    """The graph as trees below the version; what was shown already is named once more, without what lies behind it.

    Args:
        lineage: the graph.
        ascii_only: whether to draw with ASCII alone.
    """
    nodes = {node.id: node for node in lineage.nodes}
    lines = [_line(nodes[lineage.root])]
    for direction, title in (("up", "made from"), ("down", "went into")):
        if lineage.direction not in (direction, "both"):
            continue
        tree = _tree(lineage, nodes, direction, _LINES[ascii_only])
        lines += ["", title, *(tree or ["nothing that the catalog knows of"])]
    if lineage.truncated:
        lines += ["", "there is more behind the last versions; a greater depth shows it"]
    return "\n".join(lines)


def _tree(
    lineage: Lineage, nodes: dict[str, VersionNode | Execution], direction: str, marks: tuple[str, str, str]
) -> list[str]:
    following: dict[str, dict[str, list[str]]] = {}  # id -> id of the next -> the ports between them
    for edge in lineage.edges:
        here, there = (edge.target, edge.source) if direction == "up" else (edge.source, edge.target)
        labels = following.setdefault(here, {}).setdefault(there, [])
        if edge.kind == "same":
            labels.append("the same as")
        elif edge.port not in ("", "result") and edge.port not in labels:
            labels.append(edge.port)
    lines: list[str] = []
    seen = {lineage.root}
    # a stack: a chain of a thousand nodes is no deep recursion
    waiting = _children(lineage.root, "", following, marks)
    while waiting:
        parent, node, lead, prefix = waiting.pop()
        label = ", ".join(following[parent][node])
        again = node in seen and node in following
        lines.append(f"{lead}{f'{label}: ' if label else ''}{_line(nodes[node])}{'  (as above)' if again else ''}")
        if node not in seen:
            seen.add(node)
            waiting += _children(node, prefix, following, marks)
    return lines


def _children(
    node: str, prefix: str, following: dict[str, dict[str, list[str]]], marks: tuple[str, str, str]
) -> list[tuple[str, str, str, str]]:
    """(parent, child, what its line begins with, what the lines below it begin with), the last one first."""
    branch, last, beam = marks
    found = list(following.get(node, ()))
    made = []
    for place, child in enumerate(found):
        is_last = place == len(found) - 1
        made.append((node, child, prefix + (last if is_last else branch), prefix + ("   " if is_last else beam)))
    return made[::-1]


def _line(node: VersionNode | Execution) -> str:
    if isinstance(node, VersionNode):
        return f"{node.name} version {node.number}{f'  {node.type}' if node.type else ''}"
    what = {"call": node.function, "pipeline": f"returned by {node.pipeline}"}.get(
        node.kind, f"{node.kind} {node.node}"
    )
    parts = [what or node.node]
    if node.function_digest:
        parts.append(f"@{node.function_digest[:_DIGEST_CHARACTERS]}")
    if node.instances > 1:
        parts.append(f"x {node.instances}")
    return f"{' '.join(parts)}  in run {node.run}{', cached' if node.cached else ''}"


def lineage_mermaid(lineage: Lineage) -> str:
    """The graph as a Mermaid flowchart: versions are boxes, executions rounded."""
    names = {node.id: f"n{number}" for number, node in enumerate(lineage.nodes)}
    lines = ["flowchart LR"]
    for node in lineage.nodes:
        left, right = ("[", "]") if isinstance(node, VersionNode) else ("(", ")")
        lines.append(f'    {names[node.id]}{left}"{_escaped(_line(node))}"{right}')
    for edge in lineage.edges:
        label = "the same" if edge.kind == "same" else edge.port if edge.port != "result" else ""
        arrow = "-.->" if edge.kind == "same" else "-->"
        said = f'|"{_escaped(label)}"|' if label else ""
        lines.append(f"    {names[edge.source]} {arrow}{said} {names[edge.target]}")
    if lineage.nodes:
        lines.append(f"    style {names[lineage.root]} stroke-width:3px")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """Text in quotes: Mermaid knows entities, no backslashes."""
    kept = [c if c.isalnum() or c in " ./:,@_-()" else f"#{ord(c)};" for c in text]
    return "".join(kept)
