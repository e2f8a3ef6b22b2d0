"""What a step says when it can't do its work: the run, the program or the order is wrong, not the user's code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drawloom.catalog import keys
from drawloom.catalog.commands import address_of, command
from drawloom.catalog.outcomes import decode_record
from drawloom.catalog.records import EngineObservation, Index, RunStarted
from drawloom.errors import Diagnostic, RunRefused, StoreError
from drawloom.ir.protocol import index_text
from drawloom.runtimes.context import StepContext
from drawloom.runtimes.resolve import UpstreamFailed
from drawloom.storage.base import Storage

__all__ = ["bad_arguments", "lost_text", "missing_input", "refuse_late_step", "telling_line"]


def missing_input(step: StepContext, index: Index, cause: UpstreamFailed) -> StoreError:
    """E712: an input has no outcome, though nothing has failed."""
    return StoreError(
        Diagnostic(
            "E712",
            f"step `{step.slice.id}` [{index_text(index)}] needs the outcome of `{cause.node}` "
            f"[{index_text(cause.index)}], which has none, and nothing has failed in run {step.run.run}",
            None,
            f"start `{cause.node}` first: the engine must keep the order of the compiled program",
        )
    )


def bad_arguments(problem: str) -> RunRefused:
    """E713: the command line of a step is wrong."""
    return RunRefused(
        Diagnostic(
            "E713",
            f"a step can't be started like this: {problem}",
            None,
            "use the command the compiler printed: --store URL --project P --run REF --step ID --index 0,3 "
            "--attempt 1 --out DIR",
        )
    )


def lost_text(step: StepContext, node: str, index: Index) -> str:
    """Why an instance has no outcome, with what the engine observed of its last attempt, if it did."""
    folder = keys.observations_prefix(step.run.run, step.run.generation)
    last: EngineObservation | None = None
    for key in step.storage.keys(folder):
        if key.startswith(f"{folder}{keys.instance_digest(node, index)}-"):
            seen = decode_record(step.storage.read(key), key)
            if isinstance(seen, EngineObservation) and (last is None or seen.attempt > last.attempt):
                last = seen
    text = "its step was lost, and no attempt is left"
    if last is None or not last.detail:
        return text
    how, *said = last.detail.splitlines()
    own = next((line for line in said if line.startswith("error[")), "")  # what the step itself found wrong
    return f"{text}: {how}{f': {own}' if own else ''}"


def telling_line(lines: Iterable[str]) -> str:
    """Of what a step printed that ended badly the line that tells why: what it found wrong itself, or the last one.

    A crash ends with its exception, as Python prints it.
    """
    whole = [line.strip() for line in lines if line.strip()]
    return next((line for line in reversed(whole) if line.startswith("error[")), whole[-1] if whole else "")


def refuse_late_step(storage: Storage, run: RunStarted, step: str, indices: Sequence[Index], attempt: int) -> None:
    """E743: tells, in the step's output and in the catalog, that a run whose end is written isn't gone on with.

    That is what an engine's own way to run a part again comes to: it starts steps of the run that there was, and what
    such a run is stands in the catalog already. A retried run is a new run.
    """
    import sys
    from time import time

    from drawloom.catalog.outcomes import observe

    what = f"run {run.run} is over, and step `{step}` was started again: a run that has ended isn't gone on with"
    fix = f"`{command('retry', address_of(run))}` runs what is left of it, as a new run that adopts what succeeded"
    refusal = Diagnostic("E743", what, None, fix)
    print(refusal, file=sys.stderr)
    node = step.partition(":")[0]
    for index in indices if node else ():
        observe(storage, EngineObservation(run.run, node, "refused", index, attempt, run.generation, what, time()))
