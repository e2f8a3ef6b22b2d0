"""`drawloom graph`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def test_mermaid_on_stdout_is_the_default(drawloom: Any) -> None:
    lines = drawloom.ok("graph", "flows_of_cli.py:each").splitlines()
    assert lines[0] in ("flowchart TB", "flowchart LR")
    assert '  subgraph n1["map for_each"]' in lines


def test_static_parameters_shape_the_graph(drawloom: Any) -> None:
    two, five = (drawloom.json("graph", "flows_of_cli.py:twice", "--times", times) for times in ("2", "5"))
    assert [len(document["nodes"]) for document in (two, five)] == [3, 6]
    assert {"from": "$n", "to": "n", "kind": "data", "type": None} in two["edges"]
    assert two["results"] == [{"from": "n-2", "result": "result"}]


@pytest.mark.parametrize("ending", ["svg", "png", "mmd", "md", "dot", "html"])
def test_the_format_goes_by_the_files_name(drawloom: Any, folder: Path, ending: str) -> None:
    text = drawloom.ok("graph", "flows_of_cli.py:each", "-o", f"graph.{ending}")
    assert text == f"each -> graph.{ending}\n"
    starts = {"svg": b"<?xml", "png": b"\x89PNG", "mmd": b"flowchart", "md": b"```mermaid", "dot": b"digraph"}
    assert (folder / f"graph.{ending}").read_bytes().startswith(starts.get(ending, b"<!doctype html>"))


def test_a_run_is_drawn_with_its_states(drawloom: Any, folder: Path) -> None:
    drawloom("run", "flows_of_cli.py:failing", "-q")
    document = drawloom.json("graph", "last")
    assert {node["node"]: node["state"] for node in document["nodes"]} == {
        "$n": None,
        "first": "succeeded",
        "second": "failed",
        "add": "skipped",
    }
    assert "classDef is_failed" in drawloom.ok("graph", "last")


def test_a_short_name_of_the_project_file_is_a_target(drawloom: Any, folder: Path) -> None:
    (folder / "drawloom.toml").write_text('[pipelines]\nlast = "flows_of_cli.py:each"\n')
    assert "map for_each" in drawloom.ok("graph", "last")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-o", "graph.gif"], "error[P667] the ending of 'graph.gif' is no format of pictures"),
        (["--format", "svgg"], "error[P667] --format svgg is no format of pictures, did you mean `svg`?"),
        (["--format", "png"], "error[P667] png can't be printed: it is for a file"),
        (["-o", "no/such/folder/graph.dot"], "error[P634] no/such/folder/graph.dot can't be written"),
    ],
)
def test_p667_a_format_that_is_none(drawloom: Any, arguments: list[str], told: str) -> None:
    result = drawloom("graph", "flows_of_cli.py:each", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(told)


def test_what_is_neither_a_pipeline_nor_a_run(drawloom: Any) -> None:
    drawloom.ok("run", "flows_of_cli.py:twice", "--n", "1", "-q")
    assert drawloom("graph", "nonesuch").stderr.startswith("error[S451] there is no run `nonesuch`")
    assert drawloom("graph", "flows_of_cli.py:nonesuch").stderr.startswith("error[P613]")
