"""The index: catches up by itself, and may be deleted, broken or shared at any time."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from drawloom.catalog.artifacts import Reader
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.index import SCHEMA_VERSION, Index, index_path
from drawloom.catalog.queries import RunFilter, RunRow, run_rows
from drawloom.catalog.records import AttemptFinished, AttemptStarted, Decision, RunFinished, RunStarted
from drawloom.catalog.runlog import RunWriter, finish_run
from drawloom.catalog.sifting import Sifted
from drawloom.errors import StoreError


def numbering(catalog: Catalog) -> list[tuple[str, list[tuple[int, str, str]]]]:
    return [(a.name, [(v.number, v.digest, v.made.run) for v in a.versions]) for a in catalog.artifacts()]


def listed(catalog: Catalog) -> list[RunRow]:
    """All runs of the index, those that can't be read too."""
    found, unreadable = catalog.index.ask(lambda db: run_rows(db, RunFilter()))
    return [*found, *unreadable]


def settle(catalog: Catalog) -> None:
    """Makes the files of the runs an hour old, and lets the index see it."""
    then = time.time() - 3600
    for folder, _, _ in os.walk(f"{catalog.url}/runs"):
        os.utime(folder, (then, then))
    catalog.runs()


def fill(recorder: Any) -> None:
    for number, n in enumerate((3, 1, 2, 1)):
        recorder.good(f"r{number}", n=n, at=10.0 * number)


def path_of(catalog: Catalog) -> Path:
    path = index_path(catalog.url)
    assert path is not None
    return Path(path)


def test_it_lies_in_the_cache_folder_not_in_the_store(recorder: Any, catalog: Catalog, tmp_path: Path) -> None:
    fill(recorder)
    catalog.runs()
    assert path_of(catalog).is_file()
    assert path_of(catalog).is_relative_to(tmp_path / "cache")
    assert not list((tmp_path / "store").rglob("*sqlite*"))


def test_without_an_override_the_place_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DRAWLOOM_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert str(index_path("u")).startswith(f"{tmp_path}/drawloom/")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert str(index_path("u")).startswith(f"{tmp_path}/home/.cache/drawloom/")


def test_new_runs_grown_runs_and_removed_runs_are_noticed(recorder: Any, catalog: Catalog) -> None:
    recorder.run("r1", outcome=None)
    assert [run.state for run in catalog.runs(state="failed")] == ["failed"]  # its writer is gone
    with RunWriter(catalog.storage, "r1") as writer:
        assert len(catalog.runs(state="running")) == 1
        writer.append(recorder.commit("r1", "first", [1]))
        writer.flush()
        assert "p/first" in [artifact.name for artifact in catalog.artifacts()]
        writer.append(RunFinished("r1", "cancelled", at=9.0))
    assert len(catalog.runs(state="cancelled")) == 1
    for key in list(catalog.storage.keys("runs/r1/")):
        catalog.storage.delete(key)
    assert (catalog.runs(), catalog.artifacts()) == ([], [])


def test_a_new_generation_of_an_ended_run_is_noticed(recorder: Any, catalog: Catalog) -> None:
    recorder.good("r1")
    settle(catalog)
    assert len(catalog.runs(state="succeeded")) == 1
    finish_run(catalog.storage, RunFinished("r1", "failed", generation=1, at=99.0))
    assert len(catalog.runs(state="failed")) == 1


def test_an_ended_run_is_not_read_again(recorder: Any, catalog: Catalog) -> None:
    recorder.good("r1")
    catalog.runs()
    segment = next(key for key in catalog.storage.keys("runs/r1/") if key.endswith(".seg"))
    catalog.storage.write(segment, b"not a segment\n")  # would be refused if it were read
    assert [run.state for run in listed(catalog)] == ["succeeded"]
    settle(catalog)  # from now on the times of its folders tell
    assert [run.state for run in listed(catalog)] == ["succeeded"]


def test_deleted_at_any_time_it_is_made_anew_with_the_same_numbers(recorder: Any, catalog: Catalog) -> None:
    fill(recorder)
    before = numbering(catalog)
    for path in path_of(catalog).parent.iterdir():
        path.unlink()
    assert numbering(catalog) == before
    catalog.rebuild()
    assert numbering(catalog) == before


@pytest.mark.parametrize("damage", ["text", "pages", "empty", "schema", "table"])
def test_broken_in_any_way_it_is_made_anew(recorder: Any, catalog: Catalog, damage: str) -> None:
    fill(recorder)
    before, path = numbering(catalog), path_of(catalog)
    if damage == "text":
        path.write_bytes(b"no database at all" * 1000)
    elif damage == "pages":
        data = bytearray(path.read_bytes())
        data[4096:] = b"\xa5" * (len(data) - 4096)
        path.write_bytes(data)
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        statement = f"PRAGMA user_version={SCHEMA_VERSION + 1}" if damage == "schema" else "DROP TABLE made"
        db = sqlite3.connect(path)
        db.execute(statement)
        db.commit()
        db.close()
    assert numbering(Catalog.open(catalog.url.partition("/projects/")[0])) == before


def test_numbers_do_not_depend_on_when_runs_were_brought_in(recorder: Any, catalog: Catalog) -> None:
    for number, n in reversed(list(enumerate((3, 1, 2, 1)))):
        recorder.good(f"r{number}", n=n, at=10.0 * number)
        numbering(catalog)
    piecemeal = numbering(catalog)
    catalog.rebuild()
    assert numbering(catalog) == piecemeal


@pytest.mark.parametrize("place", ["file", "folder"])
def test_without_a_place_for_it_it_lives_in_memory(recorder: Any, catalog: Catalog, tmp_path: Path, place: str) -> None:
    fill(recorder)
    before = numbering(catalog)
    blocked = tmp_path / "blocked"
    if place == "file":
        blocked.write_text("in the way")
        index = Index(catalog.storage, str(blocked / "x" / "index.sqlite"))
    else:
        blocked.mkdir()
        index = Index(catalog.storage, str(blocked))
    catalog._index = index
    assert numbering(catalog) == before
    recorder.good("r9", at=99.0)
    assert len(catalog.runs()) == 5


def _list_and_write(root: str, number: int) -> None:
    catalog = Catalog.open(root)
    for _ in range(5):
        assert len(catalog.runs()) >= 4
        assert len(catalog.artifacts()) == 5
    os._exit(0)


def test_processes_may_use_it_at_once(recorder: Any, catalog: Catalog) -> None:
    fill(recorder)
    context = multiprocessing.get_context("spawn")
    root = catalog.url.partition("/projects/")[0]
    processes = [context.Process(target=_list_and_write, args=(root, n)) for n in range(2)]
    for process in processes:
        process.start()
    for _ in range(5):
        assert len(catalog.runs()) == 4
    for process in processes:
        process.join(60)
        assert process.exitcode == 0


def test_threads_may_use_it_at_once(recorder: Any, catalog: Catalog) -> None:
    fill(recorder)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(catalog.runs()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [4] * 8


def test_a_lock_that_is_never_given_back_is_told(
    recorder: Any, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(recorder)
    catalog.runs()
    recorder.good("r9", at=99.0)
    monkeypatch.setattr("drawloom.catalog.index._BUSY_SECONDS", 0.05)
    path = path_of(catalog)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError) as error:
        catalog.runs()
    db.execute("ROLLBACK")
    db.close()
    assert str(error.value) == (
        f"error[S459] the index {path} has been locked by another process for 0 s\n"
        "  fix    wait for that process, or delete the file: the index is made anew from the store"
    )
    assert len(catalog.runs()) == 5


def test_a_run_that_lost_its_program_is_told_and_the_rest_is_listed(recorder: Any, catalog: Catalog) -> None:
    from drawloom.catalog.runlog import write_run

    recorder.good("r1")
    write_run(catalog.storage, RunStarted("r2", "p", "0" * 64))
    with RunWriter(catalog.storage, "r2") as writer:
        writer.append(AttemptStarted("r2", "first"))
    problems = {row.id: row.problem.splitlines()[0] if row.problem else "" for row in listed(catalog)}
    assert problems["r1"] == ""
    assert problems["r2"] == "error[S452] the program 000000000000 can't be read: it isn't in the store"


def test_runs_are_chosen_by_when_they_began_and_what_they_were_given(recorder: Any, catalog: Catalog) -> None:
    fill(recorder)  # r0 ... r3 with n = 3, 1, 2, 1 at 0, 10, 20, 30
    recorder.good("r4", n=1, at=40.0)
    assert [run.id for run in catalog.runs(since=10.0, until=30.0)] == ["r2", "r1"]
    moment = datetime.fromtimestamp(30.0, UTC)
    assert [run.id for run in catalog.runs(since=moment)] == ["r4", "r3"]
    assert [run.id for run in catalog.runs(params={"n": 1}, limit=2)] == ["r4", "r3"]
    assert catalog.runs(params={"n": 1.0}) == []  # another type, another value
    assert catalog.runs(params={"m": 1}) == []
    assert [run.id for run in catalog.runs(artifact="p", version=1)] == ["r0"]
    assert len(catalog.runs(function="dddd")) == 5
    assert catalog.runs(function="d%") == []


def test_functions_are_listed_with_their_versions(recorder: Any, catalog: Catalog) -> None:
    fill(recorder)
    assert catalog.functions("other*") == []
    (found,) = catalog.functions()
    assert (found.name, found.digest, found.number, found.runs) == ("flow:double", "d" * 64, 1, 4)
    assert (found.first_run, found.first_at, found.last_at) == ("r0", 1.0, 33.0)


def test_what_tasks_logged_is_an_artifact_and_metrics_are_kept(recorder: Any, catalog: Catalog) -> None:
    of_first = recorder.commit(
        "r1",
        "first",
        [1],
        at=2.0,
        function="d" * 64,
        metrics=(("auc", 0.5), ("é'\"", 1e300)),
        logged=recorder.refs(**{"roc 'é'": "x"}),
    )
    of_item = recorder.commit("r1", "one", 1, 0, at=3.0, metrics=(("loss", 2.0),), logged=recorder.refs(curve=1))
    recorder.run("r1", of_first, Decision("r1", "all", value=1, at=2.5), of_item)
    assert [a.name for a in catalog.artifacts("p/*:*")] == ["p/first:roc 'é'", "p/one[0]:curve"]
    assert catalog.load("p/first:roc 'é'") == "x"
    assert catalog.artifact("p/one[0]:curve").latest.made.role == "logged"
    (_, made) = catalog.lineage("p/first:roc 'é'", direction="up", depth=1).nodes[:2]
    assert made.id == "r1/first"
    found = [(m.node, m.index, m.name, m.value) for m in catalog.metrics("r1")]
    assert found[0] == ("first", (), "auc", 0.5)
    assert found[1][2:] == ("é'\"", 1e300)
    assert found[2] == ("one", (0,), "loss", 2.0)
    assert [m.name for m in catalog.metrics("r1", "one")] == ["loss"]


def test_a_wide_map_is_read_without_making_objects_of_its_items(recorder: Any, catalog: Catalog) -> None:
    recorder.good("r0", n=1)
    items = range(300)
    hostile = '],"kind":"commit","node":"last","outputs":'
    commits = [
        recorder.commit(
            "r1", "one", hostile, k, inputs=recorder.refs(n=hostile), at=2.0 + k, seconds=0.5, function="d" * 64, **more
        )
        for k in items
        for more in [{"outcome": "cached", "source": ("r0", "one", "[0]")} if k % 2 else {"cache_key": "a" * 64}]
    ]
    attempts = [AttemptStarted("r1", "one", (k,), at=1.0) for k in items]
    ended = [AttemptFinished("r1", "one", (k,), seconds=0.5, at=2.0) for k in items]
    recorder.run("r1", *attempts, *ended, Decision("r1", "all", value=300, at=1.5), *commits)
    sifted = Sifted(catalog.storage, "r1")
    assert len(sifted._records) == 3  # the start, the decision, the end
    tally = sifted.tallies()["one"]
    assert (tally.instances, tally.cached, tally.origins) == (300, 150, {("r0", "one")})
    assert (tally.seconds, tally.at, tally.function) == (150.0, 301.0, "d" * 64)
    assert listed(catalog)[0].counts == catalog.run("r1").counts


def test_a_run_under_way_shows_what_it_has_made_and_read_so_far(recorder: Any, catalog: Catalog) -> None:
    from drawloom.catalog.runlog import write_run

    write_run(catalog.storage, RunStarted("r1", "p", recorder.program, recorder.refs(n=3), at=1.0))
    with RunWriter(catalog.storage, "r1") as writer:
        writer.append(recorder.commit("r1", "first", [6], inputs=recorder.refs(n=3), at=2.0))
        writer.flush()
        (row,) = listed(catalog)
        assert (row.state, row.counts) == ("running", None)
        assert catalog.version("p/params/n").read_by == (Reader("r1", "first", "n"),)
        writer.append(Decision("r1", "all", value=0, at=3.0))
        writer.append(recorder.commit("r1", "last", 6, inputs=recorder.refs(n=[6]), at=3.0))
        writer.append(RunFinished("r1", "succeeded", at=4.0))
    (row,) = listed(catalog)
    assert (row.state, row.counts) == ("succeeded", catalog.run("r1").counts)
    assert Reader("r1", "last", "n") in catalog.version("p/first").read_by
