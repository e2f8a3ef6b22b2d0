"""kill -9 at random moments under load: what was acknowledged is there, nothing half-written, the next run goes on.

`TEST_KILLS` says how often (20); half of the kills come after a random time, half right before a random file operation,
so that store creation, the log's first lines and the end are met as well as the long middle.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from durable_checks import ITEMS, KILLS, SAMPLES, SEED, Told, check_next_run, check_what_is_there, leftovers

SESSIONS = 5  # kills in a row on one store
GROUPS = [
    (executor, start) for start in range(0, KILLS, 3 * SESSIONS) for executor in ("threads", "processes", "inline")
]


def _session(folder: Path, executor: str, salt: int, seconds: float | None, operation: str) -> tuple[Told, float]:
    """One process under load, killed after `seconds` or before a file operation; what it had told, how long it lived."""
    salts = ",".join(map(str, (salt, salt + 1, salt)))
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, str(SAMPLES / "load_driver.py"), str(folder), executor, str(ITEMS), salts, operation],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), err
    return Told.read(out), time.monotonic() - began


@pytest.mark.parametrize(("executor", "start"), GROUPS[: -(-KILLS // SESSIONS)])
def test_a_killed_session_loses_nothing_acknowledged(executor: str, start: int, tmp_path: Path) -> None:
    print(f"TEST_SEED={SEED}")  # shown where the test fails
    chance = random.Random(f"{SEED} {executor} {start}")
    store, journal = tmp_path / "store", tmp_path / "journal"
    (tmp_path / "whole").mkdir()
    _, length = _session(tmp_path / "whole", executor, 0, None, "0")
    for kill in range(SESSIONS):
        by_time = kill % 2 == 0
        seconds = chance.uniform(0, 1.05 * length) if by_time else 60
        # as many among the first ten as among the first hundred, or thousand
        operation = "0" if by_time else str(int(1500 ** chance.random()))
        print(f"kill {kill}: after {seconds:.3f} s, before file operation {operation}")
        told, _ = _session(tmp_path, executor, 10 * kill, seconds, operation)
        if (store / "store.json").exists():
            check_what_is_there(store, told)
        check_next_run(store, told, journal, 10 * kill)
    assert leftovers(store) == []


@pytest.mark.parametrize(
    "name",
    ["store.json", "spans.json", "segments", ".seg.lock", ".seg", "run.json", "/objects/", "/cache/", "/journal"],
)
def test_killed_before_it_writes_this(name: str, tmp_path: Path) -> None:
    store, journal = tmp_path / "store", tmp_path / "journal"
    told, _ = _session(tmp_path, "threads", 0, 60, name)
    if (store / "store.json").exists():
        check_what_is_there(store, told)
    check_next_run(store, told, journal, 0)
    assert leftovers(store) == []
