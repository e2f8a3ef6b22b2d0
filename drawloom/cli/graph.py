"""`drawloom graph`: a picture of a pipeline, or of a run with its states."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from drawloom.cli.options import catalog_options, find_run, json_option, open_catalog, settings_from
from drawloom.cli.output import write, write_json
from drawloom.cli.typed import TargetCommand, param_option, target_of, typed_values
from drawloom.display.graph import Box, Drawing, Frame, draw
from drawloom.errors import Diagnostic, ProjectError, did_you_mean
from drawloom.project import find_project

__all__ = ["graph"]

_ENDINGS: Final = {".mmd": "mermaid", ".mermaid": "mermaid", ".md": "markdown"}
_FORMATS: Final = ("mermaid", "markdown", "dot", "svg", "png", "html")


class _GraphCommand(TargetCommand):
    def names_pipeline(self, target: str) -> bool:
        """A run's id holds neither `:` nor `.`, and a short name of the project file comes first."""
        project = find_project(Path.cwd())
        return ":" in target or target.endswith(".py") or (project is not None and target in project.targets)


@click.command(cls=_GraphCommand, static_only=True)
@click.argument("target", metavar="TARGET|RUN")
@click.option("-o", "--output", metavar="FILE", help="Write to this file: .svg, .png, .mmd, .md, .dot or .html.")
@click.option("--format", "form", metavar="NAME", help=f"{', '.join(_FORMATS)} (default: by FILE, else mermaid).")
@click.option("--direction", type=click.Choice(["TB", "LR"]), help="Down or to the right (default: what suits it).")
@click.option("--types", is_flag=True, help="Label the arrows with the types of the values.")
@param_option
@catalog_options
@json_option
@click.pass_context
def graph(
    ctx: click.Context,
    /,
    target: str,
    output: str | None,
    form: str | None,
    direction: str | None,
    types: bool,
    as_json: bool,
    param: tuple[str, ...],
    **values: Any,
) -> None:
    """Draw a pipeline, or a run with its states.

    TARGET is file.py:name, module:name, or a short name of [pipelines] in the project file; RUN is a run's id, the
    beginning of it, `last`, or `last~1` for the one before. Mermaid is text and needs nothing; SVG, PNG and HTML need
    Graphviz, or `pip install 'drawloom[graph]'`.
    """
    chosen = _format(output, form)
    if isinstance(ctx.command, _GraphCommand) and ctx.command.names_pipeline(target):
        from drawloom import api

        program = api.graph(target_of(ctx), static=typed_values(ctx, param, values))
        drawing = draw(program.pipeline, types=types)
    else:
        from drawloom.display.run_facts import node_facts

        run = find_run(open_catalog(settings_from(values), create=False), target)
        drawing = draw(run.program.pipeline, node_facts(run), types=types)
        drawing.title = f"{run.pipeline} {run.state}, run {run.id}"
    if as_json and output is None:
        write_json(_document(drawing))
        return
    made = _made(drawing, chosen, direction or "")
    if output is not None:
        _put(Path(output), made)
        if as_json:
            write_json({**_document(drawing), "output": output})
        else:
            write(f"{drawing.title} -> {output}")
    elif isinstance(made, bytes):
        what = f"{chosen} can't be printed: it is for a file"
        raise ProjectError(Diagnostic("P667", what, None, f"give a file with -o, such as `-o graph.{chosen}`"))
    else:
        write(made, end="")


def _document(drawing: Drawing) -> dict[str, Any]:
    """The graph itself: its nodes with what holds them, and its edges."""
    names: dict[str, str] = {}
    nodes: list[dict[str, Any]] = []

    def add(parts: list[Box | Frame], parent: str) -> None:
        for part in parts:
            names[part.id] = part.node or part.id
            if part.node:
                nodes.append({"node": part.node, "kind": part.kind, "parent": parent, "state": part.state or None})
            if isinstance(part, Frame):
                add(part.parts, part.node or parent)

    add(drawing.parts, "")
    results = {part.id: part.lines[0] for part in drawing.parts if isinstance(part, Box) and part.kind == "result"}
    edges = [
        {"from": names[arrow.source], "to": names[arrow.target], "kind": arrow.kind, "type": arrow.label or None}
        for arrow in drawing.arrows
        if arrow.target not in results
    ]
    given = [{"from": names[a.source], "result": results[a.target]} for a in drawing.arrows if a.target in results]
    return {"title": drawing.title, "nodes": nodes, "edges": edges, "results": given}


def _format(output: str | None, form: str | None) -> str:
    ending = Path(output).suffix.lower() if output is not None else ""
    name = form or _ENDINGS.get(ending, ending.removeprefix(".")) or "mermaid"
    if name not in _FORMATS:
        given = f"--format {name}" if form else f"the ending of {output!r}"
        what = f"{given} is no format of pictures{did_you_mean(name, _FORMATS)}"
        raise ProjectError(Diagnostic("P667", what, None, f"choose one of {', '.join(_FORMATS)}"))
    return name


def _made(drawing: Drawing, form: str, direction: str) -> str | bytes:
    if form in ("mermaid", "markdown"):
        from drawloom.display.mermaid import mermaid

        text = mermaid(drawing, direction=direction)
        return f"```mermaid\n{text}```\n" if form == "markdown" else text
    from drawloom.display.dot import dot, render

    text = dot(drawing, direction=direction)
    if form == "dot":
        return text
    if form != "html":
        made = render(text, form)
        return made.decode() if form == "svg" else made
    from drawloom.display.html import page, picture

    return page(drawing.title, picture(render(text, "svg").decode()))


def _put(path: Path, made: str | bytes) -> None:
    try:
        path.write_bytes(made.encode() if isinstance(made, str) else made)
    except OSError as error:
        what = f"{path} can't be written: {error.strerror}"
        raise ProjectError(Diagnostic("P634", what, None, "choose another file, or make room")) from error
