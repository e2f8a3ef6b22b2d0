"""Blocks made ready for scheduling, and instances of them: who waits for whom, who is done, which failure counts.

Names are static (`BlockPlan`, once for each block of the pipeline); `Frame` is one instance at one index vector.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from drawloom.catalog.records import FailureInfo, Index
from drawloom.ir.canonical import Json
from drawloom.ir.nodes import Block, Call, Loop, Node
from drawloom.ir.operands import Output
from drawloom.ir.walk import dependencies

__all__ = ["CANCELLED", "DONE", "SKIPPED", "BlockPlan", "Ending", "Failure", "Frame", "Owner"]


class Failure:
    """A failure that happened: where, what, and the live exception if it is in this process."""

    __slots__ = ("exception", "index", "info", "node")

    def __init__(self, node: str, index: Index, info: FailureInfo, exception: BaseException | None) -> None:
        self.node = node
        self.index = index
        self.info = info
        self.exception = exception


DONE: Final = "done"
SKIPPED: Final = "skipped"
CANCELLED: Final = "cancelled"
Ending = str | Failure  # how a node or a block instance ended


class Owner(Protocol):
    """What a block instance belongs to: a control node's instance, or the run."""

    frame: Frame | None
    """The block instance the owner itself lies in, None for the run."""

    def ended(self, frame: Frame, ending: Ending, results: dict[str, Json]) -> None:
        """A block instance of this owner has ended; `results` are there if it is done."""
        ...

    def catches(self, frame: Frame) -> bool:
        """Whether a failure in `frame`, an instance of one of its blocks, may be handled here."""
        ...


class BlockPlan:
    """A block's nodes with their places, and for each what waits for it.

    Args:
        block: the block.
        needs: gives the ids of the nodes a node needs.

    Attributes:
        published: (node id, port) of each result that a control node in it makes known.
        is_one_call: whether it holds one call, and each of its results is what that call made.
    """

    __slots__ = ("block", "counts", "dependents", "is_one_call", "nodes", "published")

    def __init__(self, block: Block, needs: Callable[[Any], set[str]] = dependencies) -> None:
        self.block = block
        self.nodes = block.nodes
        place = {node.id: number for number, node in enumerate(block.nodes)}
        self.dependents: list[list[int]] = [[] for _ in block.nodes]
        counts = []
        for number, node in enumerate(block.nodes):
            # what lies further out has succeeded before this block began: its holder waited for it (`ir.interpret`)
            siblings = [place[need] for need in needs(node) if need in place]
            counts.append(len(siblings))
            for sibling in siblings:
                self.dependents[sibling].append(number)
        self.counts = tuple(counts)
        only = block.nodes[0] if len(block.nodes) == 1 and isinstance(block.nodes[0], Call) else None
        self.is_one_call = only is not None and all(operand == Output(only.id) for _, operand in block.results)
        self.published = tuple((node.id, port) for node in block.nodes for port in _ports(node))


def _ports(node: Node) -> list[str]:
    """The names of a control node's results; one that has none is known by the name ""."""
    if isinstance(node, Call):
        return []
    ports = node.carried if isinstance(node, Loop) else node.results
    return [port.name for port in ports] or [""]


class Frame:
    """One instance of a block.

    Args:
        plan: the block.
        index: the index vector of the nodes in it.
        owner: whose block it is.
        arm: which of the owner's blocks.
        protected: whether it goes on while a failed run is being ended: it is, or lies in, a `final` block.
    """

    __slots__ = ("arm", "cancelled", "counts", "endings", "failure", "index", "left", "owner", "plan", "protected")

    def __init__(self, plan: BlockPlan, index: Index, owner: Owner, arm: int, protected: bool) -> None:
        self.plan = plan
        self.index = index
        self.owner = owner
        self.arm = arm
        self.protected = protected
        self.counts = list(plan.counts)
        self.endings: list[Ending | None] = [None] * len(plan.nodes)
        self.left = len(plan.nodes)
        self.failure: int | None = None  # the place of the first failed node, so far
        self.cancelled = False

    def ending(self) -> Ending:
        """How the block ended, once no node is left: the first failure in program order counts."""
        if self.failure is not None:
            found = self.endings[self.failure]
            assert found is not None, "a failed node has ended"
            return found
        return CANCELLED if self.cancelled else DONE
