"""Containers on this machine, by a real docker: on every executor and on the reference engine the outcome is the
oracle's, which runs the same containers one after the other.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import boxes
import pytest
from expected import expected
from harness import Case, Outcome, assert_same

import drawloom
from drawloom.catalog.catalog import Catalog
from drawloom.compilers.reference import compile_reference
from drawloom.runtimes.local import EXECUTORS, run_local
from drawloom.runtimes.reference import run_bundle

PROGRAMS = Path(boxes.__file__).parent
# there is no clock in the oracle, and no cache
TIMED = ("late", "twice")
NAMES = [name for name in boxes.CASES if name not in TIMED]


def outcome(where: str, case: Case, folder: Path) -> Outcome:
    """What comes of a case on an executor or the reference engine."""
    catalog = Catalog.open(str(folder / "store"))
    program, params = case.trace.program, case.encoded(folder, catalog)
    if where in EXECUTORS:
        run = run_local(program, case.trace.functions, params, catalog, executor=where, workers=2, fail_fast=False)
        return case.outcome(run, catalog, folder)
    compile_reference(program, root=str(PROGRAMS)).write(folder / "compiled")
    cache = {"DRAWLOOM_CACHE": str(folder / "cache")}
    run = run_bundle(folder / "compiled", params, str(folder / "store"), environment=cache)
    return case.outcome(run, catalog, folder)


def running() -> list[str]:
    """The containers there are."""
    return subprocess.run(["docker", "ps", "-aq"], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("where", [*EXECUTORS, "reference"])
@pytest.mark.parametrize("name", NAMES)
def test_a_program_gives_the_same_everywhere(tmp_path: Path, where: str, name: str) -> None:
    case = Case("boxes", name)
    for folder in ("run", "oracle"):
        (tmp_path / folder).mkdir()
    assert_same(outcome(where, case, tmp_path / "run"), expected(case, tmp_path / "oracle"))
    assert running() == []


@pytest.mark.parametrize("where", ["threads", "reference"])
def test_a_time_limit_ends_the_container_too(tmp_path: Path, where: str) -> None:
    began = time.monotonic()
    found = outcome(where, Case("boxes", "late"), tmp_path)
    assert found.failure is not None
    assert found.failure[2] == "timeout"
    assert "attempt_timeout_seconds=2" in found.failure[3]
    while running() and time.monotonic() < began + 30:
        time.sleep(0.2)
    assert running() == []
    assert time.monotonic() < began + 40


def test_a_container_is_answered_from_the_cache_only_if_asked_or_named_by_digest(tmp_path: Path) -> None:
    catalog = Catalog.open(str(tmp_path))
    assert boxes.twice.options(catalog=catalog).run(text="a").result == "a"
    assert boxes.twice.options(catalog=catalog).run(text="a").counts["cached"] == 1
    assert boxes.left.options(catalog=catalog).run(text="4").counts["succeeded"] == 1
    assert boxes.left.options(catalog=catalog).run(text="4").counts["succeeded"] == 1


def test_what_it_writes_is_the_nodes_log(tmp_path: Path) -> None:
    run = boxes.files.options(catalog=Catalog.open(str(tmp_path))).run(text="one\ntwo\n")
    # of two streams nobody knows which came first
    assert sorted(run.logs("found").splitlines()) == ["counted /drawloom/in/file/written.txt", "done"]


def test_outside_of_a_pipeline_a_call_runs_it() -> None:
    assert boxes.echoed("{{x}} $y") == "{{x}} $y"
    with pytest.raises(drawloom.NodeFailed, match=r"R560.*exit code 5.*\n.*ends with 5"):
        boxes.ending(5)


def test_a_run_that_is_killed_leaves_no_container(tmp_path: Path) -> None:
    text = "import boxes; boxes.sleeping.with_options(attempt_timeout_seconds=100)(99)"
    process = subprocess.Popen([sys.executable, "-c", text], cwd=PROGRAMS, env={**os.environ, "PYTHONPATH": "."})
    deadline = time.monotonic() + 30
    while not running() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert running() != []
    process.send_signal(signal.SIGKILL)
    process.wait()
    while running() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert running() == []


def test_a_daemon_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    run = boxes.left.options(catalog=Catalog.open(str(tmp_path))).run(text="4")
    with pytest.raises(drawloom.RunFailed, match="exit code 125"):
        _ = run.result
