"""Adopting in a step: a run that goes on with an earlier one takes over what succeeded there, cacheable or not.

What `resume` does in a local run. Standard library alone: a step loads this module, where its run goes on with another.
"""

from __future__ import annotations

from collections.abc import Sequence

from drawloom.catalog.outcomes import read_commit, read_run
from drawloom.catalog.records import Commit, Index, ValueRef
from drawloom.runtimes.cache import is_whole
from drawloom.runtimes.context import StepContext

__all__ = ["earlier_commit"]

_LONGEST_CHAIN = 100


def earlier_commit(
    step: StepContext, index: Index, inputs: Sequence[tuple[str, ValueRef]], function: str
) -> Commit | None:
    """The commit that answers an instance of the step's call, of the runs that its run goes on with, the latest first.

    Args:
        step: the step.
        index: the instance.
        inputs: (parameter, value) pairs it is given now.
        function: the digest of the task's function.

    Returns:
        None if there is none, or its code, its inputs or its objects have changed.
    """
    wanted = {name: ref.digest for name, ref in inputs}
    run = step.run.resumed
    for _ in range(_LONGEST_CHAIN):
        started = read_run(step.storage, run) if run else None
        if started is None:  # it was removed, and what went before it can't be known
            return None
        found = read_commit(step.storage, run, started.generation, step.slice.node, index)
        if found is not None and found.outcome in ("succeeded", "cached"):
            fits = found.function == function and {name: ref.digest for name, ref in found.inputs} == wanted
            return found if fits and is_whole(found, step.objects, step.values) else None
        run = started.resumed
    return None
