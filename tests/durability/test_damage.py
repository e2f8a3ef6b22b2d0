"""What befalls files that lie there: flipped bits, cut-off ends, deletions, in the store and in the index."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import load_tasks
import pytest
from durable_checks import command, problems_of

from drawloom import api
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.index import index_path
from drawloom.catalog.run import Run
from drawloom.errors import StoreError
from drawloom.runtimes.progress import SilentProgress

Damage = Callable[[Path], None]


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    _replace(path, bytes(data))


def _truncate(path: Path) -> None:
    _replace(path, path.read_bytes()[: path.stat().st_size // 2])


def _empty(path: Path) -> None:
    _replace(path, b"")


def _noise(path: Path) -> None:
    _replace(path, random.Random(3).randbytes(path.stat().st_size))


def _replace(path: Path, data: bytes) -> None:
    os.chmod(path, 0o644)
    path.write_bytes(data)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Damage] = {
    "flipped": _flip,
    "truncated": _truncate,
    "empty": _empty,
    "noise": _noise,
    "deleted": Path.unlink,
}


@pytest.fixture
def count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "count"
    monkeypatch.setenv("DURABLE_COUNT", str(path))
    return path


def run_chain(store: Path, executor: str = "threads") -> Run:
    return api.run(load_tasks.chain, catalog=store, executor=executor, progress=SilentProgress())


def executed(count: Path) -> list[str]:
    """The tasks that were executed since this was asked last."""
    found = count.read_text().split() if count.exists() else []
    count.unlink(missing_ok=True)
    return sorted(found)


def objects_of(store: Path, size: int) -> list[Path]:
    return [path for path in (store / "projects/default/objects").glob("*/*") if path.stat().st_size == size]


# objects


@pytest.mark.parametrize("executor", ["threads", "processes", "inline"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_broken_object_is_made_anew_and_never_an_answer(
    damage: str, executor: str, tmp_path: Path, count: Path
) -> None:
    store = tmp_path / "store"
    assert run_chain(store).result == "64000 bytes"
    assert executed(count) == ["counted", "described", "doubled"]
    (doubled,) = objects_of(store, 64000)
    DAMAGES[damage](doubled)
    again = run_chain(store, executor)
    assert again.result == "64000 bytes"
    assert "doubled" in executed(count), "answered from the cache with a broken value"
    assert doubled.stat().st_size == 64000
    assert run_chain(store).load("doubled") == load_tasks.source.function() * 2
    assert executed(count) == []
    assert problems_of(Catalog.open(store)) == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_broken_object_of_a_task_that_always_runs_is_mended_by_it(damage: str, tmp_path: Path, count: Path) -> None:
    store = tmp_path / "store"
    run_chain(store)
    (source,) = objects_of(store, 32000)
    DAMAGES[damage](source)
    again = run_chain(store)
    assert again.result == "64000 bytes"
    assert again.load("source") == load_tasks.source.function()
    assert problems_of(Catalog.open(store)) == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_verify_names_a_broken_object_and_sets_it_aside(damage: str, tmp_path: Path, count: Path) -> None:
    store = tmp_path / "store"
    run_chain(store)
    (doubled,) = objects_of(store, 64000)
    sha = doubled.parent.name + doubled.name
    DAMAGES[damage](doubled)
    told = command("catalog", "verify", "--json", "--catalog", str(store), code=3)
    assert sha[:12] in told
    assert ("S461" if damage == "deleted" else "S401") in told
    assert not doubled.exists()
    with pytest.raises(StoreError, match="S407"):
        Catalog.open(store).load("chain/doubled")
    assert run_chain(store).result == "64000 bytes"
    assert problems_of(Catalog.open(store)) == []


# records


def segment_of(store: Path, run: Run) -> Path:
    (path,) = (store / "projects/default/runs" / run.id).rglob("*.seg")
    return path


@pytest.mark.parametrize("damage", ["flipped", "noise"])
def test_a_broken_line_in_a_log_is_told_and_the_other_runs_are_there(damage: str, tmp_path: Path, count: Path) -> None:
    store = tmp_path / "store"
    first, second = run_chain(store), run_chain(store)
    DAMAGES[damage](segment_of(store, first))
    assert [problem[:11] for problem in problems_of(Catalog.open(store))] == ["error[S414]"]
    command("catalog", "rebuild", "--catalog", str(store))
    assert second.id in command("runs", "--catalog", str(store))
    for words in (["show", first.id], ["logs", first.id, "doubled"]):
        command(*words, "--catalog", str(store), code=3)
    assert run_chain(store).result == "64000 bytes"


@pytest.mark.parametrize("cut", [1, 7, 40, 300, 1000])
def test_a_log_that_breaks_off_is_a_run_that_was_lost(cut: int, tmp_path: Path, count: Path) -> None:
    store = tmp_path / "store"
    run = run_chain(store)
    segment = segment_of(store, run)
    _replace(segment, segment.read_bytes()[:-cut])
    catalog = Catalog.open(store)
    assert problems_of(catalog) == []
    catalog.rebuild()
    assert [found.state for found in catalog.runs()] in (["failed"], ["succeeded"])
    assert executed(count) == ["counted", "described", "doubled"]
    assert run_chain(store).result == "64000 bytes"
    if cut < 100:  # nothing but how the run ended is lost
        assert executed(count) == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_broken_program_is_told_and_the_next_run_writes_it_anew(damage: str, tmp_path: Path, count: Path) -> None:
    store = tmp_path / "store"
    run_chain(store)
    (program,) = store.rglob("pipeline.json")
    DAMAGES[damage](program)
    assert any("S452" in problem or "S461" in problem for problem in problems_of(Catalog.open(store)))
    assert run_chain(store).result == "64000 bytes"
    assert problems_of(Catalog.open(store)) == []


@pytest.mark.parametrize("damage", ["truncated", "empty", "noise", "deleted"])
def test_a_broken_run_record_is_told_and_the_other_runs_are_there(damage: str, tmp_path: Path, count: Path) -> None:
    store = tmp_path / "store"
    first, second = run_chain(store), run_chain(store)
    DAMAGES[damage](store / "projects/default/runs" / first.id / "run.json")
    assert any("S416" in problem or "S457" in problem for problem in problems_of(Catalog.open(store)))
    command("catalog", "rebuild", "--catalog", str(store))
    assert second.id in command("runs", "--catalog", str(store))
    assert run_chain(store).result == "64000 bytes"


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_broken_in_the_cache_the_result_is_right(seed: int, tmp_path: Path, count: Path) -> None:
    store = tmp_path / "store"
    run_chain(store)
    chance = random.Random(seed)
    folders = (store / "projects/default/cache", tmp_path / "cache")  # wherever answers are looked up
    entries = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.stat().st_size]
    assert entries
    for path in entries:
        data = bytearray(path.read_bytes())
        for _ in range(3):
            data[chance.randrange(len(data))] = chance.choice(b'0123456789ae{}[]",')
        _replace(path, bytes(data))
    again = run_chain(store)
    assert again.result == "64000 bytes"
    assert again.load("counted") == 64000
    third = run_chain(store)
    assert (third.result, third.counts.get("cached")) == ("64000 bytes", 3)


def test_a_changed_value_in_the_cache_is_never_an_answer(tmp_path: Path, count: Path) -> None:
    store = tmp_path / "store"
    run_chain(store)
    changed = 0
    for path in store.rglob("*"):
        if path.is_file() and b"64000" in path.read_bytes():
            _replace(path, path.read_bytes().replace(b"64000", b"64001"))
            changed += 1
    assert changed
    again = run_chain(store)
    assert (again.result, again.load("counted")) == ("64000 bytes", 64000)


# the index


def _other_version(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.commit()
    db.close()


def _without_log(path: Path) -> None:
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _gone(path: Path) -> None:
    shutil.rmtree(path.parents[1])


INDEX_DAMAGES: dict[str, Damage] = {
    **DAMAGES,
    "without its log": _without_log,
    "of another version": _other_version,
    "a folder": _folder,
    "the whole folder": _gone,
}


@pytest.mark.parametrize("damage", INDEX_DAMAGES)
def test_whatever_befalls_the_index_answers_are_the_same(damage: str, tmp_path: Path, count: Path) -> None:
    store = tmp_path / "store"
    runs = [run_chain(store).id for _ in range(3)]
    before = (command("runs", "--json", "--catalog", str(store)), command("catalog", "ls", "--catalog", str(store)))
    path = index_path(Catalog.open(store).url)
    assert path is not None
    INDEX_DAMAGES[damage](Path(path))
    after = (command("runs", "--json", "--catalog", str(store)), command("catalog", "ls", "--catalog", str(store)))
    assert after == before
    assert sorted(runs) == sorted(run.id for run in Catalog.open(store).runs())
    assert run_chain(store).result == "64000 bytes"


_HOLDER = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
db.execute("ROLLBACK")
"""


def test_an_index_that_another_process_holds_for_a_while_is_waited_for(tmp_path: Path, count: Path) -> None:
    store = tmp_path / "store"
    run_chain(store)
    command("runs", "--catalog", str(store))
    path = index_path(Catalog.open(store).url)
    holder = subprocess.Popen([sys.executable, "-c", _HOLDER, str(path), "1"], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    began = time.monotonic()
    again = run_chain(store)
    assert again.id in command("runs", "--catalog", str(store))
    assert time.monotonic() - began < 20
    holder.wait()
    holder.stdout.close()


def test_a_killed_reader_of_the_index_leaves_it_usable(tmp_path: Path, count: Path) -> None:
    store = tmp_path / "store"
    chance = random.Random(5)
    for _ in range(3):
        run_chain(store)
        process = subprocess.Popen(
            [sys.executable, "-m", "drawloom", "catalog", "rebuild", "--catalog", str(store)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(0.05, 0.6))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(Catalog.open(store).runs()) == 3
    assert problems_of(Catalog.open(store)) == []


@pytest.mark.parametrize("place", ["/proc/drawloom", "{}/file/cache", "{}/link"])
def test_a_cache_folder_nobody_can_write_does_no_harm(
    place: str, tmp_path: Path, count: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "link").symlink_to(tmp_path / "link")
    monkeypatch.setenv("DRAWLOOM_CACHE", place.format(tmp_path))
    store = tmp_path / "store"
    run = run_chain(store)
    assert run.id in command("runs", "--catalog", str(store))
    assert "chain/doubled" in command("catalog", "ls", "--catalog", str(store))
