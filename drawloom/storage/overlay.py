"""A storage that is read and never written: what is put into it stays beside it, in memory.

For questions that need a store to work on and must leave no trace (`drawloom plan`); there need not even be a store.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator

from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.prefixed import local_path

__all__ = ["Overlay"]


class Overlay:
    """What `base` holds, and over it what was written here.

    Args:
        base: the storage below; None for an empty one.
        url: where it would be, if there is none.
    """

    def __init__(self, base: Storage | None, url: str = "") -> None:
        self._base = base
        self._url = base.url if base is not None else url
        self._data: dict[str, bytes | None] = {}  # None: deleted
        self._files: dict[str, str] = {}  # contents that lie in local files; they are not copied

    @property
    def url(self) -> str:
        """That of the storage below."""
        return self._url

    def read(self, key: str) -> bytes:
        """The bytes under `key`; `KeyMissing` if there are none."""
        if key in self._files:
            with open(self._files[key], "rb") as file:
                return file.read()
        if key in self._data:
            data = self._data[key]
            if data is None:
                raise KeyMissing(key)
            return data
        if self._base is None:
            raise KeyMissing(key)
        return self._base.read(key)

    def local_path(self, key: str) -> str | None:
        """The path of the file that holds `key`, or would in the storage below; None where it is in memory."""
        if key in self._files:
            return self._files[key]
        return None if key in self._data or self._base is None else local_path(self._base, key)

    def write(self, key: str, data: bytes) -> None:
        """Keeps `data` under `key`, in memory."""
        self._files.pop(key, None)
        self._data[key] = data

    def create(self, key: str, data: bytes) -> bool:
        """Keeps `data` under `key` in memory, if nothing is there."""
        if self.exists(key):
            return False
        self.write(key, data)
        return True

    def exists(self, key: str) -> bool:
        """Whether something is under `key`."""
        if key in self._files:
            return True
        if key in self._data:
            return self._data[key] is not None
        return self._base is not None and self._base.exists(key)

    def size_bytes(self, key: str) -> int:
        """The number of bytes under `key`; `KeyMissing` if there are none."""
        if key in self._files:
            return os.path.getsize(self._files[key])
        if key in self._data or self._base is None:
            return len(self.read(key))
        return self._base.size_bytes(key)

    def modified_at(self, key: str) -> float:
        """When what is under `key` was written, now for what lies here; `KeyMissing` if nothing is."""
        if key in self._files or key in self._data or self._base is None:
            self.size_bytes(key)  # it is there
            return time.time()
        return self._base.modified_at(key)

    def renew(self, key: str, older_than_seconds: float) -> int:  # noqa: ARG002  # nothing below is touched
        """The size of what is under `key`: whoever only looks relies on nothing; `KeyMissing` if nothing is there."""
        return self.size_bytes(key)

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that begin with `prefix`, sorted."""
        below = self._base.keys(prefix) if self._base is not None else iter(())
        own = {key for key in (*self._data, *self._files) if key.startswith(prefix)}
        return iter(sorted(key for key in {*below, *own} if self.exists(key)) if own else below)

    def folders(self, prefix: str) -> Iterator[str]:
        """The distinct next path parts below `prefix` that hold keys, sorted."""
        below = self._base.folders(prefix) if self._base is not None else iter(())
        own = [key for key in (*self._data, *self._files) if key.startswith(prefix)]
        parts = {key.removeprefix(prefix).split("/")[0] for key in own if "/" in key.removeprefix(prefix)}
        return iter(sorted({*below, *parts}))

    def delete(self, key: str) -> None:
        """Removes what is under `key`, for who looks here."""
        self._files.pop(key, None)
        self._data[key] = None

    def create_from_file(self, key: str, path: str) -> bool:
        """Like `create`, with the content of the local file `path`, which is read when it is asked for."""
        if self.exists(key):
            return False
        self._data.pop(key, None)
        self._files[key] = os.path.abspath(path)
        return True

    def read_to_file(self, key: str, path: str) -> None:
        """Writes the bytes under `key` into the local file `path`; `KeyMissing` if there are none."""
        if key in self._files:
            shutil.copyfile(self._files[key], path)
        elif key in self._data or self._base is None:
            data = self.read(key)  # before there is a file: nothing may be under the key
            with open(path, "wb") as file:
                file.write(data)
        else:
            self._base.read_to_file(key, path)

    def sync(self) -> None:
        """Nothing here has to survive anything."""
