"""The archive runs are carried from one catalog to another in: a zip of a store's files, each with its digest.

`drawloom.json` lists every file under its key with SHA-256 and size, so that what isn't listed, listed twice, of
another size or of other bytes is refused before anything is written. An archive is a file from anybody: nothing in it
is believed, and nothing is unpacked by its name.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

from drawloom.errors import Diagnostic, Span, StoreError
from drawloom.storage.base import KeyMissing
from drawloom.storage.problems import is_key

__all__ = ["ARCHIVE_FORMAT", "LIMIT_BYTES", "MANIFEST", "ArchiveReader", "corrupt", "hostile"]

ARCHIVE_FORMAT: Final = 0
MANIFEST: Final = "drawloom.json"
LIMIT_BYTES: Final = 64 << 30
_MANIFEST_LIMIT_BYTES: Final = 256 << 20
_CHUNK_BYTES: Final = 1 << 20
_ROOMS: Final = ("objects/", "programs/", "functions/", "environments/", "bundles/", "runs/")
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGED: Final = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)
_HEX: Final = frozenset("0123456789abcdef")


class ArchiveReader:
    """An archive that is open for reading; a part of `storage.base.Storage`, by the same keys.

    Args:
        path: the file.
        limit_bytes: how much all of it may unpack to.

    Raises:
        StoreError: S489, the file can't be read; S490, it is no archive of drawloom's, or damaged; S491, it is made to
            do harm.
    """

    def __init__(self, path: str, limit_bytes: int = LIMIT_BYTES) -> None:
        self.path = path
        try:
            self._size = os.path.getsize(path)
            self._zip = zipfile.ZipFile(path)
        except OSError as error:
            raise StoreError(_unreadable(path, error)) from error
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise StoreError(corrupt(path, f"it is no zip file ({error})")) from error
        try:
            self.manifest = self._read_manifest()
            self.files: dict[str, tuple[str, int]] = self._files()
            self._check_entries(limit_bytes)
        except BaseException:
            self._zip.close()
            raise

    def close(self) -> None:
        """Closes the file."""
        self._zip.close()

    def __enter__(self) -> ArchiveReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def runs(self) -> list[str]:
        """The ids of the runs whose beginning is in it, sorted."""
        return sorted(key.split("/")[1] for key in self.files if key.startswith("runs/") and key.endswith("/run.json"))

    @property
    def size_bytes(self) -> int:
        """What all files have together, unpacked."""
        return sum(size for _, size in self.files.values())

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that begin with `prefix`, sorted."""
        return iter(sorted(key for key in self.files if key.startswith(prefix)))

    def folders(self, prefix: str) -> Iterator[str]:
        """The distinct next path parts below `prefix`, sorted."""
        rests = (key[len(prefix) :] for key in self.keys(prefix))
        return iter(sorted({rest.partition("/")[0] for rest in rests if "/" in rest}))

    def read(self, key: str) -> bytes:
        """The bytes under `key`, verified; `KeyMissing` if there are none."""
        with self.open(key) as chunks:
            return b"".join(chunks)

    @contextmanager
    def open(self, key: str) -> Iterator[Iterator[bytes]]:
        """The bytes under `key` in chunks; whoever takes all of them has verified ones, else S492 is raised."""
        if key not in self.files:
            raise KeyMissing(key)
        try:
            file = self._zip.open(key)
        except _DAMAGED as error:
            raise StoreError(corrupt(self.path, f"{key} can't be unpacked ({error})")) from error
        with file:
            yield self._verified(file, key)

    def _verified(self, file: IO[bytes], key: str) -> Iterator[bytes]:
        sha, size = self.files[key]
        digest = hashlib.sha256()
        while size >= 0:
            try:
                chunk = file.read(min(_CHUNK_BYTES, size + 1))  # one byte more than it may have shows that it has more
            except _DAMAGED as error:
                raise StoreError(corrupt(self.path, f"{key} can't be unpacked ({error})")) from error
            if not chunk:
                break
            size -= len(chunk)
            digest.update(chunk)
            if size >= 0:
                yield chunk
        if size != 0 or digest.hexdigest() != sha:
            raise StoreError(_wrong_digest(self.path, key))

    def _read_manifest(self) -> dict[str, Any]:
        try:
            entry = self._zip.getinfo(MANIFEST)
            if entry.file_size > _MANIFEST_LIMIT_BYTES:
                raise StoreError(hostile(self.path, f"its {MANIFEST} has {entry.file_size} bytes"))
            with self._zip.open(entry) as file:
                tree = json.loads(file.read(_MANIFEST_LIMIT_BYTES))
        except KeyError:
            raise StoreError(corrupt(self.path, f"it has no {MANIFEST}")) from None
        except RecursionError:
            raise StoreError(hostile(self.path, f"its {MANIFEST} is nested too deep")) from None
        except _DAMAGED as error:
            raise StoreError(corrupt(self.path, f"its {MANIFEST} can't be read ({error})")) from error
        if not isinstance(tree, dict) or type(tree.get("format")) is not int:
            raise StoreError(corrupt(self.path, f"its {MANIFEST} doesn't say which format it has"))
        if tree["format"] > ARCHIVE_FORMAT:
            what = f"it has format {tree['format']}; this drawloom reads up to format {ARCHIVE_FORMAT}"
            raise StoreError(corrupt(self.path, what, "upgrade drawloom (`pip install --upgrade drawloom`)"))
        return tree

    def _files(self) -> dict[str, tuple[str, int]]:
        listed = self.manifest.get("files")
        if not isinstance(listed, dict):
            raise StoreError(corrupt(self.path, f"its {MANIFEST} lists no files"))
        found = {}
        for key, facts in listed.items():
            if not (isinstance(facts, list) and len(facts) == 2 and _is_digest(facts[0]) and type(facts[1]) is int):
                raise StoreError(corrupt(self.path, f"its {MANIFEST} doesn't tell digest and size of {key[:80]!r}"))
            if not is_key(key) or not key.startswith(_ROOMS) or facts[1] < 0:
                raise StoreError(hostile(self.path, f"it lists {key[:80]!r}, which is no key of a run or an object"))
            if _digest_in(key) not in ("", facts[0]):
                raise StoreError(_wrong_digest(self.path, key))
            found[key] = (facts[0], facts[1])
        return found

    def _check_entries(self, limit_bytes: int) -> None:
        names = [entry.filename for entry in self._zip.infolist()]
        if len(names) != len(set(names)):
            raise StoreError(hostile(self.path, "it has two entries of one name"))
        if set(names) != {MANIFEST, *self.files}:
            odd = min(set(names) ^ {MANIFEST, *self.files})
            raise StoreError(hostile(self.path, f"{odd[:80]!r} is not both listed and there"))
        packed = 0
        for entry in self._zip.infolist():
            packed += entry.compress_size
            if entry.flag_bits & 0x1 or entry.compress_type not in _METHODS:
                raise StoreError(hostile(self.path, f"{entry.filename!r} is encrypted, or packed in an odd way"))
            if entry.filename != MANIFEST and entry.file_size != self.files[entry.filename][1]:
                raise StoreError(hostile(self.path, f"{entry.filename!r} doesn't have the size that is listed"))
        if packed > self._size:
            raise StoreError(hostile(self.path, "its entries overlap: they have more bytes than the file"))
        if self.size_bytes > limit_bytes:
            what = f"it would unpack to {self.size_bytes} bytes; at most {limit_bytes} are taken"
            raise StoreError(hostile(self.path, what, "if you trust it, allow more: `--limit-gb`"))


def _is_digest(text: object) -> bool:
    return isinstance(text, str) and len(text) == 64 and set(text) <= _HEX


def _digest_in(key: str) -> str:
    """The SHA-256 that the bytes under a key must have, "" where the key doesn't say."""
    parts = key.split("/")
    if parts[0] == "objects":
        return "".join(parts[1:]) or "-"
    if parts[0] == "bundles":
        return parts[-1].removesuffix(".zip")
    if parts[0] == "programs" and parts[-1] == "pipeline.json" and len(parts) == 3:
        return parts[1]
    return ""


def corrupt(path: str, why: str, fix: str = "export it again, and carry it over in binary mode") -> Diagnostic:
    """The archive can't be read (S490)."""
    return Diagnostic(
        "S490", f"this is no whole archive of drawloom's: {why}; nothing was imported", Span(path, 0), fix
    )


def hostile(
    path: str, why: str, fix: str = "don't use it: no `drawloom catalog export` makes such a file"
) -> Diagnostic:
    """The archive is made to do harm (S491)."""
    return Diagnostic("S491", f"the archive is refused: {why}; nothing was imported", Span(path, 0), fix)


def _wrong_digest(path: str, key: str) -> Diagnostic:
    what = f"the archive is damaged: {key} doesn't have its digest or size; nothing was imported"
    return Diagnostic("S492", what, Span(path, 0), "export it again, and carry it over in binary mode")


def _unreadable(path: str, error: OSError) -> Diagnostic:
    what = f"the archive can't be read: {error.strerror or error}"
    return Diagnostic("S489", what, Span(path, 0), "check the path, and that the file may be read")
