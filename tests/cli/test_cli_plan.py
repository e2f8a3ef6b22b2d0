"""`drawloom plan`, `why` and `impact` as a user types them."""

from __future__ import annotations

import importlib
import json
import linecache
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

FLOW = """
from drawloom import for_each, pipeline, task

def helper(n):
    return n + 1

@task
def grow(n: int) -> int:
    return helper(n)

@task
def total(numbers: list[int]) -> int:
    return sum(numbers)

@pipeline
def grown(numbers: list[int]) -> int:
    parts = for_each(numbers, grow)
    return total(parts)
"""


@pytest.fixture
def edit(folder: Path) -> Any:
    def write(old: str = "", new: str = "") -> None:
        text = FLOW.replace(old, new) if old else FLOW
        (folder / "plan_cli.py").write_text(text, encoding="utf-8")
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)  # the file may be as old and as long as before
        linecache.checkcache()
        sys.modules.pop("plan_cli", None)
        importlib.invalidate_caches()
        sys.path_importer_cache.clear()

    write()
    return write


PLAN = ("plan", "plan_cli.py:grown", "--numbers", "[1, 2, 3]")


def test_plan_runs_nothing_and_makes_no_store(drawloom: Any, folder: Path, edit: Any) -> None:
    text = drawloom.ok(*PLAN)
    assert "run       parts/grow  grow   plan_cli.py:" in text
    assert "3 run: never ran" in text
    assert "run       total" in text
    assert not (folder / ".drawloom").exists()


def test_plan_after_a_run_tells_what_is_cached_and_what_changed(drawloom: Any, folder: Path, edit: Any) -> None:
    drawloom.ok("run", "plan_cli.py:grown", "--numbers", "[1, 2, 3]", "--quiet")
    document = drawloom.json(*PLAN)
    assert document["counts"] == {"cached": 4}
    assert {node["node"]: node["state"] for node in document["nodes"]} == {
        "parts": "cached", "parts/grow": "cached", "total": "cached",
    }  # fmt: skip
    edit("return n + 1", "return n + 2")
    text = drawloom.ok(*PLAN, "--diff")
    assert "3 run: code changed: function plan_cli:helper" in text
    assert "-    return n + 1\n" in text
    assert "+    return n + 2\n" in text
    (group,) = next(n for n in drawloom.json(*PLAN, "--diff")["nodes"] if n["node"] == "parts/grow")["groups"]
    (reason,) = group["reasons"]
    assert (group["count"], reason["kind"], reason["parts"][0]["name"]) == (3, "code-changed", "plan_cli:helper")
    assert "+    return n + 2" in reason["parts"][0]["diff"]
    assert '"diff"' not in drawloom.ok(*PLAN, "--json")


def test_plan_without_the_cache(drawloom: Any, edit: Any) -> None:
    drawloom.ok("run", "plan_cli.py:grown", "--numbers", "[1]", "--quiet")
    document = drawloom.json("plan", "plan_cli.py:grown", "--numbers", "[1]", "--no-cache")
    assert document["counts"] == {"run": 2}
    assert document["nodes"][1]["groups"][0]["reasons"][0]["kind"] == "cache-off"


def test_plan_refuses_what_run_refuses(drawloom: Any, edit: Any) -> None:
    assert drawloom("plan", "plan_cli.py:nonesuch").exit_code == 2
    assert "P620" in drawloom("plan", "plan_cli.py:grown", "--numbers", "x").stderr
    assert "R541" in drawloom("plan", "plan_cli.py:grown").stderr


def test_why_tells_instances_and_documents(drawloom: Any, edit: Any) -> None:
    drawloom.ok("run", "plan_cli.py:grown", "--numbers", "[1, 2]", "--quiet")
    drawloom.ok("run", "plan_cli.py:grown", "--numbers", "[1, 5]", "--quiet")
    text = drawloom.ok("why", "last", "parts/grow")
    assert "1 cached [0]" in text
    assert "input `n` changed: 2 -> 5" in text
    assert "compared with" in text
    document = drawloom.json("why", "last", "parts/grow", "--index", "1")
    assert (document["state"], document["groups"][0]["reasons"][0]["port"]) == ("succeeded", "n")
    assert drawloom.json("why", "last", "parts/grow", "--index", "[1]") == document


@pytest.mark.parametrize("index", ["third", "", "-1", "1;2", "1,,2", "9" * 30, "☃"])
def test_an_index_that_is_none_is_refused(drawloom: Any, edit: Any, index: str) -> None:
    drawloom.ok("run", "plan_cli.py:grown", "--numbers", "[1]", "--quiet")
    result = drawloom("why", "last", "parts/grow", f"--index={index}")
    assert (result.exit_code, "error[P661]" in result.stderr) == (2, True)


def test_why_refuses_nodes_and_instances_that_are_not_there(drawloom: Any, edit: Any) -> None:
    drawloom.ok("run", "plan_cli.py:grown", "--numbers", "[1]", "--quiet")
    for arguments, code in ((("parts/grw",), "S454"), (("parts/grow", "--index", "7"), "S456")):
        result = drawloom("why", "last", *arguments)
        assert (result.exit_code, code in result.stderr) == (3, True)


def test_impact_of_functions_and_artifacts(drawloom: Any, folder: Path, edit: Any) -> None:
    result = drawloom("impact", "plan_cli.py:helper")
    assert (result.exit_code, "S411" in result.stderr) == (3, True)
    assert "parts/grow" in drawloom.ok("impact", "plan_cli.py:helper", "--in", "plan_cli.py:grown")
    assert not (folder / ".drawloom").exists()
    drawloom.ok("run", "plan_cli.py:grown", "--numbers", "[1]", "--quiet")
    document = drawloom.json("impact", "plan_cli:helper")
    assert [node["node"] for node in document["pipelines"][0]["nodes"]] == ["parts", "parts/grow", "total"]
    assert document["pipelines"][0]["results"] == ["grown"]
    assert "1 node stale" in drawloom.ok("impact", "grown/parts")
    assert drawloom.ok("impact", "grown/total").startswith("grown: 0 nodes stale")
    assert "error[P655]" in drawloom("impact", "plan_cli:nope").stderr
    assert "error[P657]" in drawloom("impact", "grown/nope").stderr


def test_what_is_printed_on_a_terminal_fits_it(drawloom: Any, shell: Any, folder: Path, edit: Any) -> None:
    drawloom.ok("run", "plan_cli.py:grown", "--numbers", "[1]", "--quiet")
    edit("return n + 1", "return n + 2")
    for columns in (80, 200):
        line = f"COLUMNS={columns} script -qec '$drawloom plan plan_cli.py:grown --numbers 1' /dev/null"
        printed = shell(line).stdout.replace("\r", "").splitlines()
        assert any("code changed" in text for text in printed)
        reasons = [text for text in printed if text.startswith("          ")]
        assert all(len(text) <= columns for text in reasons)
    assert json.loads(shell("$drawloom plan plan_cli.py:grown --numbers 1 --json | cat").stdout)["pipeline"] == "grown"
