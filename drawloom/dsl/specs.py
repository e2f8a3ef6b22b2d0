"""A task's interface in the IR: ports, policies, and the digest of its code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.dsl.fingerprint import fingerprint
from drawloom.ir.tasks import FunctionRef, TaskSpec
from drawloom.ir.types import ANY

if TYPE_CHECKING:
    from drawloom.dsl.task import Task
    from drawloom.ir.tasks import Container, EngineSpec

__all__ = ["task_spec"]

# Any: a task of any signature


def task_spec(task: Task[..., Any]) -> TaskSpec:
    """The interface of a task as declared.

    Raises:
        DefinitionError: the signature can't be read (D104, D106, D107, D109), the function closes over run-time state
            (D105), or it doesn't say what is run in its place (D170-D176).
    """
    signature = task.signature()
    print_ = fingerprint(task.function)
    return TaskSpec(
        name=task.name,
        function=FunctionRef(task.function.__module__, task.function.__qualname__, print_.digest, print_.scope),
        inputs=signature.ports,
        result=ANY if signature.result is None else signature.result,
        effect=signature.effect,
        policies=task.policies,
        container=_container(task) if task.runs == "container" else None,
        engine=_engine(task) if task.runs == "engine" else None,
    )


def _container(task: Task[..., Any]) -> Container:
    from drawloom.dsl.container import container_of  # few pipelines have one

    return container_of(task)


def _engine(task: Task[..., Any]) -> EngineSpec:
    from drawloom.dsl.engine_node import engine_of

    return engine_of(task)
