"""What can't be planned, because a local run couldn't run it."""

from __future__ import annotations

from drawloom.errors import Diagnostic, RunRefused
from drawloom.ir.nodes import Call
from drawloom.ir.program import Program
from drawloom.ir.walk import walk

__all__ = ["refuse_engine_nodes"]


def refuse_engine_nodes(program: Program) -> None:
    """Refuses a program with nodes that run on an engine alone.

    Raises:
        RunRefused: R545, for each such node.
    """
    owned = {task.name for task in program.pipeline.tasks if task.engine is not None}
    nodes = [node for node in walk(program.pipeline.body) if isinstance(node, Call) and node.task in owned]
    if nodes:
        raise RunRefused(
            Diagnostic(
                "R545",
                f"`{node.id}` can't be planned: it runs on an engine alone, and a plan is one of a local run",
                program.spans.get(node.id),
                "put a @task in its place, or compile the pipeline and ask the engine",
            )
            for node in nodes
        )
