"""Tracing: a pipeline's function runs once, on handles, and what it calls is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from drawloom.dsl.current import CURRENT
from drawloom.dsl.docs import Docs
from drawloom.dsl.handles import Handle
from drawloom.dsl.manifest import Sources
from drawloom.dsl.place import function_span, refusal
from drawloom.dsl.sites import Spans
from drawloom.dsl.specs import task_spec
from drawloom.dsl.staging.convert import converted
from drawloom.dsl.staging.scopes import Leave
from drawloom.dsl.standing import recorded_block
from drawloom.dsl.tracer import Tracer
from drawloom.errors import DefinitionError, Diagnostic, did_you_mean
from drawloom.ir.nodes import Pipeline as PipelineNode
from drawloom.ir.nodes import Port
from drawloom.ir.operands import Apply, Operand, Param
from drawloom.ir.program import Program
from drawloom.ir.types import NONE, Type

if TYPE_CHECKING:
    from drawloom.dsl.pipeline import Pipeline
    from drawloom.dsl.task import Task

__all__ = ["Trace", "trace"]

# Any: a pipeline's function takes and gives handles in the place of values


class Trace:
    """What tracing a pipeline gives.

    Attributes:
        program: the pipeline in the IR, with the place of each node.
        functions: task name -> the plain Python function; of a container, what runs it on this machine.
        tasks: task name -> the task as declared.
    """

    __slots__ = ("functions", "program", "tasks")

    def __init__(self, program: Program, tasks: dict[str, Task[..., Any]]) -> None:
        self.program = program
        self.tasks = tasks
        self.functions: dict[str, Callable[..., Any]] = {
            name: task.function if task.runs == "function" else task for name, task in tasks.items()
        }


def trace(pipeline: Pipeline[..., Any], static: Mapping[str, object] | None = None) -> Trace:
    """Run a pipeline's function once, on handles, and keep what it calls.

    Args:
        pipeline: what `@pipeline` made.
        static: the values of the parameters marked `Static[...]`, by name; those left out take their defaults.

    Returns:
        The program and the functions of its tasks.

    Raises:
        DefinitionError: the pipeline can't be traced (D1..).
    """
    tracer = Tracer()
    signature = pipeline.signature()
    given: dict[str, Any] = {port.name: Handle(tracer.block, Param(port.name), port.type) for port in signature.ports}
    given |= _static_values(pipeline, static or {})
    token = CURRENT.set(tracer)
    try:
        try:
            returned = converted(pipeline.function)(**given)
            operand, type_ = _result(tracer, pipeline, returned)
        except Leave:  # every way through it raises
            type_ = signature.result or NONE
            operand = None if type_ == NONE else Apply("unset", ())
    finally:
        CURRENT.reset(token)
        tracer.block.close()
    made = PipelineNode(
        name=pipeline.name,
        params=signature.ports,
        tasks=tuple(task_spec(task) for _, task in sorted(tracer.tasks.items())),
        body=recorded_block(tracer.block, () if operand is None else (("result", operand),)),
        results=() if operand is None else (Port("result", type_),),
        policies=pipeline.policies,
    )
    own = function_span(pipeline.function)
    spans = Spans(tracer.sites, {"": own} if own else {})
    functions = {spec.function.digest: tracer.tasks[spec.name].function for spec in made.tasks if spec.function.digest}
    documented = {"": pipeline.function, **{name: task.function for name, task in tracer.tasks.items()}}
    return Trace(Program(made, spans, Sources(functions), Docs(documented)), tracer.tasks)


def _result(tracer: Tracer, pipeline: Pipeline[..., Any], returned: Any) -> tuple[Operand | None, Type]:
    try:
        return tracer.result_operand(returned, f"the result of `{pipeline.name}`", pipeline.signature().result)
    except DefinitionError as error:  # the function has returned: no line of the user's is being executed
        own = function_span(pipeline.function)
        told = [Diagnostic(d.code, d.what, own or d.where, d.fix, d.excerpt) for d in error.diagnostics]
        raise DefinitionError(told) from None


def _static_values(pipeline: Pipeline[..., Any], static: Mapping[str, object]) -> dict[str, object]:
    signature = pipeline.signature()
    where = function_span(pipeline.function)
    unknown = [name for name in static if name not in signature.static]
    if unknown:
        raise refusal(
            "D123",
            f"`{pipeline.name}` has no static parameter `{unknown[0]}`{did_you_mean(unknown[0], signature.static)}",
            "mark it `Static[...]`, or give it as a parameter of the run",
            where,
        )
    values = {name: signature.defaults[name] for name in signature.static if name in signature.defaults} | dict(static)
    missing = [name for name in signature.static if name not in values]
    if missing:
        raise refusal(
            "D123",
            f"the static parameter `{missing[0]}` of `{pipeline.name}` has no value while the pipeline is traced",
            f"give `{missing[0]}` a default, or a value for this trace",
            where,
        )
    return values
