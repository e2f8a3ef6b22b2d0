"""One node instance of a run made again in this process: its exact inputs, the code as it is now, nothing written.

The inputs are found from the run's records, whichever engine ran it. What the task makes is kept in memory: the catalog
is only read.
"""

from __future__ import annotations

import bdb
import pdb
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from drawloom.catalog.commands import command
from drawloom.catalog.facts import Instance
from drawloom.catalog.records import Commit, FailureInfo, Index
from drawloom.catalog.run import Run
from drawloom.catalog.state import NodeState
from drawloom.errors import Diagnostic, DrawloomError, RunRefused, Span, StoreError
from drawloom.ir.canonical import Json
from drawloom.ir.envelope import value_digest
from drawloom.ir.layout import layout
from drawloom.ir.nodes import Call
from drawloom.ir.operands import Const
from drawloom.ir.tasks import TaskSpec
from drawloom.ir.variables import Variables
from drawloom.ir.walk import walk
from drawloom.runtimes.attempt import AttemptResult, describe_failure, run_attempt
from drawloom.runtimes.capture import routed
from drawloom.runtimes.recorded import RecordedOutcomes
from drawloom.runtimes.resolve import Resolver, UpstreamFailed
from drawloom.storage.objects import Objects
from drawloom.storage.overlay import Overlay
from drawloom.values.store import Values

__all__ = ["Debugged", "Earlier", "chosen_index", "debug_call"]

_DRAWLOOM = __file__[: -len("runtimes/debug.py")]
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the run had of a node instance.

    Args:
        outcome: `succeeded`, `cached`, `failed`, `timeout`, `cancelled`, or its state where it has no outcome.
        digest: of the value it committed, "" without one.
        failure: why it failed, None if it didn't.
        function: the digest of the code it ran, "" if not known.
        attempt: which attempt, 0 for none.
    """

    outcome: str
    digest: str = ""
    failure: FailureInfo | None = None
    function: str = ""
    attempt: int = 0


@dataclass(slots=True)
class Debugged:
    """A node instance that was made again.

    Args:
        run, node, index: which one.
        task: `module:qualname` of the function that was called.
        where: the function in the user's file.
        function: the digest of its code as it is now.
        earlier: what the run had.
        inputs: (parameter, tree) pairs.
        outcome: `succeeded`, `failed`, or `quit` where the debugger was left.
        digest: of what it returned, "" unless it succeeded.
        failure: why it failed, None if it didn't.
        exception: the live exception, None if it succeeded.
        seconds: how long it took.
        log: what it printed and logged; empty where it went straight to the terminal.
        values: decodes what it returned.
        tree: the envelope of what it returned.
    """

    run: str
    node: str
    index: Index
    task: str
    where: Span | None
    function: str
    earlier: Earlier
    inputs: tuple[tuple[str, Json], ...]
    outcome: str
    digest: str
    failure: FailureInfo | None
    exception: BaseException | None
    seconds: float
    log: str
    values: Values
    tree: Json = None

    @property
    def same_code(self) -> bool | None:
        """Whether the code is that of the run; None where that isn't known."""
        return self.function == self.earlier.function if self.function and self.earlier.function else None

    @property
    def same(self) -> bool | None:
        """Whether it ended as in the run: with an equal value, or the same exception; None where it can't be said."""
        if self.outcome == "quit" or self.earlier.outcome not in ("succeeded", "cached", "failed", "timeout"):
            return None
        if self.outcome == "succeeded":
            return self.digest == self.earlier.digest
        old, new = self.earlier.failure, self.failure
        return old is not None and new is not None and (old.type, old.message) == (new.type, new.message)

    @property
    def value(self) -> Any:
        """What the task returned.

        Raises:
            BaseException: the task's own exception, if it failed.
        """
        if self.exception is not None:
            raise self.exception
        return self.values.decode(self.tree)


def debug_call(
    run: Run,
    call: Call,
    spec: TaskSpec,
    function: Callable[..., Any],
    index: Index,
    *,
    attempt: int | None = None,
    where: Span | None = None,
    post_mortem: bool = False,
    stop_first: bool = False,
    tee: bool = True,
) -> Debugged:
    """Makes one instance of a call again.

    Args:
        run: the run it belongs to.
        call: the node as it is now.
        spec: its task as it is now.
        function: the plain function.
        index: which instance.
        attempt: which of the run's attempts to compare with; None for the one that counts.
        where: the function in the user's file.
        post_mortem: whether a failure leads into the debugger, at the line that raised.
        stop_first: whether the debugger stops at the task's first line.
        tee: whether what it prints also goes to the terminal.

    Returns:
        How it ended. Nothing is written to the catalog.

    Raises:
        RunRefused: R550, an input isn't there; R551, the task takes other inputs now.
        StoreError: S495, there is no such attempt; or an object is missing or corrupt.
    """
    commits = run.commits()
    earlier = _earlier(run, call.id, index, attempt, commits.get((call.id, index)))
    values = Values(Objects(Overlay(run.catalog.storage)), allow_pickle=run.catalog.allow_pickle)
    inputs = _inputs(run, call, spec, index, values, commits)
    stop: Callable[..., Any] = _Stopping(function) if stop_first else function
    env = (call.policies or spec.policies).env
    # a debugger talks to the terminal itself
    with nullcontext() if post_mortem or stop_first else routed(), Variables(env):
        made = run_attempt(stop, spec, inputs, values, tee=tee)
    result = Debugged(
        run=run.id,
        node=call.id,
        index=index,
        task=spec.name,
        where=where,
        function=spec.function.digest,
        earlier=earlier,
        inputs=tuple(inputs.items()),
        outcome="quit" if isinstance(made.exception, bdb.BdbQuit) else made.outcome,
        digest=value_digest(made.output) if made.outcome == "succeeded" else "",
        failure=made.failure,
        exception=made.exception,
        seconds=made.seconds,
        log=made.log.decode("utf-8", "replace"),
        values=values,
        tree=made.output,
    )
    if post_mortem and result.outcome == "failed":
        _enter(made)
    return result


class _Stopping:
    """A function that stops in the debugger at its first line."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.__code__ = getattr(function, "__code__", None)  # how it takes its arguments

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        debugger = _Debugger()
        returned = debugger.runcall(self._function, *args, **kwargs)
        if debugger.left:  # `runcall` takes the end of a session for a return
            raise bdb.BdbQuit
        return returned


class _Debugger(pdb.Pdb):
    """A debugger that knows whether it was left before the task was done."""

    left = False

    def set_quit(self) -> None:
        self.left = True
        super().set_quit()


def _enter(made: AttemptResult) -> None:
    """The debugger where an exception was raised, drawloom's own frames around the task's left out."""
    assert made.exception is not None, "what failed has an exception"
    found: TracebackType | None = made.exception.__traceback__
    users = found
    while users is not None and users.tb_frame.f_code.co_filename.startswith(_DRAWLOOM):
        users = users.tb_next
    trace = users or found
    if made.failure is not None:
        print(made.failure.traceback, end="", file=sys.stderr)
    if trace is not None:
        debugger = pdb.Pdb()
        debugger.reset()
        debugger.interaction(None, trace)


# what the run had


def chosen_index(run: Run, call: str, index: Index | None) -> Index:
    """The instance that is meant: as asked, the only one there is, or the first that failed.

    Raises:
        StoreError: S494, it has no such instance; S455, an index is needed.
    """
    node = run.details.nodes[call]
    known = node.instances
    depth = layout(run.program.pipeline)[call].depth
    if index is not None:
        if index in known or len(index) == depth == 0:
            return index
        raise StoreError(_no_instance(run, node, index, depth))
    if depth == 0:
        return ()
    failed = sorted(i for i, state in known.items() if state == "failed")
    if failed:
        return failed[0]
    if len(known) == 1:
        return next(iter(known))
    if not known:
        raise StoreError(_no_instance(run, node, None, depth))
    from drawloom.catalog.run_problems import RunNames, needs_index

    raise StoreError(needs_index(RunNames(run.address, run.pipeline, run.program.spans), call, sorted(known), depth))


def _no_instance(run: Run, node: NodeState, index: Index | None, depth: int) -> Diagnostic:
    known = sorted(node.instances)
    shown = ", ".join(str(list(i)) for i in known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
    at = f" {list(index)}" if index is not None else ""
    what = f"node `{node.id}` has no instance{at} in run {run.id}: it has {len(known)}"
    fix = f"give one of {shown}" if known else "nothing around it came as far as to begin it: debug what failed before"
    if not depth:
        fix = "leave out the index: it lies in no map or loop"
    elif known and index is not None and len(index) != depth:
        fix = f"give {depth} numbers, one for each map and loop around it: {shown}"
    return Diagnostic("S494", what, run.program.spans.get(node.id), fix)


def _earlier(run: Run, node: str, index: Index, attempt: int | None, commit: Commit | None) -> Earlier:
    facts = run.facts
    if attempt is None and commit is not None:
        return _of_commit(commit)
    made = facts.attempts.get((node, index), {})
    if commit is not None and commit.attempt == attempt:
        return _of_commit(commit)
    if attempt is not None and attempt not in made:
        shown = ", ".join(map(str, sorted({*made, *([commit.attempt] if commit and commit.attempt else [])})))
        what = f"node `{node}`{list(index) if index else ''} had no attempt {attempt} in run {run.id}"
        fix = f"it had {shown}" if shown else "it had none: leave out the attempt"
        raise StoreError(Diagnostic("S495", what, run.program.spans.get(node), fix))
    number = attempt if attempt is not None else max(made, default=0)
    ended = made.get(number)
    if ended is not None:
        return Earlier(ended.outcome, failure=ended.failure, function=_function_of(run, node), attempt=number)
    state = run.details.nodes[node].instances.get(index, "pending")
    return Earlier(state, function=_function_of(run, node), attempt=number)


def _of_commit(commit: Commit) -> Earlier:
    digest = next((ref.digest for _, ref in commit.outputs), "")
    return Earlier(commit.outcome, digest, commit.failure, commit.function, commit.attempt)


def _function_of(run: Run, node: str) -> str:
    """The digest of the code a node had in the run's program."""
    pipeline = run.program.pipeline
    task = next((n.task for n in walk(pipeline.body) if n.id == node and isinstance(n, Call)), "")
    return next((spec.function.digest for spec in pipeline.tasks if spec.name == task), "")


# inputs


def _inputs(
    run: Run, call: Call, spec: TaskSpec, index: Index, values: Values, commits: Mapping[Instance, Commit]
) -> dict[str, Json]:
    """The trees of the inputs as the run's records have them, by the parameters of the task as it is now."""
    pipeline = run.program.pipeline
    old = next(node for node in walk(pipeline.body) if node.id == call.id and isinstance(node, Call))
    given = dict(old.inputs)
    added = {name: op for name, op in call.inputs if name not in given}
    lost = [name for name in given if name not in {port.name for port in spec.inputs}]
    unknown = [name for name, operand in added.items() if not isinstance(operand, Const)]
    if lost or unknown:
        raise RunRefused(_other_inputs(run, call.id, spec, lost, unknown))
    outcomes = RecordedOutcomes(pipeline, run.facts, commits, run.details.nodes, values)
    resolver = Resolver(layout(pipeline), outcomes, values)
    problems: list[Diagnostic] = []
    trees: dict[str, Json] = {}
    for name, operand in [*given.items(), *added.items()]:
        try:
            trees[name] = resolver.tree(operand, index)
        except UpstreamFailed as cause:
            problems.append(_not_there(run, call.id, name, cause))
        except DrawloomError:
            raise
        except Exception as exception:  # noqa: BLE001  # an expression of the user's may raise anything
            problems.append(_not_computed(run, call.id, name, exception))
    if problems:
        raise RunRefused(problems)
    return {port.name: trees[port.name] for port in spec.inputs if port.name in trees}


_ENDINGS = {
    "failed": "it failed",
    "skipped": "it was skipped",
    "cancelled": "it was cancelled",
    "pending": "it never ran",
}


def _not_there(run: Run, node: str, name: str, cause: UpstreamFailed) -> Diagnostic:
    state = run.details.nodes[cause.node].instances.get(cause.index, "") if cause.node in run.details.nodes else ""
    at = f"{list(cause.index)}" if cause.index else ""
    why = _ENDINGS.get(state, f"it is {state}" if state else "it has no value")
    what = f"input `{name}` of `{node}` isn't there: it comes from `{cause.node}`{at}, and {why} in run {run.id}"
    option = ["--index", ",".join(map(str, cause.index))] if cause.index else []
    fix = f"debug that one first: `{command('debug', run.address, cause.node, *option)}`"
    if state != "failed":
        show, resume = command("show", run.address), command("resume", run.address)
        fix = f"`{show}` tells what failed; `{resume}` runs what is left"
    return Diagnostic("R550", what, run.program.spans.get(node), fix)


def _not_computed(run: Run, node: str, name: str, exception: Exception) -> Diagnostic:
    told = describe_failure(exception)
    what = f"input `{name}` of `{node}` can't be had: its expression raises {told.type.rpartition(':')[2]}"
    what += f": {told.message}" if told.message else ""
    fix = "mend the expression in the pipeline, or what it reads"
    return Diagnostic("R550", what, run.program.spans.get(node), fix)


def _other_inputs(run: Run, node: str, spec: TaskSpec, lost: list[str], unknown: list[str]) -> Diagnostic:
    parts: Mapping[str, list[str]] = {"no longer takes": lost, "now takes": unknown}
    told = " and ".join(f"{verb} {', '.join(f'`{n}`' for n in names)}" for verb, names in parts.items() if names)
    return Diagnostic(
        "R551",
        f"`{spec.name}` {told}: run {run.id} has other inputs of `{node}`",
        run.program.spans.get(node),
        "give a new parameter a default; or run the pipeline again, and debug that run",
    )
