"""The plan of a local run: a walk through the graph as the scheduler's, with look-ups in the cache and nothing run.

A value is known if a cached call made it. Where an operand needs one that isn't, what depends on it is *perhaps* run: a
call with the same inputs as before is answered after all. Nothing is assumed to fail that isn't known to.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from drawloom.catalog.answers import Answers
from drawloom.catalog.functions import FunctionSource, function_source
from drawloom.catalog.history import History
from drawloom.catalog.keys import function_key
from drawloom.catalog.reasons import Reason, instance_text
from drawloom.catalog.records import Commit, FailureInfo, Index, ValueRef
from drawloom.errors import BoundReached
from drawloom.ir.canonical import Json, canonical_json
from drawloom.ir.envelope import value_digest
from drawloom.ir.layout import layout
from drawloom.ir.nodes import Block, Branch, Call, Loop, Map, Node, PipelineCall, Try
from drawloom.ir.operands import Operand, Output, Param
from drawloom.ir.policies import Policies
from drawloom.ir.program import Program
from drawloom.ir.tasks import TaskSpec
from drawloom.ir.walk import blocks, dependencies, walk
from drawloom.runtimes.attempt import describe_failure
from drawloom.runtimes.blocks import Failure
from drawloom.runtimes.cache import CacheKeys, cache_key, is_cacheable
from drawloom.runtimes.mapkeys import map_keys
from drawloom.runtimes.plan_known import EACH, Flow, Known, Unknown
from drawloom.runtimes.plan_reasons import CallReasons, Told
from drawloom.runtimes.plan_refusals import refuse_engine_nodes
from drawloom.runtimes.plan_table import PlanTable
from drawloom.runtimes.planned import Plan
from drawloom.runtimes.resolve import Resolver
from drawloom.runtimes.retry import matches
from drawloom.storage.base import Storage
from drawloom.values.store import Values

__all__ = ["plan_local"]


def plan_local(
    program: Program,
    params: Mapping[str, Json],
    storage: Storage,
    values: Values,
    *,
    cache: bool = True,
    info: Mapping[str, Json] | None = None,
    url: str = "",
    deep: bool = False,
    adopt: Mapping[tuple[str, Index], Commit] | None = None,
) -> Plan:
    """What a local run of a program would do.

    Args:
        program: the pipeline, checked.
        params: parameter name -> tree, one for each parameter.
        storage: the project's storage; nothing is written into it, but `values` may put what operators make.
        values: over the same storage.
        cache: whether earlier commits may answer calls.
        info: `RunInfo` field -> tree.
        url: what the catalog is called in the plan.
        deep: whether changed tables are read and compared.
        adopt: commits of an earlier run that `run_local` would be given.

    Raises:
        RunRefused: R545, a node can't be run locally.
        StoreError: the store can't be read.
    """
    refuse_engine_nodes(program)
    planner = _Planner(program, params, storage, values, cache=cache, info=info or {}, deep=deep)
    planner.adopt = adopt or {}
    try:
        return planner.plan(url)
    finally:
        planner.answers.close()


class _Planner:  # over 150 lines: the rules of all kinds of nodes call each other, one walk long
    def __init__(
        self,
        program: Program,
        params: Mapping[str, Json],
        storage: Storage,
        values: Values,
        *,
        cache: bool,
        info: Mapping[str, Json],
        deep: bool,
    ) -> None:
        self.program = program
        self.storage = storage
        self.values = values
        self.use_cache = cache
        self.adopt: Mapping[tuple[str, Index], Commit] = {}
        self.specs = {spec.name: spec for spec in program.pipeline.tasks}
        self.sources = layout(program.pipeline)
        facts = {"logical_time": None, "interval_start": None, "interval_end": None} | dict(info)
        self.known = Known(params, facts, values, {}, {}, {}, {}, {})
        self.resolver = Resolver(self.sources, self.known, values)
        types = {port.name: str(port.type) for port in program.pipeline.params}
        self.param_refs = {name: values.ref(tree, types.get(name, "")) for name, tree in params.items()}
        self.history = History(storage, values, program.pipeline.name)
        self.answers = Answers(storage, values)
        self.answers.catch_up()
        self.reasons = CallReasons(self.answers, values, self.history, self._source, deep=deep)
        self.table = PlanTable(program, self.history)
        self.running: dict[str, tuple[str, Index]] = {}  # cache key -> the call that would make its answer
        self._new_code: dict[str, bool] = {}
        self._needs: dict[int, tuple[Block, list[list[str]]]] = {}

    def plan(self, url: str) -> Plan:
        """The whole plan."""
        flow = self._block(self.program.pipeline.body, (), "", True)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return self.table.plan(url, (flow.seconds, flow.most_seconds), cores)

    # blocks

    def _block(self, block: Block, index: Index, owner: str, sure: bool, why: Reason | None = None) -> Flow:
        """Plans an instance of a block; `sure`: whether it is entered for sure; `why` not, if it isn't."""
        flow = Flow(results={})
        ends: dict[str, tuple[float, float]] = {}
        behind: dict[str, str] = {}  # node id -> the node that fails
        for node, needs in zip(block.nodes, self._siblings(block)):
            failed = next((behind[need] for need in needs if need in behind), None)
            if failed is not None:
                self._skip(node, index, Reason("behind-failure", f"`{failed}` fails", nodes=(failed,)))
                behind[node.id] = failed
                continue
            inner = self._node(node, index, sure, why)
            if inner.failure is not None:
                behind[node.id] = node.id
                flow.failure = flow.failure or inner.failure
            flow.open = flow.open or inner.open
            before = [ends[need] for need in needs if need in ends]
            least = inner.seconds + max((end[0] for end in before), default=0.0)
            most = inner.most_seconds + max((end[1] for end in before), default=0.0)
            ends[node.id] = (least, most)
            flow.seconds, flow.most_seconds = max(flow.seconds, least), max(flow.most_seconds, most)
        if flow.failure is None:
            self._results(block, index, owner, flow)
        return flow

    def _siblings(self, block: Block) -> list[list[str]]:
        """For each node of a block, the nodes of the block it waits for."""
        found = self._needs.get(id(block))
        if found is None:
            own = {node.id for node in block.nodes}
            found = self._needs[id(block)] = (block, [sorted(dependencies(node) & own) for node in block.nodes])
        return found[1]

    def _results(self, block: Block, index: Index, owner: str, flow: Flow) -> None:
        assert flow.results is not None, "it was made with results"
        for name, operand in block.results:
            try:
                flow.results[name] = self.resolver.tree(operand, index)
            except Unknown:
                continue
            except Exception as exception:  # noqa: BLE001  # an expression of the user's: its holder's failure
                at = index[: self.sources[owner].depth] if owner else ()
                flow.failure = Failure(owner, at, describe_failure(exception), exception)
                return

    def _skip(self, node: Node, index: Index, reason: Reason) -> None:
        """A node, and what is in it, isn't reached."""
        self.table.add(node.id, index, "skipped", Told.of(reason))
        for inner in (n for block in blocks(node) for n in walk(block)):
            depth = self.sources[inner.id].depth
            self.table.add(inner.id, (*index, *[EACH] * (depth - len(index))), "skipped", Told.of(reason))

    def _node(self, node: Node, index: Index, sure: bool, why: Reason | None) -> Flow:
        if isinstance(node, Call):
            return self._call(node, index, sure, why)
        if isinstance(node, Map):
            flow = self._map(node, index, sure, why)
        elif isinstance(node, Branch):
            flow = self._branch(node, index, sure, why)
        elif isinstance(node, Loop):
            flow = self._loop(node, index, sure, why)
        elif isinstance(node, Try):
            flow = self._try(node, index, sure, why)
        else:
            assert isinstance(node, PipelineCall), "the other kinds were handled"
            flow = self._block(node.body, index, node.id, sure, why)
        if flow.failure is None and flow.results is not None:
            for port, tree in flow.results.items():
                self.resolver.known[node.id, index, port] = tree
        return flow

    # calls

    def _call(self, node: Call, index: Index, sure: bool, why: Reason | None) -> Flow:
        spec = self.specs[node.task]
        policies = node.policies or spec.policies
        state, told, failure = self._decide(node, index, spec, policies)
        if not sure and why is not None:
            state, told = "perhaps", self.reasons.undecided(node, spec, why)
        self.table.add(node.id, index, state, told)
        if failure is not None:
            return Flow(failure=failure)
        if state == "cached":
            return Flow()
        seconds = self.table.seconds(node.id)
        return Flow(open=True, seconds=seconds if state == "run" else 0.0, most_seconds=seconds)

    def _decide(self, node: Call, index: Index, spec: TaskSpec, policies: Policies) -> tuple[str, Told, Failure | None]:
        """The state of a call that is reached, the reasons, and the failure its inputs raise."""
        place = (node.id, index)
        inputs: list[tuple[str, ValueRef]] = []
        trees: dict[str, Json] = {}
        unknown: dict[str, tuple[str, ...]] = {}
        for name, operand in node.inputs:
            try:
                ref = self._known_ref(operand, index)
                if ref is None:
                    trees[name] = self.resolver.tree(operand, index)
                    ref = ValueRef(value_digest(trees[name]), len(canonical_json(trees[name])))
                inputs.append((name, ref))
            except Unknown as waits:
                unknown[name] = waits.nodes
            except Exception as exception:  # noqa: BLE001  # an expression of the user's: the call's failure
                info = describe_failure(exception)
                text = f"its input `{name}` raises {info.type.rpartition(':')[2]}: {info.message}"
                reason = Reason("input-fails", text, port=name)
                return "fails", Told.of(reason), Failure(node.id, index, info, exception)
        self.known.waits[place] = (node.id,)
        call = self.reasons.call(node, index, spec, policies, tuple(inputs), trees)
        adopted = self._adopted(place, spec, inputs) if not unknown else None
        if adopted is not None:
            self.known.made[place] = dict(adopted.outputs)["result"]
            return "cached", call.answered(adopted), None
        if not is_cacheable(node.inputs, spec, policies):
            return "run", call.uncacheable(), None
        if not self.use_cache:
            return "run", call.switched_off(), None
        if unknown:
            state = "run" if self._is_new(spec.function.digest) else "perhaps"
            return state, call.waiting(unknown, new=state == "run"), None
        key = cache_key(spec, policies, {name: ref.digest for name, ref in inputs})
        found = self.answers.find(key, spec.function.digest, policies.cache.ttl_seconds)
        if found is not None:
            self.known.made[place] = dict(found.outputs)["result"]
            return "cached", call.answered(found), None
        if key in self.running:
            return "perhaps", call.equal_to(instance_text(*self.running[key])), None
        self.running[key] = place
        return "run", call.changed(key), None

    def _adopted(self, place: tuple[str, Index], spec: TaskSpec, inputs: list[tuple[str, ValueRef]]) -> Commit | None:
        """The commit that a resumed run would adopt for this instance: `Performer` asks the same of it."""
        found = self.adopt.get(place)
        if found is None or found.function != spec.function.digest:
            return None
        same = {name: ref.digest for name, ref in found.inputs} == {name: ref.digest for name, ref in inputs}
        return found if same and self.answers.is_sound(found) else None

    def _known_ref(self, operand: Operand, index: Index) -> ValueRef | None:
        """The version of an input that is a whole value somebody made, so that it needn't be read."""
        if isinstance(operand, Output) and not operand.path:
            source = self.sources[operand.node]
            return self.known.made.get((operand.node, index[: source.depth])) if source.kind == "call" else None
        if isinstance(operand, Param) and not operand.path:
            return self.param_refs[operand.name]
        return None

    def _is_new(self, function: str) -> bool:
        """Whether no run of the project had this code: then nothing can be kept of it (a run saves it first)."""
        if function not in self._new_code:
            saved = function in self.program.sources
            self._new_code[function] = saved and not self.storage.exists(function_key(function))
        return self._new_code[function]

    def _source(self, function: str) -> FunctionSource | None:
        if function not in self.program.sources:
            return None
        return function_source(self.program.sources[function])

    # control nodes

    def _undecided(self, node: Node, index: Index, nodes: tuple[str, ...], what: str) -> Reason:
        """Notes that a control node can't decide yet; the reason for what is in it."""
        self.known.waits[node.id, index] = nodes or (node.id,)
        by = ", ".join(f"`{name}`" for name in nodes[:3]) or "the run itself"
        reason = Reason("undecided", f"{what} known only after {by}", nodes=nodes)
        self.table.add(node.id, index, "perhaps", Told.of(reason))
        return reason

    def _fails(self, node: Node, index: Index, exception: Exception) -> Flow:
        """A control node fails by itself."""
        info = describe_failure(exception)
        reason = Reason("input-fails", f"it raises {info.type.rpartition(':')[2]}: {info.message}")
        self.table.add(node.id, index, "fails", Told.of(reason))
        return Flow(failure=Failure(node.id, index, info, exception))

    def _answer_for(self, node: Map, index: Index) -> Commit | None:
        """The commit that answers a map as a whole, as `Scheduler.answer_for` finds it."""
        keys = map_keys(node, self._keys_of)
        if keys is None:
            return None
        digests = []
        try:
            for operand in (node.items, *keys.captured):
                ref = self._known_ref(operand, index)
                digests.append(ref.digest if ref is not None else value_digest(self.resolver.tree(operand, index)))
        except Exception:  # noqa: BLE001  # a value that isn't known, or raises: its items are planned one by one
            return None
        return self.answers.find(keys.key(digests), "")

    def _keys_of(self, call: Call) -> CacheKeys | None:
        spec = self.specs[call.task]
        policies = call.policies or spec.policies
        if policies.cache.ttl_seconds is not None or not is_cacheable(call.inputs, spec, policies):
            return None
        return CacheKeys(spec, policies)

    def _answered(self, node: Map, index: Index, count: int, whole: Commit) -> Flow:
        """A map that is answered as a whole: each call in it is cached, as far as the run tells."""
        for call in node.body.nodes:
            assert isinstance(call, Call), "a map with a key holds calls alone"
            spec = self.specs[call.task]
            for k in range(count):
                of = self.reasons.call(call, (*index, k), spec, call.policies or spec.policies, (), {})
                self.table.add(call.id, (*index, k), "cached", of.answered(whole))
        return Flow(results={port: self.values.tree(ref) for port, ref in whole.outputs})

    def _map(self, node: Map, index: Index, sure: bool, why: Reason | None) -> Flow:
        try:
            count = len(self.resolver.items(node.id, index))
        except Unknown as waits:
            reason = self._undecided(node, index, waits.nodes, "its items are")
            inner = self._block(node.body, (*index, EACH), node.id, False, why if not sure and why else reason)
            return Flow(open=True, most_seconds=inner.most_seconds)
        except Exception as exception:  # noqa: BLE001  # an expression of the user's: the map's failure
            return self._fails(node, index, exception)
        self.known.decisions[node.id, index] = count
        whole = self._answer_for(node, index) if count and self.use_cache else None
        if whole is not None:
            return self._answered(node, index, count, whole)
        flow, work = Flow(results={}), Flow()
        collected: dict[str, list[Json]] = {port.name: [] for port in node.results}
        for k in range(count):
            inner = self._block(node.body, (*index, k), node.id, sure, why)
            flow.open = flow.open or inner.open
            flow.failure = flow.failure or inner.failure
            flow.seconds = max(flow.seconds, inner.seconds)
            flow.most_seconds = max(flow.most_seconds, inner.most_seconds)
            work.then(inner)
            for name, trees in collected.items():
                if inner.results is not None and name in inner.results:
                    trees.append(inner.results[name])
        if node.parallelism is not None:
            flow.seconds = max(flow.seconds, work.seconds / node.parallelism.limit)
            flow.most_seconds = max(flow.most_seconds, work.most_seconds / node.parallelism.limit)
        flow.results = {name: trees for name, trees in collected.items() if len(trees) == count}
        return flow

    def _branch(self, node: Branch, index: Index, sure: bool, why: Reason | None) -> Flow:
        chosen = len(node.cases)
        arms = blocks(node)
        for k, case in enumerate(node.cases):
            try:
                if self.resolver.truth(case.test, index):
                    chosen = k
                    break
            except Unknown as waits:
                reason = self._undecided(node, index, waits.nodes, "which arm is taken, is")
                self._not_taken(arms[:k], index)
                given = why if not sure and why else reason
                times = [self._block(arm, index, node.id, False, given).most_seconds for arm in arms[k:]]
                return Flow(open=True, most_seconds=max(times))
            except Exception as exception:  # noqa: BLE001  # an expression of the user's: the branch's failure
                return self._fails(node, index, exception)
        self.known.decisions[node.id, index] = chosen
        self._not_taken([arm for k, arm in enumerate(arms) if k != chosen], index)
        return self._block(arms[chosen], index, node.id, sure, why)

    def _not_taken(self, arms: Any, index: Index) -> None:
        reason = Reason("not-taken", "its arm isn't taken")
        for arm in arms:
            for node in arm.nodes:
                self._skip(node, index, reason)

    def _loop(self, node: Loop, index: Index, sure: bool, why: Reason | None) -> Flow:
        try:
            for carry in node.carried:
                self._quietly(carry.initial, index)
        except Exception as exception:  # noqa: BLE001  # an expression of the user's: the loop's failure
            return self._fails(node, index, exception)
        flow = self._iterate(node, index, sure, why)
        self.resolver.forget(node.id, index)
        return flow

    def _quietly(self, operand: Operand, index: Index) -> None:
        """Evaluates an operand for what it raises, unless it isn't known yet."""
        try:
            self.resolver.tree(operand, index)
        except Unknown:
            return

    def _iterate(self, node: Loop, index: Index, sure: bool, why: Reason | None) -> Flow:
        whole, k = Flow(), 0
        while True:
            here = (*index, k)
            tested = self._block(node.test, here, node.id, sure, why)
            whole.then(tested)
            if tested.failure is not None:
                whole.failure = tested.failure
                return whole
            if tested.results is None or "test" not in tested.results:
                return self._undecided_loop(node, here, sure, why, whole)
            try:
                goes_on = self.resolver.is_true(tested.results["test"])
            except Exception as exception:  # noqa: BLE001  # a value of the user's decides on its own truth
                return self._fails(node, index, exception)
            if not goes_on or k >= node.max_iterations:
                break
            body = self._block(node.body, here, node.id, sure, why)
            whole.then(body)
            if body.failure is not None:
                whole.failure = body.failure
                return whole
            k += 1
        if goes_on and node.on_limit == "fail":
            return self._fails(node, index, BoundReached(node.max_iterations))
        self.known.decisions[node.id, index] = k
        whole.results = {}
        for carry in node.carried:
            try:
                whole.results[carry.name] = self.resolver.tree(Output(node.id, carry.name), index)
            except Unknown:
                continue
        return whole

    def _undecided_loop(self, node: Loop, here: Index, sure: bool, why: Reason | None, whole: Flow) -> Flow:
        waits: tuple[str, ...] = ()
        try:
            self.resolver.truth(dict(node.test.results)["test"], here)
        except Unknown as unknown:
            waits = unknown.nodes
        reason = self._undecided(node, here[:-1], waits, "whether it goes on is")
        whole.then(self._block(node.body, here, node.id, False, why if not sure and why else reason))
        whole.open, whole.results = True, None
        return whole

    def _try(self, node: Try, index: Index, sure: bool, why: Reason | None) -> Flow:
        flow = self._block(node.body, index, node.id, sure, why)
        if flow.open and (flow.failure is None or node.handlers):
            reason = Reason("undecided", "only if the body fails", nodes=(node.id,))
            self.known.waits[node.id, index] = self._inside(node)
            given = why if not sure and why else reason
            flow = Flow(open=True, seconds=flow.seconds, most_seconds=flow.most_seconds)
            handled = [self._block(handler.block, index, node.id, False, given) for handler in node.handlers]
            flow.most_seconds += max((handler.most_seconds for handler in handled), default=0.0)
        elif flow.failure is not None:
            flow = self._handled(node, index, sure, why, flow.failure)
        else:
            self.known.decisions[node.id, index] = 0
            self._not_taken([handler.block for handler in node.handlers], index)
        if node.final is not None:
            final = self._block(node.final, index, node.id, sure, why)
            flow.then(final)
            flow.failure = final.failure or flow.failure
        return flow

    def _inside(self, node: Try) -> tuple[str, ...]:
        """The calls in the body of a try that aren't answered."""
        calls = [inner.id for inner in walk(node.body) if isinstance(inner, Call)]
        return tuple(name for name in calls if self.table.state(name) != "cached") or (node.id,)

    def _handled(self, node: Try, index: Index, sure: bool, why: Reason | None, failure: Failure) -> Flow:
        arm = _handler(node, failure.info)
        self.known.decisions[node.id, index] = arm
        self._not_taken([h.block for k, h in enumerate(node.handlers, 1) if k != arm], index)
        if arm < 0:
            return Flow(failure=failure)
        fields = [["type", failure.info.type], ["message", failure.info.message], ["node", failure.node]]
        tree = {"$": "dataclass", "class": "drawloom.values.failure:Failure", "v": fields}
        self.known.caught_trees[node.id, index] = tree
        return self._block(node.handlers[arm - 1].block, index, node.id, sure, why)


def _handler(node: Try, info: FailureInfo) -> int:
    handlers = enumerate(node.handlers, 1)
    return next((h for h, handler in handlers if matches(info, handler.exceptions)), -1)
