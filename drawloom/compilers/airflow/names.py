"""Names that Airflow takes, made of the IR's: readable, unique, and the same for the same program.

Rules: keys are `[\\w.-]+` of at most 250 characters, those of task groups of at most 200 and without a dot; a task's id
is that of its group, a dot, and its own (`validate_key` and `validate_group_key` of Airflow's task SDK).
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable
from typing import Final

from drawloom.ir.canonical import digest_bytes

__all__ = ["LONGEST_KEY", "TaskNames", "Variables", "dag_key"]

LONGEST_KEY: Final = 250
_OTHER: Final = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_GROUP: Final = 190
_LONGEST_PART: Final = 60


def dag_key(text: str) -> str:
    """The id of a DAG, made of the name of a pipeline."""
    return _cut(_OTHER.sub("_", text).strip("_") or "pipeline", _LONGEST_GROUP)


class TaskNames:
    """The ids of a DAG's tasks and groups; no two are equal."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, ...], set[str]] = {}
        self._groups: dict[tuple[str, ...], tuple[str, ...]] = {(): ()}
        self._outermost: set[str] = set()

    def group(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """The ids of the groups that stand for a path of nodes, from the outermost to the one that holds the last."""
        if path not in self._groups:
            outer = self.group(path[:-1])
            local = self._new(outer, path[-1])
            while outer and local.lower() in self._outermost:  # Airflow 2 takes the two for the same
                local = self._new(outer, local)
            if len(".".join((*outer, local))) > _LONGEST_GROUP:
                local = self._new(outer, digest_bytes(path[-1].encode("utf-8"))[:6])
            # where even that is too long, what lies so deep stands beside its groups
            fits = len(".".join((*outer, local))) <= _LONGEST_GROUP
            self._groups[path] = (*outer, local) if fits else outer
            if not outer:
                self._outermost.add(local.lower())
        return self._groups[path]

    def task(self, group: tuple[str, ...], text: str) -> str:
        """The id of a new task within a group, without that of the group."""
        return self._new(group, text)

    def _new(self, group: tuple[str, ...], text: str) -> str:
        taken = self._taken.setdefault(group, set())
        made = _cut(_OTHER.sub("_", text).strip("_") or "n", min(_LONGEST_PART, LONGEST_KEY - len(".".join(group)) - 8))
        found, ordinal = made, 1
        while found.lower() in taken:
            ordinal += 1
            found = f"{made}_{ordinal}"
        taken.add(found.lower())
        return found


class Variables:
    """Names of variables of a Python file.

    Args:
        taken: names that mean something else in it.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = {*taken, *dir(builtins)}

    def new(self, text: str) -> str:
        """A name for a task's id."""
        made = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_") or "n"
        if made[0].isdigit():
            made = f"n{made}"
        found, ordinal = made, 1
        while found in self._taken or keyword.iskeyword(found) or keyword.issoftkeyword(found):
            ordinal += 1
            found = f"{made}_{ordinal}"
        self._taken.add(found)
        return found


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[: longest - 9].rstrip('_-')}_{digest_bytes(text.encode('utf-8'))[:8]}"
