"""Nodes, blocks and the pipeline: the intermediate representation that everything else is made from or into.

Frozen, slotted dataclasses with tuples inside and no live Python object. No class here does any work: the meaning is
`ir.interpret`, the rules are `ir.check`, the written form is `ir.serialize`. Standard library alone: a step loads it.
"""

from __future__ import annotations

from typing import Final

from drawloom.frozen import dataclass
from drawloom.ir.operands import Operand
from drawloom.ir.policies import Parallelism, PipelinePolicies, Policies
from drawloom.ir.tasks import EngineSpec, FunctionRef, Port, TaskSpec
from drawloom.ir.types import ANY, Type

__all__ = [
    "IR_VERSION",
    "KNOWN_FEATURES",
    "Block",
    "Branch",
    "Call",
    "Carry",
    "Case",
    "EngineSpec",
    "FunctionRef",
    "Handler",
    "Loop",
    "Map",
    "Node",
    "Pipeline",
    "PipelineCall",
    "Port",
    "TaskSpec",
    "Try",
]

IR_VERSION: Final = 0
KNOWN_FEATURES: Final[frozenset[str]] = frozenset()  # what `Pipeline.requires` may name in this version


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the task `task` (a key of `Pipeline.tasks`) with (parameter, operand) pairs in the task's order."""

    id: str
    task: str
    inputs: tuple[tuple[str, Operand], ...] = ()
    after: tuple[str, ...] = ()
    policies: Policies | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Nodes in program order, and the (name, operand) pairs the block gives to whatever holds it."""

    nodes: tuple[Node, ...] = ()
    results: tuple[tuple[str, Operand], ...] = ()


@dataclass(frozen=True, slots=True)
class PipelineCall:
    """A nested pipeline, inlined: its body refers to the caller's operands directly; `inputs` shows what was given."""

    id: str
    pipeline: str
    body: Block
    inputs: tuple[tuple[str, Operand], ...] = ()
    results: tuple[Port, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Map:
    """`body` once per item of `items`, in parallel; each result port is the list of the items' results, in order."""

    id: str
    items: Operand
    body: Block
    results: tuple[Port, ...] = ()
    item: Type = ANY
    batch_size: int = 1
    parallelism: Parallelism | None = None
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One arm of a branch: `block` runs if `test` is true and no earlier case was."""

    test: Operand
    block: Block


@dataclass(frozen=True, slots=True)
class Branch:
    """The first case whose test is true, else `otherwise`; each result port is the chosen block's result."""

    id: str
    cases: tuple[Case, ...]
    otherwise: Block = Block()
    results: tuple[Port, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Carry:
    """A value a loop carries from one iteration to the next; `body` gives the next one as its result `name`."""

    name: str
    initial: Operand
    type: Type = ANY


@dataclass(frozen=True, slots=True)
class Loop:
    """`while test: body`, at most `max_iterations` times; the result ports are the carried values at the end.

    `test` is a block with the one result `test`. Where the test is still true after `max_iterations` iterations, the
    loop fails (`on_limit="fail"`) or ends as it stands (`"stop"`).
    """

    id: str
    carried: tuple[Carry, ...]
    test: Block
    body: Block
    max_iterations: int
    on_limit: str = "fail"
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Handler:
    """A block for failures whose class, or a base of it, is among `exceptions` (`module:qualname`)."""

    exceptions: tuple[str, ...]
    block: Block


@dataclass(frozen=True, slots=True)
class Try:
    """`body`; on its first failure in program order the first matching handler; `final` in any case, at the end.

    Each result port is the body's result, or the chosen handler's.
    """

    id: str
    body: Block
    handlers: tuple[Handler, ...] = ()
    final: Block | None = None
    results: tuple[Port, ...] = ()
    after: tuple[str, ...] = ()


Node = Call | PipelineCall | Map | Branch | Loop | Try


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A whole pipeline.

    Args:
        name: the pipeline's name; artifacts are named `<name>/<node id>`.
        params: the parameters of a run.
        tasks: the interface of each task that a call names, sorted by name.
        body: the nodes, and the operands of the results.
        results: the names and types of the results (`result` for a plain return value).
        policies: how a run is to be run.
        requires: features a reader must know to read this (unknown ones are refused).
        kind: `batch` (`serve` and `stream` are reserved).
        ir_version: `IR_VERSION`.
    """

    name: str
    params: tuple[Port, ...] = ()
    tasks: tuple[TaskSpec, ...] = ()
    body: Block = Block()
    results: tuple[Port, ...] = ()
    policies: PipelinePolicies = PipelinePolicies()  # frozen, so it can be shared
    requires: tuple[str, ...] = ()
    kind: str = "batch"
    ir_version: int = IR_VERSION
