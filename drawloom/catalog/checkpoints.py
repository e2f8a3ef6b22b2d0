"""Old checkpoints: folders of tasks that were never finished, which nobody has touched for a week."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.prefixed import local_path

__all__ = ["remove_checkpoints"]

_UNTOUCHED_SECONDS: Final = 7 * 24 * 3600.0


def remove_checkpoints(
    storage: Storage, now: float, running_since: float | None, dry_run: bool
) -> list[tuple[str, int]]:
    """Removes the checkpoints nobody has written to for a week, nor since the oldest run that goes on began.

    Args:
        storage: the project's storage.
        now: the time by the store's clock, in seconds since the epoch.
        running_since: when the oldest run that hasn't ended began, None if all have.
        dry_run: whether they only are looked at.

    Returns:
        The name and the bytes of each.
    """
    limit = now - _UNTOUCHED_SECONDS
    if running_since is not None:
        limit = min(limit, running_since)
    path = local_path(storage, "checkpoints/x")
    if path is not None:
        return list(_in_folder(os.path.dirname(path), limit, dry_run))
    return list(_in_store(storage, limit, dry_run))


def _in_folder(root: str, limit: float, dry_run: bool) -> Iterator[tuple[str, int]]:
    """In a local store a task works in the folder itself: its files have any name, and a lock tells whether it does."""
    try:
        names = sorted(os.listdir(root))
    except FileNotFoundError:
        return
    for name in names:
        folder = os.path.join(root, name)
        with _unlocked(folder) as free:
            if not free:
                continue
            size, newest = 0, 0.0
            for place, _, files in os.walk(folder):
                for file in [os.path.join(place, one) for one in files] + [place]:
                    with suppress(OSError):
                        found = os.lstat(file)
                        newest = max(newest, found.st_mtime)
                        size += found.st_size if file != place else 0
            if newest >= limit:
                continue
            if not dry_run:
                remove_folder(folder)
            yield name, size


def remove_folder(folder: str) -> None:
    """Removes a checkpoint of a local store, whose lock the caller holds.

    Args:
        folder: its path.
    """
    lock = os.path.join(folder, "lock")
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.path != lock:
                os.unlink(entry.path)
        with suppress(FileNotFoundError):
            os.unlink(lock)  # the last: whoever makes a new one now has a folder in which nothing is removed any more
        os.rmdir(folder)  # not if it has a new lock


@contextmanager
def _unlocked(folder: str) -> Iterator[bool]:
    """Whether no task holds the folder's lock; held until the block ends, so that none begins meanwhile."""
    try:
        handle = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        yield os.path.isdir(folder)
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
    finally:
        os.close(handle)


def _in_store(storage: Storage, limit: float, dry_run: bool) -> Iterator[tuple[str, int]]:
    for name in storage.folders("checkpoints/"):
        found = list(storage.keys(f"checkpoints/{name}/"))
        try:
            if max(storage.modified_at(key) for key in found) >= limit:
                continue
            size = sum(storage.size_bytes(key) for key in found)
        except (KeyMissing, ValueError):
            continue  # its task has just finished
        if not dry_run:
            for key in sorted(found, key=lambda key: not key.endswith("/manifest.json")):
                storage.delete(key)
        yield name, size
