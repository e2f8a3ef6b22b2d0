"""`External`: data that stays where it is and is handed over by reference, with the version it was seen at.

Standard library alone for local files; other URIs ask fsspec, which is imported then.
"""

from __future__ import annotations

import os
from typing import Any

from drawloom.values.problems import refused

__all__ = ["External", "observe"]

# what the file systems of fsspec call the thing that changes with the content, the surest first
_VERSION_KEYS = (
    "VersionId",
    "version_id",
    "generation",
    "ETag",
    "etag",
    "e_tag",
    "md5Hash",
    "md5",
    "checksum",
    "sha256",
)
_TIME_KEYS = ("mtime", "LastModified", "last_modified", "modified", "updated", "created")


class External:
    """Data by reference: never copied into the store.

    Args:
        uri: a path or any URI fsspec knows (`s3://bucket/key`, `https://...`); without credentials in it.
        version: the version it was seen at, "" if nobody has looked yet; set anew whenever it is handed over.
    """

    __slots__ = ("uri", "version")

    def __init__(self, uri: str | os.PathLike[str], version: str = "") -> None:
        self.uri = os.fspath(uri)
        self.version = version

    def open(self, mode: str = "rb") -> Any:
        """Opens it, as the built-in `open` does.

        Raises:
            OSError: it isn't there or can't be read.
        """
        path = _local_path(self.uri)
        if path is not None:
            return open(path, mode, encoding=None if "b" in mode else "utf-8")
        import fsspec

        opened: Any = fsspec.open(self.uri, mode)
        return opened.open()

    def __repr__(self) -> str:
        return f"External({self.uri!r}, version={self.version!r})" if self.version else f"External({self.uri!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, External) and (self.uri, self.version) == (other.uri, other.version)

    def __hash__(self) -> int:
        return hash((self.uri, self.version))


def _local_path(uri: str) -> str | None:
    if uri.startswith("file://"):
        from urllib.parse import unquote

        return unquote(uri.removeprefix("file://"))
    return None if "://" in uri or "::" in uri else uri


def observe(uri: str) -> str:
    """The version of what a URI refers to: the store's own version or etag if it tells one, else size and time.

    Raises:
        ValueRefused: V309, it isn't there, can't be reached, or has nothing that changes with its content.
    """
    path = _local_path(uri)
    try:
        if path is not None:
            found = os.stat(path)
            return f"size={found.st_size};mtime_ns={found.st_mtime_ns}"
        return _remote_version(uri)
    except (OSError, ValueError, ImportError) as error:
        told = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise refused(
            "V309",
            f"the external {uri} can't be observed: {told}",
            "check that it exists and that this user may read it; an External needs a version, so it must be there",
        ) from error


def _remote_version(uri: str) -> str:
    import fsspec

    system, path = fsspec.core.url_to_fs(uri)
    info = system.info(path)
    for key in _VERSION_KEYS:
        if info.get(key):
            return f"{key.lower()}={info[key]}".replace('"', "")
    for key in _TIME_KEYS:
        if info.get(key):
            return f"size={info.get('size')};{key.lower()}={info[key]}"
    raise ValueError("it tells neither a version nor a time of change")
