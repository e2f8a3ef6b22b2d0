"""Recording maps, for loops and comprehensions."""

from __future__ import annotations

from typing import Any

from drawloom.dsl.handles import Handle
from drawloom.dsl.recorded import Recorded
from drawloom.dsl.splice import Splice
from drawloom.dsl.staging.joins import operand_of
from drawloom.dsl.staging.results import Result, Results
from drawloom.dsl.staging.scopes import Stage
from drawloom.dsl.staging.values import computed, get_item
from drawloom.dsl.standing import recorded_block
from drawloom.ir.nodes import Map
from drawloom.ir.operands import Item, Output
from drawloom.ir.policies import Parallelism
from drawloom.ir.tasks import Port
from drawloom.ir.types import NONE, Type

__all__ = ["MapNode"]

# Any: lists hold the user's values, or handles over them


class MapNode:
    """A map whose body is being recorded.

    Args:
        stage: the stage of the trace.
        node: its id.
        name: what it is named after.
        items: the handle of what it runs over.
        item_type: the type of an item.
    """

    def __init__(self, stage: Stage, node: str, name: str, items: Handle, item_type: Type) -> None:
        self.stage = stage
        self.node = node
        self.name = name
        self.items = items
        self.item_type = item_type
        self.results = Results()

    def item(self) -> Handle:
        """The item, in the body."""
        return Handle(self.stage.tracer.block, Item(self.node), self.item_type)

    def value(self, value: Any, what: str) -> Result:
        """One value an item."""
        return self.results.add(*operand_of(self.stage.tracer, value, what), plain=True)

    def parts(self, parts: list[Any]) -> Result:
        """What an item puts into a list: one value, or as many as it makes."""
        if len(parts) == 1 and not isinstance(parts[0], Splice):
            return self.value(parts[0], "an item of a list")
        return self.results.add(*operand_of(self.stage.tracer, parts, "an item of a list"), plain=False)

    def record(self) -> bool:
        """Close the body and record the map, unless nothing is in it; effects in it happen item after item."""
        tracer = self.stage.tracer
        block = tracer.block
        if not self.results.found and not block.nodes and not block.standing:
            tracer.give_up_block()
            tracer.release_id(self.node, self.name)
            return False
        tracer.close_block()
        recorded = Recorded(block, None, None, NONE)
        items = tracer.operand(self.items, "what a loop runs over")
        ports = tuple(Port(port.name, Type("list", (port.type,))) for port in self.results.ports())
        body = recorded_block(block, self.results.given())
        ordered = Parallelism(1) if block.has_effect else None
        after = tracer.control_after([recorded])
        tracer.record_control(Map(self.node, items, body, ports, self.item_type, 1, ordered, after), [recorded])
        return True

    def each(self, result: Result) -> Handle:
        """The list of what all items gave for a result."""
        output = Output(self.node, self.results.name(result))
        return Handle(self.stage.tracer.block, output, Type("list", (result.type,)))

    def listed(self, result: Result) -> Handle:
        """What all items put into a list, as one list."""
        made = self.each(result)
        if result.plain:
            return made
        flat: Handle = computed(self.stage, "flatten", made)
        return flat

    def last(self, result: Result, before: Any) -> Any:
        """What the last item gave, or what was there before if there is no item."""
        made = self.each(result)
        some = computed(self.stage, "gt", computed(self.stage, "len", made), 0)
        return computed(self.stage, "select", some, get_item(self.stage.tracer.block, made, -1, result.type), before)
