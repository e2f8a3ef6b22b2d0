"""The reference interpreter: what a pipeline means.

Every executor and every engine is held to this: same result or same exception, same node states, same values of each
node instance. It is sequential, in program order, keeps nothing but the run at hand, and is written to be read.

- A node runs when every node it refers to or comes after, itself or in its blocks, has succeeded; else it is skipped,
  blocks and all. What doesn't depend on a failure runs (keep-going).
- A control node fails with the first failure *in program order* in its blocks. The results of a block are evaluated at
  its end; an expression that raises there is a failure of the control node, after all nodes of the block.
- Hand-over is by value, through the envelope: a task gets copies, one for each input and attempt, and its result is
  copied when it returns. So no two places share an object, whatever the task shared; what the envelope takes for a leaf
  (a frame, a model) is copied by `copy.deepcopy`.
- A loop's test is evaluated once more after the last iteration; a map's items are those of `evaluate.map_items`.
- Policies: attempts are made again as `RetryPolicy` says, with the environment variables of `Policies.env`. There is no
  clock here, so pauses and timeouts are left out, and no cache: a node that ran is `succeeded`, never `cached`.

A task's container is run by whatever `functions` has for it. What an engine has of its own means what that makes of
it, and is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from drawloom.errors import BoundReached, Diagnostic, RunRefused
from drawloom.ir.envelope import class_ref, decode, encode
from drawloom.ir.evaluate import evaluate, follow, map_items
from drawloom.ir.layout import layout
from drawloom.ir.nodes import (
    Block,
    Branch,
    Call,
    Loop,
    Map,
    Node,
    Pipeline,
    PipelineCall,
    Try,
)
from drawloom.ir.operands import Carried, Caught, Const, Item, Operand, Output, Param, Reference, RunInfo
from drawloom.ir.policies import RetryPolicy
from drawloom.ir.variables import Variables
from drawloom.ir.walk import dependencies, walk

__all__ = ["Index", "Outcome", "exception_names", "interpret"]

Index = tuple[int, ...]
Instance = tuple[str, Index]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run.

    Args:
        result: the value of the one result `result`; None without results; else a dict by result name. None if failed.
        failure: the exception that counts: the first in program order; None if the run succeeded.
        failed: the node instance that raised it; node `""` if the pipeline's own results did.
        states: node id -> `succeeded`, `failed` or `skipped`, over all its instances: failed if any failed, else
            succeeded if any succeeded, else skipped.
        instances: (node id, index) -> the state of each instance in a block that was entered.
        commits: (node id, index) -> the value of each call that ran, or the exception it raised.
    """

    result: Any
    failure: BaseException | None
    failed: Instance | None = None
    states: Mapping[str, str] = field(default_factory=dict)
    instances: Mapping[Instance, str] = field(default_factory=dict)
    commits: Mapping[Instance, Any] = field(default_factory=dict)


def interpret(
    pipeline: Pipeline,
    functions: Mapping[str, Callable[..., Any]],
    params: Mapping[str, Any] | None = None,
    *,
    info: Mapping[str, Any] | None = None,
    leaf: Callable[[Any], Any] | None = None,
) -> Outcome:
    """Run a pipeline that `check` found nothing wrong with.

    Args:
        pipeline: the IR.
        functions: task name -> the Python function, or whatever runs its container.
        params: parameter name -> value; those left out take their defaults.
        info: what `RunInfo` references give, by field.
        leaf: decodes what the envelope doesn't know (`envelope.decode`), in constants and defaults.

    Raises:
        TypeError: a parameter is missing or unknown.
        RunRefused: the pipeline has a node that only an engine can run (G231).
    """
    owned = {task.name: task.engine.engine for task in pipeline.tasks if task.engine is not None}
    for node in walk(pipeline.body) if owned else ():
        if isinstance(node, Call) and node.task in owned:
            raise RunRefused(_engine_only(node, owned[node.task]))
    run = _Run(pipeline, functions, info or {}, leaf)
    run.take_params(params or {})
    result, failure = None, None
    try:
        values = run.run_block(pipeline.body, "", ())
        names = [port.name for port in pipeline.results]
        result = values.get("result") if names in ([], ["result"]) else {name: values[name] for name in names}
    except _Failed as failed:
        failure = failed
    return Outcome(
        result=result,
        failure=failure.exception if failure else None,
        failed=failure.instance if failure else None,
        states=_aggregate(pipeline, run.instances),
        instances=run.instances,
        commits=run.commits,
    )


def exception_names(error: BaseException) -> tuple[str, ...]:
    """`module:qualname` of an exception's class and its bases in method resolution order: what handlers match."""
    return tuple(class_ref(cls) for cls in type(error).__mro__)


class _Failed(Exception):  # a failure on its way, not an error of drawloom's
    """A failure on its way out: the instance it happened in and the exception itself."""

    def __init__(self, node: str, index: Index, exception: BaseException) -> None:
        super().__init__(node, index, exception)
        self.instance: Instance = (node, index)
        self.exception = exception


class _Run:
    """One run. The dicts are keyed by (node id, index vector)."""

    def __init__(
        self,
        pipeline: Pipeline,
        functions: Mapping[str, Callable[..., Any]],
        info: Mapping[str, Any],
        leaf: Callable[[Any], Any] | None,
    ) -> None:
        self.pipeline = pipeline
        self.functions = functions
        self.info = info
        self.leaf = leaf
        self.tasks = {task.name: task for task in pipeline.tasks}
        self.depth = {"": 0} | {source.id: source.depth for source in layout(pipeline).values()}
        self.needs = {node.id: dependencies(node) for node in walk(pipeline.body)}
        self.params: dict[str, Any] = {}
        self.values: dict[Instance, dict[str, Any]] = {}  # results by port, of the instances that succeeded
        self.items: dict[Instance, Any] = {}  # of maps, with the item's number
        self.carried: dict[Instance, dict[str, Any]] = {}  # of loops, with the iteration's number
        self.caught: dict[Instance, Any] = {}  # of tries
        self.instances: dict[Instance, str] = {}
        self.commits: dict[Instance, Any] = {}

    def take_params(self, given: Mapping[str, Any]) -> None:
        for port in self.pipeline.params:
            if port.name in given:
                self.params[port.name] = _copy(given[port.name])
            elif port.default is not None:
                self.params[port.name] = decode(json.loads(port.default), self.leaf)
            else:
                raise TypeError(f"{self.pipeline.name}() is missing the parameter {port.name!r}")
        unknown = sorted(set(given) - set(self.params))
        if unknown:
            raise TypeError(f"{self.pipeline.name}() got the unknown parameter {unknown[0]!r}")

    # blocks and nodes

    def run_block(self, block: Block, owner: str, index: Index) -> dict[str, Any]:
        """Run every node that can run, in program order; then the results, or the first failure."""
        failures: list[_Failed] = []
        for node in block.nodes:
            failure = self.run_node(node, index)
            if failure is not None:
                failures.append(failure)
        if failures:
            raise failures[0]
        try:
            return {name: self.value(operand, index) for name, operand in block.results}
        except Exception as error:
            raise _Failed(owner, self.at(owner, index), error) from error

    def run_node(self, node: Node, index: Index) -> _Failed | None:
        instance = (node.id, index)
        if not all((need, self.at(need, index)) in self.values for need in self.needs[node.id]):
            self.instances[instance] = "skipped"
            return None
        try:
            self.values[instance] = self.results(node, index)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  # a task may raise SystemExit too: it is the node's failure
            self.instances[instance] = "failed"
            return error if isinstance(error, _Failed) else _Failed(node.id, index, error)
        self.instances[instance] = "succeeded"
        return None

    def results(self, node: Node, index: Index) -> dict[str, Any]:
        """The results of a node by port: what each kind of node means."""
        match node:
            case Call():
                return self.call(node, index)
            case PipelineCall():
                return self.run_block(node.body, node.id, index)
            case Map():
                return self.map(node, index)
            case Branch():
                return self.run_block(self.chosen(node, index), node.id, index)
            case Loop():
                return self.loop(node, index)
            case Try():
                return self.try_(node, index)
        raise AssertionError(f"no meaning for {type(node).__name__}")  # refused before the run began

    def call(self, node: Call, index: Index) -> dict[str, Any]:
        spec = self.tasks[node.task]
        policies = node.policies or spec.policies
        try:
            inputs = {name: self.value(operand, index) for name, operand in node.inputs}
            with Variables(policies.env):
                result = _attempts(self.functions[node.task], inputs, policies.retry)
        except BaseException as error:
            self.commits[node.id, index] = error
            raise
        self.commits[node.id, index] = result
        return {"result": result}

    def map(self, node: Map, index: Index) -> dict[str, Any]:
        failures: list[_Failed] = []
        collected: dict[str, list[Any]] = {port.name: [] for port in node.results}
        for k, item in enumerate(map_items(self.value(node.items, index))):
            self.items[node.id, (*index, k)] = item
            try:
                results = self.run_block(node.body, node.id, (*index, k))
            except _Failed as failure:
                failures.append(failure)
                continue
            for name, values in collected.items():
                values.append(results[name])
        if failures:
            raise failures[0]
        return collected

    def chosen(self, node: Branch, index: Index) -> Block:
        for case in node.cases:
            if self.value(case.test, index):
                return case.block
        return node.otherwise

    def loop(self, node: Loop, index: Index) -> dict[str, Any]:
        carried = {carry.name: self.value(carry.initial, index) for carry in node.carried}
        for k in count():
            at = (*index, k)
            self.carried[node.id, at] = carried
            if not self.run_block(node.test, node.id, at)["test"]:
                break
            if k == node.max_iterations:
                if node.on_limit == "fail":
                    raise BoundReached(node.max_iterations)
                break
            carried = self.run_block(node.body, node.id, at)
        return carried

    def try_(self, node: Try, index: Index) -> dict[str, Any]:
        try:
            try:
                return self.run_block(node.body, node.id, index)
            except _Failed as failure:
                names = exception_names(failure.exception)
                handler = next((h for h in node.handlers if any(e in names for e in h.exceptions)), None)
                if handler is None:
                    raise
                self.caught[node.id, index] = _failure_value(failure)
                return self.run_block(handler.block, node.id, index)
        finally:  # Python's own: a failure in here replaces the one before it
            if node.final is not None:
                self.run_block(node.final, node.id, index)

    # operands

    def value(self, operand: Operand, index: Index) -> Any:
        return evaluate(operand, lambda reference: self.lookup(reference, index), self.constant)

    def constant(self, const: Const) -> Any:
        return decode(json.loads(const.json), self.leaf)

    def lookup(self, reference: Reference, index: Index) -> Any:
        match reference:
            case Param(name, path):
                return follow(self.params[name], path)
            case Output(node, port, path):
                return follow(self.values[node, self.at(node, index)][port], path)
            case Item(map_id, path):
                return follow(self.items[map_id, self.inside(map_id, index)], path)
            case Carried(loop, name, path):
                return follow(self.carried[loop, self.inside(loop, index)][name], path)
            case Caught(node, path):
                return follow(self.caught[node, self.at(node, index)], path)
            case RunInfo(name):
                return self.info[name]

    def at(self, node: str, index: Index) -> Index:
        """The index vector of the instance of `node` that an instance with `index` sees."""
        return index[: self.depth[node]]

    def inside(self, node: str, index: Index) -> Index:
        """The same with the number of the item or iteration that `index` lies in."""
        return index[: self.depth[node] + 1]


def _attempts(function: Callable[..., Any], inputs: Mapping[str, Any], retry: RetryPolicy) -> Any:
    for attempt in count(1):
        try:
            return _copy(function(**{name: _copy(value) for name, value in inputs.items()}))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            wanted = not retry.on or any(name in retry.on for name in exception_names(error))
            if attempt >= retry.max_attempts or not wanted:
                raise
    raise AssertionError("count never ends")


def _copy(value: Any) -> Any:
    kept: list[Any] = []

    def keep(leaf: Any) -> dict[str, Any]:
        kept.append(deepcopy(leaf))
        return {"$": "kept", "v": len(kept) - 1}

    return decode(encode(value, keep), lambda tree: kept[tree["v"]])


def _failure_value(failure: _Failed) -> Any:
    """The `Failure` a handler is given, made from its envelope: the IR doesn't import the value types."""
    fields = [
        ["type", class_ref(type(failure.exception))],
        ["message", str(failure.exception)],
        ["node", failure.instance[0]],
    ]
    return decode({"$": "dataclass", "class": "drawloom.values.failure:Failure", "v": fields})


def _aggregate(pipeline: Pipeline, instances: Mapping[Instance, str]) -> dict[str, str]:
    found: dict[str, set[str]] = {node.id: set() for node in walk(pipeline.body)}
    for (node, _), state in instances.items():
        found[node].add(state)
    return {n: next((s for s in ("failed", "succeeded") if s in states), "skipped") for n, states in found.items()}


def _engine_only(node: Call, engine: str) -> Diagnostic:
    return Diagnostic(
        code="G231",
        what=f"`{node.id}` is a node that only {engine} has; the reference interpreter runs Python tasks only",
        where=None,
        fix="compile the pipeline for an engine that has it, or put a @task in its place",
    )
