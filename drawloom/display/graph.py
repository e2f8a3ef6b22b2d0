"""A pipeline as boxes, frames and arrows: what every picture of it, in whichever language, is made from.

Calls and parameters are boxes; what holds blocks (maps, branches, loops, `try_`, nested pipelines) is a frame around
them. Boxes and frames have short ids of their own (`n12`), so that no name a user chose can break a picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from drawloom.display.formats import cut, one_line
from drawloom.ir.nodes import Block, Branch, Call, Loop, Node, Pipeline, PipelineCall, Try
from drawloom.ir.operands import Operand, Output, Param
from drawloom.ir.text import format_operand
from drawloom.ir.walk import blocks, operands, references, walk

__all__ = ["Arrow", "Box", "Drawing", "Frame", "NodeFacts", "draw"]

_LONGEST: Final = 36  # characters of a name in a picture; all of it is in the tooltip
_LONGEST_TYPE: Final = 28


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a run says of a node: its state, and a note such as `98 succeeded, 2 cached`."""

    state: str
    note: str = ""


@dataclass(slots=True)
class Box:
    """One box.

    Args:
        id: its short id.
        kind: `param`, `call`, `result`, or `empty` for an arm in which nothing is to do.
        lines: what stands in it.
        tooltip: all there is to know on one line.
        state: what became of it in a run, "" without one.
        node: the node's own id, `$name` of a parameter.
    """

    id: str
    kind: str
    lines: list[str]
    tooltip: str = ""
    state: str = ""
    node: str = ""


@dataclass(slots=True)
class Frame:
    """A frame around boxes and frames; `kind` is `map`, `branch`, `loop`, `try`, `group`, or `arm` of one of them."""

    id: str
    kind: str
    title: str
    tooltip: str = ""
    state: str = ""
    parts: list[Box | Frame] = field(default_factory=list)
    node: str = ""

    def boxes(self) -> Iterator[Box]:
        """All boxes in it, in program order."""
        for part in self.parts:
            if isinstance(part, Frame):
                yield from part.boxes()
            else:
                yield part


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow between two boxes or frames, by their ids; `kind` is `data` or `after`."""

    source: str
    target: str
    kind: str
    label: str = ""


@dataclass(slots=True)
class Drawing:
    """A picture: its title, what is in it in program order, and the arrows."""

    title: str
    parts: list[Box | Frame] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)

    def frames(self) -> dict[str, Frame]:
        """All frames by their ids."""
        found: dict[str, Frame] = {}
        waiting = [part for part in self.parts if isinstance(part, Frame)]
        while waiting:
            frame = waiting.pop()
            found[frame.id] = frame
            waiting += [part for part in frame.parts if isinstance(part, Frame)]
        return found

    def is_wide(self) -> bool:
        """Whether it has more side by side than one after another, and is better drawn from left to right."""
        depth: dict[str, int] = {}
        boxes = [box for part in self.parts for box in ([part] if isinstance(part, Box) else part.boxes())]
        place = {box.id: k for k, box in enumerate(boxes)}
        incoming: dict[str, list[str]] = {}
        for arrow in self.arrows:
            incoming.setdefault(arrow.target, []).append(arrow.source)
        for box in boxes:  # program order: what an arrow comes from stands before
            depth[box.id] = 1 + max((depth.get(s, 0) for s in incoming.get(box.id, ()) if s in place), default=0)
        levels: dict[int, int] = {}
        for level in depth.values():
            levels[level] = levels.get(level, 0) + 1
        return max(levels.values(), default=0) > max(8, len(levels))


def draw(pipeline: Pipeline, facts: Mapping[str, NodeFacts] | None = None, *, types: bool = False) -> Drawing:
    """The picture of a pipeline.

    Args:
        pipeline: the pipeline.
        facts: node id -> what a run says of it.
        types: whether arrows are labelled with the types of the values.
    """
    return _Drawer(pipeline, facts or {}, types=types).drawing


class _Drawer:
    def __init__(self, pipeline: Pipeline, facts: Mapping[str, NodeFacts], *, types: bool) -> None:
        self.drawing = Drawing(_short(pipeline.name))
        self._facts = facts
        self._types = types
        self._specs = {spec.name: spec for spec in pipeline.tasks}
        self._ids: dict[str, str] = {}  # node id or `$name` -> short id
        self._drawn: set[tuple[str, str]] = set()
        self._results: dict[tuple[str, str], str] = {}  # (node, port) -> the type of what it gives
        for port in pipeline.params:
            self._results[f"${port.name}", ""] = str(port.type)
            text = one_line(f"{port.name}: {port.type}")
            box = Box(self._id(f"${port.name}"), "param", [_short(port.name)], text, node=f"${port.name}")
            self.drawing.parts.append(box)
        self.drawing.parts += self._block(pipeline.body, "")
        for name, operand in pipeline.body.results:
            box = Box(self._id(f"<{name}"), "result", [_short(name)], one_line(f"result {name}"))
            self.drawing.parts.append(box)
            self._arrows([operand], box.id, set())

    def _id(self, name: str) -> str:
        return self._ids.setdefault(name, f"n{len(self._ids)}")

    def _block(self, block: Block, prefix: str) -> list[Box | Frame]:
        return [self._frame(node, prefix) if blocks(node) else self._box(node, prefix) for node in block.nodes]

    def _box(self, node: Node, prefix: str) -> Box:
        lines = [_short(node.id.removeprefix(prefix))]
        what = _what(node)
        if what and _short(what) != lines[0]:
            lines.append(_short(what))
        facts = self._facts.get(node.id)
        if facts is not None and facts.note:
            lines.append(one_line(facts.note))
        if isinstance(node, Call) and node.task in self._specs:
            self._results[node.id, "result"] = str(self._specs[node.task].result)
        tooltip = one_line(f"{node.id} = {_full(node)}{f' ({facts.state})' if facts is not None else ''}")
        box = Box(self._id(node.id), "call", lines, tooltip, facts.state if facts is not None else "", node.id)
        self._arrows(operands(node), box.id, set())
        self._after(node, box.id)
        return box

    def _frame(self, node: Node, prefix: str) -> Frame:
        facts = self._facts.get(node.id)
        name, kind = _short(node.id.removeprefix(prefix)), _kind(node)
        title = name if name == kind else f"{kind} {name}"
        if isinstance(node, PipelineCall) and _short(node.pipeline) != name:
            title += f" = {_short(node.pipeline)}"
        if facts is not None and facts.note:
            title += f": {one_line(facts.note)}"
        state = facts.state if facts is not None else ""
        frame = Frame(self._id(node.id), kind, title, one_line(f"{kind} {node.id}"), state, node=node.id)
        if not isinstance(node, (Call, Loop)):
            for port in node.results:
                self._results[node.id, port.name] = str(port.type)
        inside = {inner.id for block in blocks(node) for inner in block.nodes}
        found = list(operands(node))
        if isinstance(node, PipelineCall):  # what is in it refers to what it was given, directly
            inside |= {ref.node for inner in walk(node.body) for ref in _outputs(operands(inner))}
            found = [operand for operand in found if not _params(operand)]
        self._arrows(found, frame.id, inside)
        self._after(node, frame.id)
        arms = list(zip(_titles(node, prefix), blocks(node), strict=True))
        for arm, (title, block) in enumerate(arms):
            parts: list[Box | Frame] = self._block(block, f"{node.id}/")
            if not parts:
                parts = [Box(self._id(f"<{node.id}/{arm}"), "empty", [_gives(block, prefix)])]
            if len(arms) == 1:
                frame.parts += parts
            else:
                frame.parts.append(Frame(self._id(f"<{node.id}/{arm}/"), "arm", title, title, "", parts))
        return frame

    def _arrows(self, found: Iterable[Operand], target: str, inside: set[str]) -> None:
        flows: dict[tuple[str, str], None] = {}
        for operand in found:
            for reference in references(operand):
                if isinstance(reference, Output) and reference.node not in inside:
                    flows[reference.node, reference.port] = None
                elif isinstance(reference, Param):
                    flows[f"${reference.name}", ""] = None
        for producer, port in flows:
            label = cut(one_line(self._results.get((producer, port), "")), _LONGEST_TYPE) if self._types else ""
            self.drawing.arrows.append(Arrow(self._id(producer), target, "data", label))
            self._drawn.add((self._id(producer), target))

    def _after(self, node: Node, target: str) -> None:
        for producer in node.after:
            if (self._id(producer), target) not in self._drawn:
                self.drawing.arrows.append(Arrow(self._id(producer), target, "after"))


def _short(name: str) -> str:
    return cut(one_line(name), _LONGEST) or "?"


def _kind(node: Node) -> str:
    return "pipeline" if isinstance(node, PipelineCall) else type(node).__name__.lower()


def _what(node: Node) -> str:
    return node.task.rpartition(":")[2].rpartition(".")[2] if isinstance(node, Call) else ""


def _full(node: Node) -> str:
    return node.task if isinstance(node, Call) else _what(node)


def _outputs(found: Iterable[Operand]) -> Iterator[Output]:
    for operand in found:
        for reference in references(operand):
            if isinstance(reference, Output):
                yield reference


def _params(operand: Operand) -> bool:
    return all(isinstance(reference, Param) for reference in references(operand))


def _gives(block: Block, prefix: str) -> str:
    """What stands in the place of nodes in a block that has none."""
    texts = [format_operand(operand, short=True).replace(prefix or "\0", "") for _, operand in block.results]
    return _short(f"gives {', '.join(texts)}") if texts else "nothing to do"


def _titles(node: Node, prefix: str) -> list[str]:
    """What stands over each block of a node, in the order of `walk.blocks`."""
    if isinstance(node, Branch):
        tests = [format_operand(case.test, short=True).replace(prefix or "\0", "") for case in node.cases]
        return [*(_short(f"{'if' if k == 0 else 'elif'} {test}") for k, test in enumerate(tests)), "else"]
    if isinstance(node, Loop):
        return ["while", "do"]
    if isinstance(node, Try):
        handlers = [_short(f"except {', '.join(e.rpartition(':')[2] for e in h.exceptions)}") for h in node.handlers]
        return ["try", *handlers, *(["finally"] if node.final is not None else [])]
    return [""] * len(blocks(node))
