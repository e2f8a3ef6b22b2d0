"""`api.run_compiled` and `drawloom run --engine`: the same pipeline, each step in a bare process, the same result."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
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


def test_ctrl_c_cancels_a_compiled_run_and_tells_of_it(folder: Path) -> None:
    (folder / "slow.py").write_text(
        "import pathlib\nimport time\n\nfrom drawloom import pipeline, task\n\n\n"
        "@task\ndef wait(begun: str) -> int:\n    pathlib.Path(begun).touch()\n    time.sleep(300)\n    return 1\n\n\n"
        "@pipeline\ndef flow(begun: str) -> int:\n    return wait(begun)\n"
    )
    command = [sys.executable, "-m", "drawloom", "run", "slow.py:flow", "--engine", "reference"]
    environment = {**os.environ, "DRAWLOOM_CACHE": str(folder / "cache"), "COLUMNS": "100"}
    process = subprocess.Popen(
        [*command, "--begun", str(folder / "begun")],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (folder / "begun").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert re.fullmatch(
        r"flow cancelled in .+: 1 cancelled\nrun     (reference-[0-9a-f]{20})    drawloom show \1\n", out
    ), out
    listed = json.loads(_drawloom(folder, "runs", "--json").stdout)
    assert [run["state"] for run in listed["runs"]] == ["cancelled"]


def test_a_task_made_by_a_factory_is_refused_before_anything_runs(folder: Path) -> None:
    (folder / "made.py").write_text(
        "from drawloom import pipeline, task\n\n\ndef make(k: int):\n    @task\n    def scale(n: int) -> int:\n"
        "        return n * k\n\n    return scale\n\n\ndouble = make(2)\n\n\n"
        "@pipeline\ndef flow(n: int = 1) -> int:\n    return double(n)\n"
    )
    told = (
        "error[E706] node `scale`: a step can't import task `made:make.<locals>.scale`: "
        "it is defined inside another function\n"
        "  where  made.py:17, flow\n"
        "  graph  scale = made:make.<locals>.scale(n=$n) -> int    <- here\n"
        "  fix    define it with `def` at the top level of a module, and import it from there where the pipeline is\n"
    )
    for command in (["check"], ["compile", "-o", "build"], ["run"]):
        done = _drawloom(folder, command[0], "made.py:flow", "--engine", "reference", *command[1:])
        assert done.returncode in (1, 2), command
        assert told in (done.stdout + done.stderr).replace(str(folder) + os.sep, ""), command
