"""A loss of power: what a disk holds when nothing more is written to it.

A file system of its own lies in an image file; a copy of the image is what a disk would hold if the power went now:
what the kernel has handed to the device is there, what waits in its memory is not. Mounting the copy replays its journal.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import load_tasks
import pytest
from durable_checks import ITEMS, SAMPLES, Told, command, next_run, problems_of

from drawloom.catalog.catalog import Catalog

SEED = int(os.environ.get("TEST_SEED", "0")) or random.randrange(1 << 30)
Mount = Callable[[Path, str], Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    if os.uname().sysname != "Linux" or os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("only root on Linux with mkfs.ext4 can lose the power of a disk")
    mounted = []

    def make(image: Path, name: str) -> Path:
        if not image.exists():
            with open(image, "wb") as file:
                file.truncate(64 << 20)
            subprocess.run(["mkfs.ext4", "-q", "-N", "8000", str(image)], check=True)
        folder = tmp_path / name
        folder.mkdir()
        made = subprocess.run(
            ["mount", "-o", "loop,commit=1,noauto_da_alloc", str(image), str(folder)], capture_output=True, text=True, check=False
        )
        if made.returncode:
            pytest.skip(f"an image can't be mounted here: {made.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def _load(folder: Path, journal: Path, salts: str) -> subprocess.Popen[str]:
    os.symlink(journal, folder / "journal")
    command = [sys.executable, str(SAMPLES / "load_driver.py"), str(folder), "threads", str(ITEMS), salts, "0"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_run_that_has_ended_survives_a_loss_of_power(mount: Mount, tmp_path: Path) -> None:
    disk = mount(tmp_path / "image", "disk")
    out, err = _load(disk, tmp_path / "journal", "0,1,0").communicate()
    shutil.copy(tmp_path / "image", tmp_path / "copy")
    told = Told.read(out)
    assert len(told.ended) == 3, err
    store = mount(tmp_path / "copy", "after") / "store"
    catalog = Catalog.open(store)
    assert problems_of(catalog) == []
    for (run, salt), ended in zip(told.begun, told.ended, strict=True):
        assert catalog.run(ended).id == run
        assert catalog.run(run).result == load_tasks.expected(ITEMS, salt)
    again = next_run(store, 1, tmp_path / "journal")
    assert again.details.nodes["squares/square"].counts if "squares/square" in again.details.nodes else True
    assert again.counts.get("cached", 0) >= 1


@pytest.mark.parametrize("turn", range(int(os.environ.get("TEST_KILLS", "20")) // 10))
def test_at_any_moment_a_loss_of_power_costs_only_what_was_under_way(turn: int, mount: Mount, tmp_path: Path) -> None:
    print(f"TEST_SEED={SEED}")
    chance = random.Random(f"{SEED} power {turn}")
    disk = mount(tmp_path / "image", "disk")
    process = _load(disk, tmp_path / "journal", ",".join(map(str, range(9))))
    time.sleep(chance.uniform(0.2, 6))
    process.send_signal(signal.SIGSTOP)
    shutil.copy(tmp_path / "image", tmp_path / "copy")
    process.kill()
    out, _ = process.communicate()
    told = Told.read(out)
    store = mount(tmp_path / "copy", "after") / "store"
    salts = dict(told.begun)
    if told.ended:
        catalog = Catalog.open(store)
        for run in told.ended:
            assert catalog.run(run).result == load_tasks.expected(ITEMS, salts[run])
    run = next_run(store, 0, tmp_path / "journal")
    assert run.result == load_tasks.expected(ITEMS, 0)
    command("runs", "--catalog", str(store))
    problems = problems_of(Catalog.open(store))
    assert problems == []
