"""A storage over another one: reads what lies below, keeps what is written to itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from drawloom.storage.base import KeyMissing, Storage

__all__ = ["Overlay"]


class Overlay:
    """What is written goes to `upper`, what isn't there is read from `lower`, which never changes.

    Args:
        lower: the storage to read.
        upper: a storage that nobody else uses; a key removed from it shows what lies below again.
    """

    def __init__(self, lower: Storage, upper: Storage) -> None:
        self._lower = lower
        self._upper = upper

    @property
    def url(self) -> str:
        """Where the storage below is: what an error about it should name."""
        return self._lower.url

    def read(self, key: str) -> bytes:
        """The bytes under `key`; `KeyMissing` if there are none."""
        with suppress(KeyMissing):
            return self._upper.read(key)
        return self._lower.read(key)

    def write(self, key: str, data: bytes) -> None:
        """Puts `data` under `key`."""
        self._upper.write(key, data)

    def create(self, key: str, data: bytes) -> bool:
        """Puts `data` under `key` if nothing is there, below included."""
        return not self._lower.exists(key) and self._upper.create(key, data)

    def exists(self, key: str) -> bool:
        """Whether something is under `key`."""
        return self._upper.exists(key) or self._lower.exists(key)

    def size_bytes(self, key: str) -> int:
        """The number of bytes under `key`; `KeyMissing` if there are none."""
        with suppress(KeyMissing):
            return self._upper.size_bytes(key)
        return self._lower.size_bytes(key)

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that begin with `prefix`, sorted."""
        yield from sorted({*self._upper.keys(prefix), *self._lower.keys(prefix)})

    def folders(self, prefix: str) -> Iterator[str]:
        """The distinct next path parts below `prefix` that hold keys, sorted."""
        yield from sorted({*self._upper.folders(prefix), *self._lower.folders(prefix)})

    def delete(self, key: str) -> None:
        """Removes what was written under `key` here."""
        self._upper.delete(key)

    def create_from_file(self, key: str, path: str) -> bool:
        """Like `create`, with the content of the local file `path`."""
        return not self._lower.exists(key) and self._upper.create_from_file(key, path)

    def read_to_file(self, key: str, path: str) -> None:
        """Writes the bytes under `key` into the local file `path`; `KeyMissing` if there are none."""
        if self._upper.exists(key):
            self._upper.read_to_file(key, path)
        else:
            self._lower.read_to_file(key, path)

    def sync(self) -> None:
        """Does nothing: what is written here need not survive anything."""
