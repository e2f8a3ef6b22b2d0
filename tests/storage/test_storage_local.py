"""What is special about a store in a folder: its files, its disk, and writers that die."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from drawloom.errors import StoreError
from drawloom.storage.local import LocalStorage


def test_files_are_read_only(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    storage.create("a/b", b"x")
    storage.write("a/c", b"x")
    assert [os.stat(tmp_path / "a" / name).st_mode & 0o222 for name in "bc"] == [0, 0]


def test_nothing_is_left_in_the_way(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    storage.create("a", b"x")
    storage.create("a", b"y")
    storage.write("a", b"z")
    with pytest.raises(FileNotFoundError):
        storage.create_from_file("b", str(tmp_path / "absent"))
    assert os.listdir(tmp_path / ".tmp") == []


def test_names_that_are_no_keys_are_not_the_stores(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    storage.create("a/b", b"x")
    (tmp_path / "a" / "README.TXT").write_text("a user's file")
    (tmp_path / "Notes").mkdir()
    (tmp_path / "empty").mkdir()
    assert list(storage.keys("")) == ["a/b"]
    assert list(storage.folders("")) == ["a"]


def test_what_killed_writers_left_is_invisible_and_cleaned_up(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    storage.create("a", b"x")
    old, new = tmp_path / ".tmp" / "1-1-dead", tmp_path / ".tmp" / "2-1-writing"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (time.time() - 25 * 3600,) * 2)
    assert list(storage.keys("")) == ["a"]
    assert list(storage.folders("")) == []
    assert storage.clean() == 1
    assert (old.exists(), new.exists()) == (False, True)


def test_what_a_killed_writer_of_this_machine_left_is_gone_a_minute_later(tmp_path: Path) -> None:
    code = (
        "import os, sys; from drawloom.storage.local import LocalStorage; storage = LocalStorage(sys.argv[1])\n"
        "storage.create('a', b'x')\n"
        "storage._temporary(iter([b'half', b'half']))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    mine = LocalStorage(str(tmp_path))
    living = mine._temporary((b"half",))
    (left,) = [path for path in (tmp_path / ".tmp").iterdir() if str(path) != living]
    assert mine.clean() == 0
    for path in (living, left):
        os.utime(path, (time.time() - 61,) * 2)
    assert mine.clean() == 1
    assert (left.exists(), os.path.exists(living)) == (False, True)


def test_a_link_that_was_made_although_told_otherwise_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over NFS the answer to `link` can be lost: the repeated request then finds the name taken, by itself."""
    link = os.link

    def link_twice(source: str, target: str) -> None:
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", link_twice)
    storage = LocalStorage(str(tmp_path))
    storage.create("warm/up", b"")
    assert storage.create("warm/key", b"x")
    assert storage.read("warm/key") == b"x"


def test_cleaning_up_leaves_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    storage = LocalStorage(str(tmp_path))
    assert storage.create("a", b"x")
    before = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    for path in tmp_path.rglob("*"):
        os.utime(path, (0, 0))
    storage.clean()
    assert {path.name: path.stat().st_ino for path in tmp_path.iterdir()} == before
    assert list(storage.keys("")) == ["a"]


def test_a_file_system_without_links_and_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StoreError) as caught:
        LocalStorage(str(tmp_path)).create("a", b"x")
    assert str(caught.value) == (
        f"error[S410] the store {tmp_path} can't create a file only if it is absent: its file system has neither hard "
        f"links nor locks\n  where  {tmp_path}\n"
        "  fix    keep the store on a local disk, on NFS, or in an object store with conditional writes (s3://)"
    )
    assert not (tmp_path / "a").exists()


def test_a_full_disk_is_told_and_leaves_nothing(small_disk: Path) -> None:
    storage = LocalStorage(str(small_disk))
    storage.write("small", b"kept")
    for write in (storage.write, storage.create):
        with pytest.raises(StoreError) as caught:
            write("runs/large", b"x" * 100_000)
        assert str(caught.value) == (
            f"error[S403] the store {small_disk} is full: No space left on device\n"
            f"  where  {small_disk}/runs/large\n"
            "  fix    free space or raise the quota, then run again: what is committed is kept and answered from the "
            "cache"
        )
    assert list(storage.keys("")) == ["small"]
    assert os.listdir(small_disk / ".tmp") == []
    assert storage.create("runs/large", b"x" * 20_000)


def test_a_read_only_disk_is_told(small_disk: Path) -> None:
    storage = LocalStorage(str(small_disk))
    storage.write("there", b"kept")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for ask in (
        lambda: storage.write("there", b"x"),
        lambda: storage.create("new/key", b"x"),
        lambda: storage.create_from_file("new/key", __file__),
        lambda: storage.delete("there"),
    ):
        with pytest.raises(StoreError, match="S402") as caught:
            ask()
    assert str(caught.value) == (
        f"error[S402] the store {small_disk} is read-only here: Read-only file system\n"
        f"  where  {small_disk}/there\n"
        "  fix    give this user the right to write there, or use another store; nothing half-written was left"
    )
    assert storage.read("there") == b"kept"
    assert not storage.create("there", b"x")  # taken is taken, also where nothing can be written


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into every folder")
def test_a_folder_without_the_right_to_write_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir(mode=0o555)
    with pytest.raises(StoreError, match="S402"):
        LocalStorage(str(folder)).create("a", b"x")


def test_a_place_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError) as caught:
        LocalStorage(str(tmp_path / "file")).create("a", b"x")
    assert str(caught.value) == (
        f"error[S404] can't write in the store {tmp_path}/file: Not a directory\n"
        f"  where  {tmp_path}/file/a\n"
        "  fix    check that the store exists, that this user may use it, and that its disk or network works; then "
        "try again"
    )


_WRITER = """
import hashlib, sys
from drawloom.storage.local import LocalStorage
storage = LocalStorage(sys.argv[1])
for number in range(100000):
    data = hashlib.sha256(b'%d' % number).digest() * 20000
    storage.create(f'objects/{number:05d}', data)
    sys.stdout.write(f'{number}\\n')
    sys.stdout.flush()
"""


def test_a_killed_writer_leaves_whole_keys_only(tmp_path: Path) -> None:
    chance = random.Random(7)
    for attempt in range(6):
        folder = tmp_path / str(attempt)
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(folder)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(chance.random() * 0.05)
        os.kill(writer.pid, signal.SIGKILL)
        told = [0, *(int(line) for line in writer.stdout.read().splitlines())]
        writer.wait()
        writer.stdout.close()
        storage = LocalStorage(str(folder))
        there = list(storage.keys("objects/"))
        assert there[: len(told)] == [f"objects/{number:05d}" for number in told]
        assert len(there) - len(told) in (0, 1)
        for key in there:
            assert storage.read(key) == hashlib.sha256(b"%d" % int(key[-5:])).digest() * 20000


def test_two_processes_create_and_one_wins(tmp_path: Path) -> None:
    script = (
        "import sys; from drawloom.storage.local import LocalStorage; storage = LocalStorage(sys.argv[1])\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(*[n for n in range(300) if storage.create(f'race/{n}', sys.argv[2].encode())])\n"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    won = [[int(number) for number in racer.communicate()[0].split()] for racer in racers]
    assert sorted(won[0] + won[1]) == list(range(300))
    storage = LocalStorage(str(tmp_path))
    assert all(storage.read(f"race/{number}") == b"a" for number in won[0])
