"""A node of a run, as people and programs are shown it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from drawloom.catalog.state import FailurePlace
from drawloom.errors import Span
from drawloom.frozen import dataclass

__all__ = ["NodeView"]

_NONE: Final[Mapping[str, int]] = {}


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node of a run, as it stood when it was asked for.

    Args:
        id: the node's id.
        kind: `call`, `group`, `map`, `branch`, `loop`, `try`.
        state: `pending`, `running`, `succeeded`, `cached`, `skipped`, `failed` or `cancelled`.
        counts: state -> number of instances; a node outside maps and loops has one at most.
        attempts: attempts at all instances.
        seconds: time spent in those attempts, added up.
        failure: the first failure in program order, None if no instance failed.
        task: `module:qualname` of the task a call calls, "" for other kinds.
        where: the user's source line, None if not known.
    """

    id: str
    kind: str
    state: str
    counts: Mapping[str, int] = _NONE
    attempts: int = 0
    seconds: float = 0.0
    failure: FailurePlace | None = None
    task: str = ""
    where: Span | None = None
