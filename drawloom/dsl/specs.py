"""A task's interface in the IR: ports, policies, and the digest of its code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.dsl.fingerprint import fingerprint
from drawloom.ir.tasks import FunctionRef, TaskSpec
from drawloom.ir.types import ANY

if TYPE_CHECKING:
    from drawloom.dsl.task import Task

__all__ = ["task_spec"]

# Any: a task of any signature


def task_spec(task: Task[..., Any]) -> TaskSpec:
    """The interface of a task as declared.

    Raises:
        DefinitionError: the signature can't be read (D104, D106, D107, D109), or the function closes over run-time
            state (D105).
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
    )
