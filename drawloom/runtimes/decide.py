"""The steps that run no code of the user's: they evaluate an expression, look for failures, and tell the engine.

Each returns an exit code of `ir.protocol`. What they evaluate can fail as any code can; then the control node has
failed. Standard library alone: a step loads this module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from drawloom.catalog.records import FailureInfo, Index
from drawloom.ir.canonical import canonical_json
from drawloom.ir.operands import Carried
from drawloom.ir.protocol import BATCHES, COUNT, DONE, FAILED_FINAL, NEXT, SKIPPED, arm_output, batch_texts
from drawloom.runtimes.context import StepContext, carried_node
from drawloom.runtimes.resolve import UpstreamFailed, item_trees

if TYPE_CHECKING:
    from drawloom.runtimes.failures import Closing

__all__ = ["DECIDERS", "close", "fail", "skip"]


def fail(step: StepContext, node: str, index: Index, failure: FailureInfo) -> int:
    """Commits a final failure."""
    won = step.commit(node, index, "failed", failure=failure)
    return DONE if step.hides_failure or won.outcome not in ("failed", "skipped") else FAILED_FINAL


def skip(step: StepContext, node: str, index: Index, cause: UpstreamFailed | None = None) -> int:
    """Commits that an input failed; nothing if it was lost, which is for the step to say that closes what it lies in.

    Raises:
        StoreError: E712, the input is missing though nothing has failed: the engine didn't keep the order.
    """
    if cause is not None and not step.outcomes.ended_badly(cause.node, cause.index) and step.failed_nodes() is None:
        if step.after == "ended":
            return SKIPPED
        from drawloom.runtimes.step_errors import missing_input

        raise missing_input(step, index, cause) from None
    step.commit(node, index, "skipped")
    return DONE if step.hides_failure else SKIPPED


def _failure(exception: BaseException) -> FailureInfo:
    from drawloom.runtimes.attempt import describe_failure

    return describe_failure(exception)


def _decide(step: StepContext, index: Index, evaluate: Callable[[], int]) -> tuple[int, int | None]:
    """The exit code, and the decision that counts or None: what every deciding step has in common."""
    node = step.slice.node
    if step.is_behind(index):
        return skip(step, node, index), None
    try:
        value = evaluate()
    except UpstreamFailed as cause:
        return skip(step, node, index, cause), None
    except Exception as exception:  # noqa: BLE001  # an expression of the user's may raise anything
        return fail(step, node, index, _failure(exception)), None
    return DONE, step.decide(node, index, value)


def decide_map(step: StepContext, index: Index) -> int:
    """Counts a map's items."""
    items = step.slice.inputs[0][1]
    code, number = _decide(step, index, lambda: len(item_trees(step.tree(items, index), step.values)))
    step.write_output(COUNT, str(number or 0))
    if step.slice.limit:
        step.write_output(BATCHES, canonical_json(list(batch_texts(number or 0, step.slice.limit))))
    return code


def decide_branch(step: StepContext, index: Index) -> int:
    """Finds the arm of a branch: the first case whose test is true, else the last arm."""

    def first_true() -> int:
        tests = step.slice.inputs
        return next((arm for arm, (_, test) in enumerate(tests) if step.resolver.truth(test, index)), len(tests))

    code, chosen = _decide(step, index, first_true)
    for arm in range(len(step.slice.inputs) + 1):
        step.write_flag(arm_output(arm), arm == chosen)
    return code


def decide_loop(step: StepContext, index: Index) -> int:
    """Tests before iteration `index[-1]`; computes what the iteration before gave, so that its failure comes here."""
    node, outer, k = step.slice.node, index[:-1], index[-1]
    code, go_on = DONE, False
    try:
        if step.is_behind(index) or _has_failed(step, node, outer):
            code = skip(step, node, outer) if not _has_failed(step, node, outer) else DONE
        else:
            go_on = _test(step, index)
            if go_on and k >= step.slice.limit:
                step.decide(node, index, 1)
                go_on = False
                if step.slice.on_limit == "fail":
                    raise _bound_reached(step.slice.limit)
                step.decide(node, outer, k)
            elif not step.decide(node, index, int(go_on)):
                step.decide(node, outer, k)
    except UpstreamFailed as cause:
        code = skip(step, node, outer, cause)
    except Exception as exception:  # noqa: BLE001  # an expression of the user's may raise anything
        code = fail(step, node, outer, _failure(exception))
    step.write_flag(arm_output(0), go_on)
    step.write_output(NEXT, str(k + 1))
    return code


def _test(step: StepContext, index: Index) -> bool:
    """Whether the loop goes on; keeps what it carries into this iteration: nobody has to start from the first."""
    node = step.slice.node
    loop = next((source for source in step.slice.sources if source.id == node), None)  # none if it carries nothing
    names = [name for name, _ in loop.results[0]] if loop is not None else []
    carried = [(name, step.tree(Carried(node, name), index)) for name in names]
    outputs = tuple((name, step.values.ref(tree)) for name, tree in carried)
    step.commit(carried_node(node), index, "succeeded", outputs=outputs)
    return step.resolver.truth(step.slice.inputs[0][1], index)


def _has_failed(step: StepContext, node: str, index: Index) -> bool:
    failed = step.failed_nodes() if step.slice.contained else None
    return failed is not None and failed.first_in(node, index) is not None


def _bound_reached(limit: int) -> Exception:
    from drawloom.errors import BoundReached

    return BoundReached(limit)


def decide_try(step: StepContext, index: Index) -> int:
    """Finds the failure of a try's body and the handler for it."""
    node = step.slice.node
    chosen: int | None = None
    if step.is_behind(index):
        code = skip(step, node, index)
    else:
        code = DONE
        close(step, node, index, arm=0)
        caught = _first_failure(step, node, index)
        arm = 0 if caught is None else _handler(step.slice.handlers, caught)
        chosen = step.decide(node, index, arm, caught)
    for arm in range(1, len(step.slice.handlers) + 1):
        step.write_flag(arm_output(arm), arm == chosen)
    return code


def _first_failure(step: StepContext, node: str, index: Index) -> FailureInfo | None:
    failed = step.failed_nodes()
    first = failed.first_in(node, index, arm=0) if failed is not None else None
    if first is not None:
        return first.failure or FailureInfo("infra")
    try:
        for _, operand in step.slice.inputs:
            step.tree(operand, index)
    except UpstreamFailed as cause:
        from drawloom.runtimes.step_errors import missing_input

        raise missing_input(step, index, cause) from None
    except Exception as exception:  # noqa: BLE001  # an expression of the user's may raise anything
        return step.commit(f"{node}:results-0", index, "failed", failure=_failure(exception)).failure
    return None


def _handler(handlers: tuple[tuple[str, ...], ...], failure: FailureInfo) -> int:
    for arm, classes in enumerate(handlers, start=1):
        if failure.type in classes or any(base in classes for base in failure.bases):
            return arm
    return -1


def compute_results(step: StepContext, index: Index) -> int:
    """Computes the results of a block for their failure alone: who needs them computes them again."""
    try:
        if step.is_behind(index):
            return DONE if step.hides_failure else SKIPPED
        for _, operand in step.slice.inputs:
            step.tree(operand, index)
    except UpstreamFailed as cause:
        if not step.slice.contained:
            return skip(step, step.slice.node, index, cause)
        return DONE if step.hides_failure else SKIPPED
    except Exception as exception:  # noqa: BLE001  # an expression of the user's may raise anything
        failure = _failure(exception)
        code = fail(step, step.slice.node, index, failure)
        for owner in step.slice.covers:
            fail(step, owner, index[: step.slice.limit], failure)
        return code
    return DONE


def settle(step: StepContext, index: Index) -> int:
    """Says what became of a try, or of a batch of a map's items, once everything in it has ended."""
    if step.slice.covers != (step.slice.node,):
        bad = step.failed_nodes() is not None and any(step.outcomes.ended_badly(n, index) for n in step.slice.covers)
        return FAILED_FINAL if bad else DONE
    node = step.slice.node
    if step.outcomes.outcome(node, index) == "skipped":
        return DONE if step.hides_failure else SKIPPED
    close(step, node, index)
    failed = step.failed_nodes()
    first = failed.first_in(node, index) if failed is not None else None
    if first is None:
        return DONE
    return fail(step, node, index, first.failure or FailureInfo("infra"))


def close(step: StepContext, node: str, index: Index, arm: int | None = None) -> Closing:
    """Commits a failure for every instance in a node (or in one block of it) whose step was lost.

    From then on a zombie's commit comes too late, and what was decided stays true.

    Returns:
        What was found there.
    """
    from drawloom.runtimes.attempt import engine_failure
    from drawloom.runtimes.failures import Closing
    from drawloom.runtimes.step_errors import lost_text

    places = step.places()
    closing = Closing(places, step.all_failed_nodes(), step.outcomes.outcome, step.outcomes.decided)
    arms = {0} if arm is None else {arm}
    if arm is None and node:  # a try: its body, the handler that was chosen, and `final`
        arms |= {step.outcomes.decided(node, index) or 0, places[node].arms} - {-1}
    for inner in sorted(arms):
        closing.block(node, inner, index)
    for lost, at in closing.lost:
        step.commit(lost, at, "failed", failure=engine_failure("infra", lost_text(step, lost, at)))
    return closing


DECIDERS: dict[str, Any] = {
    "map": decide_map,
    "branch": decide_branch,
    "loop": decide_loop,
    "try": decide_try,
    "results": compute_results,
    "settle": settle,
}
