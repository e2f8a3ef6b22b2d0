"""Where what can be made anew lies: indexes and profiles, in a folder of this machine, apart for each project."""

from __future__ import annotations

import os

from drawloom.ir.canonical import digest_bytes

__all__ = ["cache_folder"]


def cache_folder(url: str) -> str | None:
    """The folder for the project at `url`; None if there is no place for one.

    `DRAWLOOM_CACHE` names the folder above it; else that is `drawloom` in `XDG_CACHE_HOME` or `~/.cache`.
    """
    folder = os.environ.get("DRAWLOOM_CACHE")
    if not folder:
        home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        if home.startswith("~"):  # this user has no home
            return None
        folder = os.path.join(home, "drawloom")
    return os.path.join(os.path.abspath(folder), digest_bytes(url.encode("utf-8", "surrogatepass"))[:40])
