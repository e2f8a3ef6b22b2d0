"""What an envelope refers to in the store. Standard library alone: a step loads this module."""

from __future__ import annotations

from collections.abc import Iterator

from drawloom.errors import DrawloomError
from drawloom.ir.canonical import Json

__all__ = ["is_as_seen", "tree_objects"]


def tree_objects(tree: Json) -> Iterator[str]:
    """The SHA-256 of each object the leaves of an envelope refer to."""
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += [item for item in part if isinstance(item, (list, dict))]
        elif isinstance(part, dict):
            if isinstance(part.get("object"), str):
                yield part["object"]
            waiting += [item for item in part.values() if isinstance(item, (list, dict))]


def is_as_seen(tree: Json) -> bool:
    """Whether each `External` in an envelope still has the version it was seen at; true where there is none."""
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += [item for item in part if isinstance(item, (list, dict))]
        elif isinstance(part, dict):
            if part.get("$") == "external" and not _has_version(part["uri"], part["version"]):
                return False
            waiting += [item for item in part.values() if isinstance(item, (list, dict))]
    return True


def _has_version(uri: str, version: str) -> bool:
    from drawloom.values.external import observe  # few values lie outside of the store

    try:
        return observe(uri) == version
    except DrawloomError:  # it is gone, or can't be reached
        return False
