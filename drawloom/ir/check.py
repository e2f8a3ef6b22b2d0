"""The check of a pipeline: every problem at once, in program order, each with its place, an excerpt and a fix.

`check_pipeline` goes through the graph once, in program order, and knows at each place what may be referred to there: a
pipeline it finds nothing wrong with is acyclic, every reference leads to a node that stands before its user in a block
around it, and every edge carries a type that fits. The rules are in `ir.checks`; the loop here is written for speed (a
call costs a few microseconds), because a check is part of every run. It recurses with the depth of blocks only.
"""

from __future__ import annotations

from collections.abc import Mapping

from drawloom.errors import Diagnostic, did_you_mean
from drawloom.ir.checks.context import UNKNOWN_PORTS, Context
from drawloom.ir.checks.control import check_control
from drawloom.ir.checks.interface import Interface, check_interface, check_node_policies
from drawloom.ir.nodes import Block, Call
from drawloom.ir.notation import format_ref
from drawloom.ir.operands import Const, Operand, Output, Param
from drawloom.ir.program import Program
from drawloom.ir.types import Type

__all__ = ["check_pipeline"]


def check_pipeline(program: Program) -> list[Diagnostic]:
    """Every problem of a pipeline, in program order; the empty list if there is none.

    Args:
        program: the pipeline and the places its nodes were written at.
    """
    context = Context(program.pipeline, program.spans)
    check = _Check(context, check_interface(context))
    check.block(program.pipeline.body)
    context.node = None
    check.pipeline_results()
    return context.found


class _Check:
    """The way through the blocks. `ids` has every id met so far, by its case-folded form."""

    def __init__(self, context: Context, interfaces: Mapping[str, Interface]) -> None:
        self.context = context
        self.interfaces = interfaces
        self.ids: dict[str, str] = {}

    def block(self, block: Block) -> list[str]:
        """Checks the nodes of a block; returns the ids that are visible now and were not before."""
        context, interfaces, ids = self.context, self.interfaces, self.ids
        visible = context.visible
        added: list[str] = []
        for node in block.nodes:
            context.node = node
            name = node.id
            folded = name.casefold()
            fresh = folded not in ids
            if not fresh or ":" in name or not name:
                self.identity(name, folded)
            ids.setdefault(folded, name)
            if isinstance(node, Call):
                interface = interfaces.get(node.task)
                if interface is not None:
                    self.call(node, interface)
                    ports = interface.ports
                else:
                    self.unknown_task(node)
                    ports = UNKNOWN_PORTS
                if node.policies is not None:
                    check_node_policies(context, node)
            else:
                ports = check_control(context, node, self.block)
                context.node = node
            for other in node.after:
                if other not in visible:
                    context.after(node.after)
                    break
            if name not in visible:
                visible[name] = ports
                added.append(name)
        return added

    def call(self, node: Call, interface: Interface) -> None:
        """Checks a call's inputs: edges whose two types have been seen together cost two look-ups."""
        inputs = interface.inputs
        if len(node.inputs) != len(inputs):
            self.named_inputs(node, interface)
            return
        context = self.context
        visible, fitting = context.visible, context.fitting
        for (name, operand), (wanted, expected) in zip(node.inputs, inputs, strict=True):
            if name != wanted:
                self.named_inputs(node, interface)
                return
            source: Type | None = None
            if isinstance(operand, Output):
                if not operand.path:
                    ports = visible.get(operand.node)
                    source = ports.get(operand.port) if ports is not None else None
            elif isinstance(operand, Const):
                if (operand.json, id(expected)) in fitting:
                    continue
            elif isinstance(operand, Param) and not operand.path:
                source = context.params.get(operand.name)
            if source is None or (source is not expected and (id(source), id(expected)) not in fitting):
                context.edge(
                    f"input `{name}` of `{node.id}`", operand, expected, keep=source is not None and not context.known
                )

    def named_inputs(self, node: Call, interface: Interface) -> None:
        """Checks inputs that are not just the task's parameters in order."""
        context, task = self.context, format_ref(node.task)
        expected = dict(interface.inputs)
        given: dict[str, Operand] = {}
        for name, operand in node.inputs:
            if name not in expected:
                what = f"`{task}` has no parameter `{name}`, which `{node.id}` gives it{did_you_mean(name, expected)}"
                context.report("G204", what, f"its parameters are {_names(expected)}")
            elif name in given:
                context.report("G230", f"`{node.id}` gives the input `{name}` twice", "give each its own name")
            else:
                context.edge(f"input `{name}` of `{node.id}`", operand, expected[name])
            given[name] = operand
        for name, type_ in interface.inputs:
            if name in interface.required and name not in given:
                what = f"`{node.id}` doesn't give the parameter `{name}` of `{task}`, which has no default"
                context.report("G202", what, f"pass `{name}` (a value of type {type_}), or give it a default")

    def unknown_task(self, node: Call) -> None:
        what = f"`{node.id}` calls the task `{format_ref(node.task)}`, which the pipeline doesn't list"
        fix = "list the task's interface in `Pipeline.tasks`"
        self.context.report("G213", f"{what}{did_you_mean(node.task, self.interfaces)}", fix)
        for _, operand in node.inputs:
            self.context.type_of(operand)

    def identity(self, name: str, folded: str) -> None:
        """A node's id that is taken, or that no node may have."""
        report = self.context.report
        if not name or ":" in name:
            what = f"`{name}` can't be the id of a node: it is {'empty' if not name else 'written with a colon'}"
            report("G233", what, "use a name without a colon: step ids and ports are told by it")
        elif self.ids.get(folded) == name:
            report("G211", f"two nodes have the id `{name}`", "give each node of the pipeline an id of its own")
        elif folded in self.ids:
            what = f"the ids `{self.ids[folded]}` and `{name}` are the same when case is ignored"
            report("G212", what, "rename one of them: file systems and engines may not tell them apart")

    def pipeline_results(self) -> None:
        context, pipeline = self.context, self.context.pipeline
        context.giving = pipeline.body
        context.results(pipeline.body, pipeline.results, "the pipeline", "the pipeline's body")


def _names(names: Mapping[str, Type]) -> str:
    return ", ".join(f"`{n}`" for n in names) if names else "none"
