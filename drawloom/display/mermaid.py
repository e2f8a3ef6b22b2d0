"""Pictures as Mermaid text, which GitHub, GitLab, notebooks and many editors draw; needs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from drawloom.display.graph import Box, Drawing, Frame
from drawloom.display.palette import COLOURS, PLAIN

__all__ = ["mermaid"]

_SHAPES: Final = {"param": ("([", "])"), "result": ("([", "])"), "call": ("[", "]"), "empty": ("[", "]")}
# characters that mean something inside a quoted label, or to what looks for directives before anything is parsed, as
# the entities Mermaid knows
_ENTITIES: Final = str.maketrans({c: f"#{ord(c)};" for c in '#"&<>`\\%:'})


def mermaid(drawing: Drawing, *, direction: str = "") -> str:
    """The picture as the text of a Mermaid flowchart.

    Args:
        drawing: the picture.
        direction: `TB` or `LR`; "" for what suits it.
    """
    lines = [f"flowchart {direction or ('LR' if drawing.is_wide() else 'TB')}"]
    lines += _parts(drawing.parts, "  ")
    for arrow in drawing.arrows:
        line = "-.->" if arrow.kind == "after" else "-->"
        label = f'|"{_text(arrow.label)}"|' if arrow.label else ""
        lines.append(f"  {arrow.source} {line}{label} {arrow.target}")
    lines += _classes(drawing)
    return "\n".join(lines) + "\n"


def _parts(parts: Sequence[Box | Frame], indent: str) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Frame):
            yield f'{indent}subgraph {part.id}["{_text(part.title)}"]'
            yield from _parts(part.parts, f"{indent}  ")
            yield f"{indent}end"
        else:
            opens, closes = _SHAPES[part.kind]
            yield f'{indent}{part.id}{opens}"{"<br/>".join(map(_text, part.lines))}"{closes}'


def _text(text: str) -> str:
    return text.translate(_ENTITIES)


def _classes(drawing: Drawing) -> Iterator[str]:
    """A class for each state and kind that occurs, and who is of it."""
    members: dict[str, list[str]] = {}
    waiting = list(drawing.parts)
    while waiting:
        part = waiting.pop(0)
        if isinstance(part, Frame):
            waiting += part.parts
            members.setdefault(f"frame_{part.state}" if part.state else "frame", []).append(part.id)
        else:
            members.setdefault(part.state or part.kind, []).append(part.id)
    for name, ids in members.items():  # `is_`, since `call` alone is a word of Mermaid's
        frame = name.startswith("frame")
        fill, border = COLOURS.get(name.removeprefix("frame_"), PLAIN.get(name, PLAIN["call"]))
        if frame:
            fill = PLAIN["frame"][0]
        dashed = ",stroke-dasharray:4 3" if name in ("skipped", "empty") else ""
        yield f"  classDef is_{name} fill:{fill},stroke:{border},color:#1f2328{dashed}"
        for start in range(0, len(ids), 50):
            yield f"  class {','.join(ids[start : start + 50])} is_{name}"
