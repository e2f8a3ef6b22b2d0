"""Where each node's result comes from: the little of a pipeline that is needed to find values once a run is under way.

A `Source` is what is left of a node when everything that decides *whether and when* it runs is taken away. Results of
calls are commits; results of control nodes are found by following a decision (a count or an arm) to an operand. A slice
of a compiled program carries just the sources its step can reach. Standard library alone: a step loads this module.
"""

from __future__ import annotations

from drawloom.frozen import dataclass
from drawloom.ir.operands import Operand

__all__ = ["INDEX", "Results", "Source"]

INDEX = -1  # in `Source.position`: put the next number of the index vector here
Results = tuple[tuple[str, Operand], ...]


@dataclass(frozen=True, slots=True)
class Source:
    """How to find a node's results.

    Args:
        id: the node's id.
        kind: `call` of a task, `group` (a nested pipeline), `map`, `branch`, `loop`, `try`.
        depth: how many numbers the node's own index vector has (the maps and loops around it).
        position: the node's place in program order; compare after putting the index vector's numbers for `INDEX`.
        parent: the id of the control node around it, "" at the top.
        arm: which block of `parent` it lies in (`walk.blocks` order).
        results: per arm the (port, operand) pairs. group, map: one arm. branch: cases, then otherwise.
            loop: arm 0 the initial values, arm 1 the body's results. try: the body, then the handlers.
        items: the operand a map runs over, None for other kinds.
    """

    id: str
    kind: str
    depth: int = 0
    position: tuple[int, ...] = ()
    parent: str = ""
    arm: int = 0
    results: tuple[Results, ...] = ()
    items: Operand | None = None
