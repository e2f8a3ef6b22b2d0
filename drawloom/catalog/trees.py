"""What an envelope refers to in the store. Standard library alone: a step loads this module."""

from __future__ import annotations

from collections.abc import Iterator

from drawloom.ir.canonical import Json

__all__ = ["tree_objects"]


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
