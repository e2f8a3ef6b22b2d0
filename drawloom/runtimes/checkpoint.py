"""`Checkpoint`: a folder in which a task keeps how far it is, so that a later attempt goes on from there.

It belongs to a node instance. A later attempt of the same run finds it, also when the process of the one before was
killed; so does a later run that would do the very same (same code, inputs and environment: the cache key is part of the
folder's name), unless the node isn't cacheable or the run was told not to use the cache. It is removed when the node
succeeds. In a local store the task works in the store's own folder. From a remote store it is fetched when the task
asks for it, and sent back by `commit` and when an attempt fails.
Standard library alone: a step loads this module once a task asks for its checkpoint.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Protocol

from drawloom.catalog.keys import checkpoint_prefix, name_digest
from drawloom.ir.canonical import canonical_json, digest_json
from drawloom.runtimes.tracking import active_log, check_name, told_outside
from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.prefixed import local_path
from drawloom.storage.problems import from_os_error
from drawloom.values.scratch import new_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Checkpoint", "checkpoint_name", "discard"]

# Any: what is saved is any value a codec knows

_MOST_AT_ONCE: Final = 16  # runs that do the very same at the same time and have a folder each
_SAVED: Final = ".drawloom"  # in the folder: what `save` keeps
_LOCK: Final = "lock"
_FILES: Final = "files"
_MANIFEST: Final = "manifest.json"


class Checkpoint:
    """The folder of the node instance whose task makes this object; outside a task an empty temporary folder.

    Any number of objects made in one attempt stand for the same folder.

    Raises:
        ValueRefused: D136, the attempt has ended, or goes on in another process.
        DefinitionError: D130, in a pipeline that is being traced.
        StoreError: the folder can't be made or fetched.
    """

    def __init__(self) -> None:
        log = active_log()
        if log is None or not log.place:
            self._folder: _Folder = _Temporary()
            told_outside("Checkpoint", f"checkpoint in the temporary folder {self._folder.path}")
            return
        if log.checkpoint is None:
            log.checkpoint = _open(log.place, log.values.objects.storage)
        self._folder = log.checkpoint

    @property
    def path(self) -> Path:
        """The folder. A file that is being written when the process is killed stays half-written: write it under
        another name and rename it, or use `save`."""
        from pathlib import Path

        return Path(self._folder.path)

    def save(self, name: str, value: Any) -> None:
        """Keep a value in place of the one saved under this name before; a killed process leaves one or the other.

        Args:
            name: what it is called; as for `log_metric`.
            value: any value a task can return without naming a codec.

        Raises:
            ValueRefused: D131, the name can't be one; V301 to V312, the value can't be kept.
            StoreError: the folder can't be written.
        """
        check_name(name)
        home = self._home(name)
        token = os.urandom(8).hex()
        values, storage = _values(f"{home}/{token}")
        storage.write("tree.json", canonical_json(values.encode(value, what=f"{name!r}")).encode("ascii"))
        try:
            with open(f"{home}/{token}.part", "w", encoding="ascii") as file:
                file.write(token)
            os.replace(f"{home}/{token}.part", f"{home}/current")
        except OSError as error:
            raise from_os_error(error, self._folder.path, "write", home) from error
        _remove_others(home, token)

    def load(self, name: str, default: Any = None) -> Any:
        """The value saved under this name, by this attempt or an earlier one.

        Args:
            name: of `save`.
            default: what to return if nothing was saved.

        Raises:
            ValueRefused: D131; V307, what was saved can't be read with the code as it is now.
            StoreError: what was saved is damaged.
        """
        check_name(name)
        home = self._home(name)
        try:
            with open(f"{home}/current", encoding="ascii") as file:
                token = file.read()
        except FileNotFoundError:
            return default
        values, storage = _values(f"{home}/{token}")
        return values.decode(json.loads(storage.read("tree.json")))

    def commit(self) -> None:
        """Send what is in the folder to a remote store, so that it outlives this machine; on a local store it does.

        Raises:
            StoreError: the store can't be written.
        """
        self._folder.commit()

    def __repr__(self) -> str:
        return f"Checkpoint({self._folder.path!r})"

    def _home(self, name: str) -> str:
        return os.path.join(self._folder.path, _SAVED, name_digest(name))


def _values(folder: str) -> tuple[Any, Any]:
    from drawloom.storage.local import LocalStorage
    from drawloom.storage.objects import Objects
    from drawloom.values.store import Values

    storage = LocalStorage(folder)
    return Values(Objects(storage)), storage


def _remove_others(home: str, token: str) -> None:
    import shutil

    for name in os.listdir(home):
        if name not in (token, "current"):
            shutil.rmtree(os.path.join(home, name), ignore_errors=True)


def discard(storage: Storage, name: str) -> None:
    """Removes the checkpoint `name`, unless another attempt is using it by now.

    Args:
        storage: the project's storage.
        name: `Tracked.checkpoint`.

    Raises:
        StoreError: a remote store can't be written.
    """
    prefix = checkpoint_prefix(name)
    lock = local_path(storage, prefix + _LOCK)
    if lock is None:
        storage.delete(prefix + _MANIFEST)
        for key in list(storage.keys(prefix)):
            storage.delete(key)
        return
    from drawloom.catalog.checkpoints import remove_folder  # tasks that keep theirs don't pay for it

    held = _locked(lock)
    if held is not None:
        remove_folder(os.path.dirname(lock))
        os.close(held)


# where a folder is


class _Folder(Protocol):
    path: str

    def commit(self) -> None: ...

    def leave(self, succeeded: bool) -> str:
        """The attempt is over; returns what `discard` is to be told once the node has its commit."""
        ...


class _Temporary:
    """Outside a task."""

    def __init__(self) -> None:
        self.path = os.path.abspath(new_folder())

    def commit(self) -> None: ...

    def leave(self, succeeded: bool) -> str:  # noqa: ARG002
        return ""


class _Local:
    """A folder in a local store; `lock` is held as long as the attempt goes on."""

    def __init__(self, name: str, lock: int, path: str) -> None:
        self.path = path
        self._name = name
        self._lock = lock

    def commit(self) -> None: ...

    def leave(self, succeeded: bool) -> str:  # noqa: ARG002
        os.close(self._lock)
        return self._name


class _Remote:
    """A copy of what a remote store has. A manifest tells which files belong to it; it is replaced as a whole."""

    def __init__(self, name: str, storage: Storage) -> None:
        self.path = os.path.abspath(new_folder())
        self._name = name
        self._prefix = checkpoint_prefix(name)
        self._storage = storage
        self._kept: set[str] = set()  # the keys that the manifest in the store names
        try:
            manifest = storage.read(self._prefix + _MANIFEST)
        except KeyMissing:
            return
        try:
            self._fetch(json.loads(manifest))
        except (LookupError, ValueError, TypeError):  # another attempt has replaced it meanwhile, or it is damaged
            self.path = os.path.abspath(new_folder())

    def _fetch(self, manifest: Any) -> None:
        for folder in manifest["folders"]:
            os.makedirs(self._inside(folder), exist_ok=True)
        for name, sha in manifest["files"]:
            path = self._inside(name)
            self._storage.read_to_file(self._key(sha), path)
            if _digest(path) != sha:
                raise ValueError(name)
            os.chmod(path, 0o600)
            self._kept.add(self._key(sha))

    def commit(self) -> None:
        folders, files = [], []
        for at, inner, names in os.walk(self.path):
            here = os.path.relpath(at, self.path)
            folders += [os.path.normpath(os.path.join(here, name)) for name in inner]
            files += [os.path.normpath(os.path.join(here, name)) for name in names]
        told = []
        for name in sorted(files):
            path = os.path.join(self.path, name)
            told.append([name, _digest(path)])
            self._storage.create_from_file(self._key(told[-1][1]), path)
        manifest = {"folders": sorted(folders), "files": told}
        self._storage.write(self._prefix + _MANIFEST, canonical_json(manifest).encode("ascii"))
        kept = {self._key(sha) for _, sha in told}
        for key in self._kept - kept:
            self._storage.delete(key)
        self._kept = kept

    def leave(self, succeeded: bool) -> str:
        if not succeeded and (self._kept or os.listdir(self.path)):
            self.commit()
        return self._name

    def _inside(self, name: str) -> str:
        path = os.path.normpath(os.path.join(self.path, name))
        if not path.startswith(self.path + os.sep):  # somebody else wrote the manifest
            raise ValueError(name)
        return path

    def _key(self, sha: str) -> str:
        return f"{self._prefix}{_FILES}/{sha}"


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        digest = sha256()
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def checkpoint_name(place: tuple[Any, ...], number: int = 0) -> str:
    """The name of the checkpoint of an instance.

    Args:
        place: (run or cache key, node, index).
        number: which of those that runs at the very same have beside each other.
    """
    source, node, index = place
    return digest_json([source, node, list(index), *([number] if number else [])])[:40]


def _open(place: tuple[Any, ...], storage: Storage) -> _Folder:
    """The folder of an instance; where another run is at the very same just now, one beside it."""
    for number in range(_MOST_AT_ONCE):
        name = checkpoint_name(place, number)
        lock = local_path(storage, checkpoint_prefix(name) + _LOCK)
        if lock is None:
            return _Remote(name, storage)
        try:
            held = _locked(lock)
            if held is not None:
                path = os.path.join(os.path.dirname(lock), _FILES)
                os.makedirs(path, exist_ok=True)
                return _Local(name, held, path)
        except OSError as error:
            raise from_os_error(error, storage.url, "write", lock) from error
    return _Temporary()


def _locked(path: str) -> int | None:
    """A descriptor that holds the lock of the file `path`, None if another attempt holds it; killing frees it."""
    while True:
        with suppress(FileNotFoundError, FileExistsError):  # its folder was removed at this moment
            os.makedirs(os.path.dirname(path), exist_ok=True)
            held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(held), os.stat(path)):  # else it is the lock of what was removed
                    return held
            except BlockingIOError:
                os.close(held)
                return None
            except FileNotFoundError:
                pass
            os.close(held)
