"""Whether steps can import the tasks of a program: a step is a new process, which finds a function by its name."""

from __future__ import annotations

import sys

from drawloom.errors import CompileError, Diagnostic
from drawloom.ir.nodes import Call
from drawloom.ir.program import Program
from drawloom.ir.tasks import FunctionRef
from drawloom.ir.text import excerpt
from drawloom.ir.walk import walk

__all__ = ["refuse_unimportable"]

_FIX = "define it with `def` at the top level of a module, and import it from there where the pipeline is"


def refuse_unimportable(program: Program) -> None:
    """Refuses a program with tasks that can't be had by `module:qualname`.

    Raises:
        CompileError: E706, one diagnostic for each such task, at its first call.
    """
    first: dict[str, str] = {}
    for node in walk(program.pipeline.body):
        if isinstance(node, Call):
            first.setdefault(node.task, node.id)
    found = []
    for task in program.pipeline.tasks:
        problem = _problem(task.function)
        if problem:
            node_id = first.get(task.name, "")
            what = f"node `{node_id}`: a step can't import task `{task.name}`: {problem}"
            where = program.spans.get(node_id)
            found.append(Diagnostic("E706", what, where, _FIX, excerpt(program.pipeline, node_id)))
    if found:
        raise CompileError(found)


def _problem(function: FunctionRef) -> str:
    if "<lambda>" in function.qualname:
        return "it is a lambda"
    if "<locals>" in function.qualname:
        return "it is defined inside another function"
    if function.module == "__main__":
        return "it is defined in the script that was started, which has another name in a step"
    there = sys.modules.get(function.module)
    if there is None:  # a program from a file: its modules may be elsewhere
        return ""
    for part in function.qualname.split("."):
        there = getattr(there, part, None)
        if there is None:
            return f"module `{function.module}` has no `{function.qualname}`"
    return ""
