"""A loss of power: what a disk holds when nothing more is written to it.

A file system of its own lies in an image file; a copy of the image is what a disk would hold if the power went now:
what the kernel has handed to the device is there, what waits in its memory is not. Mounting the copy replays its journal.
"""

from __future__ import annotations

import errno
import json
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
from durable_checks import ITEMS, KILLS, SAMPLES, SEED, Told, command, next_run, problems_of

from drawloom.catalog.catalog import Catalog
from drawloom.errors import StoreError

Mount = Callable[[Path, str], Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    if os.uname().sysname != "Linux" or os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("only root on Linux with mkfs.ext4 can lose the power of a disk")
    mounted = []

    def make(image: Path, name: str) -> Path:
        if not image.exists():
            with open(image, "wb") as file:
                file.truncate(400 << 20)
            subprocess.run(["mkfs.ext4", "-q", "-N", "40000", str(image)], check=True)
        folder = tmp_path / name
        folder.mkdir()
        made = subprocess.run(
            ["mount", "-o", "loop,commit=1,noauto_da_alloc", str(image), str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            pytest.skip(f"an image can't be mounted here: {made.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def _load(folder: Path, journal: Path, salts: str, items: int = ITEMS) -> subprocess.Popen[str]:
    os.symlink(journal, folder / "journal")
    command = [sys.executable, str(SAMPLES / "load_driver.py"), str(folder), "threads", str(items), salts, "0"]
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
    assert next_run(store, 1, tmp_path / "journal").details.nodes["result"].state == "cached"


@pytest.mark.parametrize("turn", range(max(1, KILLS // 25)))
def test_at_any_moment_a_loss_of_power_costs_only_what_was_under_way(turn: int, mount: Mount, tmp_path: Path) -> None:
    """Short runs in turn, and one that is long enough for names to reach the disk before their bytes do."""
    print(f"TEST_SEED={SEED}")
    chance = random.Random(f"{SEED} power {turn}")
    disk = mount(tmp_path / "image", "disk")
    process = _load(disk, tmp_path / "journal", *(("0,1,0,2,3,4,5", ITEMS) if turn % 2 else ("0", 4000)))
    time.sleep(chance.uniform(1.5, 5))
    process.send_signal(signal.SIGSTOP)
    shutil.copy(tmp_path / "image", tmp_path / "copy")
    process.kill()
    told = Told.read(process.communicate()[0])
    store = mount(tmp_path / "copy", "after") / "store"
    salts = dict(told.begun)
    for run in told.ended:
        assert Catalog.open(store).run(run).result == load_tasks.expected(ITEMS, salts[run])
    run = next_run(store, 0, tmp_path / "journal")
    assert run.result == load_tasks.expected(ITEMS, 0)
    found = json.loads(command("runs", "--limit", "100", "--json", "--catalog", str(store)))["runs"]
    assert {row["run"] for row in found if row["state"] == "succeeded"} >= {*told.ended, run.id}
    lost = [problem[6:10] for problem in problems_of(Catalog.open(store))]  # names without bytes, or without names
    assert set(lost) <= {"S401", "S461"}
    assert next_run(store, 0, tmp_path / "journal").result == load_tasks.expected(ITEMS, 0)


def test_a_run_says_it_ended_only_when_its_values_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drawloom.storage import local

    said: list[bool] = []

    def says_it_ended() -> bool:
        return any(b"run-finished" in path.read_bytes() for path in tmp_path.rglob("*.seg"))

    sync, fsync = local._sync_file_system, os.fsync
    monkeypatch.setattr(local, "_sync_file_system", lambda path: (said.append(says_it_ended()), sync(path)))
    monkeypatch.setattr(os, "fsync", lambda handle: (said.append(says_it_ended()), fsync(handle)))
    next_run(tmp_path / "store", 0, tmp_path / "journal")
    assert said[-2:] == [False, True]
    assert said.count(True) == 1


def test_a_run_whose_values_can_not_reach_the_disk_does_not_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drawloom.storage import local

    def refuse(path: str) -> None:
        raise OSError(errno.EIO, "Input/output error")

    store = tmp_path / "store"
    with monkeypatch.context() as broken:
        broken.setattr(local, "_sync_file_system", refuse)
        with pytest.raises(StoreError, match="S404"):
            next_run(store, 0, tmp_path / "journal")
    assert [run.state for run in Catalog.open(store).runs()] == ["failed"]
    assert next_run(store, 0, tmp_path / "journal").result == load_tasks.expected(ITEMS, 0)
