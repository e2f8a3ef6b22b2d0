"""`api.run_compiled` and `drawloom run --engine`: the same pipeline, each step in a bare process, the same result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = """
from drawloom import for_each, pipeline, task


@task
def numbers(count: int) -> list[int]:
    return list(range(count))


@task
def square(n: int) -> int:
    return n * n


@task
def total(squares: list[int]) -> int:
    return sum(squares)


@pipeline
def sum_of_squares(count: int = 5) -> int:
    return total(for_each(numbers(count), square))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "squares.py").write_text(SOURCE)
    return tmp_path


def _drawloom(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DRAWLOOM_CACHE": str(folder / "cache"), "COLUMNS": "100"}
    command = [sys.executable, "-m", "drawloom", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_compiled_run_has_the_result_and_the_versions_of_a_local_one(folder: Path) -> None:
    documents = {}
    for place, options in {"local": [], "compiled": ["--engine", "reference"]}.items():
        done = _drawloom(folder, "run", "squares.py:sum_of_squares", "--catalog", place, "--json", *options)
        assert done.returncode == 0, done.stderr
        listed = _drawloom(folder, "catalog", "ls", "--catalog", place, "--json")
        names = {a["name"]: a["latest"]["digest"] for a in json.loads(listed.stdout)["artifacts"]}
        documents[place] = (json.loads(done.stdout)["results"][0]["value"], names)
    assert documents["local"] == documents["compiled"]
    assert "sum_of_squares/for_each" in documents["local"][1]


def test_an_option_for_local_runs_is_refused_with_an_engine(folder: Path) -> None:
    done = _drawloom(folder, "run", "squares.py:sum_of_squares", "--engine", "reference", "--no-cache", "--keep-going")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error[P641] --cache/--no-cache, --fail-fast/--keep-going can't go with --engine reference: it is for local runs\n"
        "  fix    leave out one of the two\n"
    )


def test_an_engine_that_runs_elsewhere_is_refused(folder: Path) -> None:
    done = _drawloom(folder, "run", "squares.py:sum_of_squares", "--engine", "argo")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error[E792] argo can't be run from here; only reference can\n"
        "  fix    compile it with `drawloom compile`, and run it where the engine is\n"
    )
