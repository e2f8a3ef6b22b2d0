"""A pipeline's graph, traced and checked: what each verb begins with.

What is to run elsewhere is traced twice: a graph that comes out of a clock or of chance is another one the next time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from drawloom.errors import CheckFailed, CompileError, Diagnostic, Span

if TYPE_CHECKING:
    from drawloom.dsl.pipeline import Pipeline
    from drawloom.dsl.tracing import Trace
    from drawloom.ir.nodes import Pipeline as PipelineNode

    AnyPipeline = Pipeline[..., Any]  # Any: whatever the pipeline returns

__all__ = ["checked", "checked_trace", "place", "traced", "twice_traced"]


def traced(pipeline: AnyPipeline, params: Mapping[str, object]) -> Trace:
    """A pipeline traced with the static parameters among `params`; run-time ones may be missing.

    Raises:
        DefinitionError: it can't be traced.
    """
    from drawloom.dsl.tracing import trace
    from drawloom.parameters.binding import bind

    return trace(pipeline, bind(pipeline.function, params, place(pipeline), partly=True).static)


def checked_trace(pipeline: AnyPipeline, static: Mapping[str, object]) -> Trace:
    """A pipeline traced with its static parameters, its graph found to be right.

    Raises:
        DefinitionError: it can't be traced.
        CheckFailed: its graph is wrong.
    """
    return checked(traced(pipeline, static))


def checked(trace: Trace) -> Trace:
    """The trace itself, its graph found to be right.

    Raises:
        CheckFailed: it is wrong.
    """
    from drawloom.ir.check import check_pipeline

    problems = check_pipeline(trace.program)
    if problems:
        raise CheckFailed(problems)
    return trace


def twice_traced(pipeline: AnyPipeline, static: Mapping[str, object]) -> Trace:
    """A trace for what is to run elsewhere.

    Raises:
        DefinitionError, CheckFailed: as for `checked_trace`.
        CompileError: E791, a second one differs.
    """
    trace = checked_trace(pipeline, static)
    _refuse_difference(trace, traced(pipeline, static))
    return trace


def place(pipeline: AnyPipeline) -> Span | None:
    """Where a pipeline's function stands."""
    from drawloom.dsl.place import function_span

    return function_span(pipeline.function)


def _refuse_difference(first: Trace, second: Trace) -> None:
    """Refuses a pipeline that is another one when it is traced again: what is deployed would be a matter of chance.

    Raises:
        CompileError: E791, at the first node that differs.
    """
    from drawloom.ir.program import pipeline_json

    one, other = first.program.pipeline, second.program.pipeline
    if pipeline_json(one) == pipeline_json(other):
        return
    node, lines = _first_difference(one, other)
    spans = first.program.spans if node in first.program.spans else second.program.spans
    what = f"`{one.name}` is not the same each time it is traced"
    what += f": node `{node}` differs" if node else ": its parameters, its tasks or its results differ"
    fix = "take the clock, random, environment or file listing into a task, or make its value a parameter"
    raise CompileError(Diagnostic("E791", what, spans.get(node, spans.get("")), fix, "\n".join(lines)))


def _first_difference(one: PipelineNode, other: PipelineNode) -> tuple[str, list[str]]:
    """The id of the first node that differs ("" for the pipeline itself), and its line in each of the two."""
    from itertools import zip_longest

    for left, right in zip_longest(_node_lines(one), _node_lines(other), fillvalue=("", "nothing")):
        if left != right:
            return left[0] or right[0], [f"once  {left[1]}", f"then  {right[1]}"]
    return "", []


def _node_lines(pipeline: PipelineNode) -> list[tuple[str, str]]:
    from drawloom.ir.text import Printer
    from drawloom.ir.walk import operands, walk

    printer = Printer(pipeline)
    lines = []
    for node in walk(pipeline.body):
        inner = ", ".join(printer.operand(operand) for operand in operands(node))
        lines.append((node.id, f"{node.id} = {printer.node(node)}{f' [{inner}]' if hasattr(node, 'body') else ''}"))
    return lines
