"""The features a pipeline uses, found in its IR: what an engine must have, natively or lowered, to run it.

A feature is a family, a name and a version: `control.map.nested@1`. It refines `control.map@1` and is used beside it,
where engines that have the one differ in the other. The version goes up when a feature asks something else of engines:
a compiler that declares the old one is then told that it doesn't cover the new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

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
from drawloom.ir.operands import Operand, RunInfo
from drawloom.ir.policies import INFRA, TIMEOUT, Policies
from drawloom.ir.tasks import TaskSpec
from drawloom.ir.types import Type
from drawloom.ir.walk import blocks, operands, references

__all__ = ["ENGINE_NODE", "FEATURES", "LONG_LOOP", "Use", "features_used", "is_batched", "is_ordered"]

ENGINE_NODE: Final = "node.engine@1"
LONG_LOOP: Final = 100  # Argo guards the depth of its recursion at about this; other engines unroll what is short

# feature -> what it is, for the capability matrix
FEATURES: Final[dict[str, str]] = {
    "node.call@1": "Python tasks",
    "node.container@1": "containers",
    ENGINE_NODE: "nodes that one engine alone has",
    "node.pipeline@1": "nested pipelines",
    "control.map@1": "fan-out over a list known at run time",
    "control.map.nested@1": "fan-out within a fan-out",
    "control.map.branch@1": "branches within a fan-out",
    "control.map.try@1": "handlers or clean-up within a fan-out",
    "control.map.batch@1": "several items of a fan-out in one step",
    "control.map.batch_control@1": "several items in one step where the fan-out's body has control nodes",
    "control.map.parallelism@1": "at most so many items of a fan-out at once",
    "control.map.parallelism_steps@1": "at most so many items at once where an item takes several steps",
    "control.branch@1": "branches on run-time values",
    "control.loop@1": "bounded loops",
    "control.loop.nested@1": "loops within a loop or a fan-out",
    "control.loop.long@1": f"loops of more than {LONG_LOOP} iterations",
    "control.loop.stop@1": "loops that end well at their bound",
    "control.try@1": "blocks that contain their failures",
    "control.try.handlers@1": "handlers by exception class",
    "control.try.final@1": "clean-up in any case",
    "order.after@1": "order without data",
    "policy.retry@1": "retries",
    "policy.retry.delay@1": "pauses before retries",
    "policy.retry.backoff@1": "pauses that grow from retry to retry",
    "policy.retry.by_class@1": "retries after certain classes of failure only",
    "policy.retry.infra@1": "retries after a step was lost",
    "policy.retry.timeout@1": "retries after an attempt took too long",
    "policy.timeout.attempt@1": "a time limit for each attempt",
    "policy.timeout.node@1": "a time limit for all attempts of a node",
    "policy.timeout.run@1": "a time limit for the run",
    "policy.schedule@1": "runs that are started by a schedule",
    "policy.schedule.catch_up@1": "a run for each time that was missed",
    "policy.schedule.catch_up_latest@1": "a run for the last time that was missed",
    "policy.schedule.overlap_skip@1": "no scheduled run while the one before goes on",
    "policy.schedule.overlap_replace@1": "a scheduled run ends the one before, if that still goes on",
    "policy.cache@1": "answers from earlier commits",
    "policy.packages@1": "packages a task needs",
    "policy.resources@1": "processors, memory and disk a task needs",
    "policy.resources.gpu@1": "devices a task needs, as GPUs",
    "policy.image@1": "a container image for a task",
    "policy.env@1": "environment variables of a task",
    "policy.placement@1": "which machines a task runs on, and how urgent it is",
    "policy.volumes@1": "folders mounted for a task",
    "policy.secrets@1": "environment variables from the cluster's secrets",
    "policy.pod@1": "labels, annotations, account and pull secrets of a task's pods",
    "value.logical_time@1": "a run's logical time",
    "value.interval@1": "the interval a run is for",
    "value.file@1": "files and folders as parameters of a run",
}
_KINDS: Final[dict[type, str]] = {
    Call: "node.call@1",
    PipelineCall: "node.pipeline@1",
    Map: "control.map@1",
    Branch: "control.branch@1",
    Loop: "control.loop@1",
    Try: "control.try@1",
}
_WITHIN_MAP: Final[dict[type, str]] = {
    Map: "control.map.nested@1",
    Branch: "control.map.branch@1",
    Try: "control.map.try@1",
    Loop: "control.loop.nested@1",
}
_FACTS: Final[dict[str, str]] = {
    "logical_time": "value.logical_time@1",
    "interval_start": "value.interval@1",
    "interval_end": "value.interval@1",
}
_CATCH_UP: Final[dict[str, str]] = {"none": "", "latest": "catch_up_latest", "all": "catch_up"}
_OVERLAP: Final[dict[str, str]] = {"allow": "", "skip": "overlap_skip", "replace": "overlap_replace"}
_Kinds = frozenset[type]  # of the nodes around a node, however far out


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a feature: by the node `node`, "" for the pipeline itself."""

    feature: str
    node: str


def features_used(pipeline: Pipeline) -> Iterator[Use]:
    """Every use of a feature, node after node in program order, then what the pipeline itself uses.

    A node uses a feature once, however often; a policy is used by each call it holds for.
    """
    tasks = {task.name: task for task in pipeline.tasks}
    yield from _block_uses(pipeline.body, frozenset(), tasks)
    for feature in _pipeline_features(pipeline):
        yield Use(feature, "")


def is_batched(node: Map, tasks: Mapping[str, TaskSpec]) -> bool:
    """Whether one step can work on several items of a map: not if what comes next is another thing for each of them.

    A container is a thing for each of them too, and so is what an engine has of its own.
    """
    return node.batch_size > 1 and all(
        isinstance(inner, Call) and tasks[inner.task].container is None and tasks[inner.task].engine is None
        for inner in node.body.nodes
    )


def _block_uses(block: Block, around: _Kinds, tasks: Mapping[str, TaskSpec]) -> Iterator[Use]:
    for node in block.nodes:
        for feature in _node_features(node, around, tasks):
            yield Use(feature, node.id)
        for inner in blocks(node):
            yield from _block_uses(inner, around | {type(node)}, tasks)


def _node_features(node: Node, around: _Kinds, tasks: Mapping[str, TaskSpec]) -> Iterator[str]:
    yield _kind(node, tasks)
    if Map in around and type(node) in _WITHIN_MAP:
        yield _WITHIN_MAP[type(node)]
    match node:
        case Call():
            yield from _policy_features(node.policies or tasks[node.task].policies)
        case Map():
            yield from _map_features(node, tasks)
        case Loop():
            yield from _loop_features(node, around)
        case Try():
            yield from _try_features(node)
        case _:
            pass
    if node.after:
        yield "order.after@1"
    yield from _fact_features(operands(node))


def _kind(node: Node, tasks: Mapping[str, TaskSpec]) -> str:
    if isinstance(node, Call):
        task = tasks[node.task]
        if task.container is not None:
            return "node.container@1"
        if task.engine is not None:
            return ENGINE_NODE
    return _KINDS[type(node)]


def is_ordered(node: Map) -> bool:
    """Whether a map's items are to begin in their order, or so many of them alone: what counts them must follow them.

    An engine may limit the instances of a step, and have no say in their order, or in how many items are begun.
    """
    return node.parallelism is not None and (node.parallelism.limit == 1 or _has_several_steps(node))


def _has_several_steps(node: Map) -> bool:
    """Whether an item of a map takes several steps."""
    return len(node.body.nodes) > 1 or any(blocks(inner) for inner in node.body.nodes)


def _map_features(node: Map, tasks: Mapping[str, TaskSpec]) -> Iterator[str]:
    if node.batch_size > 1:
        yield "control.map.batch@1" if is_batched(node, tasks) else "control.map.batch_control@1"
    if node.parallelism is not None:
        yield "control.map.parallelism@1"
        if _has_several_steps(node):
            yield "control.map.parallelism_steps@1"


def _loop_features(node: Loop, around: _Kinds) -> Iterator[str]:
    if Loop in around and Map not in around:  # within a map it is told already
        yield "control.loop.nested@1"
    if node.max_iterations > LONG_LOOP:
        yield "control.loop.long@1"
    if node.on_limit == "stop":
        yield "control.loop.stop@1"


def _try_features(node: Try) -> Iterator[str]:
    if node.handlers:
        yield "control.try.handlers@1"
    if node.final is not None:
        yield "control.try.final@1"


def _policy_features(policies: Policies) -> Iterator[str]:
    if policies.retry.max_attempts > 1:
        yield from _retry_features(policies)
    if policies.attempt_timeout_seconds is not None:
        yield "policy.timeout.attempt@1"
    if policies.node_timeout_seconds is not None:
        yield "policy.timeout.node@1"
    if policies.cache.enabled:
        yield "policy.cache@1"
    if policies.packages:
        yield "policy.packages@1"
    yield from _machine_features(policies)


def _machine_features(policies: Policies) -> Iterator[str]:
    resources, pod = policies.resources, policies.pod
    if resources.cpu or resources.memory or resources.disk:
        yield "policy.resources@1"
    if resources.gpu:
        yield "policy.resources.gpu@1"
    if policies.image:
        yield "policy.image@1"
    if policies.env:
        yield "policy.env@1"
    if pod.node_selector or pod.tolerations or pod.priority_class or pod.spot:
        yield "policy.placement@1"
    if pod.volumes:
        yield "policy.volumes@1"
    if pod.env_from_secrets or pod.secret_env:
        yield "policy.secrets@1"
    if pod.labels or pod.annotations or pod.service_account or pod.image_pull_secrets:
        yield "policy.pod@1"


def _retry_features(policies: Policies) -> Iterator[str]:
    retry = policies.retry
    yield "policy.retry@1"
    if retry.delay_seconds:
        yield "policy.retry.delay@1"
        if retry.factor > 1 and retry.max_attempts > 2:
            yield "policy.retry.backoff@1"
    if retry.on:
        yield "policy.retry.by_class@1"
    if not retry.on or INFRA in retry.on:
        yield "policy.retry.infra@1"
    if policies.attempt_timeout_seconds is not None and (not retry.on or TIMEOUT in retry.on):
        yield "policy.retry.timeout@1"


def _pipeline_features(pipeline: Pipeline) -> Iterator[str]:
    if pipeline.policies.run_timeout_seconds is not None:
        yield "policy.timeout.run@1"
    schedule = pipeline.policies.schedule
    if schedule is not None:
        yield "policy.schedule@1"
        yield from (
            f"policy.schedule.{name}@1" for name in (_CATCH_UP[schedule.catch_up], _OVERLAP[schedule.overlap]) if name
        )
    yield from _fact_features(operand for _, operand in pipeline.body.results)
    if any(_holds_file(port.type) for port in pipeline.params):
        yield "value.file@1"


def _fact_features(found: Iterator[Operand]) -> Iterator[str]:
    """The facts about the run that operands ask for, each once; its id is there on every engine."""
    asked = (ref.field for operand in found for ref in references(operand) if isinstance(ref, RunInfo))
    yield from dict.fromkeys(_FACTS[field] for field in asked if field in _FACTS)


def _holds_file(type_: Type) -> bool:
    inner = (*type_.args, *(field for _, field in type_.fields))
    return type_.name in ("file", "directory") or any(map(_holds_file, inner))
