"""An overlay behaves as a storage, and leaves what is below it as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from drawloom.storage.base import KeyMissing
from drawloom.storage.local import LocalStorage
from drawloom.storage.objects import Objects
from drawloom.storage.overlay import Overlay


@pytest.fixture
def below(tmp_path: Path) -> LocalStorage:
    made = LocalStorage(str(tmp_path / "store"))
    made.write("a/one", b"1")
    made.write("b/two", b"22")
    return made


def test_what_is_written_is_read_back_and_never_reaches_the_storage_below(below: LocalStorage, tmp_path: Path) -> None:
    over = Overlay(below)
    over.write("a/one", b"changed")
    assert over.create("c/three", b"333")
    assert not over.create("b/two", b"no")
    (tmp_path / "file").write_bytes(b"content")
    assert over.create_from_file("d/four", str(tmp_path / "file"))
    assert not over.create_from_file("a/one", str(tmp_path / "file"))
    over.delete("b/two")
    over.sync()
    assert [over.read(key) for key in over.keys("")] == [b"changed", b"333", b"content"]
    assert list(over.keys("")) == ["a/one", "c/three", "d/four"]
    assert list(over.keys("c/")) == ["c/three"]
    assert [over.size_bytes(key) for key in ("a/one", "c/three", "d/four")] == [7, 3, 7]
    assert not over.exists("b/two")
    over.read_to_file("d/four", str(tmp_path / "copy"))
    over.read_to_file("c/three", str(tmp_path / "copy3"))
    assert ((tmp_path / "copy").read_bytes(), (tmp_path / "copy3").read_bytes()) == (b"content", b"333")
    assert [below.read(key) for key in below.keys("")] == [b"1", b"22"]
    assert over.url == below.url


def test_folders_are_those_of_both(below: LocalStorage) -> None:
    over = Overlay(below)
    over.write("runs/x/run.json", b"")
    below.write("runs/y/run.json", b"")
    assert list(over.folders("runs/")) == ["x", "y"]


def test_there_need_be_nothing_below(tmp_path: Path) -> None:
    over = Overlay(None, "nowhere")
    assert (over.url, list(over.keys("")), list(over.folders("runs/")), over.exists("a")) == ("nowhere", [], [], False)
    for ask in (over.read, over.size_bytes):
        with pytest.raises(KeyMissing):
            ask("a")
    with pytest.raises(KeyMissing):
        over.read_to_file("a", str(tmp_path / "copy"))
    assert list(tmp_path.iterdir()) == []
    sha = Objects(over).put(b"x" * 10)
    assert Objects(over).get(sha) == b"x" * 10


def test_what_is_below_shows_through(below: LocalStorage, tmp_path: Path) -> None:
    over = Overlay(below)
    over.read_to_file("b/two", str(tmp_path / "copy"))
    assert (over.read("a/one"), over.size_bytes("b/two"), (tmp_path / "copy").read_bytes()) == (b"1", 2, b"22")
