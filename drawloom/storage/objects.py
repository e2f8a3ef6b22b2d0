"""Objects: bytes kept under their SHA-256, once each, and verified whenever they are read.

Standard library alone: a step loads this module.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from io import RawIOBase

from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.problems import corrupt_object, file_changed, from_os_error, missing_object, store_error

__all__ = ["RENEW_SECONDS", "ObjectSink", "Objects", "object_key", "quarantine_key"]

# Below this, one conditional write is cheaper than first asking whether the object is there.
_ASK_FIRST_BYTES = 1 << 20
# `catalog gc` spares what is younger than its grace, a day: who relies on an object that is there renews it in time.
RENEW_SECONDS = 6 * 3600.0
_KNOWN_SECONDS = 3600.0


def object_key(sha: str) -> str:
    """The key of the object with the digest `sha`.

    >>> object_key("ab" * 32)
    'objects/ab/ababababababababababababababababababababababababababababababab'
    """
    _check_digest(sha)
    return f"objects/{sha[:2]}/{sha[2:]}"


def quarantine_key(sha: str) -> str:
    """The key a corrupt object is set aside under."""
    _check_digest(sha)
    return f"quarantine/{sha[:2]}/{sha[2:]}"


def _check_digest(sha: str) -> None:
    # A digest may come from a document someone else wrote: as a key it must not lead anywhere else.
    if len(sha) != 64 or not set(sha) <= set("0123456789abcdef"):
        raise store_error(
            "S409",
            f"{sha[:80]!r} is not a SHA-256 digest: expected 64 lower-case hex characters",
            "",
            "take the digest from `drawloom catalog show`; a record that holds another one was not written by drawloom",
        )


class Objects:  # over 150 lines: most of them docstrings of its public methods
    """The objects of a storage.

    Args:
        storage: where the `objects/` folder is.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: set[str] = set()  # digests this process has written or verified
        self._young: dict[str, float] = {}  # digest -> when this process has written or renewed it, monotonic seconds
        self._corrupt: set[str] = set()  # digests this process has found corrupt: the next put replaces them

    @property
    def storage(self) -> Storage:
        """Where the objects are."""
        return self._storage

    def put(self, data: bytes) -> str:
        """Keeps `data`; nothing is written if the object is there already.

        Returns:
            Its SHA-256, 64 hex characters.

        Raises:
            StoreError: the storage is full, read-only or can't be reached.
        """
        sha = hashlib.sha256(data).hexdigest()
        key = object_key(sha)
        if self._is_young(sha):
            return sha
        there = len(data) > _ASK_FIRST_BYTES and self._has_size(key, len(data))
        if sha in self._corrupt:
            self._storage.write(key, data)
        elif (there or not self._storage.create(key, data)) and not self._holds(key, sha, len(data)):
            self._storage.write(key, data)  # something else is there: a bit has flipped, or its end is missing
        self._remember(sha)
        self._young[sha] = time.monotonic()
        return sha

    def get(self, sha: str) -> bytes:
        """The bytes of the object.

        Raises:
            CorruptObject: S401, what is there doesn't have the digest.
            StoreError: S407, nothing is there.
        """
        key = object_key(sha)
        try:
            data = self._storage.read(key)
        except KeyMissing:
            raise missing_object(sha, self._storage.url, key) from None
        found = hashlib.sha256(data).hexdigest()
        if found != sha:
            raise self._report(sha, found)
        return data

    def put_file(self, path: str) -> tuple[str, int]:
        """Keeps the content of the local file `path`, streamed.

        Returns:
            Its SHA-256 and its number of bytes.

        Raises:
            OSError: `path` can't be read.
            StoreError: S408, the file changed meanwhile; or the storage is full, read-only or can't be reached.
        """
        before = os.stat(path)
        sha, size = _digest_file(path)
        key = object_key(sha)
        made = False
        if not self._is_young(sha) and (sha in self._corrupt or not self._holds(key, sha, size)):
            made = self._storage.create_from_file(key, path)
            if not made:  # what is there is corrupt: make place, then create
                self._storage.delete(key)
                made = self._storage.create_from_file(key, path)
        after = os.stat(path)
        if (before.st_mtime_ns, before.st_size, before.st_ino) != (after.st_mtime_ns, after.st_size, after.st_ino):
            if made:
                self._storage.delete(key)
            raise file_changed(path)
        self._remember(sha)
        self._young[sha] = time.monotonic()
        return sha, size

    def put_written(self, write: Callable[[ObjectSink], None]) -> tuple[str, int]:
        """Keeps what `write` writes to the sink it is given: hashed while it is written, in memory at no time.

        Returns:
            Its SHA-256 and its number of bytes.

        Raises:
            StoreError: the storage is full, read-only or can't be reached. What `write` raises gets through.
        """
        from drawloom.storage.prefixed import local_storage  # a step on an object store doesn't load folders

        local = local_storage(self._storage)
        if local is None:
            return self._put_through_file(write)
        storage, prefix = local
        path = storage.staged()
        try:
            sink = _written(path, write)
            if sink.failed is not None:
                raise from_os_error(sink.failed, storage.url, "write", path)
            sha, size = sink.sha, sink.size
            made = self._is_young(sha) or storage.create_staged(prefix + object_key(sha), path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(path)
        if not made:
            return self._replace_unsound(sha, size, write)
        self._remember(sha)
        self._young.setdefault(sha, time.monotonic())
        return sha, size

    def _replace_unsound(self, sha: str, size: int, write: Callable[[ObjectSink], None]) -> tuple[str, int]:
        """Something is there already: as it should be, unless it was found corrupt or has another size."""
        key = object_key(sha)
        if sha not in self._corrupt and self._holds(key, sha, size):
            self._remember(sha)
            return sha, size
        self._storage.delete(key)
        return self._put_through_file(write)

    def _put_through_file(self, write: Callable[[ObjectSink], None]) -> tuple[str, int]:
        import tempfile  # where the store is no folder, there is one file more

        with tempfile.TemporaryDirectory(prefix="drawloom-") as folder:
            path = f"{folder}/object"
            sink = _written(path, write)
            if sink.failed is not None:
                raise sink.failed
            return self.put_file(path)

    def get_to_file(self, sha: str, path: str) -> None:
        """Writes the object into the local file `path`, streamed; the file appears complete and verified or not at all.

        Raises:
            CorruptObject: S401, what is there doesn't have the digest.
            StoreError: S407, nothing is there.
        """
        key = object_key(sha)
        part = f"{path}.{os.getpid():x}-{os.urandom(4).hex()}.part"
        try:
            self._storage.read_to_file(key, part)
            found, _ = _digest_file(part)
            if found != sha:
                raise self._report(sha, found)
            os.replace(part, path)
        except KeyMissing:
            raise missing_object(sha, self._storage.url, key) from None
        finally:
            with suppress(FileNotFoundError):
                os.unlink(part)

    def verified_path(self, sha: str) -> str | None:
        """The path of the file that holds the object, hashed by this process once; None where the store is no folder.

        Raises:
            CorruptObject: S401, what is there doesn't have the digest.
            StoreError: S407, nothing is there.
        """
        from drawloom.storage.prefixed import local_path  # as above

        key = object_key(sha)
        path = local_path(self._storage, key)
        if path is None or sha in self._known:
            return path
        try:
            found, _ = _digest_file(path)
        except FileNotFoundError:
            raise missing_object(sha, self._storage.url, key) from None
        if found != sha:
            raise self._report(sha, found)
        self._remember(sha)
        return path

    def has(self, sha: str) -> bool:
        """Whether the object is there (its bytes are not read); whoever asks may rely on it, so it counts as young."""
        try:
            self._storage.renew(object_key(sha), RENEW_SECONDS)
        except KeyMissing:
            return False
        return True

    def is_whole(self, sha: str) -> bool:
        """Whether the object is there with the bytes it should have; they are read once in the life of this `Objects`.

        One that isn't whole is made anew by the next `put` of its bytes.
        """
        key = object_key(sha)
        if not self.has(sha):
            return False
        if sha in self._known:
            return True
        try:
            whole = self._digest(key) == sha
        except KeyMissing:
            return False
        if whole:
            self._remember(sha)
        else:
            self._report(sha, "")
        return whole

    def size_bytes(self, sha: str) -> int:
        """The object's number of bytes.

        Raises:
            StoreError: S407, nothing is there.
        """
        key = object_key(sha)
        try:
            return self._storage.size_bytes(key)
        except KeyMissing:
            raise missing_object(sha, self._storage.url, key) from None

    def verify(self, sha: str, *, quarantine: bool = False) -> bool:
        """Reads the object and says whether its bytes have its digest.

        Args:
            sha: the object.
            quarantine: whether a corrupt one is moved to `quarantine/`, so that the next `put` makes it anew.

        Raises:
            StoreError: S407, nothing is there.
        """
        import tempfile  # a step verifies what it reads, and never this way

        key = object_key(sha)
        with tempfile.TemporaryDirectory(prefix="drawloom-") as folder:
            path = f"{folder}/object"
            try:
                self._storage.read_to_file(key, path)
            except KeyMissing:
                raise missing_object(sha, self._storage.url, key) from None
            if _digest_file(path)[0] == sha:
                return True
            self._report(sha, "")
            if quarantine:
                self._storage.create_from_file(quarantine_key(sha), path)
                self._storage.delete(key)
        return False

    def _holds(self, key: str, sha: str, size: int) -> bool:
        """Whether what is under `key` is the object: the size must do where the storage answers for the bytes."""
        from drawloom.storage.prefixed import local_path  # as above

        return self._has_size(key, size) and (local_path(self._storage, key) is None or self._digest(key) == sha)

    def _digest(self, key: str) -> str:
        from drawloom.storage.prefixed import local_path  # as above

        path = local_path(self._storage, key)
        if path is None:
            return hashlib.sha256(self._storage.read(key)).hexdigest()
        try:
            return _digest_file(path)[0]
        except FileNotFoundError:
            raise KeyMissing(key) from None
        except OSError as error:
            raise from_os_error(error, self._storage.url, "read", path) from error

    def _has_size(self, key: str, size: int) -> bool:
        """Whether the object is there in this size; it counts as young from now on."""
        try:
            return self._storage.renew(key, RENEW_SECONDS) == size
        except KeyMissing:
            return False

    def _is_young(self, sha: str) -> bool:
        """Whether this process has written or renewed it lately: another one's `catalog gc` may remove what is old."""
        at = self._young.get(sha)
        return at is not None and time.monotonic() - at < _KNOWN_SECONDS

    def forget(self) -> None:
        """Forgets which objects are there, after some were removed."""
        self._known.clear()
        self._young.clear()

    def _remember(self, sha: str) -> None:
        self._known.add(sha)
        self._corrupt.discard(sha)

    def _report(self, sha: str, found: str) -> Exception:
        self._known.discard(sha)
        self._young.pop(sha, None)
        self._corrupt.add(sha)
        return corrupt_object(sha, found, self._storage.url, object_key(sha))


class ObjectSink:
    """A file-like object that hashes what is written to it.

    Args:
        file: where it goes.
    """

    closed = False

    def __init__(self, file: RawIOBase) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0
        self.failed: OSError | None = None  # libraries that write here would tell it as an error of their own

    @property
    def sha(self) -> str:
        """The SHA-256 of all that was written."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> int:
        """Writes `data`, all of it."""
        try:
            view = memoryview(data)
            while view:  # a raw file may write less where a disk fills up
                view = view[self._file.write(view) :]
        except OSError as error:
            self.failed = error
            raise
        self._hash.update(data)
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        """How many bytes were written."""
        return self.size

    def flush(self) -> None:
        """Does nothing: the file is flushed when it is closed."""

    def close(self) -> None:
        """Does nothing: the file is closed by whoever opened it."""


def _written(path: str, write: Callable[[ObjectSink], None]) -> ObjectSink:
    with open(path, "wb", buffering=0) as file:
        sink = ObjectSink(file)
        try:
            write(sink)
        except Exception:
            if sink.failed is None:
                raise
        return sink


def _digest_file(path: str) -> tuple[str, int]:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, file.tell()
