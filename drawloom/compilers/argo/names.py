"""Names that Argo takes, made of the IR's: readable, unique, and the same for the same program.

Rules: template and task names `[a-zA-Z0-9][-a-zA-Z0-9]*` of at most 128 characters, a DAG task's not beginning with a
digit (workflow/validate of Argo Workflows).
"""

from __future__ import annotations

from typing import Final

from drawloom.compilers.pods.names import plain_text, shortened

__all__ = ["Names"]

_LONGEST: Final = 100  # leaves room for an ordinal, and for what Argo puts behind a name


class Names:
    """The names of one list: no two are equal."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, text: str) -> str:
        """A name for an id of the IR.

        Args:
            text: the id, `scores/fit:decide`.
        """
        made = shortened(plain_text(text) or "n", _LONGEST)
        if made[0].isdigit():
            made = f"n{made}"
        found, ordinal = made, 1
        while found.lower() in self._taken:
            ordinal += 1
            found = f"{made}-{ordinal}"
        self._taken.add(found.lower())
        return found
