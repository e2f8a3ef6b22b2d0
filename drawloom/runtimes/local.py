"""The local run: a pipeline run on this machine, in threads, worker processes or inline, written to the catalog."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from drawloom.catalog.answers import Answers
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.outcomes import write_run
from drawloom.catalog.programs import save_program
from drawloom.catalog.records import Commit, FailureInfo, Index, RunStarted, ValueRef
from drawloom.catalog.run import Run
from drawloom.catalog.runlog import RunWriter
from drawloom.errors import Diagnostic, NodeFailed, RunRefused, Span
from drawloom.ir.canonical import Json
from drawloom.ir.layout import layout
from drawloom.ir.nodes import Call
from drawloom.ir.policies import TIMEOUT, Policies
from drawloom.ir.program import Program
from drawloom.ir.walk import walk
from drawloom.runtimes.attempt import engine_failure
from drawloom.runtimes.blocks import DONE, Failure
from drawloom.runtimes.cache import CacheKeys, is_cacheable
from drawloom.runtimes.capture import routed
from drawloom.runtimes.commitform import CommitForm
from drawloom.runtimes.endings import run_late
from drawloom.runtimes.environment import python_minor, save_environment
from drawloom.runtimes.executors import Executor, InlineExecutor, News, ThreadExecutor
from drawloom.runtimes.importable import import_problem
from drawloom.runtimes.interrupts import interrupts
from drawloom.runtimes.jobs import CallPlan, JobResult, Performer
from drawloom.runtimes.journal import Journal
from drawloom.runtimes.mainmodule import describe_main
from drawloom.runtimes.memory import Memory
from drawloom.runtimes.progress import Progress, SilentProgress
from drawloom.runtimes.resolve import Resolver
from drawloom.runtimes.scheduler import Scheduler
from drawloom.runtimes.worker import importing
from drawloom.runtimes.workers import WorkerPool

__all__ = ["EXECUTORS", "RunInterrupted", "run_local"]

EXECUTORS: Final = ("threads", "processes", "inline")
_GRACE_SECONDS: Final = 0.5  # how long attempts in threads may go on once a run is being aborted


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C ended a run; `run` is the cancelled run, with everything that had been done."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"run {run.id} was cancelled")
        self.run = run


def run_local(
    program: Program,
    functions: Mapping[str, Callable[..., Any]],
    params: Mapping[str, Json],
    catalog: Catalog,
    *,
    executor: str = "threads",
    workers: int | None = None,
    cache: bool = True,
    fail_fast: bool = True,
    progress: Progress | None = None,
    info: Mapping[str, Json] | None = None,
    adopt: Mapping[tuple[str, Index], Commit] | None = None,
    told: Mapping[str, Any] | None = None,
) -> Run:
    """Runs a program on this machine.

    Args:
        program: the pipeline, checked.
        functions: task name -> the plain function.
        params: parameter name -> tree, one for each parameter.
        catalog: where the run is written; its values made the trees.
        executor: `threads`, `processes` (worker processes that import the tasks by name), or `inline` (this thread).
        workers: the most tasks at once; None for the number of cores (processes), or that + 4, at most 32 (threads).
        cache: whether earlier commits may answer calls; what is made is remembered in any case.
        fail_fast: whether the first failure that no `try_` may handle ends the run (what runs then is let end); if not,
            everything that doesn't depend on a failure is done.
        progress: what is told of events; None tells nobody and lets tasks' output through to the terminal.
        info: `RunInfo` field -> tree; `run_id` is given by the run itself.
        adopt: (node, index vector) -> successful commit of an earlier run. Such an instance is not run again, whatever
            its cache policy, if its function and its inputs have the digests the commit names: how a run is resumed.
        told: fields of the run's record that the caller alone knows: `target`, `static`, `resumed`.

    Returns:
        The run, also if it failed; `Run.result` then raises.

    Raises:
        RunRefused: R510 to R513, R518, R562; the run has not begun.
        StoreError: the store can't be read or written.
        RunInterrupted: Ctrl-C; the run has ended and is written as cancelled.
    """
    limit = _checked_workers(executor, workers)
    run_id = new_run_id()
    calls = _plan_calls(program, functions, executor, run_id)
    run = _LocalRun(program, calls, catalog, run_id, progress, tee=progress is None)
    run.told = told or {}
    try:
        return run.execute(params, info or {}, executor, limit, use_cache=cache, adopt=adopt or {}, fail_fast=fail_fast)
    finally:
        run.progress.close()  # where a fault ended the run, it hasn't been told that it is over


def new_run_id() -> str:
    """A fresh run id: sorts by time, and is safe as a key and as a file name everywhere."""
    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + os.urandom(4).hex()


class _LocalRun:
    """One local run: what stands around the scheduler. `params` and flags come with `execute`."""

    def __init__(
        self,
        program: Program,
        calls: Mapping[str, CallPlan],
        catalog: Catalog,
        run_id: str,
        progress: Progress | None,
        *,
        tee: bool,
    ) -> None:
        self.program = program
        self.pipeline = program.pipeline
        self.calls = calls
        self.catalog = catalog
        self.id = run_id
        self.progress: Progress = progress or SilentProgress()
        self.journal = Journal(run_id, self.progress)
        self.tee = tee
        self.told: Mapping[str, Any] = {}
        self.news: News = queue.SimpleQueue()
        self.interrupted = False
        self.late: Diagnostic | None = None
        self.exception: BaseException | None = None

    def execute(
        self,
        params: Mapping[str, Json],
        info: Mapping[str, Json],
        executor: str,
        workers: int,
        *,
        use_cache: bool,
        adopt: Mapping[tuple[str, Index], Commit],
        fail_fast: bool,
    ) -> Run:
        values = self.catalog.values.sharing()
        types = {port.name: str(port.type) for port in self.pipeline.params}
        memory = Memory(params, {**info, "run_id": self.id}, values, types)
        answers = Answers(self.catalog.storage, values)
        with contextlib.ExitStack() as stack:
            stack.callback(answers.close)
            # the log first: whoever sees that a run began also sees whether its writer lives
            writer = self._writer(answers)
            stack.enter_context(writer)
            self._write_start(memory, info, executor)
            pool = self._pool()
            stack.callback(pool.close)
            stack.enter_context(routed())
            answers.catch_up()
            performer = Performer(
                self.id,
                self.catalog.objects,
                values,
                pool,
                answers=answers,
                use_cache=use_cache,
                adopt=adopt,
                started=self.journal.started,
                tee=self.tee,
            )
            self.executor = self._executor(executor, performer, workers)
            self.progress.begun(self.id, self.pipeline)
            scheduler = Scheduler(
                self.pipeline.body,
                self.calls,
                memory,
                Resolver(layout(self.pipeline), memory, values),
                self.journal,
                find=(lambda key: answers.find(key, "")) if use_cache else (lambda _: None),
                capacity=self.executor.capacity,
                fail_fast=fail_fast,
            )
            stack.enter_context(interrupts(self._interrupt))
            self._run(scheduler, pool)
            outcome, failure = self._finish(scheduler, memory)
            writer.close()
            answers.finished(self.id)
        self.progress.ended(outcome, failure)
        return self._ended_run()

    def _writer(self, answers: Answers) -> RunWriter:
        written = partial(answers.written, self.id)
        writer = RunWriter(self.catalog.storage, self.id, under_way=self.journal.under_way, written=written)
        self.journal.write_to(writer)
        return writer

    def _pool(self) -> WorkerPool:
        storage, allow_pickle = self.catalog.storage.url, self.catalog.allow_pickle
        return WorkerPool({"storage": storage, "allow_pickle": allow_pickle, "main": describe_main()})

    def _executor(self, executor: str, performer: Performer, workers: int) -> Executor:
        if executor == "inline":
            return InlineExecutor(performer, self.news)
        return ThreadExecutor(performer, self.news, workers)

    def _write_start(self, memory: Memory, info: Mapping[str, Json], executor: str) -> None:
        keyed = {plan.keys.environment: plan.policies for plan in self.calls.values() if plan.keys is not None}
        for environment, policies in keyed.items():
            if environment:  # a container has none but its image
                save_environment(self.catalog.storage, policies)
        digest = save_program(self.catalog.storage, self.program)
        decode = self.catalog.values.decode
        times = {name: decode(tree).isoformat() for name, tree in info.items() if tree is not None}
        write_run(
            self.catalog.storage,
            RunStarted(
                self.id,
                self.pipeline.name,
                digest,
                params=tuple(memory.param_refs.items()),
                executor=executor,
                logical_time=times.get("logical_time", ""),
                interval=tuple(times[name] for name in ("interval_start", "interval_end") if name in times),
                at=time.time(),
                drawloom=_version(),
                python=python_minor(),
                **self.told,
            ),
        )

    # the loop

    def _run(self, scheduler: Scheduler, pool: WorkerPool) -> None:
        """Drives the scheduler to its end; leaves with everything stopped, whatever happens."""
        seconds = self.pipeline.policies.run_timeout_seconds
        deadline = None if seconds is None else time.monotonic() + seconds
        try:
            while scheduler.ending is None and not self.interrupted and self.late is None:
                waits = [wait for wait in (scheduler.due_seconds(), _left(deadline)) if wait is not None]
                self.executor.work(scheduler, min(waits) if waits else None)
                if deadline is not None and time.monotonic() >= deadline and scheduler.ending is None:
                    self.late = run_late(self.pipeline.name, seconds or 0)
        except KeyboardInterrupt:  # inline, or a handler of somebody else's raised it, or the second came at once
            self.interrupted = True
        except BaseException:
            self._stop(scheduler, pool)
            raise
        self._stop(scheduler, pool)

    def _interrupt(self) -> None:
        """The first Ctrl-C, in the signal handler."""
        self.interrupted = True
        if isinstance(self.executor, InlineExecutor) and self.executor.busy:
            raise KeyboardInterrupt  # the task runs in this very thread: nothing else can end it
        self.news.put(None)

    def _stop(self, scheduler: Scheduler, pool: WorkerPool) -> None:
        """Ends the threads and processes; what still ran is written down as cancelled."""
        left = self.executor.stop()
        if scheduler.ending is None:
            scheduler.abort()
            pool.kill()
        left += self.executor.close(_GRACE_SECONDS)
        if scheduler.ending is not None:
            return
        for job, result in left:
            if result.outcome == "infra":  # its worker was killed by us
                result.outcome, result.failure = "cancelled", None
                self.journal.attempt_ended(job, result)
                scheduler.running.discard(job)
            else:
                scheduler.took(job, result)
        for job in scheduler.running:
            self.journal.attempt_ended(job, JobResult(job, "cancelled"))

    # the end

    def _finish(self, scheduler: Scheduler, memory: Memory) -> tuple[str, FailureInfo | None]:
        """Writes the run's results or failure, and that it has ended."""
        ending = scheduler.ending
        failure: FailureInfo | None = None
        refs: dict[str, ValueRef] = {}
        if ending is DONE:
            types = {port.name: str(port.type) for port in self.pipeline.results}
            refs = {name: memory.ref(tree, types.get(name, "")) for name, tree in scheduler.results.items()}
        self.journal.sync()
        if self.late is not None:
            outcome, failure = "failed", engine_failure(TIMEOUT, self.late.what)
            self.exception = NodeFailed(self.late)
            self.journal.control_failed("", (), failure)
        elif ending is None:
            outcome = "cancelled"
        elif isinstance(ending, Failure):
            outcome, failure = "failed", ending.info
            self.exception = ending.exception
            if ending.node:
                self.journal.map_failed("", (), failure)
        elif ending is DONE:
            outcome = "succeeded"
            self.journal.collected("", (), refs)
        else:
            outcome = "cancelled"
        self.journal.run_ended(outcome, failure)
        return outcome, failure

    def _ended_run(self) -> Run:
        run = self.catalog.run(self.id)
        if self.exception is not None:
            run.attach_failure(self.exception)
        if self.interrupted:
            raise RunInterrupted(run)
        return run


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _version() -> str:
    return str(sys.modules["drawloom"].__version__)


# before a run


def _checked_workers(executor: str, workers: int | None) -> int:
    if importing():
        raise RunRefused(
            Diagnostic(
                "R512",
                "a run was started while a worker process was importing the module it stands in",
                None,
                'put the call under `if __name__ == "__main__":`; a worker imports the module to get its tasks',
            )
        )
    if executor not in EXECUTORS:
        raise RunRefused(
            Diagnostic(
                "R510",
                f"there is no executor {executor!r}",
                None,
                f"choose one of {', '.join(repr(e) for e in EXECUTORS)}",
            )
        )
    if workers is not None and workers < 1:
        raise RunRefused(
            Diagnostic("R511", f"workers={workers} can't run anything", None, "give 1 or more, or leave it out")
        )
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return workers or (cores if executor == "processes" else min(32, cores + 4))


def _plan_calls(
    program: Program, functions: Mapping[str, Callable[..., Any]], executor: str, run: str
) -> dict[str, CallPlan]:
    """What is the same for every instance of each call; every reason why one can't run here, at once."""
    specs = {spec.name: spec for spec in program.pipeline.tasks}
    types = {name: str(spec.result) for name, spec in specs.items()}
    plans: dict[str, CallPlan] = {}
    problems: dict[str, Diagnostic] = {}
    kept: dict[tuple[str, int], CacheKeys] = {}  # by task and policies: they are the same for many a call
    for node in walk(program.pipeline.body):
        where = program.spans.get(node.id)
        if not isinstance(node, Call):
            continue
        spec = specs[node.task]
        if spec.engine is not None:
            problems[node.id] = _engine_only(node.id, spec.engine.engine, where)
            continue
        policies = node.policies or spec.policies
        missing = None if spec.container is None else _missing_command(node.id, where)
        if missing is not None:
            problems.setdefault(f"{node.id}:", missing)
        why = _isolation(executor, policies)
        problem = import_problem(spec, why, where) if why else None
        if problem is not None:
            problems.setdefault(spec.name, problem)
        keys = None
        if is_cacheable(node.inputs, spec, policies):
            same = (spec.name, id(policies))
            keys = kept.get(same)
            if keys is None:
                keys = kept[same] = CacheKeys(spec, policies)
        form = CommitForm(run, node.id)
        plans[node.id] = CallPlan(node, spec, policies, functions[spec.name], bool(why), keys, types[spec.name], form)
    if problems:
        raise RunRefused(problems.values())
    return plans


def _missing_command(node: str, where: Span | None) -> Diagnostic | None:
    """Why a container can't run here; None if something runs containers."""
    from drawloom.runtimes.container_command import container_command, missing_command  # few pipelines have one

    return None if container_command() else missing_command(f"`{node}`", where)


def _isolation(executor: str, policies: Policies) -> str:
    """Why a call runs in a worker process, "" if it doesn't."""
    if executor == "processes":
        return "executor='processes' imports it there"
    if policies.attempt_timeout_seconds is not None or policies.node_timeout_seconds is not None:
        return "it has a timeout, and a thread can't be stopped"
    if policies.env and executor != "inline":  # where one task runs at a time, they are set around it
        return "it has variables of its own, and threads share theirs"
    return ""


def _engine_only(node: str, engine: str, where: Span | None) -> Diagnostic:
    return Diagnostic(
        "R518",
        f"`{node}` is a node that only {engine} has: a local run has tasks only",
        where,
        "compile the pipeline for an engine that has it, or put a @task in its place",
    )
