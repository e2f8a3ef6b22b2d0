"""The catalog over runs that the local runtime made, one of them killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from drawloom import api, for_each, pipeline, task
from drawloom.catalog.catalog import Catalog
from drawloom.errors import RunFailed


class NoRowsError(Exception):
    """An exception of the user's own."""


@task
def numbers(n: int) -> list[int]:
    print(f"making {n}")
    return list(range(n))


@task
def double(x: int) -> int:
    if x > 8:
        raise NoRowsError("none above", 8)
    return 2 * x


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@pipeline
def doubled(n: int = 3) -> int:
    many = numbers(n)
    twice = for_each(many, double)
    return total(twice)


def test_a_second_run_is_cached_and_makes_no_new_versions(catalog: Catalog) -> None:
    first = api.run(doubled, {"n": 4}, catalog=catalog, executor="inline")
    second = api.run(doubled, {"n": 4}, catalog=catalog, executor="inline")
    assert (first.result, second.result) == (12, 12)
    assert (first.counts, second.counts) == ({"succeeded": 4}, {"cached": 4})
    assert first.logs("many") == "making 4\n"
    assert [run.id for run in catalog.runs(pipeline="doubled")] == [second.id, first.id]
    for artifact in catalog.artifacts():
        (version,) = artifact.versions
        assert (version.made.run, version.made.cached, version.latest_run) == (first.id, False, second.id)
    assert catalog.load("doubled/twice") == first.load("twice") == [0, 2, 4, 6]
    assert catalog.verify() == []


def test_a_failure_is_raised_alike_at_once_and_from_the_store(catalog: Catalog) -> None:
    run = api.run(doubled, {"n": 11}, catalog=catalog, executor="inline", fail_fast=False)
    for found in (run, catalog.run(run.id)):
        with pytest.raises(RunFailed, match=r"node `twice/double` at \[9\]: NoRowsError: \('none above', 8\)") as error:
            _ = found.result
        assert type(error.value.__cause__) is NoRowsError
        assert error.value.__cause__.args == ("none above", 8)
        failed = found.nodes(state="failed")
        assert [(node.id, node.failure and node.failure.index) for node in failed] == [
            ("twice", (9,)),
            ("twice/double", (9,)),
        ]
        assert failed[1].counts == {"succeeded": 9, "failed": 2}


KILLED = """
import os, time
from drawloom import api, pipeline, task

@task
def quick(n: int) -> int:
    return n

@task
def slow(n: int) -> int:
    open(os.environ["STARTED"], "w").close()
    time.sleep(60)
    return n

@pipeline
def killed(n: int = 1) -> int:
    one = quick(n)
    two = slow(one)
    return quick(two)

api.run(killed, catalog=os.environ["STORE"])
"""


def test_a_run_whose_process_is_killed_is_lost_and_what_it_committed_is_kept(tmp_path: Path, catalog: Catalog) -> None:
    script, started = tmp_path / "flow.py", tmp_path / "started"
    script.write_text(KILLED)
    environment = os.environ | {"STORE": str(tmp_path / "store"), "STARTED": str(started)}
    process = subprocess.Popen([sys.executable, str(script)], env=environment, cwd=tmp_path)
    try:
        while not started.exists():
            assert process.poll() is None, "the run ended before its slow task began"
            time.sleep(0.01)
        deadline = time.monotonic() + 30  # a record survives a kill 50 ms after it was made, on a machine with time
        while (runs := list(catalog.runs(state="running")))[0].counts != {"pending": 1, "running": 1, "succeeded": 1}:
            assert time.monotonic() < deadline, runs[0].counts
            time.sleep(0.05)
        (run,) = runs
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert [found.id for found in catalog.runs(state="failed")] == [run.id]
    assert (run.state, run.details.lost, run.counts) == ("failed", True, {"succeeded": 1, "skipped": 1, "failed": 1})
    assert catalog.load("killed/one") == 1
    assert catalog.verify() == []
