"""What every storage must do, whichever it is."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from drawloom.errors import StoreError
from drawloom.storage.base import KeyMissing, Storage


def test_what_was_written_is_read(storage: Storage) -> None:
    storage.write("a/b/c.json", b"one")
    assert storage.read("a/b/c.json") == b"one"
    assert storage.size_bytes("a/b/c.json") == 3
    assert storage.exists("a/b/c.json")


def test_write_replaces(storage: Storage) -> None:
    storage.write("a", b"long content")
    storage.write("a", b"short")
    assert storage.read("a") == b"short"


def test_create_wins_once(storage: Storage) -> None:
    assert storage.create("a/b", b"first")
    assert not storage.create("a/b", b"second")
    assert storage.read("a/b") == b"first"


def test_an_empty_value_is_a_value(storage: Storage) -> None:
    assert storage.create("empty", b"")
    assert not storage.create("empty", b"x")
    assert storage.read("empty") == b""
    assert storage.size_bytes("empty") == 0


def test_every_byte_survives(storage: Storage) -> None:
    data = bytes(range(256)) * 4096
    storage.create("bytes", data)
    assert storage.read("bytes") == data


def test_nothing_under_a_key(storage: Storage, tmp_path: Path) -> None:
    storage.write("a/b", b"x")
    for missing in ("c", "a", "a/b/c"):
        assert not storage.exists(missing)
        for ask in (storage.read, storage.size_bytes, lambda key: storage.read_to_file(key, str(tmp_path / "f"))):
            with pytest.raises(KeyMissing) as caught:
                ask(missing)
            assert caught.value.args == (missing,)
    assert not (tmp_path / "f").exists()


def test_delete_removes_and_forgives(storage: Storage) -> None:
    storage.write("a/b", b"x")
    storage.delete("a/b")
    storage.delete("a/b")
    assert not storage.exists("a/b")
    assert storage.create("a/b", b"again")


def test_keys_are_sorted_and_below_the_prefix(storage: Storage) -> None:
    names = ["a-b", "a/w", "a.b", "a/x-y/z", "a/x/z", "a/x.y", "ab/c", "b"]
    for name in names:
        storage.write(name, b"")
    assert list(storage.keys("")) == sorted(names)
    assert list(storage.keys("a/")) == ["a/w", "a/x-y/z", "a/x.y", "a/x/z"]
    assert list(storage.keys("nothing/")) == []


def test_folders_are_the_next_parts(storage: Storage) -> None:
    for name in ("runs/r2/run.json", "runs/r1/run.json", "runs/r1/0/commits/x.json", "runs/loose", "other/x"):
        storage.write(name, b"")
    assert list(storage.folders("runs/")) == ["r1", "r2"]
    assert list(storage.folders("")) == ["other", "runs"]
    assert list(storage.folders("nothing/")) == []
    storage.delete("runs/r2/run.json")
    assert list(storage.folders("runs/")) == ["r1"]


def test_a_file_goes_in_and_comes_out(storage: Storage, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"\0\xff" * 700_000)
    assert storage.create_from_file("files/f", str(source))
    assert not storage.create_from_file("files/f", str(source))
    storage.read_to_file("files/f", str(target))
    assert target.read_bytes() == source.read_bytes()
    assert storage.read("files/f") == source.read_bytes()


def test_an_error_of_the_callers_file_is_its_own(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        storage.create_from_file("files/f", str(tmp_path / "absent"))
    assert not storage.exists("files/f")
    storage.write("files/g", b"x")
    with pytest.raises(OSError):
        storage.read_to_file("files/g", str(tmp_path / "no" / "folder"))


def test_eight_threads_create_and_one_wins(storage: Storage) -> None:
    rounds = 10
    start = threading.Barrier(8)

    def race(thread: int) -> list[bool]:
        won = []
        for number in range(rounds):
            start.wait()
            won.append(storage.create(f"race/{number}", b"%d" % thread))
        return won

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(race, range(8)))
    for number in range(rounds):
        winners = [thread for thread in range(8) if results[thread][number]]
        assert len(winners) == 1
        assert storage.read(f"race/{number}") == b"%d" % winners[0]


def test_a_reader_never_sees_half_an_object(storage: Storage) -> None:
    versions = [bytes([letter]) * 200_000 for letter in b"abc"]
    storage.write("whole", versions[0])
    done = threading.Event()

    def write() -> None:
        for number in range(30):
            storage.write("whole", versions[number % 3])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert storage.read("whole") in versions
    writer.join()


HOSTILE_KEYS = [
    *("", "/etc/passwd", "../up", "a/../b", "a//b", "a/", "Upper", "a:b", ".hidden", "a/.tmp/x", "ü", "a\n", "a b"),
    *("a\\b", "x" * 129, "/".join(["x" * 100] * 6), "a\0b", "~", "%2e%2e/x", "."),
]


def test_what_is_no_key_is_refused(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"x")
    path = str(tmp_path / "source")
    asks: list[Callable[[str], object]] = [
        storage.read,
        storage.exists,
        storage.size_bytes,
        storage.delete,
        lambda key: storage.write(key, b""),
        lambda key: storage.create(key, b""),
        lambda key: storage.create_from_file(key, path),
        lambda key: storage.read_to_file(key, path),
    ]
    listings: list[Callable[[str], object]] = [
        lambda prefix: list(storage.keys(prefix)),
        lambda prefix: list(storage.folders(prefix)),
    ]
    for key in HOSTILE_KEYS:
        for ask in asks + (listings if key not in ("", "a/") else []):
            with pytest.raises(StoreError) as caught:
                ask(key)
            assert [diagnostic.code for diagnostic in caught.value.diagnostics] == ["S406"]


def test_a_storage_goes_to_another_process_by_pickle(storage: Storage) -> None:
    storage.write("a", b"x")
    again = pickle.loads(pickle.dumps(storage))
    assert again.url == storage.url
    assert again.read("a") == b"x"


def test_sync_returns(storage: Storage) -> None:
    storage.write("a", b"x")
    storage.sync()
    assert storage.read("a") == b"x"


def test_what_is_renewed_counts_as_young(storage: Storage) -> None:
    storage.write("a/b", b"content")
    first = storage.modified_at("a/b")
    assert abs(first - time.time()) < 60
    assert storage.renew("a/b", 3600.0) == 7
    assert storage.modified_at("a/b") == first, "it is young"
    time.sleep(1.1)  # S3 tells whole seconds
    assert storage.renew("a/b", -1000.0) == 7
    assert storage.modified_at("a/b") > first
    assert storage.read("a/b") == b"content"
    for ask in (storage.modified_at, lambda key: storage.renew(key, 0.0)):
        with pytest.raises(KeyMissing):
            ask("a/missing")
