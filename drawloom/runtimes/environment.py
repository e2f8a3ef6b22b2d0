"""What a task's result may depend on beside its code and inputs: the Python version and the installed packages.

Where a task declares packages, their installed versions count; where it declares none, all distributions that can be
seen do, because anything might have been imported. Standard library alone: a step loads this module.
"""

from __future__ import annotations

import re
import sys
from functools import cache

from drawloom.catalog.keys import environment_key
from drawloom.ir.canonical import Json, canonical_json, digest_json
from drawloom.storage.base import Storage

__all__ = ["environment_digest", "environment_tree", "installed", "python_minor", "save_environment"]


def python_minor() -> str:
    """`3.12` and the like, with the implementation's name where it is not CPython."""
    name = "" if sys.implementation.name == "cpython" else f"{sys.implementation.name}-"
    return f"{name}{sys.version_info.major}.{sys.version_info.minor}"


@cache
def environment_digest(packages: tuple[str, ...]) -> str:
    """The digest of the environment a task runs in: that of `environment_tree`.

    Args:
        packages: the requirements the task declares (`pandas>=2`); empty means that all installed ones count.
    """
    return digest_json(environment_tree(packages))


def environment_tree(packages: tuple[str, ...]) -> Json:
    """What is known of the environment a task runs in: `{"python": "3.11", "packages": [[name, version], ...]}`.

    Args:
        packages: as for `environment_digest`; a distribution that isn't there has the version "".
    """
    found = [(name, _version(name)) for name in sorted({normal_name(p) for p in packages})] if packages else installed()
    return {"python": python_minor(), "packages": [list(pair) for pair in found]}


def save_environment(storage: Storage, packages: tuple[str, ...]) -> None:
    """Keeps `environment_tree` under its digest, once: what tells later which package changed.

    Raises:
        StoreError: the storage can't be written.
    """
    key = environment_key(environment_digest(packages))
    if not storage.exists(key):
        storage.create(key, canonical_json(environment_tree(packages)).encode("ascii"))


def normal_name(requirement: str) -> str:
    """The normalised name in a requirement (PEP 508, PEP 503): `Scikit_Learn[extra]>=1` gives `scikit-learn`."""
    found = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", requirement)
    return re.sub(r"[-_.]+", "-", found.group(1)).lower() if found else requirement.strip()


@cache
def _version(name: str) -> str:
    seen = dict(installed()).get(name)
    if seen:
        return seen
    from importlib import metadata  # 20 ms: only for what lies in an archive or under a finder of its own

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


@cache
def installed() -> tuple[tuple[str, str], ...]:
    """(normalised name, version) of every distribution on `sys.path`, sorted; the first of a name counts, as on import.

    Read from the names of the metadata folders alone (`name-version.dist-info`, PEP 376 and the wheel format): opening
    each of some hundred files would cost more than many a task.
    """
    import os

    found: dict[str, str] = {}
    for place in sys.path:
        try:
            entries = os.listdir(place or ".")
        except OSError:
            continue
        for entry in entries:
            stem, dot, kind = entry.rpartition(".")
            if dot and kind in ("dist-info", "egg-info"):
                name, _, version = stem.partition("-")
                found.setdefault(normal_name(name), version)
    found.pop("drawloom", None)  # its results don't depend on it, and in a bundle it isn't installed
    return tuple(sorted(found.items()))
