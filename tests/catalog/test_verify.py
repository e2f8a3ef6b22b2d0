"""`Catalog.verify` finds everything that can be wrong with a store, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.keys import object_key, quarantine_key
from drawloom.catalog.records import AttemptFinished, Commit
from drawloom.catalog.runlog import commit_once
from drawloom.values.ref import ValueRef

BIG = list(range(5000))


def found(catalog: Catalog, **more: bool) -> list[str]:
    return [str(problem) for problem in catalog.verify(**more)]


def spoil(catalog: Catalog, key: str, data: bytes) -> None:
    catalog.storage.delete(key)
    assert catalog.storage.create(key, data)


def test_a_whole_store_has_no_problems(recorder: Any, catalog: Catalog) -> None:
    log = catalog.objects.put(b"log\n")
    recorder.run("r1", recorder.commit("r1", "first", BIG), AttemptFinished("r1", "first", log=log))
    recorder.good("r2")
    assert found(catalog) == []


@pytest.mark.parametrize("data", [b"", b"changed"])
def test_a_corrupt_object_is_told_and_set_aside(recorder: Any, catalog: Catalog, data: bytes) -> None:
    commit = recorder.commit("r1", "first", BIG)
    sha = commit.outputs[0][1].object
    recorder.run("r1", commit)
    spoil(catalog, object_key(sha), data)
    in_place = [
        (
            f"error[S401] object {sha[:12]} is corrupt: its bytes don't have this digest\n"
            f"  where  {catalog.url}/{object_key(sha)}\n"
            "  fix    move it away; then run the pipeline that made it again: it makes it anew"
        )
    ]
    assert found(catalog, quarantine=False) == in_place
    assert found(catalog, quarantine=False) == in_place
    assert found(catalog) == [
        (
            f"error[S401] object {sha[:12]} is corrupt: its bytes don't have this digest; it was set aside\n"
            f"  where  {catalog.url}/{quarantine_key(sha)}\n"
            "  fix    run the pipeline that made it again: it makes it anew"
        )
    ]
    assert catalog.storage.read(quarantine_key(sha)) == data
    assert [problem.splitlines()[0][:11] for problem in found(catalog)] == ["error[S461]"]
    assert catalog.objects.put(bytes(str(BIG).replace(" ", ""), "ascii")) == sha
    assert found(catalog) == []


def test_a_missing_object_is_told_with_what_refers_to_it(recorder: Any, catalog: Catalog) -> None:
    commit = recorder.commit("r1", "first", BIG)
    sha = commit.outputs[0][1].object
    recorder.run("r1", commit)
    catalog.storage.delete(object_key(sha))
    assert found(catalog) == [
        (
            f"error[S461] `result` of node `first` of run r1 refers to the object {sha[:12]}, which isn't there\n"
            f"  where  {catalog.url}\n"
            "  fix    restore it from a copy of the store, or run the pipeline again: it makes it anew"
        )
    ]


def test_a_leaf_in_an_inline_or_a_stored_envelope_is_followed(recorder: Any, catalog: Catalog) -> None:
    leaf = {"$": "blob", "object": "ab" * 32, "size": 3, "digest": "c"}
    stored = catalog.objects.put(b'[{"$":"blob","object":"%s"}]' % (b"cd" * 32))
    inline = Commit("r1", "first", outputs=(("result", ValueRef("d", tree=[leaf])),))
    kept = Commit("r1", "one", (2,), outputs=(("result", ValueRef("d", object=stored)),))
    recorder.run("r1", inline, kept, Commit("r1", "last", outcome="failed", log="ef" * 32))
    assert [problem.splitlines()[0] for problem in found(catalog)] == [
        "error[S461] `result` of node `first` of run r1 refers to the object abababababab, which isn't there",
        "error[S461] `result` of node `one` at [2] of run r1 refers to the object cdcdcdcdcdcd, which isn't there",
        "error[S461] the log of node `last` of run r1 refers to the object efefefefefef, which isn't there",
    ]


def test_a_run_whose_writer_was_killed_leaves_a_store_that_is_well(recorder: Any, catalog: Catalog) -> None:
    recorder.good("r1")
    segment = next(key for key in catalog.storage.keys("runs/r1/") if key.endswith(".seg"))
    spoil(catalog, segment, catalog.storage.read(segment)[:-40])
    assert found(catalog) == []


def test_a_changed_segment_is_told(recorder: Any, catalog: Catalog) -> None:
    recorder.good("r1")
    segment = next(key for key in catalog.storage.keys("runs/r1/") if key.endswith(".seg"))
    spoil(catalog, segment, catalog.storage.read(segment).replace(b"first", b"fisrt", 1))
    assert [problem[:11] for problem in found(catalog)] == ["error[S414]"]


def test_records_of_a_newer_drawloom_are_told(recorder: Any, catalog: Catalog) -> None:
    recorder.good("r1")
    catalog.storage.write("runs/r1/0/commits/x.json", b'{"kind":"from-the-future"}')
    assert [problem[:11] for problem in found(catalog)] == ["error[S415]"]
    catalog.storage.write("runs/r1/0/commits/x.json", b'{"kind":"commit","run":"r","node":"a","must_understand":["x"]}')
    assert [problem[:11] for problem in found(catalog)] == ["error[S415]"]


@pytest.mark.parametrize("key", ["runs/r1/0/commits/x.json", "cache/ab/x.json", "tags/x/y/z.json"])
def test_a_record_that_is_none_is_told(recorder: Any, catalog: Catalog, key: str) -> None:
    recorder.good("r1")
    catalog.storage.write(key, b"{")
    assert [problem[:11] for problem in found(catalog)] == ["error[S416]"]


def test_a_lost_and_a_changed_program_are_told(recorder: Any, catalog: Catalog) -> None:
    recorder.good("r1")
    catalog.storage.write(f"programs/{recorder.program}/pipeline.json", b"{}")
    assert [problem[:11] for problem in found(catalog)] == ["error[S452]"]
    for key in list(catalog.storage.keys("programs/")):
        catalog.storage.delete(key)
    assert [problem.splitlines()[0] for problem in found(catalog)] == [
        f"error[S461] run r1 names the program {recorder.program[:12]}, which isn't in the store"
    ]


def test_a_run_without_its_first_record_is_told(recorder: Any, catalog: Catalog) -> None:
    recorder.good("r1")
    catalog.storage.delete("runs/r1/run.json")
    assert [problem[:11] for problem in found(catalog)] == ["error[S457]"]


def test_a_file_that_is_no_object_is_told(catalog: Catalog) -> None:
    catalog.storage.write("objects/readme.txt", b"hello")
    assert found(catalog) == [
        (
            "error[S462] objects/readme.txt is no object of drawloom's\n"
            f"  where  {catalog.url}/objects/readme.txt\n"
            "  fix    move it out of the store: no object has such a name"
        )
    ]


def test_what_a_killed_writer_left_is_told_but_not_what_one_is_writing(catalog: Catalog, tmp_path: Path) -> None:
    catalog.objects.put(b"x")
    folder = tmp_path / "store" / ".tmp"
    old, new = folder / "1-1-old", folder / "1-2-new"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (time.time() - 600,) * 2)  # nobody here can tell whether its writer lives
    assert found(catalog) == [
        (
            "error[S464] a killed writer left 4 bytes behind\n"
            f"  where  {old}\n"
            "  fix    nothing refers to them: delete the file, or leave it: the store removes it in time"
        )
    ]


def test_a_commit_written_as_an_object_is_followed_too(recorder: Any, catalog: Catalog) -> None:
    recorder.good("r1")
    commit_once(catalog.storage, Commit("r1", "late", outputs=(("result", ValueRef("d", object="ab" * 32)),)))
    assert [problem[:11] for problem in found(catalog)] == ["error[S461]"]
