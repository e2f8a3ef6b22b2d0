"""Builds small pipelines by hand: what the front end would trace, without it."""

import inspect
from collections.abc import Callable
from typing import Any

from drawloom.ir.canonical import canonical_json, digest_bytes
from drawloom.ir.envelope import encode
from drawloom.ir.nodes import Block, Call, Node, Pipeline, PipelinePolicies, Port
from drawloom.ir.operands import Apply, Const, Operand, Output
from drawloom.ir.policies import Policies
from drawloom.ir.program import Program
from drawloom.ir.tasks import FunctionRef, TaskSpec
from drawloom.ir.types import ANY, NONE, Type
from drawloom.ir.walk import walk


def const(value: Any) -> Const:
    return Const(canonical_json(encode(value)))


def out(node: str, port: str = "result", *path: Any) -> Output:
    return Output(node, port, tuple(path))


def listed(*operands: Operand) -> Apply:
    return Apply("list", operands)


class Sheet:
    """Collects the tasks that calls name, and makes the pipeline."""

    def __init__(self, name: str = "sample") -> None:
        self.name = name
        self.functions: dict[str, Callable[..., Any]] = {}
        self.specs: dict[str, TaskSpec] = {}

    def call(
        self,
        node: str,
        function: Callable[..., Any],
        *,
        after: tuple[str, ...] = (),
        policies: Policies | None = None,
        result: Type = ANY,
        effect: bool = False,
        **inputs: Any,
    ) -> Call:
        name = f"{function.__module__}:{function.__qualname__}"
        ports = tuple(Port(p) for p in inspect.signature(function).parameters)
        digest = digest_bytes(name.encode())
        ref = FunctionRef(function.__module__, function.__qualname__, digest)
        self.functions[name] = function
        self.specs[name] = TaskSpec(name, ref, ports, NONE if effect else result, effect)
        operands = tuple((k, v if isinstance(v, Operand) else const(v)) for k, v in inputs.items())
        return Call(node, name, operands, after, policies)

    def program(
        self,
        *nodes: Node,
        result: Operand | None = None,
        params: tuple[str, ...] = (),
        run_timeout_seconds: float | None = None,
    ) -> Program:
        results = () if result is None else (("result", result),)
        body = Block(nodes, results)
        named = {n.task for n in walk(body) if isinstance(n, Call)}
        pipeline = Pipeline(
            self.name,
            tuple(Port(p) for p in params),
            tuple(self.specs[name] for name in sorted(named & set(self.specs))),
            body,
            tuple(Port(name) for name, _ in results),
            PipelinePolicies(run_timeout_seconds=run_timeout_seconds),
        )
        return Program(pipeline)
