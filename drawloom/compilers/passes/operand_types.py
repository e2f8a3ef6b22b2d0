"""The types of operands anywhere in a checked pipeline, for passes that declare the ports of what they make."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from drawloom.ir.assign import widen
from drawloom.ir.infer import RUN_INFO, TypeProblem, operand_type
from drawloom.ir.narrow import Facts, Told, together
from drawloom.ir.nodes import Call, Loop, Map, Pipeline
from drawloom.ir.operands import Carried, Caught, Item, Operand, Output, Param, Reference, RunInfo
from drawloom.ir.types import ANY, Type
from drawloom.ir.walk import walk

__all__ = ["OperandTypes"]


class OperandTypes:
    """What every reference of a pipeline has as its type; a `Scope` for `ir.infer`."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.known: Facts = {}
        self.told: Told = {}
        tasks = {task.name: task.result for task in pipeline.tasks}
        self._known: dict[Reference, Type] = {Param(port.name): port.type for port in pipeline.params}
        for node in walk(pipeline.body):
            if isinstance(node, Call):
                self._known[Output(node.id)] = tasks[node.task]
            elif isinstance(node, Loop):
                for carry in node.carried:
                    self._known[Output(node.id, carry.name)] = carry.type
                    self._known[Carried(node.id, carry.name)] = carry.type
            else:
                self._known |= {Output(node.id, port.name): port.type for port in node.results}
            if isinstance(node, Map):
                self._known[Item(node.id)] = node.item

    def of(self, operand: Operand) -> Type:
        """The type of an operand, literals widened; `any` where it can't be known."""
        return widen(operand_type(operand, self))

    def reference(self, reference: Reference) -> Type:
        """The type a reference has before its path is followed."""
        match reference:
            case Param(name):
                reference = Param(name)
            case Output(node, port):
                reference = Output(node, port)
            case Item(map_id):
                reference = Item(map_id)
            case Carried(loop, name):
                reference = Carried(loop, name)
            case Caught():
                return Type("failure")
            case RunInfo(field):
                return RUN_INFO.get(field, ANY)
        return self._known.get(reference, ANY)

    @contextmanager
    def under(self, facts: Facts) -> Iterator[None]:
        """Where these facts hold too."""
        before = self.known
        self.known = together(before, facts)
        try:
            yield
        finally:
            self.known = before

    def problem(self, problem: TypeProblem) -> None:
        """Nothing to tell: the check has told all problems."""
