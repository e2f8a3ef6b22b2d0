"""Folders that last as long as this process: for files that tasks read and write.

Standard library alone: a step loads this module.
"""

from __future__ import annotations

import os
from threading import Lock

__all__ = ["new_folder"]

_lock = Lock()
_roots: dict[tuple[str, int], str] = {}  # (parent, process id) -> this process's folder; a fork gets one of its own
_count = 0


def new_folder(parent: str = "") -> str:
    """Makes an empty folder that nobody else uses; it is removed when this process ends.

    Args:
        parent: the folder to make it in; "" for `DRAWLOOM_SCRATCH`, or else the system's temporary folder.

    Raises:
        OSError: it can't be made there.
    """
    global _count  # one numbering per process
    with _lock:
        _count += 1
        made = os.path.join(_root(parent or os.environ.get("DRAWLOOM_SCRATCH", "")), str(_count))
    os.mkdir(made, 0o700)
    return made


def _root(parent: str) -> str:
    key = (parent, os.getpid())
    found = _roots.get(key)
    if found is None or not os.path.isdir(found):
        import atexit
        import tempfile

        if parent:
            os.makedirs(parent, exist_ok=True)
        found = _roots[key] = tempfile.mkdtemp(prefix="drawloom-", dir=parent or None)
        atexit.register(_remove, found, os.getpid())
    return found


def _remove(folder: str, process: int) -> None:
    if os.getpid() == process:  # a forked child inherits the registration, not the folder
        import shutil

        shutil.rmtree(folder, ignore_errors=True)
