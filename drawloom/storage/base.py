"""What a storage must do; the contract each of `storage.local`, `storage.s3` and `storage.remote` keeps.

Keys are relative, `/`-separated, lower-case ASCII letters, digits and `-_.` only, and short: no storage may depend on
case, on `:` or on length. Standard library alone: a step loads this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

__all__ = ["KeyMissing", "Storage"]


class KeyMissing(KeyError):
    """A storage has nothing under a key."""


class Storage(Protocol):
    """Bytes under keys. Every method raises `StoreError` if the storage can't be reached, is full or is read-only.

    A reader never sees half an object. `create` is atomic between any number of processes and machines.
    """

    @property
    def url(self) -> str:
        """Where it is: a path, or `s3://bucket/prefix`; opening this URL again gives the same storage."""
        ...

    def read(self, key: str) -> bytes:
        """The bytes under `key`; `KeyMissing` if there are none."""
        ...

    def write(self, key: str, data: bytes) -> None:
        """Puts `data` under `key`, replacing what was there, atomically."""
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Puts `data` under `key` if nothing is there; False (and no change) if something is."""
        ...

    def exists(self, key: str) -> bool:
        """Whether something is under `key`."""
        ...

    def size_bytes(self, key: str) -> int:
        """The number of bytes under `key`; `KeyMissing` if there are none."""
        ...

    def modified_at(self, key: str) -> float:
        """When what is under `key` was written or renewed, in seconds since the epoch; `KeyMissing` if nothing is."""
        ...

    def renew(self, key: str, older_than_seconds: float) -> int:
        """Sees to it that what is under `key` counts as written less than so long ago; its size, or `KeyMissing`.

        Whoever relies on something being there without writing it renews it, so that `catalog gc`, which spares what is
        young, doesn't take it away meanwhile.
        """
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that begin with `prefix` (which ends with `/` or is ""), sorted; none if there are none."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """The distinct next path parts below `prefix` that hold keys, sorted (`runs/` gives run ids)."""
        ...

    def delete(self, key: str) -> None:
        """Removes what is under `key`, if anything."""
        ...

    def create_from_file(self, key: str, path: str) -> bool:
        """Like `create`, with the content of the local file `path`, streamed."""
        ...

    def read_to_file(self, key: str, path: str) -> None:
        """Writes the bytes under `key` into the local file `path`, streamed; `KeyMissing` if there are none."""
        ...

    def sync(self) -> None:
        """Returns when everything written so far, by this process or its children, survives a loss of power."""
        ...
