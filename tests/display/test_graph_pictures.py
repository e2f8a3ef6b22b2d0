"""Pictures of graphs hold every node, its frames and its state, and no name breaks them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from drawloom import Catalog, branch, for_each, pipeline, run, task, try_, while_loop
from drawloom.display import dot as dot_module
from drawloom.display.dot import dot, has_renderer, render
from drawloom.display.graph import Box, Drawing, Frame, NodeFacts, draw
from drawloom.display.mermaid import mermaid
from drawloom.display.run_facts import node_facts
from drawloom.errors import ProjectError
from drawloom.ir.nodes import Block, Call, FunctionRef, Pipeline, Port, TaskSpec
from drawloom.ir.operands import Output, Param
from drawloom.ir.types import ANY
from drawloom.ir.walk import walk

HOSTILE = [
    'say "hi"',
    "back\\slash\\N",
    "new\nline",
    "<b>&amp;</b><script>alert(1)</script>",
    "{{ x }} }; digraph {",
    "end",
    "`tick` #quot; %%{init: {}}%%",
    "🎲 数据 e\u0301",
    "\x00\x1b[31m",
    "x" * 500,
    "--> | subgraph",
    "",
]


@task
def load(n: int) -> list[int]:
    return list(range(n))


@task
def step(n: int) -> int:
    return n + 1


@task
def small(n: int) -> bool:
    return n < 3


@task
def tell(n: int) -> None:
    print(n)


@pipeline
def inner(n: int) -> int:
    return step(step(n))


def per_item(n: int) -> int:
    after = step(n)
    return branch(small(after), lambda: inner(after), lambda: after)


@pipeline
def nested(n: int = 3, limit: int = 5) -> int:
    for_each(load(n), per_item)
    last = while_loop(small, step, n, max_iterations=9)
    tell(last)
    kept = try_(lambda: step(last), {ValueError: lambda failure: limit}, lambda: tell(last))
    tell(kept)
    return branch(kept > limit, lambda: kept, lambda: limit)


def odd(names: list[str]) -> Pipeline:
    """A chain of calls with these names."""
    spec = TaskSpec("m:t", FunctionRef("m", "t"), (Port("n", ANY),), ANY)
    calls, before = [], Param(names[0])
    for name in names:
        calls.append(Call(name, "m:t", (("n", before),)))
        before = Output(name)
    return Pipeline(
        names[0], (Port(names[0], ANY),), (spec,), Block(tuple(calls), (("result", before),)), (Port("result", ANY),)
    )


def boxes(drawing: Drawing) -> list[Box]:
    return [box for part in drawing.parts for box in ([part] if isinstance(part, Box) else part.boxes())]


def test_every_node_is_a_box_or_a_frame_and_frames_nest_as_blocks_do() -> None:
    graph = nested.graph.pipeline
    drawing = draw(graph)
    frames = drawing.frames().values()
    shown = {box.node for box in boxes(drawing)} | {frame.node for frame in frames}
    assert {node.id for node in walk(graph.body)} <= shown
    assert {frame.kind for frame in frames} == {"map", "branch", "pipeline", "loop", "try", "arm"}
    [outer] = [frame for frame in frames if frame.kind == "map"]
    [branches] = [part for part in outer.parts if isinstance(part, Frame)]
    assert [arm.title for arm in branches.parts if isinstance(arm, Frame)] == ["if small", "else"]
    ids = {box.id for box in boxes(drawing)} | {frame.id for frame in frames}
    assert all({arrow.source, arrow.target} <= ids for arrow in drawing.arrows)


def test_an_arm_without_nodes_says_what_it_gives() -> None:
    assert {"gives $limit", "gives kept"} <= {box.lines[0] for box in boxes(draw(nested.graph.pipeline))}


def test_order_without_data_is_dashed() -> None:
    text = mermaid(draw(nested.graph.pipeline))
    assert " -.-> " in text
    assert "style=dashed" in dot(draw(nested.graph.pipeline))


def test_types_are_shown_when_asked_for() -> None:
    assert '|"list[int]"|' in mermaid(draw(nested.graph.pipeline, types=True))
    assert "list" not in mermaid(draw(inner.graph.pipeline))


def test_hostile_names_break_no_picture() -> None:
    drawing = draw(odd(HOSTILE), {name: NodeFacts("failed", 'no "luck"\n`]') for name in HOSTILE})
    for line in mermaid(drawing).splitlines()[1:]:
        assert re.fullmatch(
            r'  (n\d+(\(\[|\[)"[^"]*"(\]\)|\])|n\d+ --> n\d+|classDef \w+ [\w#:,. -]+|class [n\d,]+ \w+)', line
        ), line
    svg = ET.fromstring(render(dot(drawing), "svg"))
    texts = [text.text or "" for text in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert 'say "hi"' in texts
    assert "back\\slash\\N" in texts
    assert "new line" in texts
    assert any(text.startswith("🎲") for text in texts)
    assert not list(svg.iter("{http://www.w3.org/2000/svg}script"))
    assert not any(len(text) > 200 for text in texts)
    nodes = [g for g in svg.iter("{http://www.w3.org/2000/svg}g") if g.get("class") == "node"]
    assert len(nodes) == len(HOSTILE) + 2


def test_a_picture_of_a_run_has_its_states(tmp_path) -> None:
    done = run(nested, {}, catalog=Catalog.open(tmp_path / "store"))
    assert done.state == "succeeded"
    drawing = draw(done.program.pipeline, node_facts(done))
    states = {box.node: box.state for box in boxes(drawing)}
    assert states["load"] == "succeeded"
    assert "skipped" in states.values()
    assert "classDef is_succeeded" in mermaid(drawing)
    assert "#2e7d32" in dot(drawing)


def test_two_hundred_nodes_are_drawn_in_both_shapes() -> None:
    @pipeline
    def chain(n: int) -> int:
        for _ in range(200):
            n = step(n)
        return n

    @pipeline
    def fan(n: int) -> list[int]:
        return [step(n) for _ in range(200)]

    assert not draw(chain.graph.pipeline).is_wide()
    assert draw(fan.graph.pipeline).is_wide()
    for made in (chain, fan):
        png = render(dot(draw(made.graph.pipeline)), "png")
        assert png.startswith(b"\x89PNG")
        width, height = (int.from_bytes(png[k : k + 4], "big") for k in (16, 20))
        assert max(width, height) < 20_000


def test_p665_without_a_dot_program_mermaid_is_the_way(monkeypatch, tmp_path) -> None:
    assert has_renderer(), "the extra `graph` brings one"
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(dot_module.sysconfig, "get_path", lambda _: str(tmp_path))
    assert not has_renderer()
    with pytest.raises(ProjectError, match=r"P665.*\n.*drawloom\[graph\].*Mermaid"):
        render("digraph {}", "svg")


def test_p666_what_dot_says_is_told(monkeypatch, tmp_path) -> None:
    with pytest.raises(ProjectError, match="P666"):
        render("digraph { this is no graph", "svg")
    broken = tmp_path / "dot"
    broken.write_text("#!/bin/sh\necho 'no fonts' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProjectError, match="failed to draw the graph: no fonts"):
        render("digraph {}", "svg")
