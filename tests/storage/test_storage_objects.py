"""Objects: once each, verified when read, mended when put again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from drawloom.errors import CorruptObject, StoreError
from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.local import LocalStorage
from drawloom.storage.objects import Objects, object_key

HELLO = hashlib.sha256(b"hello").hexdigest()


def test_objects_are_kept_under_their_digest(storage: Storage) -> None:
    objects = Objects(storage)
    assert objects.put(b"hello") == HELLO
    assert objects.get(HELLO) == b"hello"
    assert (objects.has(HELLO), objects.size_bytes(HELLO)) == (True, 5)
    assert list(storage.keys("")) == [f"objects/{HELLO[:2]}/{HELLO[2:]}"]


def test_files_go_in_and_out(storage: Storage, tmp_path: Path) -> None:
    objects = Objects(storage)
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(b"hello" * 300_000)
    sha, size = objects.put_file(str(source))
    assert (sha, size) == (hashlib.sha256(source.read_bytes()).hexdigest(), 1_500_000)
    Objects(storage).get_to_file(sha, str(target))
    assert target.read_bytes() == source.read_bytes()
    assert Objects(storage).put_file(str(source)) == (sha, size)
    assert Objects(storage).put(source.read_bytes()) == sha


def test_a_corrupt_object_is_never_returned(storage: Storage, tmp_path: Path) -> None:
    objects = Objects(storage)
    objects.put(b"hello")
    storage.write(object_key(HELLO), b"jello")
    for ask in (objects.get, lambda sha: objects.get_to_file(sha, str(tmp_path / "out"))):
        with pytest.raises(CorruptObject) as caught:
            ask(HELLO)
        assert str(caught.value) == (
            "error[S401] object 2cf24dba5fb0 is corrupt: its bytes have the digest 187c9bceeb91\n"
            f"  where  {storage.url}/objects/2c/{HELLO[2:]}\n"
            "  fix    run `drawloom catalog verify` to set it aside, then run again: the node that made it makes it "
            "anew"
        )
    assert os.listdir(tmp_path) in ([], ["store"])


@pytest.mark.parametrize("size", [5, 2_000_000])
def test_an_object_of_the_wrong_size_is_not_trusted(storage: Storage, tmp_path: Path, size: int) -> None:
    data = b"h" * size
    sha = hashlib.sha256(data).hexdigest()
    storage.write(object_key(sha), data[:-1])
    Objects(storage).put(data)
    assert Objects(storage).get(sha) == data
    storage.write(object_key(sha), b"")
    (tmp_path / "file").write_bytes(data)
    Objects(storage).put_file(str(tmp_path / "file"))
    assert Objects(storage).get(sha) == data


def test_what_was_found_corrupt_is_mended_by_the_next_put(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hello")
    for put in (lambda objects: objects.put(b"hello"), lambda objects: objects.put_file(str(tmp_path / "file"))):
        objects = Objects(storage)
        storage.write(object_key(HELLO), b"jello")
        assert not objects.verify(HELLO)
        put(objects)
        assert objects.verify(HELLO)
        assert objects.get(HELLO) == b"hello"


def test_verify_sets_a_corrupt_object_aside(storage: Storage) -> None:
    storage.write(object_key(HELLO), b"jello")
    assert not Objects(storage).verify(HELLO, quarantine=True)
    assert storage.read(f"quarantine/{HELLO[:2]}/{HELLO[2:]}") == b"jello"
    assert not Objects(storage).has(HELLO)
    assert Objects(storage).put(b"hello") == HELLO
    assert Objects(storage).verify(HELLO)


def test_a_missing_object_is_told(storage: Storage, tmp_path: Path) -> None:
    objects = Objects(storage)
    for ask in (objects.get, objects.size_bytes, objects.verify, lambda sha: objects.get_to_file(sha, str(tmp_path))):
        with pytest.raises(StoreError) as caught:
            ask(HELLO)
        assert str(caught.value) == (
            f"error[S407] object 2cf24dba5fb0 is not in the store {storage.url}\n"
            f"  where  {storage.url}/objects/2c/{HELLO[2:]}\n"
            "  fix    restore it from a copy of the store, or run the pipeline again: the node that made it makes it "
            "anew"
        )
    assert not objects.has(HELLO)


@pytest.mark.parametrize("sha", ["", "../../etc/passwd", HELLO.upper(), HELLO[:-1], HELLO[:-1] + "/"])
def test_what_is_no_digest_is_refused(tmp_path: Path, sha: str) -> None:
    with pytest.raises(StoreError) as caught:
        Objects(LocalStorage(str(tmp_path))).get(sha)
    assert str(caught.value) == (
        f"error[S409] {sha!r} is not a SHA-256 digest: expected 64 lower-case hex characters\n"
        "  fix    take the digest from `drawloom catalog show`; a record that holds another one was not written by "
        "drawloom"
    )


class _ChangingSource(LocalStorage):
    """A store during whose copy somebody writes to the file."""

    def create_from_file(self, key: str, path: str) -> bool:
        with open(path, "ab") as file:
            file.write(b"more")
        return super().create_from_file(key, path)


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    storage = _ChangingSource(str(tmp_path / "store"))
    path = tmp_path / "file"
    path.write_bytes(b"hello")
    with pytest.raises(StoreError) as caught:
        Objects(storage).put_file(str(path))
    assert str(caught.value) == (
        "error[S408] the file changed while it was being stored, so its bytes have no one digest\n"
        f"  where  {path}\n"
        "  fix    let the task that writes the file close it before it returns it, or store a copy"
    )
    assert list(storage.keys("")) == []


class _Counting(LocalStorage):
    written = 0

    def create(self, key: str, data: bytes) -> bool:
        self.written += 1
        return super().create(key, data)


def test_a_known_object_is_not_sent_again(tmp_path: Path) -> None:
    storage = _Counting(str(tmp_path))
    objects = Objects(storage)
    objects.put(b"hello")
    objects.put(b"hello")
    assert storage.written == 1
    large = b"x" * 2_000_000
    Objects(storage).put(large)
    Objects(storage).put(large)  # another process: asks first
    assert storage.written == 2


def test_a_reader_of_a_removed_key_is_told_so(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    with pytest.raises(KeyMissing):
        storage.read(object_key(HELLO))
