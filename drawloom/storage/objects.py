"""Objects: bytes kept under their SHA-256, once each, and verified whenever they are read.

Standard library alone: a step loads this module.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress

from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.problems import corrupt_object, file_changed, missing_object, store_error

__all__ = ["RENEW_SECONDS", "Objects", "object_key", "quarantine_key"]

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
        if sha in self._corrupt or not self._is_there(key, len(data)):
            if sha in self._corrupt:
                self._storage.write(key, data)
            elif not self._storage.create(key, data) and not self._has_size(key, len(data)):
                self._storage.write(key, data)  # truncated or padded: not what was asked to be kept
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
        if not self._is_young(sha) and (sha in self._corrupt or not self._has_size(key, size)):
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

    def has(self, sha: str) -> bool:
        """Whether the object is there (its bytes are not read); whoever asks may rely on it, so it counts as young."""
        try:
            self._storage.renew(object_key(sha), RENEW_SECONDS)
        except KeyMissing:
            return False
        return True

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

    def _is_there(self, key: str, size: int) -> bool:
        return size > _ASK_FIRST_BYTES and self._has_size(key, size)

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


def _digest_file(path: str) -> tuple[str, int]:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, file.tell()
