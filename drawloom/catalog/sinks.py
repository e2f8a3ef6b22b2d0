"""Sinks: where a run writer's lines go, a growing file in a folder or numbered objects on an object store.

And how others see that the writer's process lives: a kernel lock beside the file, which goes when the process does,
however it ends; on an object store, the process id in the writer's name, which tells it on the same machine only.
"""

from __future__ import annotations

import errno
import os
import time
import weakref
from contextlib import suppress
from typing import Protocol

from drawloom.catalog import keys
from drawloom.catalog.segments import encode_end, encode_header
from drawloom.ir.canonical import digest_bytes
from drawloom.storage.base import Storage
from drawloom.storage.problems import from_os_error, store_error

__all__ = ["FileSink", "ObjectSink", "Sink", "is_locked", "writer_is_alive", "writer_name"]


class Sink(Protocol):
    """Takes whole lines; `write` writes all of them or none."""

    def write(self, lines: bytes, count: int) -> tuple[str, int]:
        """Writes `count` lines so that they survive a kill; StoreError if it can't, and then nothing was written.

        Returns:
            The key of the segment they are in, and where in it the first one begins.
        """
        ...

    def end(self) -> None:
        """Says in the log that it is complete."""
        ...

    def release(self) -> None:
        """Lets go of files and locks; the writer no longer counts as alive."""
        ...


def writer_name() -> str:
    """A name for a writer: its start, so that names sort by it, its machine, its process, and chance."""
    return f"{int(time.time() * 1000):012x}-{_machine()}-{os.getpid():x}-{os.urandom(3).hex()}"


def _machine() -> str:
    return digest_bytes(os.uname().nodename.encode("utf-8", "surrogateescape"))[:8]


def writer_is_alive(key: str) -> bool | None:
    """Whether the process named in a segment's key runs; None if it ran on another machine."""
    parts = key.rpartition("/")[2].split("-")
    if len(parts) != 5 or parts[1] != _machine():
        return None
    try:
        os.kill(int(parts[2], 16), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError, OverflowError):
        return None
    return True


class ObjectSink:
    """Segments as objects, one for each write, each complete in itself.

    Args:
        storage: the project's storage.
        run: the run.
        writer: the writer's name.
    """

    def __init__(self, storage: Storage, run: str, writer: str) -> None:
        self._storage = storage
        self._run = run
        self._writer = writer
        self._number = 0
        self.write(b"", 0)  # so that the run shows that it has a writer

    def write(self, lines: bytes, count: int) -> tuple[str, int]:
        """Makes the next segment of `count` lines."""
        key = keys.segment_key(self._run, self._writer, self._number)
        header = encode_header(self._run, whole=True)
        self._storage.write(key, header + lines + encode_end(count))
        self._number += 1
        return key, len(header)

    def end(self) -> None:
        """Nothing is left to say: each segment has its end."""

    def release(self) -> None:
        """Nothing is held."""


class FileSink:
    """One segment as a file that grows.

    Args:
        path: the segment's path.
        key: its key.
        run: the run.
        url: the store, for errors.
    """

    def __init__(self, path: str, key: str, run: str, url: str) -> None:
        self._path = path
        self._key = key
        self._url = url
        self._count = 0
        self._size = 0
        self._file = -1
        self._lock = -1
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self._lock = _take_lock(path)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            self.release()
            raise from_os_error(error, url, "write", path) from error
        _open_sinks.add(self)
        try:
            self.write(encode_header(run, whole=False), 0)
        except BaseException:
            self.release()
            raise

    def write(self, lines: bytes, count: int) -> tuple[str, int]:
        """Appends `count` lines; if they don't all fit, none is left."""
        if self._file < 0:
            raise RuntimeError("a run log can't be written from a forked process")
        view = memoryview(lines)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            os.ftruncate(self._file, self._size)  # half a line followed by whole ones would be corruption
            raise from_os_error(error, self._url, "write", self._path) from error
        start, self._size = self._size, self._size + len(lines)
        self._count += count
        return self._key, start

    def end(self) -> None:
        """Appends the last line, makes the file read-only and forces it to the disk."""
        self.write(encode_end(self._count), 0)
        try:
            os.fchmod(self._file, 0o444)
            os.fsync(self._file)
        except OSError as error:
            raise from_os_error(error, self._url, "write", self._path) from error

    def release(self) -> None:
        """Closes the file and gives the lock back."""
        _open_sinks.discard(self)
        for handle in (self._file, self._lock):
            if handle >= 0:
                os.close(handle)
        self._file = self._lock = -1


_open_sinks: weakref.WeakSet[FileSink] = weakref.WeakSet()


def _release_in_child() -> None:
    # A lock belongs to the open file, which a forked child shares: a child that outlives a killed run would keep it.
    for sink in list(_open_sinks):
        sink.release()


os.register_at_fork(after_in_child=_release_in_child)


def _lock_path(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.lock"  # a dotted name is no key


def _take_lock(path: str) -> int:
    """The handle of a lock file beside the segment `path`; its name appears only once it is locked."""
    import fcntl  # a reader of logs on an object store needs none

    final = _lock_path(path)
    temporary = f"{final}.new"
    handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        with suppress(OSError):  # a mount without locks: the run is written, but nobody can tell that its writer lives
            fcntl.flock(handle, fcntl.LOCK_EX)
        os.rename(temporary, final)
    except BaseException:
        os.close(handle)
        os.unlink(temporary)
        raise
    return handle


def is_locked(path: str) -> bool | None:
    """Whether a living process holds the segment at `path` open for writing; None if the mount carries no locks."""
    import fcntl  # a reader of logs on an object store needs none

    try:
        handle = os.open(_lock_path(path), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False  # a copy of a store: locks don't travel, nor do writers
    except OSError as error:
        raise from_os_error(error, path, "read", path) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL):
            return None
        raise store_error("S404", f"can't look at a lock: {error.strerror}", path, "check the disk or mount") from error
    finally:
        os.close(handle)
    return False
