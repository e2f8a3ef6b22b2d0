"""The step of a call: adopt what is committed, else look in the cache, else attempt it and commit the outcome.

Standard library alone, until the task's module and its values ask for more: a step loads this module.
"""

from __future__ import annotations

import os
from time import time
from typing import Any

from drawloom.catalog.outcomes import finish_attempt, start_attempt
from drawloom.catalog.records import AttemptFinished, AttemptStarted, Commit, Index, ValueRef
from drawloom.ir.canonical import Json, canonical_json
from drawloom.ir.envelope import value_digest
from drawloom.ir.protocol import DONE, FAILED_FINAL, FAILED_RETRY, SKIPPED, index_text
from drawloom.ir.tasks import TaskSpec
from drawloom.ir.variables import Variables
from drawloom.runtimes.attempt import AttemptResult, describe_failure, load_function, run_attempt
from drawloom.runtimes.capture import routed
from drawloom.runtimes.context import StepContext, run_reference
from drawloom.runtimes.decide import fail, skip
from drawloom.runtimes.resolve import UpstreamFailed
from drawloom.runtimes.tracked import NOTHING

__all__ = ["Instance", "adopted", "prepared", "run_call"]


def run_call(step: StepContext, index: Index) -> int:
    """Runs one instance of a call; returns an exit code of `ir.protocol`."""
    found = prepared(step, index)
    return found if isinstance(found, int) else found.run()


def prepared(step: StepContext, index: Index) -> int | Instance:
    """An instance of a call, its inputs resolved; an exit code of `ir.protocol` where there is nothing to attempt."""
    node = step.slice.node
    if step.attempt > 1 and step.outcomes.commit(node, index) is not None:
        return adopted(step, index)
    if step.is_behind(index):
        return skip(step, node, index)
    try:
        inputs = {name: step.tree(operand, index) for name, operand in step.slice.inputs}
    except UpstreamFailed as cause:
        return skip(step, node, index, cause)
    except Exception as exception:  # noqa: BLE001  # an expression of the user's may raise anything
        return fail(step, node, index, describe_failure(exception))
    return Instance(step, index, inputs)


def adopted(step: StepContext, index: Index) -> int:
    """The exit code of a step whose instance has a commit already, or of one whose attempt has just made it."""
    outcome = step.outcomes.outcome(step.slice.node, index)
    if step.hides_failure or outcome not in ("failed", "skipped"):
        return DONE
    return FAILED_FINAL if outcome == "failed" else SKIPPED


class Instance:
    """One attempt at one instance of a call."""

    def __init__(self, step: StepContext, index: Index, inputs: dict[str, Json]) -> None:
        assert step.slice.task is not None, "a call's slice has its task"
        self.step = step
        self.index = index
        self.inputs = inputs
        self.spec: TaskSpec = step.slice.task
        self.refs = tuple(
            (name, ValueRef(value_digest(tree), len(canonical_json(tree)))) for name, tree in inputs.items()
        )
        self.key = ""
        self.environment = ""

    def run(self) -> int:
        """Makes the attempt; returns an exit code of `ir.protocol`."""
        started = self.begin()
        return started if isinstance(started, int) else self.end(started, self._attempt(started))

    def begin(self) -> int | AttemptStarted:
        """Writes that the attempt begins; gives an exit code instead if the cache or a commit answers the call."""
        if not self.step.was_done(self.index) and (self._is_adopted() or self._is_cached()):
            return adopted(self.step, self.index)
        run = self.step.run
        started = start_attempt(
            self.step.storage,
            AttemptStarted(
                run.run, self.step.slice.node, self.index, self.step.attempt, run.generation, _worker(), time()
            ),
        )
        # the number was free: nobody began this attempt before, so nobody can have committed (a later one has looked)
        if (
            started.attempt > self.step.attempt
            and self.step.outcomes.commit(self.step.slice.node, self.index) is not None
        ):
            return adopted(self.step, self.index)
        _fault("before-run")
        return started

    def end(self, started: AttemptStarted, result: AttemptResult) -> int:
        """Writes how the attempt ended; returns an exit code of `ir.protocol`."""
        log = self.step.objects.put(result.log) if result.log else ""
        if result.outcome == "succeeded":
            return self._succeed(started, result, log)
        if result.outcome == "cancelled":  # the time of the whole run was over
            from drawloom.runtimes.run_limit import give_up

            self._finish(started, result, log)
            return give_up(self.step)
        return self._fail(started, result, log)

    def _is_adopted(self) -> bool:
        """Whether a run that this one goes on with answers it: effects that were done aren't done again."""
        if not self.step.run.resumed or self.step.attempt > 1:
            return False
        from drawloom.runtimes.adopting import earlier_commit

        found = earlier_commit(self.step, self.index, self.refs, self.spec.function.digest)
        if found is None:
            return False
        self.key, self.environment = found.cache_key, found.environment
        self._answer(found)
        return True

    def _is_cached(self) -> bool:
        from drawloom.runtimes.cache import lookup
        from drawloom.runtimes.environment import save_environment

        policies = self.spec.policies
        if not self.take_key():
            return False
        ttl = policies.cache.ttl_seconds
        found = lookup(self.step.storage, self.step.objects, self.step.values, self.key, ttl)
        if found is None:
            if self.environment:
                save_environment(self.step.storage, policies)
            return False
        self._answer(found)
        if self.step.attempt > 1:  # an earlier attempt may have left how far it was
            from drawloom.runtimes.checkpoint import checkpoint_name, discard

            discard(self.step.storage, checkpoint_name(self._place()))
        return True

    def _answer(self, found: Commit) -> None:
        self._commit(
            "cached",
            outputs=found.outputs,
            function=found.function,
            source=(found.run, found.node, index_text(found.index)),
            metrics=found.metrics,
            series=found.series,
            logged=found.logged,
        )

    def take_key(self) -> bool:
        """Makes the cache key and the environment; False if the call may not be answered from the cache."""
        from drawloom.runtimes.cache import CacheKeys, is_cacheable

        policies = self.spec.policies
        if not is_cacheable(self.step.slice.inputs, self.spec, policies):
            return False
        keys = CacheKeys(self.spec, policies)
        self.key, self.environment = keys.key(self.refs), keys.environment
        return True

    def _attempt(self, started: AttemptStarted) -> AttemptResult:
        # before the user's module is imported, and after the store has been opened with the engine's variables
        with routed(), Variables(self.spec.policies.env):
            try:
                function = load_function(self.spec.function)
            except BaseException as exception:  # noqa: BLE001  # importing the user's module may raise anything
                return AttemptResult("failed", None, describe_failure(exception), exception)
            policies = self.spec.policies
            place = self._place()
            limits = (policies.attempt_timeout_seconds, policies.node_timeout_seconds)
            if limits == (None, None) and self.step.slice.run_timeout_seconds is None:
                values = self.step.values
                return run_attempt(function, self.spec, self.inputs, values, tee=True, interruptible=False, place=place)
            from drawloom.runtimes.watchdog import run_limited

            return run_limited(self.step, started, function, self.spec, self.inputs, place)

    def _place(self) -> tuple[str, str, Index]:
        """Where a checkpoint lies: a later run that does the same finds it, if the cache might answer that as well."""
        run = self.step.run
        return self.key or run_reference(run.run, run.generation), self.step.slice.node, self.index

    def _succeed(self, started: AttemptStarted, result: AttemptResult, log: str) -> int:
        ref = self.step.values.ref(result.output, str(self.spec.result))
        _fault("before-commit")
        won = self._commit(
            "succeeded",
            outputs=(("result", ref),),
            attempt=started.attempt,
            function=self.spec.function.digest,
            seconds=result.seconds,
            log=log,
            metrics=result.tracked.metrics,
            series=result.tracked.series,
            logged=result.tracked.logged,
        )
        _fault("after-commit")
        if result.tracked.checkpoint:
            from drawloom.runtimes.checkpoint import discard

            discard(self.step.storage, result.tracked.checkpoint)
        if self.key and won.outcome == "succeeded":
            from drawloom.runtimes.cache import remember

            remember(self.step.storage, won)
        self._finish(started, result, log)
        return adopted(self.step, self.index)

    def _fail(self, started: AttemptStarted, result: AttemptResult, log: str) -> int:
        from drawloom.runtimes.retry import delay_seconds, is_retried

        assert result.failure is not None, "an attempt that failed says why"
        self._finish(started, result, log)
        failures = self._failures_before(started) + 1
        if is_retried(self.spec.policies.retry, result.failure, failures) and not self._is_late():
            if self._is_run_late_after(delay_seconds(self.spec.policies.retry, failures)):
                from drawloom.runtimes.run_limit import give_up

                return give_up(self.step)  # nobody has to wait for an attempt that can't begin any more
            return FAILED_RETRY
        _fault("before-commit")
        self._commit(
            "failed",
            failure=result.failure,
            attempt=started.attempt,
            function=self.spec.function.digest,
            seconds=result.seconds,
            log=log,
        )
        _fault("after-commit")
        return adopted(self.step, self.index)

    def _failures_before(self, started: AttemptStarted) -> int:
        """How many earlier attempts failed by themselves: those that were lost are the engine's to count."""
        from drawloom.catalog.keys import attempt_key
        from drawloom.catalog.outcomes import decode_record
        from drawloom.storage.base import KeyMissing

        count = 0
        for number in range(1, started.attempt):
            key = attempt_key(started.run, started.generation, started.node, started.index, number, "finished")
            try:
                record = decode_record(self.step.storage.read(key), key)
            except KeyMissing:
                continue
            count += isinstance(record, AttemptFinished) and record.outcome in ("failed", "timeout")
        return count

    def _is_late(self) -> bool:
        if self.spec.policies.node_timeout_seconds is None:
            return False
        from drawloom.runtimes.watchdog import node_seconds_left

        return node_seconds_left(self.step, self.index, self.spec.policies) <= 0

    def _is_run_late_after(self, seconds: float) -> bool:
        if self.step.slice.run_timeout_seconds is None:
            return False
        from drawloom.runtimes.run_limit import run_seconds_left

        return run_seconds_left(self.step) <= seconds

    def _finish(self, started: AttemptStarted, result: AttemptResult, log: str) -> None:
        tracked = NOTHING if result.outcome == "succeeded" else result.tracked  # else it stands in the commit
        finish_attempt(
            self.step.storage,
            AttemptFinished(
                started.run,
                started.node,
                started.index,
                started.attempt,
                started.generation,
                result.outcome,
                result.seconds,
                result.failure,
                log=log,
                metrics=tracked.metrics,
                series=tracked.series,
                logged=tracked.logged,
                at=time(),
            ),
        )

    def _commit(self, outcome: str, **more: Any) -> Commit:
        made = {"inputs": self.refs, "cache_key": self.key, "environment": self.environment, **more}
        return self.step.commit(self.step.slice.node, self.index, outcome, **made)


def _worker() -> str:
    return f"{os.uname().nodename}:{os.getpid()}"


def _fault(point: str) -> None:
    """Does nothing, unless a test of the protocol has asked for a fault (`runtimes.faults`)."""
    wanted = os.environ.get("DRAWLOOM_FAULTS")
    if wanted:
        from drawloom.runtimes.faults import at

        at(point, wanted)
