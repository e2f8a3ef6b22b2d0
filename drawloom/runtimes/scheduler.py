"""Runs a structured pipeline by events: what is ready is started, what ended makes others ready; nothing polls.

One thread at a time has its turn here: it brings back what it performed and takes the next job (`executors`). Every
node instance counts the siblings it waits for; a failure skips what is behind it at once. Work is kept in queues, never
in recursion, so neither long chains nor many iterations meet Python's stack limit.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from drawloom.catalog.records import Commit, FailureInfo, Index, ValueRef
from drawloom.errors import NodeFailed
from drawloom.ir.canonical import Json
from drawloom.ir.envelope import value_digest
from drawloom.ir.nodes import Block, Call, Map, Node
from drawloom.ir.operands import Operand, Output, Param
from drawloom.ir.policies import TIMEOUT
from drawloom.ir.walk import blocks
from drawloom.runtimes.attempt import engine_failure
from drawloom.runtimes.blocks import CANCELLED, DONE, SKIPPED, BlockPlan, Ending, Failure, Frame, Owner
from drawloom.runtimes.cache import CacheKeys
from drawloom.runtimes.control import CONTROLS, Control, MapRun, own_failure
from drawloom.runtimes.endings import node_late
from drawloom.runtimes.jobs import CallPlan, Job, JobResult
from drawloom.runtimes.journal import Journal
from drawloom.runtimes.mapkeys import MapKeys, map_keys
from drawloom.runtimes.memory import Memory
from drawloom.runtimes.resolve import Resolver
from drawloom.runtimes.retry import delay_seconds, is_retried

__all__ = ["Scheduler"]

_GO_ON: Final = 0
_WIND_DOWN: Final = 1  # a failure ended the run: nothing new begins but `final` blocks
_ABORT: Final = 2  # cancelled, or out of time: nothing new begins at all


class Scheduler:
    """One run of a pipeline's body.

    Args:
        body: the nodes and results.
        calls: node id -> what is the same for all instances of the call.
        memory: outcomes so far.
        resolver: finds trees in `memory`.
        journal: writes down what happens.
        find: the commit that answers the cache key of a whole map, None if there is none.
        capacity: how many jobs the executor works on at once.
        fail_fast: whether the first failure no `try_` may handle ends the run.
    """

    frame: Frame | None = None  # the run lies in no block

    def __init__(
        self,
        body: Block,
        calls: Mapping[str, CallPlan],
        memory: Memory,
        resolver: Resolver,
        journal: Journal,
        *,
        find: Callable[[str], Commit | None],
        capacity: int,
        fail_fast: bool,
    ) -> None:
        self.resolver = resolver
        self.journal = journal
        self.capacity = capacity
        self.ending: Ending | None = None
        self.results: dict[str, Json] = {}
        self._calls = calls
        self._memory = memory
        self._find = find
        self._map_keys: dict[str, MapKeys | None] = {}
        self._fail_fast = fail_fast
        self._phase = _GO_ON
        self._plans: dict[str, tuple[BlockPlan, ...]] = {}
        self._steps: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._ready: deque[tuple[Frame, int]] = deque()
        self._delayed: list[tuple[float, int, Job]] = []  # (due, ordinal, job), a heap
        self._ordinal = 0
        self.running: set[Job] = set()
        self.enter(BlockPlan(body), (), self, 0, False)

    # what the run's loop calls

    def next_job(self) -> Job | None:
        """Does everything that can be done without waiting; the next call to make, None if there is none now."""
        while True:
            while self._steps:
                step, arguments = self._steps.popleft()
                step(*arguments)
            job = self._next_due() if self._delayed else None
            taken = False
            if job is None and self._ready:
                if self._phase != _GO_ON:
                    taken, job = self._next_while_ending()
                elif len(self.running) < self.capacity:
                    taken, job = True, self._job(*self._ready.popleft())
            if job is not None:
                self.running.add(job)
                return job
            # what was taken may have failed, ended the run, made others ready: again, until there is nothing to take
            if not self._steps and not taken:
                return None

    @property
    def has_ready(self) -> bool:
        """Whether a call could be made now, had somebody time for it."""
        return bool(self._steps) or (bool(self._ready) and len(self.running) < self.capacity)

    def due_seconds(self) -> float | None:
        """The time until a delayed attempt can be made, None if that isn't a question of time alone."""
        if not self._delayed or len(self.running) >= self.capacity:
            return None
        return max(0.0, self._delayed[0][0] - time.monotonic())

    def abort(self) -> None:
        """Begins nothing more, and forgets the attempts that were to be made again."""
        self._phase = _ABORT
        self._drop_delayed()

    @property
    def aborted(self) -> bool:
        """Whether the run was aborted."""
        return self._phase == _ABORT

    def took(self, job: Job, result: JobResult) -> None:
        """An executor is done with a job."""
        self.running.discard(job)
        frame, place = job.place
        if result.outcome != "cached":
            self.journal.attempt_ended(job, result)
        if result.failure is None:
            assert result.ref is not None, "a call that succeeded has an output"
            self.journal.succeeded(job, result)
            if frame.plan.is_one_call and isinstance(frame.owner, MapRun):
                frame.owner.item_done(job.index[-1], result.output)
                return
            self._memory.put(job.node, job.index, result.output, result.ref)
            self.settle(frame, place, DONE)
        elif self._given_up(job, result.failure):
            self._cancel(job)
        elif not self._try_again(job, result):
            self.journal.failed(job, result)
            self.settle(frame, place, Failure(job.node, job.index, result.failure, result.exception))

    # what control nodes call

    def plans(self, node: Node) -> tuple[BlockPlan, ...]:
        """The plans of the blocks a control node holds."""
        found = self._plans.get(node.id)
        if found is None:
            found = self._plans[node.id] = tuple(BlockPlan(block) for block in blocks(node))
        return found

    def enter(self, plan: BlockPlan, index: Index, owner: Owner, arm: int, protected: bool) -> None:
        """Starts an instance of a block."""
        frame = Frame(plan, index, owner, arm, protected)
        if not frame.left:
            self._steps.append((self._end, (frame,)))
        for place, count in enumerate(plan.counts):
            if not count:
                self._release(frame, place)

    def refuses(self, frame: Frame) -> bool:
        """Whether nothing new may begin in `frame`."""
        return self._phase == _ABORT or (self._phase == _WIND_DOWN and not frame.protected)

    def settle(self, frame: Frame, place: int, ending: Ending) -> None:
        """A node instance has ended: what waits for it may begin, or is skipped."""
        if ending is DONE and frame.endings[place] is None:  # as below, for what happens most
            frame.endings[place] = ending
            frame.left -= 1
            if frame.plan.dependents[place]:
                self._release_dependents(frame, place)
            if not frame.left:
                self._end(frame)
            return
        waiting = [(place, ending)]
        while waiting:
            place, ending = waiting.pop()
            if frame.endings[place] is not None:
                continue
            frame.endings[place] = ending
            frame.left -= 1
            self._note(frame, place, ending)
            behind = CANCELLED if ending is CANCELLED else SKIPPED
            waiting += [(dependent, behind) for dependent in frame.plan.dependents[place]]
        if not frame.left:
            self._end(frame)  # no deeper than blocks are nested: what its owner enters waits in queues

    def fail(self, control: Control, exception: Exception) -> None:
        """A control node failed by itself."""
        assert control.frame is not None, "a control node lies in a block"
        failure = own_failure(control.node.id, control.index, exception)
        self.journal.control_failed(failure.node, failure.index, failure.info)
        self.settle(control.frame, control.place, failure)

    def publish(self, node: str, index: Index, results: Mapping[str, Json]) -> None:
        """Makes the results of a control node known to what refers to them."""
        for port, tree in results.items():
            self.resolver.known[node, index, port] = tree

    def collect(self, node: str, index: Index, trees: Mapping[str, Json], types: Mapping[str, str], key: str) -> None:
        """Gives the lists a map made a version; `key` is the cache key they answer, if any."""
        refs = {port: self._memory.ref(tree, types[port]) for port, tree in trees.items()}
        self.journal.collected(node, index, refs, key)

    def answer_for(self, node: Map, index: Index) -> tuple[str, Commit | None]:
        """The cache key of a whole map instance, "" if it has none; and the commit that answers it, if there is one."""
        if node.id not in self._map_keys:
            self._map_keys[node.id] = map_keys(node, self._keys_of)
        keys = self._map_keys[node.id]
        if keys is None:
            return "", None
        try:
            key = keys.key([self._digest(operand, index) for operand in (node.items, *keys.captured)])
        except Exception:  # noqa: BLE001  # a part isn't there: the calls that are given it fail by that, one by one
            return "", None
        return key, self._find(key)

    def _keys_of(self, call: Call) -> CacheKeys | None:
        plan = self._calls[call.id]
        return plan.keys if plan.policies.cache.ttl_seconds is None else None

    def load(self, ref: ValueRef) -> Json:
        """The tree of a value that an earlier run made."""
        return self._memory.load(ref)

    def catch(self, node: str, index: Index, tree: Json) -> None:
        """Makes a caught failure known to its handler."""
        self._memory.caught_trees[node, index] = tree

    # the run as the owner of the outermost block

    def ended(self, frame: Frame, ending: Ending, results: dict[str, Json]) -> None:  # noqa: ARG002  # there is one
        """The pipeline's own block has ended."""
        if isinstance(ending, Failure) and not ending.node:
            self.journal.control_failed("", (), ending.info)
        self.ending = ending
        self.results = results

    def catches(self, frame: Frame) -> bool:  # noqa: ARG002
        """Nothing handles a failure out here."""
        return False

    # blocks

    def _release(self, frame: Frame, place: int) -> None:
        if self.refuses(frame):
            self._steps.append((self.settle, (frame, place, CANCELLED)))
        elif isinstance(frame.plan.nodes[place], Call):
            self._ready.append((frame, place))
        else:
            self._steps.append((self._start_control, (frame, place)))

    def _release_dependents(self, frame: Frame, place: int) -> None:
        for dependent in frame.plan.dependents[place]:
            frame.counts[dependent] -= 1
            if not frame.counts[dependent] and frame.endings[dependent] is None:
                self._release(frame, dependent)

    def _note(self, frame: Frame, place: int, ending: Ending) -> None:
        """What a node that didn't succeed means for its block and for the run."""
        if ending is CANCELLED:
            frame.cancelled = True
        elif ending is SKIPPED:
            self.journal.skipped(frame.plan.nodes[place].id, frame.index)
        else:
            frame.failure = place if frame.failure is None else min(place, frame.failure)
            if self._fail_fast and self._phase == _GO_ON and self._escapes(frame):
                self._phase = _WIND_DOWN
                self._drop_delayed()

    def _escapes(self, frame: Frame) -> bool:
        """Whether no handler around `frame` may be for a failure in it (one that may be decides when its body ends)."""
        inner: Frame | None = frame
        while inner is not None:
            if inner.owner.catches(inner):
                return False
            inner = inner.owner.frame
        return True

    def _start_control(self, frame: Frame, place: int) -> None:
        control = CONTROLS[type(frame.plan.nodes[place])](self, frame, place)
        if self.refuses(frame):
            self.settle(frame, place, CANCELLED)
            return
        try:
            control.prepare()
        except Exception as exception:  # noqa: BLE001  # whatever the user's operands raise is the node's failure
            self.fail(control, exception)
        else:
            control.start()

    def _end(self, frame: Frame) -> None:
        """A block's nodes have all ended: its results, or the failure that counts."""
        ending = frame.ending()
        results: dict[str, Json] = {}
        if ending is DONE:
            try:
                results = {name: self.resolver.tree(operand, frame.index) for name, operand in frame.plan.block.results}
            except Exception as exception:  # noqa: BLE001  # an expression among the results: its holder's failure
                ending = self._results_failed(frame, exception)
        self._memory.drop(frame.plan, frame.index, self.resolver)
        frame.owner.ended(frame, ending, results)

    def _results_failed(self, frame: Frame, exception: Exception) -> Failure:
        """The failure of its owner; that writes it down when it ends by it, for a `try_` may handle it."""
        owner = frame.owner
        node, index = (owner.node.id, owner.index) if isinstance(owner, Control) else ("", ())
        return own_failure(node, index, exception)

    # calls

    def _next_while_ending(self) -> tuple[bool, Job | None]:
        """Whether a ready call was taken, and the next that may begin: of a `final` block; others are cancelled."""
        waiting: list[tuple[Frame, int]] = []
        found: Job | None = None
        taken = False
        while self._ready and found is None:
            frame, place = self._ready.popleft()
            if self.refuses(frame):
                taken = True
                self.settle(frame, place, CANCELLED)
            elif len(self.running) < self.capacity:
                taken = True
                found = self._job(frame, place)
            else:
                waiting.append((frame, place))
        self._ready.extendleft(reversed(waiting))
        return taken, found

    def _job(self, frame: Frame, place: int) -> Job | None:
        call = frame.plan.nodes[place]
        assert isinstance(call, Call), "only calls are made ready"
        plan = self._calls[call.id]
        index = frame.index
        try:
            inputs = [(name, *self._input(operand, index)) for name, operand in call.inputs]
        except Exception as exception:  # noqa: BLE001  # an expression among the inputs: the call's failure
            failure = own_failure(call.id, index, exception)
            self.journal.control_failed(call.id, index, failure.info)
            self.settle(frame, place, failure)
            return None
        job = Job(plan, index, inputs, (frame, place))
        if plan.policies.node_timeout_seconds is not None:
            job.deadline = time.monotonic() + plan.policies.node_timeout_seconds
        return job

    def _input(self, operand: Operand, index: Index) -> tuple[Json, ValueRef | None]:
        """The tree of an operand; and its version, if it is a whole value somebody made: that of a part is computed."""
        if isinstance(operand, Output):
            if not operand.path:
                made = self._memory.made(operand.node, index[: self.resolver.depth(operand.node)])
                if made is not None:
                    return made
        elif isinstance(operand, Param) and not operand.path:
            return self._memory.param(operand.name), self._memory.param_refs[operand.name]
        return self.resolver.tree(operand, index), None

    def _digest(self, operand: Operand, index: Index) -> str:
        tree, ref = self._input(operand, index)
        return ref.digest if ref is not None else value_digest(tree)

    def _given_up(self, job: Job, failure: FailureInfo) -> bool:
        """Whether an attempt has failed that would be made again, did the run not end: no failure that counts."""
        return self.refuses(job.place[0]) and is_retried(job.plan.policies.retry, failure, job.attempt)

    def _cancel(self, job: Job) -> None:
        """Ends a call that has attempts left."""
        frame, place = job.place
        self.journal.given_up(job)
        self.settle(frame, place, CANCELLED)

    def _try_again(self, job: Job, result: JobResult) -> bool:
        policies = job.plan.policies
        failure: FailureInfo | None = result.failure
        if failure is None or not is_retried(policies.retry, failure, job.attempt):
            return False
        pause = delay_seconds(policies.retry, job.attempt)
        due = time.monotonic() + pause
        if job.deadline is not None and due >= job.deadline:
            why = node_late(job.node, job.attempt, job.plan.policies)
            result.failure = engine_failure(TIMEOUT, why.what)
            result.exception = NodeFailed(why)
            return False
        self.journal.retrying(job, failure, pause, result.log)
        job.attempt += 1
        self._ordinal += 1
        heapq.heappush(self._delayed, (due, self._ordinal, job))
        return True

    def _next_due(self) -> Job | None:
        """The delayed attempt that is due first, if its time has come and there is room."""
        if self._delayed[0][0] > time.monotonic() or len(self.running) >= self.capacity:
            return None
        return heapq.heappop(self._delayed)[2]

    def _drop_delayed(self) -> None:
        kept = []
        for entry in self._delayed:
            if self.refuses(entry[2].place[0]):
                self._steps.append((self._cancel, (entry[2],)))
            else:
                kept.append(entry)
        heapq.heapify(kept)
        self._delayed = kept
