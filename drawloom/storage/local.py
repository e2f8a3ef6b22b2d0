"""A store in a local folder.

Every file appears under its name complete or not at all: it is written under `.tmp/` first, then renamed (`write`) or
hard-linked (`create`) to its name. A link to a name that exists fails in the file system itself, so of any number of
processes, and of machines that share the folder, exactly one creates a key. Files are read-only (0444): nothing in a
store is ever changed in place. A writer that is killed leaves a file in `.tmp/` at most, which no reader sees and
`clean` removes. Standard library alone: a step loads this module.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache

from drawloom.storage.base import KeyMissing
from drawloom.storage.problems import check_key, check_prefix, from_os_error, is_key, store_error

__all__ = ["LocalStorage"]

_CHUNK_BYTES = 1 << 20
# A writer touches its file with every chunk. One this old has no writer, wherever that ran; or, if its process is gone.
_ABANDONED_SECONDS = 24 * 3600
_ORPHANED_SECONDS = 30  # less than `catalog verify` waits before it tells of one
# What `link` says where a file system has no hard links (exFAT, some FUSE and SMB mounts).
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class LocalStorage:  # over 150 lines: the contract's twelve methods, and two ways to create
    """Bytes under keys in the folder `folder`.

    Args:
        folder: a path; made when first written to.
        durable: whether every write reaches the disk before it returns (slow); without it `sync` does so once.
    """

    def __init__(self, folder: str, *, durable: bool = False) -> None:
        self._root = os.path.abspath(folder)
        self._durable = durable
        self._count = 0

    @property
    def url(self) -> str:
        """The folder's absolute path."""
        return self._root

    def path(self, key: str) -> str:
        """The path of the file that holds, or would hold, `key`."""
        check_key(key, self._root)
        return f"{self._root}/{key}"

    def read(self, key: str) -> bytes:
        """The bytes under `key`; `KeyMissing` if there are none."""
        path = self.path(key)
        try:
            with open(path, "rb") as file:
                return file.read()
        except _MISSING:
            raise KeyMissing(key) from None
        except OSError as error:
            raise from_os_error(error, self._root, "read", path) from error

    def write(self, key: str, data: bytes) -> None:
        """Puts `data` under `key`, replacing what was there, atomically."""
        path = self.path(key)
        try:
            temporary = self._temporary((data,))
            self._place(temporary, path, os.replace)
            self._settle(path)
        except OSError as error:
            raise from_os_error(error, self._root, "write", path) from error

    def create(self, key: str, data: bytes) -> bool:
        """Puts `data` under `key` if nothing is there; False (and no change) if something is."""
        path = self.path(key)
        try:
            return not os.path.lexists(path) and self._create(path, (data,))
        except OSError as error:
            raise from_os_error(error, self._root, "write", path) from error

    def exists(self, key: str) -> bool:
        """Whether something is under `key`."""
        try:
            self.size_bytes(key)
        except KeyMissing:
            return False
        return True

    def size_bytes(self, key: str) -> int:
        """The number of bytes under `key`; `KeyMissing` if there are none."""
        return self._stat(key).st_size

    def modified_at(self, key: str) -> float:
        """When what is under `key` was written or renewed; `KeyMissing` if nothing is."""
        return self._stat(key).st_mtime

    def renew(self, key: str, older_than_seconds: float) -> int:
        """Sees to it that what is under `key` counts as young; its size, or `KeyMissing`."""
        found = self._stat(key)
        if time.time() - found.st_mtime > older_than_seconds:
            path = self.path(key)
            try:
                os.utime(path)
            except _MISSING:
                raise KeyMissing(key) from None
            except PermissionError:  # another user's file in a shared folder: its content can be written anew
                self.write(key, self.read(key))
            except OSError as error:
                raise from_os_error(error, self._root, "write", path) from error
        return found.st_size

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that begin with `prefix`, sorted; files that are no keys are not the store's and are passed over."""
        check_prefix(prefix, self._root)
        return self._walk(prefix)

    def folders(self, prefix: str) -> Iterator[str]:
        """The distinct next path parts below `prefix` that hold keys, sorted."""
        check_prefix(prefix, self._root)
        for name, is_folder in self._entries(prefix):
            if is_folder and next(self._walk(f"{prefix}{name}/"), None) is not None:
                yield name

    def delete(self, key: str) -> None:
        """Removes what is under `key`, if anything."""
        path = self.path(key)
        try:
            os.unlink(path)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise from_os_error(error, self._root, "write", path) from error

    def create_from_file(self, key: str, path: str) -> bool:
        """Like `create`, with the content of the local file `path`, copied in chunks."""
        target = self.path(key)
        with open(path, "rb") as source:
            try:
                chunks = iter(lambda: source.read(_CHUNK_BYTES), b"")
                return not os.path.lexists(target) and self._create(target, chunks)
            except OSError as error:
                raise from_os_error(error, self._root, "write", target) from error

    def staged(self) -> str:
        """The path of a new, empty file in the folder, for `create_staged`; if that never comes, `clean` removes it."""
        try:
            path = self._temporary(())
            os.chmod(path, 0o644)
        except OSError as error:
            raise from_os_error(error, self._root, "write", self._root) from error
        return path

    def create_staged(self, key: str, path: str) -> bool:
        """Like `create`, with the file that `staged` made: it becomes the store's without being copied."""
        target = self.path(key)
        try:
            os.chmod(path, 0o444)
            if os.path.lexists(target):
                os.unlink(path)
                return False
            return self._link(path, target)
        except OSError as error:
            raise from_os_error(error, self._root, "write", target) from error

    def read_to_file(self, key: str, path: str) -> None:
        """Writes the bytes under `key` into the local file `path`; `KeyMissing` if there are none."""
        source = self.path(key)
        try:
            file = open(source, "rb")  # noqa: SIM115 closed below; an error of the target is not the store's
        except _MISSING:
            raise KeyMissing(key) from None
        except OSError as error:
            raise from_os_error(error, self._root, "read", source) from error
        with file, open(path, "wb") as target:
            while chunk := file.read(_CHUNK_BYTES):
                target.write(chunk)

    def sync(self) -> None:
        """Returns when everything written to the folder so far, by any process, survives a loss of power."""
        if not os.path.isdir(self._root):
            return
        try:
            _sync_file_system(self._root)
        except OSError as error:
            raise from_os_error(error, self._root, "write", self._root) from error

    def clean(self) -> int:
        """Removes what killed writers left under `.tmp/`; the number of files removed.

        Those of this machine's processes that are gone after half a minute, those of other machines after a day.
        """
        removed = 0
        now = time.time()
        with (
            suppress(OSError),
            os.scandir(f"{self._root}/.tmp") as entries,
        ):  # what can't be done now is done another time
            for entry in entries:
                with suppress(OSError):
                    age = now - entry.stat(follow_symlinks=False).st_mtime
                    if age > _ABANDONED_SECONDS or (age > _ORPHANED_SECONDS and _is_orphan(entry.name)):
                        os.unlink(entry.path)
                        removed += 1
        return removed

    def _stat(self, key: str) -> os.stat_result:
        path = self.path(key)
        try:
            found = os.stat(path)
        except _MISSING:
            raise KeyMissing(key) from None
        except OSError as error:
            raise from_os_error(error, self._root, "read", path) from error
        if found.st_mode & 0o170000 == 0o040000:  # a folder: keys below it, none here
            raise KeyMissing(key)
        return found

    def _walk(self, prefix: str) -> Iterator[str]:
        for name, is_folder in self._entries(prefix):
            if is_folder:
                yield from self._walk(f"{prefix}{name}/")
            else:
                yield prefix + name

    def _entries(self, prefix: str) -> list[tuple[str, bool]]:
        """(name, is a folder) below `prefix`, so ordered that a walk gives sorted keys: a folder sorts as `name/`."""
        folder = f"{self._root}/{prefix}"
        try:
            with os.scandir(folder) as entries:
                found = [(entry.name, entry.is_dir()) for entry in entries if is_key(entry.name)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise from_os_error(error, self._root, "read", folder) from error
        return sorted(found, key=lambda entry: entry[0] + "/" if entry[1] else entry[0])

    def _temporary(self, chunks: Iterator[bytes] | tuple[bytes, ...]) -> str:
        """A new file under `.tmp/` that holds `chunks`; removed again if it can't be written whole."""
        self._count += 1
        path = f"{self._root}/.tmp/{_machine()}-{os.getpid():x}-{self._count}-{os.urandom(6).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            handle = os.open(path, flags, 0o444)
        except FileNotFoundError:
            os.makedirs(f"{self._root}/.tmp", exist_ok=True)
            handle = os.open(path, flags, 0o444)
        try:
            try:
                for chunk in chunks:
                    _write_all(handle, chunk)
                if self._durable:
                    os.fsync(handle)
            finally:
                os.close(handle)
        except BaseException:
            os.unlink(path)
            raise
        return path

    def _create(self, path: str, chunks: Iterator[bytes] | tuple[bytes, ...]) -> bool:
        return self._link(self._temporary(chunks), path)

    def _link(self, temporary: str, path: str) -> bool:
        try:
            self._place(temporary, path, os.link)
        except FileExistsError:
            # Over NFS a repeated request may say so of the link it made itself: the link count tells (open(2), NOTES).
            made = os.stat(temporary).st_nlink == 2
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._rename_under_lock(temporary, path)
        else:
            made = True
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
        self._settle(path)
        return made

    def _place(self, temporary: str, path: str, place: Callable[[str, str], None]) -> None:
        """Gives the temporary file its name by `place` (`os.link` or `os.replace`), making the folders above it."""
        try:
            try:
                place(temporary, path)
            except FileNotFoundError:
                self._make_folders(path)
                place(temporary, path)
        except BaseException:
            if place is os.replace:
                os.unlink(temporary)
            raise

    def _rename_under_lock(self, temporary: str, path: str) -> bool:
        """`create` where there are no hard links: whoever holds the folder's lock looks, then renames.

        The lock is the kernel's (`flock`), so that of a killed process is free again. Every process finds the same lack
        of links and so takes the same lock; between machines it holds as far as the mount carries `flock`.
        """
        import fcntl  # only such file systems need it

        handle = os.open(f"{self._root}/.create.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
            except OSError as error:
                raise _no_create(self._root) from error
            if os.path.lexists(path):
                return False
            self._make_folders(path)
            os.rename(temporary, path)
        finally:
            os.close(handle)
        self._settle(path)
        return True

    def _make_folders(self, path: str) -> None:
        folder = os.path.dirname(path)
        os.makedirs(folder, exist_ok=True)
        while self._durable and len(folder) > len(self._root):
            self._settle(folder)
            folder = os.path.dirname(folder)

    def _settle(self, path: str) -> None:
        """The entry for `path` in its folder reaches the disk too, where the storage is durable."""
        if self._durable:
            handle = os.open(os.path.dirname(path), os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


@cache
def _machine() -> str:
    """What process ids are of one kind in: the machine, on Linux the container."""
    space = 0
    with suppress(OSError):
        space = os.stat("/proc/self/ns/pid").st_ino
    return hashlib.sha256(f"{os.uname().nodename} {space}".encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _is_orphan(name: str) -> bool:
    """Whether a temporary file's writer was a process of this machine that is gone."""
    parts = name.split("-")
    if len(parts) != 4 or parts[0] != _machine():
        return False
    try:
        os.kill(int(parts[1], 16), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, OverflowError):
        return False
    return False


def _no_create(url: str) -> Exception:
    return store_error(
        "S410",
        f"the store {url} can't create a file only if it is absent: its file system has neither hard links nor locks",
        url,
        "keep the store on a local disk, on NFS, or in an object store with conditional writes (s3://)",
    )


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]  # a write may be short where the disk fills up


def _sync_file_system(path: str) -> None:
    """syncfs(2) where there is one, else sync(2): one call for thousands of small files, other processes' included."""
    if sys.platform == "linux":
        import ctypes  # 5 ms, paid once at the end of a run

        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.syncfs(handle) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
        finally:
            os.close(handle)
    else:
        os.sync()
