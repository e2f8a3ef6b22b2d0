"""Opening: which storage a URL gives, and which stores are refused."""

from __future__ import annotations

import builtins
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from drawloom.errors import StoreError
from drawloom.storage import open as opening
from drawloom.storage.local import LocalStorage
from drawloom.storage.open import open_storage
from drawloom.storage.prefixed import Prefixed, local_path
from drawloom.storage.remote import MemoryStorage, S3fsStorage
from drawloom.storage.s3 import S3Storage


def test_a_path_or_file_url_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in (str(tmp_path / "a"), f"file://{tmp_path}/a"):
        storage = open_storage(url)
        assert isinstance(storage, LocalStorage)
        assert storage.url == str(tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert open_storage(".drawloom").url == str(tmp_path / ".drawloom")
    assert open_storage("~/store").url == str(tmp_path / "home" / "store")


def test_a_store_says_its_format_from_the_first_use(tmp_path: Path) -> None:
    open_storage(str(tmp_path / "store"))
    assert json.loads((tmp_path / "store" / "store.json").read_text()) == {"format": 0}
    assert open_storage(str(tmp_path / "store"), create=False).read("store.json") == b'{"format": 0}\n'


def test_s3_is_ours_in_a_step_and_s3fs_in_the_client(s3_url: str) -> None:
    assert isinstance(open_storage(s3_url), S3fsStorage)
    assert isinstance(open_storage(s3_url, step=True), S3Storage)
    assert open_storage(s3_url, step=True).read("store.json") == b'{"format": 0}\n'
    open_storage(s3_url, create=False)


def test_memory_is_a_store_within_the_process() -> None:
    url = f"memory://{uuid.uuid4().hex}/sub"
    storage = open_storage(url)
    assert isinstance(storage, MemoryStorage)
    assert storage.url == url
    storage.write("a", b"x")
    assert open_storage(url).read("a") == b"x"


def test_a_store_of_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text('{"format": 3}')
    for step in (True, False):
        with pytest.raises(StoreError) as caught:
            open_storage(str(tmp_path), step=step)
        assert str(caught.value) == (
            f"error[S405] the store {tmp_path} has format 3; this drawloom reads up to format 0\n"
            f"  where  {tmp_path}/store.json\n"
            "  fix    upgrade drawloom (`pip install --upgrade drawloom`), or use another store; nothing was changed"
        )
    assert (tmp_path / "store.json").read_text() == '{"format": 3}'
    assert os.listdir(tmp_path) == ["store.json"]


def test_a_newer_store_on_s3_is_refused(s3_url: str) -> None:
    S3Storage(s3_url).write("store.json", b'{"format": 1}')
    with pytest.raises(StoreError, match="has format 1; this drawloom reads up to format 0"):
        open_storage(s3_url)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "0"}', '{"format": true}', "\xff"])
def test_a_store_that_does_not_say_its_format_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "store.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(StoreError) as caught:
        open_storage(str(tmp_path))
    assert str(caught.value) == (
        f"error[S413] store.json of {tmp_path} doesn't say which format the store has\n"
        f"  where  {tmp_path}/store.json\n"
        '  fix    if this is a drawloom store, put {"format": 0} into that file; else choose another place'
    )


def test_a_place_without_a_store_is_refused_unless_one_may_be_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        open_storage(str(tmp_path / "typo"), create=False)
    assert str(caught.value) == (
        f"error[S411] there is no drawloom store at {tmp_path}/typo\n"
        f"  where  {tmp_path}/typo\n"
        "  fix    check the path or URL; a first `drawloom run` makes a store"
    )
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize("url", ["http://example.com/x", "gs://lake/p", "ftp://host/x", "zip://a.zip"])
def test_a_file_system_without_an_atomic_create_is_refused(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_storage(url)
    assert str(caught.value) == (
        f"error[S410] the store {url} can't create an object only if it is absent, so two attempts could both commit\n"
        f"  where  {url}\n"
        "  fix    use a folder, or an object store with conditional writes (If-None-Match): AWS S3, MinIO, Ceph, R2 "
        "have them"
    )


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(StoreError) as caught:
        open_storage("s4://lake/p")
    assert str(caught.value) == (
        "error[S412] s4://lake/p can't hold a store: there is no file system for s4://\n"
        "  fix    use a folder's path, or s3://bucket/prefix (`pip install drawloom[s3]`)"
    )


def test_without_s3fs_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name: str, *arguments: Any, **named: Any) -> Any:
        if name == "s3fs":
            raise ImportError(name)
        return original(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(StoreError) as caught:
        open_storage("s3://lake/p")
    assert str(caught.value) == (
        "error[S420] s3://lake/p needs the package s3fs, which isn't installed\n"
        "  where  s3://lake/p\n"
        "  fix    install it: pip install 'drawloom[s3]'"
    )


class _Forgetful(MemoryStorage):
    """A store that ignores the condition of a conditional write, as some look-alikes of S3 do."""

    def create(self, key: str, data: bytes) -> bool:
        self.write(key, data)
        return True


def test_a_store_that_ignores_conditions_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drawloom.storage.remote.open_remote", _Forgetful)
    with pytest.raises(StoreError, match=r"error\[S410\]"):
        open_storage(f"memory://{uuid.uuid4().hex}")


def test_what_s3_says_of_the_client_is_told(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = S3fsStorage("s3://no-such-bucket/p")
    for verb, ask in (("write", lambda: missing.create("a", b"x")), ("list", lambda: list(missing.keys("")))):
        with pytest.raises(StoreError) as caught:
            ask()
        assert f"error[S404] can't {verb} in the store s3://no-such-bucket/p: NoSuchBucket\n" in str(caught.value)


def test_a_key_that_is_none_is_shown(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        LocalStorage(str(tmp_path)).read("Train/Model")
    assert str(caught.value) == (
        "error[S406] 'Train/Model' is not a key: expected lower-case letters, digits, `-`, `_` and `.` in parts "
        "separated by `/`, no part beginning with `.` or over 128 characters, 512 in all\n"
        f"  where  {tmp_path}\n"
        "  fix    use a name made of those characters; a digest of the name always is one"
    )


def test_a_prefixed_storage_is_a_view(tmp_path: Path) -> None:
    whole = LocalStorage(str(tmp_path))
    view = Prefixed(whole, "projects/x/")
    view.write("a/b", b"x")
    whole.write("projects/y/c", b"y")
    assert whole.read("projects/x/a/b") == b"x"
    assert list(view.keys("")) == ["a/b"]
    assert list(view.folders("")) == ["a"]
    assert view.url == f"{tmp_path}/projects/x"
    nested = Prefixed(view, "a/")
    assert nested.read("b") == b"x"
    assert local_path(nested, "b") == f"{tmp_path}/projects/x/a/b"
    assert local_path(Prefixed(MemoryStorage("memory://m"), "p/"), "b") is None
    with pytest.raises(StoreError, match="S406"):
        Prefixed(whole, "no-slash")


def test_a_local_store_loads_little() -> None:
    heavy = ("fsspec", "s3fs", "http.client", "ssl", "xml", "asyncio", "logging", "threading", "socket", "tempfile")
    script = (
        "import sys\n"
        "import drawloom.storage.open, drawloom.storage.local, drawloom.storage.objects, drawloom.catalog.outcomes\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_format_is_looked_at_by_who_asks(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    opening.check_format(storage, create=True)
    opening.check_format(storage)
    assert storage.exists(opening.STORE_KEY)
