"""Several processes on one store at once: each run right, the store whole, the index the same for all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import load_tasks
import pytest
from durable_checks import SAMPLES, problems_of

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.index import index_path

ITEMS = 40


def _start(store: Path, executor: str, salts: str, items: int = ITEMS) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(SAMPLES / "turns_driver.py"), str(store), executor, str(items), salts],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _go(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def _finish(processes: list[subprocess.Popen[str]], items: int = ITEMS) -> list[str]:
    """The runs of all; each must have had its own right result and have seen itself in the list of runs."""
    runs = []
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        for line in out.splitlines():
            run, salt, state, result, known = json.loads(line)
            assert (state, result) == ("succeeded", load_tasks.expected(items, salt))
            assert run in known
            runs.append(run)
    return runs


@pytest.mark.parametrize(
    "turns",
    [
        [("threads", "0,1,0"), ("threads", "0,1,0")],
        [("threads", "0,1"), ("processes", "0,2"), ("inline", "2,1"), ("threads", "3,0")],
    ],
    ids=["two alike", "four that differ"],
)
def test_processes_write_to_one_store_at_once(turns: list[tuple[str, str]], tmp_path: Path) -> None:
    store = tmp_path / "store"
    processes = [_start(store, executor, salts) for executor, salts in turns]
    _go(processes)
    runs = _finish(processes)
    catalog = Catalog.open(store)
    assert problems_of(catalog) == []
    assert sorted(run.id for run in catalog.runs()) == sorted(runs)
    before = [(a.name, [(v.number, v.digest, v.made.run) for v in a.versions]) for a in catalog.artifacts()]
    catalog.rebuild()
    assert [(a.name, [(v.number, v.digest, v.made.run) for v in a.versions]) for a in catalog.artifacts()] == before
    effects = Path(f"{store}.journal").read_text().split()
    assert effects.count("begun") == len(runs)
    assert len(effects) == 2 * len(runs)


@pytest.mark.parametrize("whole", [True, False], ids=["its folder", "its files"])
def test_the_index_may_be_deleted_while_processes_use_it(whole: bool, tmp_path: Path) -> None:
    store = tmp_path / "store"
    processes = [_start(store, "threads", "0,1,0,1,0,1", 10) for _ in range(2)]
    _go(processes)
    path = Path(index_path(Catalog.open(store).url) or "")
    deleted = 0
    while any(process.poll() is None for process in processes):
        if path.exists():
            if whole:
                shutil.rmtree(path.parent, ignore_errors=True)
            else:
                for file in path.parent.glob("*"):
                    file.unlink(missing_ok=True)
            deleted += 1
        time.sleep(0.01)
    runs = _finish(processes, 10)
    assert deleted > 3
    assert sorted(run.id for run in Catalog.open(store).runs()) == sorted(runs)
    assert problems_of(Catalog.open(store)) == []
