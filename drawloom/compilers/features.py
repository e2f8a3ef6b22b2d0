"""The features a pipeline uses, found in its IR: what an engine must have, natively or lowered, to run it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from drawloom.ir.nodes import (
    Branch,
    Call,
    ContainerCall,
    EngineNode,
    Loop,
    Map,
    Node,
    Pipeline,
    PipelineCall,
    Try,
)
from drawloom.ir.operands import Operand, RunInfo
from drawloom.ir.policies import Policies
from drawloom.ir.walk import operands, references, walk

__all__ = ["FEATURES", "Use", "features_used", "is_batched"]

# feature -> what it is, for the capability matrix
FEATURES: Final[dict[str, str]] = {
    "call": "Python tasks",
    "container": "containers",
    "engine-node": "nodes that one engine alone has",
    "nested-pipeline": "nested pipelines",
    "map": "fan-out over a list known at run time",
    "map-batch": "several items of a fan-out in one step",
    "map-batch-control": "several items in one step where the fan-out's body has control nodes",
    "map-parallelism": "at most so many items of a fan-out at once",
    "branch": "branches on run-time values",
    "loop": "bounded loops",
    "try": "handlers and clean-up after failures",
    "order": "order without data",
    "retry": "retries",
    "retry-delay": "pauses before retries",
    "attempt-timeout": "a time limit for each attempt",
    "node-timeout": "a time limit for all attempts of a node",
    "run-timeout": "a time limit for the run",
    "cache": "answers from earlier commits",
    "packages": "packages a task needs",
    "logical-time": "a run's logical time and interval",
}
_KINDS: Final[dict[type, str]] = {
    Call: "call",
    ContainerCall: "container",
    EngineNode: "engine-node",
    PipelineCall: "nested-pipeline",
    Map: "map",
    Branch: "branch",
    Loop: "loop",
    Try: "try",
}


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a feature: by the node `node`, "" for the pipeline itself."""

    feature: str
    node: str


def features_used(pipeline: Pipeline) -> Iterator[Use]:
    """Every use of a feature, node after node in program order, then what the pipeline itself uses."""
    tasks = {task.name: task.policies for task in pipeline.tasks}
    for node in walk(pipeline.body):
        for feature in _node_features(node, tasks):
            yield Use(feature, node.id)
    if pipeline.policies.run_timeout_seconds is not None:
        yield Use("run-timeout", "")
    if any(_asks_time(operand) for _, operand in pipeline.body.results):
        yield Use("logical-time", "")


def is_batched(node: Map) -> bool:
    """Whether one step can work on several items of a map: not if what comes next is another thing for each of them."""
    return node.batch_size > 1 and all(isinstance(inner, Call) for inner in node.body.nodes)


def _node_features(node: Node, tasks: dict[str, Policies]) -> Iterator[str]:
    yield _KINDS[type(node)]
    if node.after:
        yield "order"
    if isinstance(node, Call):
        yield from _policy_features(node.policies or tasks[node.task])
    if isinstance(node, Map):
        if node.batch_size > 1:
            yield "map-batch" if is_batched(node) else "map-batch-control"
        if node.parallelism is not None:
            yield "map-parallelism"
    if any(_asks_time(operand) for operand in operands(node)):
        yield "logical-time"


def _policy_features(policies: Policies) -> Iterator[str]:
    if policies.retry.max_attempts > 1:
        yield "retry"
        if policies.retry.delay_seconds:
            yield "retry-delay"
    if policies.attempt_timeout_seconds is not None:
        yield "attempt-timeout"
    if policies.node_timeout_seconds is not None:
        yield "node-timeout"
    if policies.cache.enabled:
        yield "cache"
    if policies.packages:
        yield "packages"


def _asks_time(operand: Operand) -> bool:
    return any(isinstance(reference, RunInfo) and reference.field != "run_id" for reference in references(operand))
