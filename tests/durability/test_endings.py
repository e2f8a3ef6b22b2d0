"""Runs that are asked to end, or whose terminal, reader or parent goes away, at any moment."""

from __future__ import annotations

import json
import os
import pty
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import load_tasks
import pytest
from durable_checks import KILLS, SAMPLES, SEED, command, problems_of

from drawloom import api
from drawloom.catalog.catalog import Catalog
from drawloom.runtimes.progress import SilentProgress

SECONDS = [0.01 + k / 1e6 for k in range(100)]  # each of its own, or one answer would do for them all


def _arguments(store: Path, executor: str, seconds: Sequence[float] = SECONDS) -> list[str]:
    return [
        *[sys.executable, "-m", "drawloom", "run", "load_tasks.py:waiting", "--items", json.dumps(seconds)],
        *["--catalog", str(store), "--executor", executor, "--workers", "2"],
    ]


_STATES = {130: {"cancelled"}, 0: {"succeeded"}}


def _check(store: Path, codes: set[int], returned: int, err: str, states: set[str] | None = None) -> None:
    """However it ended, it is told in order, the store is whole, and the next run goes on."""
    assert returned in codes, (returned, err)
    assert "Traceback" not in err, err
    if (store / "store.json").exists():
        catalog = Catalog.open(store)
        assert problems_of(catalog) == []
        states = states or _STATES.get(returned, {"failed", "cancelled", "succeeded"})
        assert {run.state for run in catalog.runs()} <= states
        for run in catalog.runs():
            assert run.id in command("show", run.id, "--catalog", str(store))
    run = api.run(load_tasks.waiting, {"items": [0.001, 0.002]}, catalog=store, progress=SilentProgress())
    assert run.result == [0.001, 0.002]


@pytest.mark.parametrize("turn", range(max(1, KILLS // 50)))
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["INT", "TERM", "HUP"])
def test_a_signal_at_any_moment_ends_a_run_in_order(number: signal.Signals, turn: int, tmp_path: Path) -> None:
    print(f"TEST_SEED={SEED}")
    chance = random.Random(f"{SEED} {number} {turn}")
    executor = ("threads", "processes", "inline")[(turn + number) % 3]
    store = tmp_path / "store"
    process = subprocess.Popen(
        _arguments(store, executor), cwd=SAMPLES, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    runs = store / "projects" / "default" / "runs"
    while not list(runs.glob("*/run.json")):
        time.sleep(0.005)
    time.sleep(chance.uniform(0, 0.7))
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    _check(store, {0, 130, -number}, process.returncode, err)
    if process.returncode == -number:  # it came before the run listened, or behind its end
        assert {run.state for run in Catalog.open(store).runs()} <= {"failed", "succeeded"}


def test_a_run_whose_terminal_is_closed_is_cancelled(tmp_path: Path) -> None:
    store = tmp_path / "store"
    main, terminal = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *_arguments(store, "threads", [10 * each for each in SECONDS])],
        cwd=SAMPLES,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    while b"slow" not in shown:
        shown += os.read(main, 65536)
    process.send_signal(signal.SIGHUP)  # as the shell does before it ends, and the kernel behind it
    os.close(main)
    process.wait(30)
    deadline = time.monotonic() + 20
    while Catalog.open(store).runs()[0].state == "running" and time.monotonic() < deadline:
        time.sleep(0.1)
    (run,) = Catalog.open(store).runs()
    assert run.state == "cancelled"
    assert problems_of(Catalog.open(store)) == []


@pytest.mark.parametrize("words", ["", "--json", "--quiet"])
def test_a_reader_that_goes_away_does_not_end_a_run(words: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [*_arguments(store, "threads"), *words.split()], cwd=SAMPLES, stdout=writing, stderr=writing
    )
    os.close(writing)
    os.close(reading)
    assert process.wait(60) == 0
    assert [run.state for run in Catalog.open(store).runs()] == ["succeeded"]


def test_a_second_interrupt_ends_a_run_at_once_and_the_next_goes_on(tmp_path: Path) -> None:
    store = tmp_path / "store"
    process = subprocess.Popen(
        [sys.executable, "-m", "drawloom", "run", "load_tasks.py:waiting", "--items", "[60]", "--catalog", str(store)],
        cwd=SAMPLES,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(store.rglob("run.json")):
        time.sleep(0.005)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    # whether the first was through before the second came is chance, and a process that just died has failed
    _check(store, {130, -signal.SIGINT}, process.returncode, err, states={"cancelled", "failed"})


_FORKS = """
import multiprocessing, os, sys, time
from drawloom import for_each, pipeline, task

@task
def forks(n: int) -> int:
    pid = os.fork()
    if not pid:
        if n % 3 == 0:
            time.sleep(3)  # outlives the run
        os._exit(n)
    if n % 3 == 0:
        return n
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def child(n):
    print("in a child", n)
    sys.exit(0)

@task
def pools(n: int) -> int:
    process = multiprocessing.get_context("fork").Process(target=child, args=(n,))
    process.start()
    process.join()
    return n if process.exitcode == 0 else -1

@pipeline
def forked(items: list[int]) -> list[int]:
    return for_each(for_each(items, forks), pools)
"""


@pytest.mark.parametrize("executor", ["threads", "processes", "inline"])
def test_tasks_may_fork_while_a_run_goes_on(executor: str, tmp_path: Path) -> None:
    (tmp_path / "forking.py").write_text(_FORKS)
    done = subprocess.run(
        [
            *[sys.executable, "-W", "ignore::DeprecationWarning", "-m", "drawloom", "run", "forking.py:forked"],
            *["--items", json.dumps(list(range(12))), "--json", "--executor", executor],
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    catalog = Catalog.open(tmp_path / ".drawloom")
    assert catalog.runs()[0].result == list(range(12))
    assert problems_of(catalog) == []


def test_a_child_that_outlives_a_killed_run_does_not_keep_it_alive(tmp_path: Path) -> None:
    (tmp_path / "orphan.py").write_text(
        "import os, time\nfrom drawloom import pipeline, task\n\n"
        "@task\ndef lasts(n: int) -> int:\n"
        "    if not os.fork():\n        time.sleep(8)\n        os._exit(0)\n"
        "    open('forked', 'w').close()\n    time.sleep(60)\n    return n\n\n"
        "@pipeline\ndef orphan(n: int) -> int:\n    return lasts(n)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "drawloom", "run", "orphan.py:orphan", "--n", "1", "-q"], cwd=tmp_path
    )
    while not (tmp_path / "forked").exists():
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert [run.state for run in Catalog.open(tmp_path / ".drawloom").runs()] == ["failed"]
