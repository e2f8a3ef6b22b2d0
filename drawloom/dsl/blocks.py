"""The block that is being recorded, and expressions over the handles in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.dsl.constants import value_type
from drawloom.dsl.current import CURRENT
from drawloom.dsl.handles import Handle
from drawloom.dsl.place import refusal, user_frame
from drawloom.dsl.standing import Standing, may_raise
from drawloom.ir.narrow import Facts, narrowed
from drawloom.ir.nodes import Node
from drawloom.ir.operands import Apply, Operand
from drawloom.ir.types import Type

if TYPE_CHECKING:
    from drawloom.dsl.tracer import Tracer

__all__ = ["MAX_DEPTH", "MAX_OPERATORS", "OpenBlock"]

# An expression is written out as a tree, so one that doubles itself twenty times has a million operators; and readers
# of the IR recurse through it.
MAX_OPERATORS = 2_000
MAX_DEPTH = 100


class OpenBlock:
    """A block while it is recorded; `tracer` is None once it is closed, and then its handles are no good any more.

    Attributes:
        tracer: whose block it is.
        prefix: what the ids of its nodes begin with: "" or `models/`.
        counts: name -> how many nodes have it; shared by the blocks of one control node.
        nodes: what was recorded, in program order.
        last_effect: the id of the last effect, or of the last control node with an effect in it; "" if none.
        has_effect: whether there is one that keeps its place in the order of effects.
        has_source: whether there is a call without upstream data that waits for effects.
        lists: the user's lists that changed while the block was open, as they were when it was opened.
        grown_at: how many nodes and expressions that may raise there were when each of them first changed.
        born: lists and dicts that were made while it was the innermost block.
        read: lists that were read while it was open.
        facts: what the tests that lead here tell of operands (`ir.narrow`).
        standing: expressions that may raise, to be recorded where they stand if the block doesn't take them itself.
        sites: node id -> place, of the trace.
        merged: the block around, once this one was given up and what was made in it belongs there.
    """

    __slots__ = (
        "_tracer",
        "born",
        "counts",
        "facts",
        "grown_at",
        "has_effect",
        "has_source",
        "last_effect",
        "lists",
        "merged",
        "nodes",
        "prefix",
        "read",
        "sites",
        "standing",
    )

    def __init__(self, tracer: Tracer, prefix: str, counts: dict[str, int]) -> None:
        self._tracer: Tracer | None = tracer
        self.prefix = prefix
        self.counts = counts
        self.nodes: list[Node] = []
        self.last_effect = ""
        self.has_effect = False
        self.has_source = False
        self.lists: dict[int, tuple[list[Any], list[Any]]] = {}
        self.grown_at: dict[int, tuple[int, int]] = {}
        self.born: dict[int, object] = {}
        self.read: dict[int, object] = {}
        self.facts: Facts = {}
        self.standing: list[Standing] = []
        self.sites = tracer.sites
        self.merged: OpenBlock | None = None

    @property
    def tracer(self) -> Tracer:
        """The tracer at work, if this block is open and belongs to it.

        Raises:
            DefinitionError: the block is closed, or another trace is under way, or none (D111).
        """
        if self.merged is not None:
            return self.merged.tracer
        if self._tracer is None or self._tracer is not CURRENT.get():
            raise refusal(
                "D111",
                "a run-time value is used outside the block it was made in",
                "return it from the block's function (or from the pipeline) and use what comes back",
            )
        return self._tracer

    def is_open_in(self, tracer: Tracer) -> bool:
        """Whether handles of this block may be used now."""
        if self.merged is not None:
            return self.merged.is_open_in(tracer)
        return self._tracer is tracer

    def close(self) -> None:
        """End the recording."""
        self._tracer = None

    def reopen(self, tracer: Tracer) -> None:
        """Let the handles of a closed block be used again."""
        self._tracer = tracer

    def apply(self, op: str, values: tuple[Any, ...]) -> Handle:
        """The expression `op` over handles and known values.

        Raises:
            DefinitionError: a value can't be kept (D113, D114), is another trace's (D111), or the expression would
                grow too large (D119).
        """
        tracer = self.tracer
        args = tuple(tracer.operand(value, f"an operand of `{op}`") for value in values)
        made = tracer.expression(Apply(op, args), op, values)
        if may_raise(op, args, tuple(map(value_type, values)), made._dl_type):
            tracer.block.stand(made._dl_operand, made._dl_type)
        return made

    def known_type(self, operand: Operand, type_: Type) -> Type:
        """The type of an operand, with what the tests around tell of it."""
        if type_.name != "union":
            return type_
        tracer = self.tracer
        for block in (*tracer.open_blocks, *([tracer.joining] if tracer.joining is not None else [])):
            if operand in block.facts:
                type_ = narrowed(type_, block.facts[operand])
        return type_

    def stand(self, operand: Operand, type_: Type) -> None:
        """Note that an expression that may raise stands here, the innermost open block."""
        frame = user_frame()
        assert frame is not None
        self.standing.append(Standing(len(self.nodes), operand, type_, (frame.f_code, frame.f_lasti)))

    def known(self, value: Any) -> Handle:
        """A handle over a known value, for the parts of a nested pipeline's known arguments."""
        return Handle(self, self.tracer.operand(value, "a known value"), value_type(value))


def sized_expression(block: OpenBlock, operand: Operand, type_: Type, values: tuple[Any, ...]) -> Handle:
    """An expression handle, its size and depth counted from the parts."""
    weight, depth = 1, 1
    for value in values:
        if isinstance(value, Handle):
            weight += value._dl_weight
            depth = max(depth, value._dl_depth + 1)
    if weight > MAX_OPERATORS or depth > MAX_DEPTH:
        raise refusal(
            "D119",
            f"an expression over run-time values grows beyond {MAX_OPERATORS} operators or {MAX_DEPTH} levels",
            "compute it in a @task: pass the values as a list",
        )
    return Handle(block, operand, type_, weight, depth)
