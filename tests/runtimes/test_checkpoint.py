"""A checkpoint outlives the attempt that wrote it, on every executor, on the reference engine, and in a remote store."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
import tracking_samples as samples

import drawloom
from drawloom import Catalog, Checkpoint, DefinitionError, File, ValueRefused
from drawloom.api import run_compiled
from drawloom.catalog.keys import checkpoint_prefix
from drawloom.runtimes import checkpoint as module
from drawloom.runtimes.checkpoint import checkpoint_name, discard
from drawloom.runtimes.local import RunInterrupted
from drawloom.storage.prefixed import Prefixed
from drawloom.storage.remote import MemoryStorage

PLACES = ["inline", "threads", "processes", "reference"]


def run(pipeline, catalog, place, **params):
    if place == "reference":
        return run_compiled(pipeline, params, catalog=catalog)
    return drawloom.run(pipeline, params, catalog=catalog, executor=place)


def left_in(catalog):
    return list(catalog.storage.keys("checkpoints/"))


@pytest.mark.parametrize("place", PLACES)
def test_a_later_attempt_finds_what_the_one_before_left(catalog, place):
    done = run(samples.persistent, catalog, place)
    assert done.state == "succeeded", done.logs("stubborn")
    assert done.result == 3
    assert left_in(catalog) == []  # the node has succeeded
    assert catalog.verify() == []


@pytest.mark.parametrize("place", ["processes", "reference"])
def test_it_survives_the_killing_of_the_process(catalog, place):
    done = run(samples.killing, catalog, place)
    assert done.state == "succeeded", done.logs("killed")
    assert done.result == 3
    assert left_in(catalog) == []


@pytest.mark.parametrize("place", ["threads", "processes"])
def test_each_instance_has_its_own(catalog, place):
    assert run(samples.persistent_items, catalog, place).result == [3, 3]


@pytest.mark.parametrize("place", ["inline", "reference"])
def test_a_later_run_that_does_the_same_goes_on_where_a_failed_one_stopped(catalog, place):
    first = run(samples.persistent, catalog, place, until=5)
    assert (first.state, first.details.failure.info.message) == ("failed", "attempt 3")
    assert left_in(catalog) != []
    assert run(samples.persistent, catalog, place, until=4).details.failure.info.message == "attempt 3"  # other inputs
    assert run(samples.persistent, catalog, place, until=5).result == 5


def test_a_run_without_cache_begins_anew_and_so_does_a_source(catalog):
    run(samples.persistent, catalog, "inline", until=5)
    anew = drawloom.run(samples.persistent, {"until": 5}, catalog=catalog, executor="inline", cache=False)
    assert anew.details.failure.info.message == "attempt 3"
    for _ in range(2):
        assert run(samples.sourced, catalog, "inline").details.failure.info.message == "attempt 1"


@pytest.mark.parametrize("place", ["threads", "reference"])
def test_in_a_remote_store_it_is_sent_and_fetched(s3_url, place):
    catalog = Catalog.open(s3_url)
    done = run(samples.persistent, catalog, place)
    assert done.state == "succeeded", done.logs("stubborn")
    assert left_in(catalog) == []


def test_in_a_remote_store_what_was_committed_outlives_a_killed_process(s3_url):
    catalog = Catalog.open(s3_url)
    done = run(samples.killing, catalog, "processes", until=2)
    assert done.state == "succeeded", done.logs("killed")
    assert left_in(catalog) == []


def test_a_run_after_ctrl_c_goes_on_in_the_same_process(catalog, monkeypatch):
    monkeypatch.setenv("INTERRUPT_SAMPLES", "1")
    with pytest.raises(RunInterrupted):
        run(samples.interrupted, catalog, "inline", until=2)
    monkeypatch.delenv("INTERRUPT_SAMPLES")
    assert run(samples.interrupted, catalog, "inline", until=2).result == 2


# one folder


@pytest.fixture
def remote():
    return Prefixed(MemoryStorage(f"memory://{os.urandom(8).hex()}"), "projects/x/")


PLACE = ("run", "node", (0,))


def test_a_remote_one_keeps_files_and_folders_and_drops_what_was_replaced(remote):
    first = module._open(PLACE, remote)
    Path(first.path, "a 'b' é.txt").write_bytes(b"1")
    Path(first.path, "empty").mkdir()
    first.commit()
    Path(first.path, "a 'b' é.txt").write_bytes(b"2")
    first.leave(False)
    second = module._open(PLACE, remote)
    assert Path(second.path, "a 'b' é.txt").read_bytes() == b"2"
    assert Path(second.path, "empty").is_dir()
    assert len(list(remote.keys(checkpoint_prefix(checkpoint_name(PLACE))))) == 2  # the manifest and one file
    discard(remote, second.leave(True))
    assert list(remote.keys("checkpoints/")) == []


@pytest.mark.parametrize("damage", ["changed", "gone", "no manifest", "leads elsewhere"])
def test_a_damaged_remote_one_counts_as_none(remote, damage):
    first = module._open(PLACE, remote)
    Path(first.path, "a").write_bytes(b"1")
    first.commit()
    key = next(key for key in remote.keys("checkpoints/") if "/files/" in key)
    if damage == "changed":
        remote.write(key, b"2")
    elif damage == "gone":
        remote.delete(key)
    elif damage == "leads elsewhere":
        manifest = {"folders": ["../elsewhere"], "files": []}
        remote.write(f"{checkpoint_prefix(checkpoint_name(PLACE))}manifest.json", json.dumps(manifest).encode())
    else:
        remote.write(f"{checkpoint_prefix(checkpoint_name(PLACE))}manifest.json", b"{")
    assert os.listdir(module._open(PLACE, remote).path) == []


def test_attempts_at_once_have_a_folder_each_and_the_next_finds_the_first(catalog):
    first = module._open(PLACE, catalog.storage)
    Path(first.path, "a").write_text("first")
    second = module._open(PLACE, catalog.storage)
    assert second.path != first.path
    assert os.listdir(second.path) == []
    discard(catalog.storage, checkpoint_name(PLACE))  # in use: stays
    first.leave(False)
    assert Path(module._open(PLACE, catalog.storage).path, "a").read_text() == "first"


def test_a_folder_that_is_removed_while_another_waits_for_it_is_made_anew(catalog):
    stop = threading.Event()

    def removes():
        while not stop.is_set():
            discard(catalog.storage, checkpoint_name(PLACE))

    thread = threading.Thread(target=removes)
    thread.start()
    try:
        for _ in range(300):
            folder = module._open(PLACE, catalog.storage)
            Path(folder.path, "a").write_text("x")
            folder.leave(True)
    finally:
        stop.set()
        thread.join()


def test_values_are_saved_and_loaded_by_name(catalog):
    kept = Checkpoint()
    name = samples.HOSTILE
    assert kept.load(name) is None
    assert kept.load(name, 7) == 7
    for value in ({"a": (1, float("inf"))}, b"x" * 100_000, None):
        kept.save(name, value)
        assert kept.load(name, "default") == value
    kept.save("file", File.write("text", "a.txt"))
    kept.save("file", File.write("newer", "a.txt"))
    assert kept.load("file").read_text() == "newer"
    homes = list((kept.path / ".drawloom").iterdir())
    assert len(homes) == 2
    assert all(len(list(home.iterdir())) == 2 for home in homes)  # nothing is left of the earlier ones


def test_what_cant_be_saved_leaves_what_was_saved(catalog):
    kept = Checkpoint()
    kept.save("state", [1])
    with pytest.raises(ValueRefused, match="V301"):
        kept.save("state", threading.Lock())
    assert kept.load("state") == [1]
    for name in ("", "a\nb", "x" * 251):
        with pytest.raises(ValueRefused, match="D131"):
            kept.save(name, 1)


def test_outside_a_run_each_is_an_empty_temporary_folder(caplog):
    first, second = Checkpoint(), Checkpoint()
    assert first.path.is_dir()
    assert first.path != second.path
    first.commit()
    assert repr(first) == f"Checkpoint({str(first.path)!r})"


def test_in_a_pipeline_it_is_refused():
    @drawloom.pipeline
    def wrong(n: int) -> int:
        Checkpoint()
        return samples.silent(n)

    with pytest.raises(DefinitionError, match="D130"):
        assert wrong.graph
