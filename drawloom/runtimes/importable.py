"""Whether a worker process can have a task's function, found out before a run begins."""

from __future__ import annotations

import sys

from drawloom.errors import Diagnostic, Span
from drawloom.ir.tasks import TaskSpec
from drawloom.runtimes.mainmodule import describe_main

__all__ = ["import_problem"]


def import_problem(spec: TaskSpec, why: str, where: Span | None) -> Diagnostic | None:
    """Why a worker process can't import a task's function; None if it can, as far as that shows from here.

    Args:
        spec: the task.
        why: why it is to run in a worker process, for the message.
        where: where the task is called.
    """
    function = spec.function
    reason = ""
    if "<locals>" in function.qualname or "<lambda>" in function.qualname:
        reason = "it is defined inside another function"
    elif function.module == "__main__":
        if describe_main() is not None:
            return None
        reason = "it was defined at a prompt, not in a file"
    elif not _can_be_found(function.module):
        reason = f"no module `{function.module}` is on sys.path"
    if not reason:
        return None
    return Diagnostic(
        "R513",
        f"task `{spec.name}` can't run in a worker process: {reason}",
        where,
        f"{why}; define the task at the top level of a module that can be imported, or do without",
    )


def _can_be_found(module: str) -> bool:
    root = module.partition(".")[0]
    return root in sys.builtin_module_names or any(
        finder.find_spec(root, None) is not None for finder in sys.meta_path if hasattr(finder, "find_spec")
    )
