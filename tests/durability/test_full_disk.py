"""A disk that fills up, runs out of inodes or goes read-only while pipelines run: told, nothing half-written, goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import load_tasks
import pytest
from durable_checks import ITEMS, SAMPLES, command, next_run, problems_of

from drawloom import api
from drawloom.catalog.catalog import Catalog
from drawloom.errors import StoreError
from drawloom.runtimes.progress import SilentProgress

Mount = Callable[[str], Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mounts a file system in memory with these options, where this user may."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.uname().sysname != "Linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")

    def make(options: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"a small disk can't be mounted here: {made.stderr.strip()}")
        return folder

    yield make
    subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def fill(folder: Path, leave_bytes: int) -> Path:
    """Takes all room but so much."""
    ballast = folder / "ballast"
    found = os.statvfs(folder)
    with open(ballast, "wb") as file:
        size = max(0, found.f_bavail * found.f_frsize - leave_bytes)
        file.write(b"x" * size)
    return ballast


def drawloom(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "drawloom", *arguments, "--catalog", str(folder / "store")],
        cwd=SAMPLES,
        capture_output=True,
        text=True,
        check=False,
    )


def load(folder: Path, journal: Path, executor: str = "threads") -> subprocess.CompletedProcess[str]:
    options = ["--n", str(ITEMS), "--salt", "0", "--path", str(journal), "--executor", executor, "--quiet"]
    return drawloom(folder, "run", "load_tasks.py:work", *options)


def check_recovered(folder: Path, journal: Path) -> None:
    """With room again, the next run goes on, and the store is whole."""
    store = folder / "store"
    run = next_run(store, 0, journal)
    assert run.result == load_tasks.expected(ITEMS, 0)
    catalog = Catalog.open(store)
    assert catalog.runs()[0].id == run.id
    assert {run.state for run in catalog.runs()} <= {"succeeded", "failed"}
    assert problems_of(catalog) == []


@pytest.mark.parametrize(
    ("pages", "executor"),
    [
        (0, "threads"),  # no store can be made
        (4, "threads"),  # a log can't be begun
        (30, "processes"),  # a worker's object
        (150, "inline"),
        (380, "threads"),
    ],
)
def test_a_disk_that_fills_up_is_told_and_the_next_run_goes_on(
    mount: Mount, tmp_path: Path, pages: int, executor: str
) -> None:
    folder, journal = mount("size=16m"), tmp_path / "journal"
    ballast = fill(folder, 4096 * pages)
    done = load(folder, journal, executor)
    assert done.returncode == 3, (done.stdout, done.stderr)
    assert "error[S403] the store" in done.stderr
    assert "Traceback" not in done.stderr
    assert "P699" not in done.stderr
    if (folder / "store" / "store.json").exists():
        assert problems_of(Catalog.open(folder / "store")) == []
        command("runs", "--catalog", str(folder / "store"))
    assert not list((folder / "store").glob(".tmp/*"))
    ballast.unlink()
    check_recovered(folder, journal)


def test_a_disk_without_inodes_is_told_and_the_next_run_goes_on(mount: Mount, tmp_path: Path) -> None:
    folder, journal = mount("size=64m,nr_inodes=120"), tmp_path / "journal"
    done = load(folder, journal)
    assert (done.returncode, "error[S403]" in done.stderr) == (3, True), (done.stdout, done.stderr)
    remount(folder, "nr_inodes=100000")
    assert problems_of(Catalog.open(folder / "store")) == []
    check_recovered(folder, journal)


def test_a_read_only_store_is_read_and_its_runs_are_refused(mount: Mount, tmp_path: Path) -> None:
    folder, journal = mount("size=64m"), tmp_path / "journal"
    next_run(folder / "store", 0, journal)
    remount(folder, "ro")
    done = load(folder, journal)
    assert (done.returncode, "error[S402]" in done.stderr) == (3, True), (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    for words in ("runs", "show last", "catalog ls", "catalog verify", "catalog load work"):
        command(*words.split(), "--catalog", str(folder / "store"))
    remount(folder, "rw")
    check_recovered(folder, journal)


def test_a_disk_that_goes_read_only_during_a_run_is_told(mount: Mount, tmp_path: Path) -> None:
    folder, journal = mount("size=64m"), tmp_path / "journal"

    class Listener(SilentProgress):
        count = 0

        def finished(self, node: str, index: tuple[int, ...], seconds: float, log: bytes) -> None:
            self.count += 1
            if self.count == 50:
                done = subprocess.run(["mount", "-o", "remount,ro", str(folder)], capture_output=True, check=False)
                assert done.returncode in (0, 32)  # 32: busy, because the log is open for writing

    params = {"n": ITEMS, "salt": 0, "path": str(journal)}
    with suppress(StoreError):  # where the kernel lets a disk with open files go read-only
        run = api.run(load_tasks.work, params, catalog=folder / "store", progress=Listener())
        assert run.result == load_tasks.expected(ITEMS, 0)
    remount(folder, "rw")
    check_recovered(folder, journal)


def test_a_full_cache_folder_does_no_harm(mount: Mount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = mount("size=64k")
    fill(folder, 0)
    monkeypatch.setenv("DRAWLOOM_CACHE", str(folder))
    assert load(tmp_path, tmp_path / "journal").returncode == 0
    for words in ("runs", "show last", "catalog ls", "catalog rebuild"):
        assert command(*words.split(), "--catalog", str(tmp_path / "store"))
