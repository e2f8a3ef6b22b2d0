"""`drawloom resume` and `debug`, as a user meets them: a run killed, mended, gone on with; found again somewhere else."""

from __future__ import annotations

import json
import linecache
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from drawloom.catalog.catalog import Catalog

FLOW = """
import os, time
from drawloom import for_each, pipeline, task

def note(name):
    with open("done.txt", "a") as file:
        file.write(name + "\\n")

@task
def source(n: int) -> list[int]:
    note("source")
    return list(range(n))

@task
def announce(n: int) -> None:
    note("announce")

@task
def square(k: int) -> int:
    note(f"square {k}")
    if os.path.exists("slow.txt") and k == 2:
        note("slow begins")
        time.sleep(60)
    return k * k

@task
def total(ks: list[int]) -> int:
    note("total")
    return sum(ks)

@pipeline
def flow(n: int = 4) -> int:
    numbers = source(n)
    announce(n)
    return total(for_each(numbers, square))
"""


class Project:
    """A folder with `flow.py`, and the command line, which reads it anew each time."""

    def __init__(self, folder: Path, drawloom: Any) -> None:
        self.folder = folder
        self.drawloom = drawloom
        self.source = FLOW
        self.write()

    def write(self, *changes: tuple[str, str]) -> None:
        for old, new in changes:
            assert old in self.source
            self.source = self.source.replace(old, new)
        (self.folder / "flow.py").write_text(self.source)

    def __call__(self, *arguments: str) -> Result:
        for name in ("flow", "other"):
            sys.modules.pop(name, None)
        linecache.clearcache()
        result: Result = self.drawloom(*arguments)
        return result

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    @property
    def done(self) -> list[str]:
        """What tasks have noted since this was last asked for."""
        path = self.folder / "done.txt"
        found = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return found

    def is_noted(self, name: str) -> bool:
        path = self.folder / "done.txt"
        return path.exists() and name in path.read_text().splitlines()


@pytest.fixture
def project(folder: Path, drawloom: Any, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # two versions within a second would be one
    return Project(folder, drawloom)


def _wait(for_: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not for_():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


def test_a_killed_run_is_gone_on_with_and_what_it_did_is_not_done_again(project: Project) -> None:
    (project.folder / "slow.txt").touch()
    command = [sys.executable, "-m", "drawloom", "run", "flow.py:flow", "--quiet", "--workers", "1"]
    running = subprocess.Popen(command, cwd=project.folder)
    _wait(lambda: project.is_noted("slow begins"))
    time.sleep(0.3)  # longer than records wait to be flushed
    refused = project("resume", "last", "--quiet")
    assert (refused.exit_code, "error[R554]" in refused.stderr, "is still running" in refused.stderr) == (2, True, True)
    running.send_signal(signal.SIGKILL)
    running.wait()
    first = project.done
    assert sorted(first) == sorted(["source", "announce", "square 0", "square 1", "square 2", "slow begins"])

    (project.folder / "slow.txt").unlink()
    killed = project.json("show", "last")["run"]
    resumed = project.json("resume", "last", "--quiet")
    assert (resumed["state"], resumed["resumed"], resumed["results"][0]["value"]) == ("succeeded", killed, 14)
    assert sorted(project.done) == ["square 2", "square 3", "total"]
    assert {n["node"]: n["state"] for n in resumed["nodes"]}["announce"] == "cached"
    assert f"resumed   {killed}" in project("show", resumed["run"]).stdout


def test_after_the_fix_only_what_it_touches_runs(project: Project) -> None:
    project.write(("    return sum(ks)", "    raise ValueError('not yet')"))
    assert project("run", "flow.py:flow", "--quiet").exit_code == 1
    assert len(project.done) == 7
    project.write(("    raise ValueError('not yet')", "    return sum(ks)  # mended"))
    done = project("resume", "last")
    assert done.exit_code == 0, done.stderr
    assert project.done == ["total"]
    assert "result  14" in done.stdout


def test_the_plan_of_what_is_left_runs_nothing(project: Project) -> None:
    project.write(("    return sum(ks)", "    raise ValueError('not yet')"))
    assert project("run", "flow.py:flow", "--quiet").exit_code == 1
    assert project.done
    project.write(("    raise ValueError('not yet')", "    return sum(ks)"))
    plan = project.json("resume", "last", "--plan")
    states = {node["node"]: node["state"] for node in plan["nodes"]}
    # a source and an effect, which `drawloom plan` would run
    assert (states["numbers"], states["announce"], states["total"]) == ("cached", "cached", "run")
    text = project("resume", "last", "--plan").stdout
    assert "code changed: function flow:total" in text
    assert project.done == []
    assert len(Catalog.open(project.folder / ".drawloom").runs()) == 1


def test_a_changed_function_runs_again_with_what_reads_it(project: Project) -> None:
    project.write(("    return sum(ks)", "    raise ValueError('not yet')"))
    project("run", "flow.py:flow", "--quiet")
    assert project.done
    project.write(
        ("    raise ValueError('not yet')", "    return sum(ks)"), ("return list(range(n))", "return list(range(1, n))")
    )
    assert project.json("resume", "last", "--quiet")["results"][0]["value"] == 14
    assert sorted(project.done) == ["source", "total"]  # squares of equal numbers are answered from the cache


def test_resumed_twice_it_goes_on_from_where_the_second_came(project: Project) -> None:
    project.write(("    return k * k", "    raise ValueError(k)"))
    project("run", "flow.py:flow", "--quiet", "--workers", "1")
    first = project.json("show", "last")["run"]
    assert sorted(project.done) == ["announce", "source", "square 0"]
    project.write(("    raise ValueError(k)", "    return k * k"), ("    return sum(ks)", "    raise ValueError('no')"))
    second = project.json("resume", "last", "--quiet")
    assert (second["state"], second["resumed"]) == ("failed", first)
    assert sorted(project.done) == ["square 0", "square 1", "square 2", "square 3", "total"]
    project.write(("    raise ValueError('no')", "    return sum(ks)"))
    third = project.json("resume", first, "--quiet")  # the first one is named: it was gone on with already
    assert (third["state"], third["resumed"]) == ("succeeded", second["run"])
    assert project.done == ["total"]
    again = project("resume", first)
    assert again.exit_code == 2
    assert f"run {first} was resumed by run {third['run']}, which succeeded: nothing of it is left" in again.stderr


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("n: int = 4) -> int:", "m: int = 4) -> int:"), "it has no parameter `n`"),
        (("n: int = 4) -> int:", "n: int, extra: str) -> int:"), "its parameter `extra` is new and has no default"),
        (("n: int = 4) -> int:", "n: str) -> int:"), "its parameter `n` is str now"),
    ],
)
def test_r552_parameters_that_no_longer_fit(change: tuple[str, str], problem: str, project: Project) -> None:
    project.write(("    return sum(ks)", "    raise ValueError('no')"))
    project("run", "flow.py:flow", "--quiet")
    assert project.done
    project.write(change)
    if "m: int" in change[1]:
        project.write(("source(n)", "source(m)"), ("announce(n)", "announce(m)"))
    elif "n: str" in change[1]:
        project.write(("def source(n: int)", "def source(n: str)"), ("def announce(n: int)", "def announce(n: str)"))
    done = project("resume", "last")
    assert (done.exit_code, "error[R552]" in done.stderr, problem in done.stderr) == (2, True, True), done.stderr
    assert project.done == []


def test_a_parameter_can_not_be_given_another_value(project: Project) -> None:
    project.write(("    return sum(ks)", "    raise ValueError('no')"))
    project("run", "flow.py:flow", "--quiet", "--n", "3")
    done = project("resume", "last", "--n", "5")
    assert (done.exit_code, "error[P640] there is no option `--n`" in done.stderr) == (2, True)


def test_r553_something_that_succeeded_is_gone(project: Project) -> None:
    project.write(("    return sum(ks)", "    raise ValueError('no')"))
    project("run", "flow.py:flow", "--quiet")
    assert project.done
    project.write(("    numbers = source(n)", "    values = source(n)"), ("for_each(numbers", "for_each(values"))
    done = project("resume", "last")
    assert (done.exit_code, "error[R553]" in done.stderr, "`numbers`" in done.stderr) == (2, True, True), done.stderr
    assert project.done == []


def test_a_run_of_the_reference_engine_is_gone_on_with_here(project: Project) -> None:
    project.write(("    return sum(ks)", "    raise ValueError('no')"))
    failed = project.json("run", "flow.py:flow", "--engine", "reference", "--n", "3")
    assert failed["state"] == "failed"
    project.write(("    raise ValueError('no')", "    return sum(ks)"))
    (project.folder / "done.txt").unlink(missing_ok=True)
    resumed = project.json("resume", "last", "--quiet")
    assert (resumed["state"], resumed["resumed"], resumed["results"][0]["value"]) == ("succeeded", failed["run"], 5)
    assert project.done == ["total"]
    for node, index in (("total", ()), ("for_each/square", ("--index", "2"))):  # debugged where no step can be seen
        made = project.json("debug", failed["run"], node, *index)
        assert (made["outcome"], made["log"]) == ("succeeded", "")


def test_a_pipeline_is_found_where_the_project_is_now(
    project: Project, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(("    return sum(ks)", "    raise ValueError('no')"))
    project("run", "flow.py:flow", "--quiet")
    record = Catalog.open(folder / ".drawloom").runs()[0].record
    assert record.target == "flow.py:flow"
    moved = folder / "moved"
    moved.mkdir()
    (folder / "flow.py").rename(moved / "flow.py")  # as after a checkout somewhere else
    (folder / ".drawloom").rename(moved / ".drawloom")
    monkeypatch.chdir(moved)
    assert project("debug", "last", "total").stderr.count("ValueError: no") == 1
    (moved / "flow.py").rename(moved / "other.py")
    lost = project("debug", "last", "total")
    assert (lost.exit_code, "error[P660]" in lost.stderr) == (2, True), lost.stderr
    assert project("resume", "last").exit_code == 2
    assert project("debug", "last", "total", "--pipeline", "other.py:flow").stderr.count("ValueError: no") == 1
