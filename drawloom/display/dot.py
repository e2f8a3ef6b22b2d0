"""Pictures in Graphviz's language, and SVG and PNG made from it by a `dot` program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Sequence
from typing import Final

from drawloom.display.graph import Box, Drawing, Frame
from drawloom.display.palette import COLOURS, PLAIN
from drawloom.errors import Diagnostic, ProjectError

__all__ = ["dot", "has_renderer", "render", "renderer"]

_PIP_PROGRAM: Final = "graphviz-pure"  # of the extra `graph`: a `dot` that pip can install
_FRAME_FILL: Final = PLAIN["frame"][0]
_SECONDS: Final = 120.0
_HEAD: Final = """  graph [compound=true, fontname="Helvetica", fontsize=11, bgcolor="white",
    nodesep=0.25, ranksep=0.4, labelloc=t, labeljust=l, pad=0.2, rankdir={direction}];
  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=10,
    fontcolor="#1f2328", margin="0.12,0.06", height=0.3];
  edge [color="#6b7785", arrowsize=0.6, fontname="Helvetica", fontsize=8, fontcolor="#57606a"];"""


def dot(drawing: Drawing, *, direction: str = "") -> str:
    """The picture in the language of Graphviz.

    Args:
        drawing: the picture.
        direction: `TB` or `LR`; "" for what suits it.
    """
    frames = drawing.frames()
    lines = [f"digraph {_quoted(drawing.title)} {{"]
    lines.append(_HEAD.format(direction=direction or ("LR" if drawing.is_wide() else "TB")))
    lines.append(f"  label={_quoted(drawing.title)};")
    lines += _parts(drawing.parts, "  ")
    for arrow in drawing.arrows:
        options = []
        source, target = arrow.source, arrow.target
        if source in frames:
            options.append(f'ltail="cluster_{source}"')
            source = list(frames[source].boxes())[-1].id
        if target in frames:
            options.append(f'lhead="cluster_{target}"')
            target = next(iter(frames[target].boxes())).id
        if arrow.kind == "after":
            options.append("style=dashed")
        if arrow.label:
            options.append(f"label={_quoted(arrow.label)}")
        told = f" [{', '.join(options)}]" if options else ""
        lines.append(f"  {source} -> {target}{told};")
    return "\n".join([*lines, "}"]) + "\n"


def _parts(parts: Sequence[Box | Frame], indent: str) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Frame):
            border = COLOURS[part.state][1] if part.state else PLAIN["frame"][1]
            yield f'{indent}subgraph "cluster_{part.id}" {{'
            facts = f"label={_quoted(part.title)}, tooltip={_quoted(part.tooltip)}, style={_quoted(_frame_style(part))}"
            yield f'{indent}  graph [{facts}, color="{border}", bgcolor="{_FRAME_FILL}"];'
            yield from _parts(part.parts, f"{indent}  ")
            yield f"{indent}}}"
        else:
            fill, border = COLOURS.get(part.state) or PLAIN[part.kind]
            facts = f'label={_quoted(chr(10).join(part.lines))}, fillcolor="{fill}", color="{border}"'
            if part.tooltip:
                facts += f", tooltip={_quoted(part.tooltip)}"
            if part.kind in ("param", "result"):
                facts += ', style="rounded,filled", shape=ellipse, margin="0.06,0.02"'
            elif part.kind == "empty" or part.state == "skipped":
                facts += ', style="rounded,filled,dashed", fontcolor="#8a8f96"'
            yield f"{indent}{part.id} [{facts}];"


def _frame_style(frame: Frame) -> str:
    return "rounded,dashed" if frame.kind == "arm" else "rounded"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def has_renderer() -> bool:
    """Whether there is a program that makes SVG and PNG."""
    return bool(renderer())


def renderer() -> str:
    """The `dot` of the machine, or the one of the extra `graph`; "" if there is none."""
    beside = os.path.join(sysconfig.get_path("scripts"), _PIP_PROGRAM)
    return shutil.which("dot") or shutil.which(beside) or shutil.which(_PIP_PROGRAM) or ""


def render(text: str, form: str, *, timeout_seconds: float = _SECONDS) -> bytes:
    """The picture that `text`, in the language of Graphviz, describes.

    Args:
        text: as `dot` gives it.
        form: `svg` or `png`.
        timeout_seconds: how long the program may take.

    Raises:
        ProjectError: P665, there is no `dot` program; P666, it failed.
    """
    program = renderer()
    if not program:
        fix = "`pip install 'drawloom[graph]'`, or install Graphviz; Mermaid (`-o graph.mmd`) needs neither"
        raise ProjectError(Diagnostic("P665", f"there is no `dot` program to draw {form.upper()} with", None, fix))
    try:
        done = subprocess.run(
            [program, f"-T{form}"], input=text.encode(), capture_output=True, timeout=timeout_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise ProjectError(_failed(program, f"it wasn't done after {timeout_seconds:g} s")) from None
    except OSError as error:
        raise ProjectError(_failed(program, str(error))) from error
    if done.returncode or not done.stdout:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ProjectError(_failed(program, lines[-1] if lines else f"it ended with {done.returncode}"))
    return done.stdout


def _failed(program: str, why: str) -> Diagnostic:
    fix = "write `-o graph.dot` and draw that with another program, or take Mermaid (`-o graph.mmd`)"
    return Diagnostic("P666", f"{program} failed to draw the graph: {why}", None, fix)
