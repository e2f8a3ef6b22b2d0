"""Stores behind fsspec, for the client: S3 through s3fs, and `memory://` for tests within one process.

Only file systems whose create-only write is one are here. A scheme fsspec knows is not enough: most write whatever is
there, or look first and then write, and two attempts could both commit. Those are refused (S410).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import Any  # fsspec and its file systems have no types

from drawloom.errors import StoreError
from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.problems import (
    check_key,
    check_prefix,
    from_os_error,
    is_key,
    no_conditional_write,
    store_error,
    url_refused,
)
from drawloom.storage.s3 import WRITER_HEADER, split_s3_url

__all__ = ["MemoryStorage", "S3fsStorage", "open_remote"]

_CONFLICT_ATTEMPTS = 8
_UPLOADS = 8  # parts of one large object under way at once
_MARK = WRITER_HEADER.removeprefix("x-amz-meta-")


def open_remote(url: str) -> Storage:
    """The storage behind a URL with a scheme of fsspec's.

    Raises:
        StoreError: S410, its file system has no atomic create; S412, there is no such scheme; S420, s3fs is missing.
    """
    scheme = url.partition("://")[0]
    if scheme == "s3":
        return S3fsStorage(url)
    if scheme == "memory":
        return MemoryStorage(url)
    from fsspec.registry import known_implementations

    if scheme in known_implementations:
        raise no_conditional_write(url)
    raise url_refused(url, f"there is no file system for {scheme}://")


class S3fsStorage:  # over 150 lines: the contract's twelve methods, each with its errors told
    """Bytes under keys in a bucket, below a prefix, through s3fs, so with every kind of credentials boto knows.

    Args:
        url: `s3://bucket/prefix`.
    """

    def __init__(self, url: str) -> None:
        self._bucket, self._prefix = split_s3_url(url)
        self._url = f"s3://{self._bucket}/{self._prefix}".rstrip("/")
        try:
            import s3fs
        except ImportError as error:
            raise store_error(
                "S420",
                f"{self._url} needs the package s3fs, which isn't installed",
                self._url,
                "install it: pip install 'drawloom[s3]'",
            ) from error
        # No listing may be kept: other processes write here. One request for one object: parts of an object that is
        # replaced meanwhile would not be of one version.
        # a client of its own: a shared one would keep the endpoint and the credentials of when it was made
        self._s3: Any = s3fs.S3FileSystem(use_listings_cache=False, max_concurrency=1, skip_instance_cache=True)

    def __reduce__(self) -> tuple[type[S3fsStorage], tuple[str]]:
        return (S3fsStorage, (self._url,))

    @property
    def url(self) -> str:
        """`s3://bucket/prefix`."""
        return self._url

    def read(self, key: str) -> bytes:
        """The bytes under `key`; `KeyMissing` if there are none."""
        path = self._path(key)
        try:
            data: bytes = self._s3.cat_file(path)
        except Exception as error:
            raise self._explain(error, "read", key) from error
        return data

    def write(self, key: str, data: bytes) -> None:
        """Puts `data` under `key`, replacing what was there, atomically."""
        path = self._path(key)
        try:
            self._s3.pipe_file(path, data)
        except Exception as error:
            raise self._explain(error, "write", key) from error

    def create(self, key: str, data: bytes) -> bool:
        """Puts `data` under `key` if nothing is there; False (and no change) if something is."""
        path = self._path(key)
        return self._create(key, lambda more: self._s3.pipe_file(path, data, mode="create", Metadata=more))

    def exists(self, key: str) -> bool:
        """Whether something is under `key`."""
        try:
            self._head(key)
        except KeyMissing:
            return False
        return True

    def size_bytes(self, key: str) -> int:
        """The number of bytes under `key`; `KeyMissing` if there are none."""
        return int(self._head(key)["ContentLength"])

    def modified_at(self, key: str) -> float:
        """When what is under `key` was written or renewed; `KeyMissing` if nothing is."""
        return float(self._head(key)["LastModified"].timestamp())

    def renew(self, key: str, older_than_seconds: float) -> int:
        """Sees to it that what is under `key` counts as young; its size, or `KeyMissing`. An old object is copied."""
        head = self._head(key)
        if time.time() - head["LastModified"].timestamp() > older_than_seconds:
            path = self._path(key)
            try:
                self._s3.cp_file(path, path, MetadataDirective="REPLACE", Metadata=head["Metadata"])
            except Exception as error:
                raise self._explain(error, "read", key) from error
        return int(head["ContentLength"])

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that begin with `prefix`, sorted; objects that are no keys are passed over."""
        check_prefix(prefix, self._url)
        start = f"{self._bucket}/{self._prefix}"
        try:
            found = self._s3.find(start + prefix)
        except Exception as error:
            raise self._explain(error, "list", prefix) from error
        yield from sorted(
            path[len(start) :] for path in found if path.startswith(start + prefix) and is_key(path[len(start) :])
        )

    def folders(self, prefix: str) -> Iterator[str]:
        """The distinct next path parts below `prefix` that hold keys, sorted."""
        check_prefix(prefix, self._url)
        try:
            found = self._s3.ls(f"{self._bucket}/{self._prefix}{prefix}", detail=True)
        except FileNotFoundError:
            return
        except Exception as error:
            raise self._explain(error, "list", prefix) from error
        names = {entry["name"].rstrip("/").rpartition("/")[2] for entry in found if entry["type"] == "directory"}
        yield from sorted(name for name in names if is_key(name))

    def delete(self, key: str) -> None:
        """Removes what is under `key`, if anything."""
        path = self._path(key)
        try:
            self._s3.rm_file(path)
        except FileNotFoundError:
            return
        except Exception as error:
            raise self._explain(error, "write", key) from error

    def create_from_file(self, key: str, path: str) -> bool:
        """Like `create`, with the content of the local file `path`; a large one goes in parts."""
        target = self._path(key)
        os.stat(path)  # an error of the caller's file is not the store's

        def put(more: dict[str, str]) -> object:
            return self._s3.put_file(path, target, mode="create", Metadata=more, max_concurrency=_UPLOADS)

        return self._create(key, put)

    def read_to_file(self, key: str, path: str) -> None:
        """Writes the bytes under `key` into the local file `path`, streamed; `KeyMissing` if there are none."""
        source = self._path(key)
        self._head(key)  # s3fs takes a key that isn't there for a folder and makes one
        with open(path, "wb"):  # an error of the caller's file is not the store's
            pass
        try:
            self._s3.get_file(source, path)
        except Exception as error:
            raise self._explain(error, "read", key) from error

    def sync(self) -> None:
        """Nothing: what S3 has answered for survives."""

    def _create(self, key: str, put: Any) -> bool:
        """A conditional write; botocore sends it again if the answer was lost, so it may find its own object."""
        mark = os.urandom(8).hex()
        for attempt in range(_CONFLICT_ATTEMPTS):
            try:
                put({_MARK: mark})
            except FileExistsError:
                return bool(self._head(key)["Metadata"].get(_MARK) == mark)
            except Exception as error:
                if attempt + 1 < _CONFLICT_ATTEMPTS and _code(error) == "ConditionalRequestConflict":
                    continue
                raise self._explain(error, "write", key) from error
            else:
                return True
        return False

    def _head(self, key: str) -> Any:
        path = self._path(key)
        try:
            return self._s3.call_s3("head_object", Bucket=self._bucket, Key=path[len(self._bucket) + 1 :])
        except Exception as error:
            raise self._explain(error, "read", key) from error

    def _path(self, key: str) -> str:
        check_key(key, self._url)
        return f"{self._bucket}/{self._prefix}{key}"

    def _explain(self, error: Exception, verb: str, key: str) -> Exception:
        where = f"{self._url}/{key}"
        code = _code(error)
        if verb == "read" and isinstance(error, FileNotFoundError) and code != "NoSuchBucket":
            return KeyMissing(key)
        if code == "NotImplemented":
            return no_conditional_write(self._url)
        if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"):
            return store_error(
                "S418",
                "there are no credentials for S3",
                where,
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or log in with `aws sso login`",
            )
        if isinstance(error, PermissionError):
            return store_error(
                "S417",
                f"S3 doesn't let these credentials {verb} in {self._url}: {code or error}",
                where,
                "give them s3:GetObject, s3:PutObject, s3:DeleteObject on the prefix and s3:ListBucket on the bucket",
            )
        return store_error(
            "S404",
            f"can't {verb} in the store {self._url}: {code or error}",
            where,
            "check that the bucket exists in this region and that the endpoint is right; then try again",
        )


def _code(error: BaseException) -> str:
    """S3's error code behind an exception of s3fs, "" if there is none."""
    response = getattr(error if hasattr(error, "response") else error.__cause__, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


_memory_lock = threading.Lock()


class MemoryStorage:
    """Bytes under keys in the memory of this process: for tests and examples, gone when it ends.

    fsspec's memory file system looks before it creates, so a lock of ours makes that one step; no other process can see
    its files.

    Args:
        url: `memory://name`.
    """

    def __init__(self, url: str) -> None:
        from fsspec.implementations.memory import MemoryFileSystem

        self._root = "/" + url.partition("://")[2].strip("/")
        self._url = f"memory:/{self._root}"
        self._files: Any = MemoryFileSystem()

    @property
    def url(self) -> str:
        """`memory://name`."""
        return self._url

    def read(self, key: str) -> bytes:
        """The bytes under `key`; `KeyMissing` if there are none."""
        path = self._path(key)
        try:
            data: bytes = self._files.cat_file(path)
        except (FileNotFoundError, IsADirectoryError):
            raise KeyMissing(key) from None
        return data

    def write(self, key: str, data: bytes) -> None:
        """Puts `data` under `key`, replacing what was there."""
        self._put(key, data)

    def create(self, key: str, data: bytes) -> bool:
        """Puts `data` under `key` if nothing is there; False (and no change) if something is."""
        path = self._path(key)
        with _memory_lock:
            if self._files.exists(path):
                return False
            self._put(key, data)
            return True

    def exists(self, key: str) -> bool:
        """Whether something is under `key`."""
        return bool(self._files.isfile(self._path(key)))

    def size_bytes(self, key: str) -> int:
        """The number of bytes under `key`; `KeyMissing` if there are none."""
        return len(self.read(key))

    def modified_at(self, key: str) -> float:
        """When what is under `key` was written or renewed; `KeyMissing` if nothing is."""
        try:
            return float(self._files.modified(self._path(key)).timestamp())
        except FileNotFoundError:
            raise KeyMissing(key) from None

    def renew(self, key: str, older_than_seconds: float) -> int:
        """Sees to it that what is under `key` counts as young; its size, or `KeyMissing`."""
        with _memory_lock:
            data = self.read(key)
            if time.time() - self.modified_at(key) > older_than_seconds:
                self._put(key, data)
        return len(data)

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that begin with `prefix`, sorted."""
        check_prefix(prefix, self._url)
        start = f"{self._root}/"
        found = [path[len(start) :] for path in list(self._files.store) if path.startswith(start + prefix)]
        yield from sorted(key for key in found if is_key(key))

    def folders(self, prefix: str) -> Iterator[str]:
        """The distinct next path parts below `prefix` that hold keys, sorted."""
        rests = (key[len(prefix) :] for key in self.keys(prefix))
        yield from sorted({rest.partition("/")[0] for rest in rests if "/" in rest})

    def delete(self, key: str) -> None:
        """Removes what is under `key`, if anything."""
        self._files.store.pop(self._path(key), None)

    def create_from_file(self, key: str, path: str) -> bool:
        """Like `create`, with the content of the local file `path`."""
        with open(path, "rb") as file:
            return self.create(key, file.read())

    def read_to_file(self, key: str, path: str) -> None:
        """Writes the bytes under `key` into the local file `path`; `KeyMissing` if there are none."""
        data = self.read(key)
        with open(path, "wb") as file:
            file.write(data)

    def sync(self) -> None:
        """Nothing: memory survives no loss of power, and this storage promises none."""

    def _put(self, key: str, data: bytes) -> None:
        path = self._path(key)
        try:
            self._files.pipe_file(path, data)
        except OSError as error:  # a key below another key
            raise _explain_memory(error, self._url, path) from error

    def _path(self, key: str) -> str:
        check_key(key, self._url)
        return f"{self._root}/{key}"


def _explain_memory(error: OSError, url: str, path: str) -> StoreError:
    return from_os_error(error, url, "write", path)
