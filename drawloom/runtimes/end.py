"""The end step: closes a run when nothing of it runs any more; commits the pipeline's results, or its failure."""

from __future__ import annotations

from time import time

from drawloom.catalog.outcomes import finish_run
from drawloom.catalog.records import FailureInfo, RunFinished
from drawloom.ir.protocol import DONE, FAILED_FINAL
from drawloom.runtimes.attempt import describe_failure, engine_failure
from drawloom.runtimes.context import StepContext
from drawloom.runtimes.decide import close
from drawloom.runtimes.resolve import UpstreamFailed

__all__ = ["run_end"]


def run_end(step: StepContext) -> int:
    """Commits node `""`, writes the run's last record; the exit code is the run's."""
    late = _late(step)
    if late is not None:
        return _finish(step, late)
    closing = close(step, "", ())
    failed = step.failed_nodes()
    first = failed.first_in("", ()) if failed is not None else None
    failure = first.failure or FailureInfo("infra") if first is not None else _commit_results(step)
    for node, index in closing.unread:
        step.resolver.keep_lists(node, index)
    return _finish(step, failure)


def _late(step: StepContext) -> FailureInfo | None:
    if step.slice.run_timeout_seconds is None:
        return None
    from drawloom.runtimes.run_limit import failure_of_run

    return failure_of_run(step)


def _finish(step: StepContext, failure: FailureInfo | None) -> int:
    outcome = "succeeded" if failure is None else "failed"
    run = step.run
    finished = finish_run(step.storage, RunFinished(run.run, outcome, run.generation, failure, time()))
    return DONE if finished.outcome == "succeeded" else FAILED_FINAL


def _commit_results(step: StepContext) -> FailureInfo | None:
    try:
        refs = tuple(
            (port.name, step.values.ref(step.tree(operand, ()), str(port.type)))
            for port, (_, operand) in zip(step.slice.ports, step.slice.inputs, strict=True)
        )
    except UpstreamFailed as cause:
        failure = engine_failure("infra", f"the result needs `{cause.node}`, which has no outcome")
        return step.commit("", (), "failed", failure=failure).failure
    except Exception as exception:  # noqa: BLE001  # an expression of the user's may raise anything
        return step.commit("", (), "failed", failure=describe_failure(exception)).failure
    if not refs:
        return None
    return step.commit("", (), "succeeded", outputs=refs, attempt=1).failure
