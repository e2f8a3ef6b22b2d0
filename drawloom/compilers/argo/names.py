"""Names that Argo takes, made of the IR's: readable, unique, and the same for the same program.

Rules: template and task names `[a-zA-Z0-9][-a-zA-Z0-9]*` of at most 128 characters, a DAG task's not beginning with a
digit; object names as Kubernetes has them (RFC 1123), of at most 63 characters (workflow/validate of Argo Workflows).
"""

from __future__ import annotations

import re
from typing import Final

from drawloom.ir.canonical import digest_bytes

__all__ = ["Names", "object_name"]

_OTHER: Final = re.compile(r"[^a-zA-Z0-9]+")
_LONGEST: Final = 100  # leaves room for an ordinal, and for what Argo puts behind a name
_LONGEST_OBJECT: Final = 50  # a pod's name is made of the workflow's, and Kubernetes cuts what is longer than 63


class Names:
    """The names of one list: no two are equal."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, text: str) -> str:
        """A name for an id of the IR.

        Args:
            text: the id, `scores/fit:decide`.
        """
        made = _cut(_OTHER.sub("-", text).strip("-") or "n", _LONGEST)
        if made[0].isdigit():
            made = f"n{made}"
        found, ordinal = made, 1
        while found.lower() in self._taken:
            ordinal += 1
            found = f"{made}-{ordinal}"
        self._taken.add(found.lower())
        return found


def object_name(text: str) -> str:
    """A name for an object of Kubernetes."""
    return _cut(_OTHER.sub("-", text).strip("-").lower() or "pipeline", _LONGEST_OBJECT)


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[: longest - 9].rstrip('-')}-{digest_bytes(text.encode('utf-8'))[:8]}"
