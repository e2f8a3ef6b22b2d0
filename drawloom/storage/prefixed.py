"""A part of a storage as a storage of its own: what stands below one prefix.

Standard library alone: a step loads this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.local import LocalStorage
from drawloom.storage.problems import check_key, check_prefix

__all__ = ["Prefixed", "local_path", "local_storage"]


class Prefixed:
    """The view of `storage` below `prefix`.

    Args:
        storage: the storage to look into.
        prefix: where the view begins; ends with `/` (`projects/churn/`).
    """

    def __init__(self, storage: Storage, prefix: str) -> None:
        check_prefix(prefix, storage.url)
        self._storage = storage
        self._prefix = prefix

    @property
    def url(self) -> str:
        """The storage's URL with the prefix behind it."""
        return f"{self._storage.url}/{self._prefix}".rstrip("/")

    def read(self, key: str) -> bytes:
        """The bytes under `key`; `KeyMissing` if there are none."""
        try:
            return self._storage.read(self._full(key))
        except KeyMissing:
            raise KeyMissing(key) from None

    def write(self, key: str, data: bytes) -> None:
        """Puts `data` under `key`, replacing what was there, atomically."""
        self._storage.write(self._full(key), data)

    def create(self, key: str, data: bytes) -> bool:
        """Puts `data` under `key` if nothing is there; False (and no change) if something is."""
        return self._storage.create(self._full(key), data)

    def exists(self, key: str) -> bool:
        """Whether something is under `key`."""
        return self._storage.exists(self._full(key))

    def size_bytes(self, key: str) -> int:
        """The number of bytes under `key`; `KeyMissing` if there are none."""
        try:
            return self._storage.size_bytes(self._full(key))
        except KeyMissing:
            raise KeyMissing(key) from None

    def modified_at(self, key: str) -> float:
        """When what is under `key` was written or renewed; `KeyMissing` if nothing is."""
        try:
            return self._storage.modified_at(self._full(key))
        except KeyMissing:
            raise KeyMissing(key) from None

    def renew(self, key: str, older_than_seconds: float) -> int:
        """Sees to it that what is under `key` counts as young; its size, or `KeyMissing`."""
        try:
            return self._storage.renew(self._full(key), older_than_seconds)
        except KeyMissing:
            raise KeyMissing(key) from None

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that begin with `prefix`, sorted."""
        check_prefix(prefix, self.url)
        skipped = len(self._prefix)
        return (key[skipped:] for key in self._storage.keys(self._prefix + prefix))

    def folders(self, prefix: str) -> Iterator[str]:
        """The distinct next path parts below `prefix` that hold keys, sorted."""
        check_prefix(prefix, self.url)
        return self._storage.folders(self._prefix + prefix)

    def delete(self, key: str) -> None:
        """Removes what is under `key`, if anything."""
        self._storage.delete(self._full(key))

    def create_from_file(self, key: str, path: str) -> bool:
        """Like `create`, with the content of the local file `path`, streamed."""
        return self._storage.create_from_file(self._full(key), path)

    def read_to_file(self, key: str, path: str) -> None:
        """Writes the bytes under `key` into the local file `path`; `KeyMissing` if there are none."""
        try:
            self._storage.read_to_file(self._full(key), path)
        except KeyMissing:
            raise KeyMissing(key) from None

    def sync(self) -> None:
        """Returns when everything written so far survives a loss of power."""
        self._storage.sync()

    def local_path(self, key: str) -> str | None:
        """The path of the file that holds, or would hold, `key`; None where the storage is no local folder."""
        return local_path(self._storage, self._full(key))

    def local_storage(self) -> tuple[LocalStorage, str] | None:
        """The local folder this is a part of, and the prefix; None where there is none."""
        found = local_storage(self._storage)
        return None if found is None else (found[0], found[1] + self._prefix)

    def _full(self, key: str) -> str:
        check_key(key, self.url)  # before the prefix hides an absolute path or an empty key
        return self._prefix + key


def local_path(storage: Storage, key: str) -> str | None:
    """The path of the file that holds, or would hold, `key`; None where `storage` is no local folder."""
    if isinstance(storage, LocalStorage):
        return storage.path(key)
    inside: Callable[[str], str | None] | None = getattr(storage, "local_path", None)
    return None if inside is None else inside(key)


def local_storage(storage: Storage) -> tuple[LocalStorage, str] | None:
    """The local folder that `storage` is, or is a part of, and that part's prefix; None where it is no local folder."""
    if isinstance(storage, Prefixed):
        return storage.local_storage()
    return (storage, "") if isinstance(storage, LocalStorage) else None
