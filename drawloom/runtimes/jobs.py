"""A call to be made, and making it: look in the cache, else attempt it here or in a worker process; build its commit.

A job runs in a worker thread of an executor and touches nothing that belongs to the scheduling thread: it is given
trees and gives back trees. It never raises: what goes wrong, in the task or in the store, is the job's failure.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from time import time as now
from typing import Any

from drawloom.catalog.answers import Answers
from drawloom.catalog.records import Commit, FailureInfo, Index, ValueRef, record_to_json
from drawloom.catalog.runlog import Encoded
from drawloom.errors import Diagnostic, NodeFailed
from drawloom.frozen import dataclass
from drawloom.ir.canonical import Json, canonical_json
from drawloom.ir.envelope import value_digest
from drawloom.ir.nodes import Call
from drawloom.ir.policies import INFRA, TIMEOUT, Policies
from drawloom.ir.protocol import index_text
from drawloom.ir.tasks import TaskSpec
from drawloom.ir.variables import Variables
from drawloom.runtimes.attempt import (
    AttemptResult,
    describe_failure,
    engine_failure,
    redacted,
    reveal_secrets,
    run_attempt,
)
from drawloom.runtimes.cache import CacheKeys
from drawloom.runtimes.commitform import CommitForm
from drawloom.runtimes.endings import attempt_late, node_late
from drawloom.runtimes.tracked import NOTHING, Tracked
from drawloom.runtimes.workers import WorkerLost, WorkerPool, WorkerTimeout
from drawloom.storage.objects import Objects
from drawloom.values.store import Values

__all__ = ["CallPlan", "Job", "JobResult", "Performer", "failed_result"]

Place = tuple[str, str, Index]  # (run or cache key, node, index)


@dataclass(frozen=True, slots=True)
class CallPlan:
    """What is the same for every instance of a call.

    Args:
        call: the node.
        spec: the task's interface.
        policies: those that hold for this call.
        function: the plain function.
        isolated: whether it runs in a worker process.
        keys: makes its cache keys; None if it may not be answered from the cache.
        result_type: the text of the type it returns.
        form: writes its commits.
    """

    call: Call
    spec: TaskSpec
    policies: Policies
    function: Callable[..., Any]
    isolated: bool
    keys: CacheKeys | None
    result_type: str
    form: CommitForm


class Job:
    """One attempt at a call instance; the same object is handed in again for the next attempt.

    Args:
        plan: the call.
        index: its index vector.
        inputs: (parameter, tree, the value's reference where it is known already) in the task's order.
        place: whatever the scheduler finds its way back by.
    """

    __slots__ = ("attempt", "began", "deadline", "ended", "index", "inputs", "node", "place", "plan", "refs")

    def __init__(
        self, plan: CallPlan, index: Index, inputs: list[tuple[str, Json, ValueRef | None]], place: Any
    ) -> None:
        self.plan = plan
        self.node = plan.call.id
        self.index = index
        self.inputs = inputs
        self.place = place
        self.attempt = 1
        self.deadline: float | None = None  # `time.monotonic` at which the node's time is over
        self.began = self.ended = 0.0  # `time.monotonic` around this attempt, for an executor
        self.refs: tuple[tuple[str, ValueRef], ...] | None = None  # made by the first attempt

    def limit(self) -> float | None:
        """The seconds this attempt may take, None for no limit."""
        limits = [self.plan.policies.attempt_timeout_seconds]
        if self.deadline is not None:
            limits.append(max(0.0, self.deadline - time.monotonic()))
        known = [limit for limit in limits if limit is not None]
        return min(known) if known else None


class JobResult(Encoded):
    """How a job ended: `outcome` is `succeeded`, `cached`, `failed`, `timeout`, `infra` or `cancelled`.

    One that succeeded or is cached is also the job's commit.
    """

    __slots__ = (
        "at",
        "attempt",
        "cache_key",
        "environment",
        "exception",
        "failure",
        "function",
        "input_refs",
        "job",
        "log",
        "log_object",
        "outcome",
        "output",
        "ref",
        "seconds",
        "source",
        "tracked",
    )

    def __init__(self, job: Job, outcome: str) -> None:
        self.job = job
        self.outcome = outcome
        self.attempt = job.attempt
        self.at = 0.0
        self.cache_key = ""
        self.environment = ""
        self.exception: BaseException | None = None
        self.failure: FailureInfo | None = None
        self.function = ""
        self.input_refs = job.refs or ()
        self.log = b""
        self.log_object = ""
        self.output: Json = None
        self.ref: ValueRef | None = None
        self.seconds = 0.0
        self.source: tuple[str, ...] = ()
        self.tracked = NOTHING

    def record(self) -> Commit:
        assert self.ref is not None, "what succeeded has an output"
        return Commit(
            self.job.plan.form.run,
            self.job.node,
            self.job.index,
            attempt=self.attempt,
            outcome=self.outcome,
            outputs=(("result", self.ref),),
            inputs=tuple((name, ValueRef(ref.digest, ref.size_bytes)) for name, ref in self.input_refs),
            function=self.function,
            cache_key=self.cache_key,
            environment=self.environment,
            source=self.source,
            seconds=self.seconds,
            log=self.log_object,
            metrics=self.tracked.metrics,
            series=self.tracked.series,
            logged=self.tracked.logged,
            at=self.at,
        )

    def json_text(self) -> str:
        if self.tracked is not NOTHING:
            return canonical_json(record_to_json(self.record()))
        return self.job.plan.form.text(self)


class Performer:
    """Performs jobs, in whichever thread it is called.

    Args:
        run: the run's id.
        objects, values: of the project.
        pool: worker processes for the calls that need one.
        answers: what earlier runs made; what a cacheable call makes is remembered there.
        use_cache: whether calls may be answered from there.
        adopt: (node, index vector) -> a commit of an earlier run that answers this instance, whatever its cache policy,
            if function and inputs are still the same.
        started: told when an attempt begins.
        tee: whether tasks' output also goes to the terminal as it is written.
    """

    def __init__(
        self,
        run: str,
        objects: Objects,
        values: Values,
        pool: WorkerPool,
        *,
        answers: Answers,
        use_cache: bool,
        adopt: Mapping[tuple[str, Index], Commit],
        started: Callable[[Job], None],
        tee: bool,
    ) -> None:
        self._run = run
        self._objects = objects
        self._values = values
        self._pool = pool
        self._answers = answers
        self._use_cache = use_cache
        self._adopt = adopt
        self._started = started
        self._tee = tee

    def perform(self, job: Job) -> JobResult:
        """Makes one attempt. `KeyboardInterrupt` alone gets through."""
        try:
            return self._perform(job)
        except KeyboardInterrupt:
            raise
        except BaseException as exception:  # noqa: BLE001  # the store failed: the node's failure, not this thread's end
            return failed_result(job, exception)

    def _perform(self, job: Job) -> JobResult:
        refs = job.refs
        if refs is None:
            refs = job.refs = tuple([(name, ref or _input_ref(tree)) for name, tree, ref in job.inputs])
        plan, key = job.plan, ""
        if self._adopt:
            earlier = self._adopted(job, refs)
            if earlier is not None:
                return self._cached(job, earlier.cache_key, earlier)
        if plan.keys is not None:
            key = plan.keys.key(refs)
            if self._use_cache and job.attempt == 1:
                found = self._answers.find(key, plan.spec.function.digest, plan.policies.cache.ttl_seconds)
                if found is not None:
                    return self._cached(job, key, found)
        self._started(job)
        # where a checkpoint lies: a later run that does the same finds it, if the cache might answer that as well
        place = (key if self._use_cache and key else self._run, job.node, job.index)
        attempt, ref = self._isolated(job, place) if plan.isolated else (self._here(job, place), None)
        return self._result(job, key, attempt, ref)

    def _adopted(self, job: Job, refs: tuple[tuple[str, ValueRef], ...]) -> Commit | None:
        """The commit to adopt for this instance, None if there is none, or code, inputs or its objects have changed."""
        found = self._adopt.get((job.node, job.index)) if job.attempt == 1 else None
        if found is None or found.function != job.plan.spec.function.digest:
            return None
        if {name: ref.digest for name, ref in found.inputs} != {name: ref.digest for name, ref in refs}:
            return None
        return found if self._answers.is_sound(found) else None

    def _here(self, job: Job, place: Place) -> AttemptResult:
        inputs = {name: tree for name, tree, _ in job.inputs}
        plan = job.plan
        with Variables(plan.policies.env):  # only where nothing else runs meanwhile: see `local._isolation`
            return run_attempt(plan.function, plan.spec, inputs, self._values, tee=self._tee, place=place)

    def _isolated(self, job: Job, place: Place) -> tuple[AttemptResult, ValueRef | None]:
        inputs = {name: tree for name, tree, _ in job.inputs}
        for tree in inputs.values():
            reveal_secrets(tree)  # a killed worker can't take them out of its log itself
        began = time.monotonic()
        limit = job.limit()
        worker = self._pool.lease(job.plan.policies.env)
        try:
            attempt, ref = worker.attempt(job.plan.spec, inputs, limit, place)
            self._echo(attempt.log)
            return attempt, ref
        except WorkerTimeout as late:
            return _ended("timeout", TIMEOUT, late_diagnostic(job, limit), began, late.log), None
        except WorkerLost as lost:
            return _ended("infra", INFRA, lost_diagnostic(job, lost), began, lost.log), None
        finally:
            self._pool.release(worker)

    def _echo(self, log: bytes) -> None:
        """Shows what a worker process wrote, where nobody else does."""
        if self._tee and log:
            sys.stdout.write(log.decode("utf-8", "replace"))

    def _result(self, job: Job, key: str, attempt: AttemptResult, ref: ValueRef | None) -> JobResult:
        result = JobResult(job, attempt.outcome)
        result.seconds = attempt.seconds
        result.at = now()
        result.tracked = attempt.tracked
        if attempt.log:
            result.log = attempt.log
            result.log_object = self._objects.put(attempt.log)
        if attempt.outcome != "succeeded":
            result.failure = attempt.failure
            result.exception = attempt.exception
            return result
        plan = job.plan
        result.output = attempt.output
        result.ref = ref or self._values.ref(attempt.output, plan.result_type)
        result.function = plan.spec.function.digest
        if plan.keys is not None:
            result.cache_key = key
            result.environment = plan.keys.environment
            self._answers.remember(result, attempt.seconds)
        if attempt.tracked.checkpoint:
            from drawloom.runtimes.checkpoint import discard  # only tasks that use one pay for it

            discard(self._objects.storage, attempt.tracked.checkpoint)
        return result

    def _cached(self, job: Job, key: str, found: Commit) -> JobResult:
        result = JobResult(job, "cached")
        result.attempt = 0
        result.at = now()
        result.ref = dict(found.outputs)["result"]
        result.output = self._values.tree(result.ref)
        result.function = found.function
        result.cache_key = key
        result.environment = found.environment
        result.source = (found.run, found.node, index_text(found.index))
        if found.metrics or found.logged:
            result.tracked = Tracked(found.metrics, found.series, found.logged)
        return result


def failed_result(job: Job, exception: BaseException) -> JobResult:
    """The result of a job that failed outside its task, or by what the task raised to end its thread."""
    result = JobResult(job, "failed")
    result.exception = exception
    result.failure = describe_failure(exception)
    return result


def _input_ref(tree: Json) -> ValueRef:
    """The version of an input: its digest and size; the envelope is where it came from."""
    text = repr(tree) if tree.__class__ is int else canonical_json(tree)
    return ValueRef(value_digest(tree, text), len(text))


def _ended(outcome: str, kind: str, why: Diagnostic, began: float, log: bytes) -> AttemptResult:
    failure = engine_failure(kind, why.what)
    return AttemptResult(outcome, None, failure, NodeFailed(why), time.monotonic() - began, redacted(log))


def late_diagnostic(job: Job, limit: float | None) -> Diagnostic:
    """Why an attempt was ended: by its own limit, or by the node's."""
    policies = job.plan.policies
    own = policies.attempt_timeout_seconds
    told = attempt_late if own is not None and (limit is None or limit >= own) else node_late
    return told(job.node, job.attempt, policies)


def lost_diagnostic(job: Job, lost: WorkerLost) -> Diagnostic:
    """Why an attempt has no outcome: its process is gone."""
    return Diagnostic(
        "R516",
        f"the worker process of attempt {job.attempt} of `{job.node}` {lost.how}",
        None,
        "see the node's log; if it ran out of memory, give it less to do at once; "
        'retry=Retry(max_attempts=2, on=["infra"]) makes another attempt',
    )
