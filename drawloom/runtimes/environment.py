"""What a task's result may depend on beside its code and inputs: Python, packages, and the image and variables it asks.

Where a task declares packages, their installed versions count; where it declares none, all distributions that can be
seen do, because anything might have been imported. An image counts by its name, beside what is seen in it: it may hold
more than packages, and where there are no images the name is all there is. Standard library alone: a step loads this
module.
"""

from __future__ import annotations

import re
import sys
from functools import cache

from drawloom.catalog.keys import environment_key
from drawloom.ir.canonical import Json, canonical_json, digest_bytes, digest_json
from drawloom.ir.policies import Policies
from drawloom.storage.base import Storage

__all__ = ["environment_digest", "environment_tree", "installed", "python_minor", "save_environment"]


def python_minor() -> str:
    """`3.12` and the like, with the implementation's name where it is not CPython."""
    name = "" if sys.implementation.name == "cpython" else f"{sys.implementation.name}-"
    return f"{name}{sys.version_info.major}.{sys.version_info.minor}"


def environment_digest(policies: Policies) -> str:
    """The digest of the environment a task runs in: that of `environment_tree`.

    Args:
        policies: those of the call: the packages it declares (none means that all installed ones count), its image and
            its variables.
    """
    return _digest(policies.packages, policies.image, policies.env)


@cache
def _digest(packages: tuple[str, ...], image: str, env: tuple[tuple[str, str], ...]) -> str:
    return digest_json(_tree(packages, image, env))


def environment_tree(policies: Policies) -> Json:
    """What is known of the environment a task runs in: `{"python": "3.11", "packages": [[name, version], ...]}`.

    A distribution that isn't there has the version "". `image` and `env` are there where the task asks for them; of
    variables there are names and the digests of their values.

    Args:
        policies: as for `environment_digest`.
    """
    return _tree(policies.packages, policies.image, policies.env)


def _tree(packages: tuple[str, ...], image: str, env: tuple[tuple[str, str], ...]) -> Json:
    found = [(name, _version(name)) for name in sorted({normal_name(p) for p in packages})] if packages else installed()
    tree: dict[str, Json] = {"python": python_minor(), "packages": [list(pair) for pair in found]}
    if image:
        tree["image"] = image
    if env:
        tree["env"] = [[name, digest_bytes(text.encode("utf-8"))] for name, text in env]
    return tree


def save_environment(storage: Storage, policies: Policies) -> None:
    """Keeps `environment_tree` under its digest, once: what tells later which package changed.

    Raises:
        StoreError: the storage can't be written.
    """
    key = environment_key(environment_digest(policies))
    if not storage.exists(key):
        storage.create(key, canonical_json(environment_tree(policies)).encode("ascii"))


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
