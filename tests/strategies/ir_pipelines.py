"""Hypothesis strategies for well-formed pipelines of every node kind, over a few pure tasks, and those tasks.

`pipelines()` gives pipelines that the check finds nothing wrong with and that the reference interpreter runs with
`FUNCTIONS`; `pipelines(engine_nodes=True)` has what an engine has of its own in them too, for what only reads the IR.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from drawloom.ir.canonical import canonical_json
from drawloom.ir.nodes import (
    Block,
    Branch,
    Call,
    Carry,
    Case,
    FunctionRef,
    Handler,
    Loop,
    Map,
    Node,
    Pipeline,
    PipelineCall,
    Port,
    TaskSpec,
    Try,
)
from drawloom.ir.operands import (
    Apply,
    Carried,
    Caught,
    Const,
    Field,
    Item,
    Key,
    Operand,
    Output,
    Param,
    RunInfo,
)
from drawloom.ir.policies import CachePolicy, Parallelism, PipelinePolicies, Policies, RetryPolicy
from drawloom.ir.tasks import EngineSpec
from drawloom.ir.types import FLOAT, INT, NONE, STR, Type

__all__ = ["FUNCTIONS", "HOSTILE", "INFO", "PARAMS", "TASKS", "Point", "pipelines"]


@dataclass(frozen=True)
class Point:
    """A record that travels on edges."""

    x: int
    y: int


INTS = Type("list", (INT,))
POINT = Type("dataclass", ref=f"{__name__}:Point", fields=(("x", INT), ("y", INT)))
HOSTILE = (
    "{{a}}",
    "${b}",
    "'\"`",
    "y",
    "1e-7",
    "",
    "two\nlines",
    "\x00\x7f\x1b[31m",
    "☃😀\u202e",
    "a" * 300,
    "-> x",
    "null",
)
PARAMS: dict[str, Any] = {"n": 3, "numbers": [4, 5, 0], "text": "{{x}}"}
INFO = {"run_id": "run-1"}


def add(a: int, b: int) -> int:
    return a + b


def count_up(n: int) -> list[int]:
    return list(range(n % 4))


def total(numbers: list[int]) -> int:
    return sum(numbers)


def point(x: int, y: int) -> Point:
    return Point(x, y)


def length_of(text: str) -> int:
    return len(text)


def not_fifth(n: int) -> int:
    if n % 5 == 0:
        raise ValueError(f"{n} is a multiple of five")
    return n


def small(n: int) -> int:
    if n > 100:
        raise OverflowError(n)
    return n


def note(text: str) -> None:
    return None


def ratio(n: int, m: int = 2) -> float:
    return n / (m * m + 1)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    f"tasks:{f.__name__}": f for f in (add, count_up, length_of, not_fifth, note, point, ratio, small, total)
}


def _spec(name: str, inputs: list[Port], result: Type, **more: Any) -> TaskSpec:
    return TaskSpec(f"tasks:{name}", FunctionRef("tasks", name, "0" * 64), tuple(inputs), result, **more)


TASKS = (
    _spec("add", [Port("a", INT), Port("b", INT)], INT),
    _spec("count_up", [Port("n", INT)], INTS),
    _spec("length_of", [Port("text", STR)], INT),
    _spec("not_fifth", [Port("n", INT)], INT, policies=Policies(RetryPolicy(max_attempts=2))),
    _spec("note", [Port("text", STR)], NONE, effect=True),
    _spec("point", [Port("x", INT), Port("y", INT)], POINT),
    _spec("ratio", [Port("n", INT), Port("m", INT, "2")], FLOAT),
    _spec("small", [Port("n", INT)], INT),
    _spec("total", [Port("numbers", INTS)], INT),
)
_PARAM_PORTS = (Port("n", INT), Port("numbers", INTS, "[1,2]"), Port("text", STR, canonical_json('a"b')))
_POLICIES = (
    Policies(),
    Policies(RetryPolicy(3, 0.5, 2.0, 60.0, ("builtins:ValueError", "infra"))),
    Policies(
        attempt_timeout_seconds=5.0, node_timeout_seconds=60.0, cache=CachePolicy(False, "v2"), packages=("a>=1",)
    ),
)
_EXCEPTIONS = ("builtins:ValueError", "builtins:ArithmeticError", "builtins:LookupError", "builtins:Exception")
Scope = dict[str, list[Operand]]  # type name -> the operands of that type that may be used


@st.composite
def pipelines(draw: st.DrawFn, *, engine_nodes: bool = False, max_depth: int = 3) -> Pipeline:
    """Well-formed pipelines; their parameters have the values `PARAMS`, their run infos those of `INFO`."""
    builder = _Builder(draw, engine_nodes)
    scope: Scope = {
        "int": [Param("n"), Apply("len", (Param("numbers"),)), Param("numbers", (Key(0),))],
        "list": [Param("numbers")],
        "str": [Param("text"), RunInfo("run_id")],
    }
    nodes = builder.nodes(scope, max_depth)
    result, type_ = builder.any_value(scope)
    return Pipeline(
        name=draw(st.sampled_from(("nightly", "ml.churn", "päron"))),
        params=_PARAM_PORTS,
        tasks=(*TASKS, *builder.special),
        body=Block(nodes, (("result", result),)),
        results=(Port("result", type_),),
        policies=PipelinePolicies(draw(st.sampled_from((None, 3600.0)))),
    )


class _Builder:
    """Draws one pipeline. `made` numbers the nodes, so that ids are unique."""

    def __init__(self, draw: st.DrawFn, engine_nodes: bool) -> None:
        self.draw = draw
        self.engine_nodes = engine_nodes
        self.made = 0
        self.special: list[TaskSpec] = []  # what an engine has of its own

    def pick(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def nodes(self, scope: Scope, depth: int) -> tuple[Node, ...]:
        """Some nodes; what they give is added to `scope`."""
        kinds = ["call"] * 5
        if depth > 0:
            kinds += ["map", "branch", "loop", "try", "group"]
        if self.engine_nodes:
            kinds += ["engine"]
        found: list[Node] = []
        for _ in range(self.draw(st.integers(0, 4))):
            kind = self.pick(*kinds)
            self.made += 1
            after = tuple(n.id for n in found[-2:]) if self.draw(st.booleans()) else ()
            node = getattr(self, f"_{kind}")(f"{kind}_{self.made}", scope, depth - 1, after)
            found.append(node)
        return tuple(found)

    # operands

    def int(self, scope: Scope, levels: int = 2) -> Operand:
        choice = self.pick("known", "known", "const", "apply") if levels else "const"
        if choice == "known" and scope["int"]:
            return self.pick(*scope["int"])
        if choice == "apply":
            return self._int_expression(scope, levels - 1)
        return Const(str(self.draw(st.integers(-20, 20))))

    def _int_expression(self, scope: Scope, levels: int) -> Operand:
        op = self.pick("add", "sub", "mul", "neg", "select", "floordiv", "len", "sum", "get", "max")
        if op == "neg":
            return Apply(op, (self.int(scope, levels),))
        if op in ("len", "sum", "max"):
            return Apply(op, (self.list(scope),))
        if op == "get":
            return Apply(op, (self.list(scope), self.int(scope, levels)))
        if op == "select":
            return Apply(op, (self.bool(scope, levels), self.int(scope, levels), self.int(scope, levels)))
        return Apply(op, (self.int(scope, levels), self.int(scope, levels)))

    def bool(self, scope: Scope, levels: int = 1) -> Operand:
        op = self.pick("lt", "eq", "not", "and", "is_none", "contains")
        if op == "not":
            return Apply(op, (self.int(scope, levels),))
        if op == "is_none":
            return Apply(op, (self.int(scope, levels),))
        if op == "contains":
            return Apply(op, (self.list(scope), self.int(scope, levels)))
        if op == "and":
            return Apply(op, (Apply("lt", (self.int(scope, 0), self.int(scope, levels))), Const("true")))
        return Apply(op, (self.int(scope, levels), self.int(scope, levels)))

    def list(self, scope: Scope) -> Operand:
        choice = self.pick("known", "const", "list", "sorted")
        if choice == "known" and scope["list"]:
            return self.pick(*scope["list"])
        if choice == "list":
            return Apply("list", (self.int(scope, 1), self.int(scope, 0)))
        if choice == "sorted" and scope["list"]:
            return Apply("sorted", (self.pick(*scope["list"]),))
        return Const(json.dumps(self.draw(st.lists(st.integers(-9, 9), max_size=3)), separators=(",", ":")))

    def str(self, scope: Scope) -> Operand:
        choice = self.pick("known", "const", "str", "format")
        if choice == "str":
            return Apply("str", (self.int(scope, 1),))
        if choice == "format":
            return Apply("format", (Const('"<"'), self.int(scope, 1), Const('""'), Const('"03d"'), Const('">"')))
        if choice == "known" and scope["str"]:
            return self.pick(*scope["str"])
        return Const(canonical_json(self.pick(*HOSTILE)))

    def any_value(self, scope: Scope) -> tuple[Operand, Type]:
        kind = self.pick("int", "list", "str", "tuple")
        if kind == "tuple":
            return Apply("tuple", (self.int(scope), self.str(scope))), Type("tuple", (INT, STR))
        return getattr(self, kind)(scope), {"int": INT, "list": INTS, "str": STR}[kind]

    # nodes

    def _call(self, name: str, scope: Scope, _: int, after: tuple[str, ...]) -> Node:
        spec = self.pick(*TASKS)
        make = {"int": self.int, "list": self.list, "str": self.str}
        ports = spec.inputs if self.draw(st.booleans()) else [p for p in spec.inputs if p.default is None]
        inputs = tuple((p.name, make[p.type.name](scope)) for p in ports)
        if spec.result == POINT:
            scope["int"] += [Output(name, path=(Field("x"),)), Output(name, path=(Field("y"),))]
        elif spec.result.name in scope:
            scope[spec.result.name].append(Output(name))
        policies = self.pick(None, None, *_POLICIES)
        return Call(name, spec.name, inputs, after, policies)

    def _block(self, scope: Scope, depth: int) -> tuple[Block, Scope]:
        inner = {kind: list(known) for kind, known in scope.items()}
        nodes = self.nodes(inner, depth)
        return Block(nodes, (("result", self.int(inner)),)), inner

    def _group(self, name: str, scope: Scope, depth: int, after: tuple[str, ...]) -> Node:
        block, _ = self._block(scope, depth)
        scope["int"].append(Output(name))
        return PipelineCall(name, "inner", block, (("n", self.int(scope, 0)),), (Port("result", INT),), after)

    def _map(self, name: str, scope: Scope, depth: int, after: tuple[str, ...]) -> Node:
        items = self.list(scope)
        block, _ = self._block({**scope, "int": [*scope["int"], Item(name)]}, depth)
        scope["list"].append(Output(name))
        parallelism = self.pick(None, Parallelism(2))
        return Map(name, items, block, (Port("result", INTS),), INT, self.pick(1, 3), parallelism, after)

    def _branch(self, name: str, scope: Scope, depth: int, after: tuple[str, ...]) -> Node:
        tests = [self.bool(scope) for _ in range(self.draw(st.integers(1, 2)))]
        cases = tuple(Case(test, self._block(scope, depth)[0]) for test in tests)
        otherwise, _ = self._block(scope, depth)
        scope["int"].append(Output(name))
        return Branch(name, cases, otherwise, (Port("result", INT),), after)

    def _loop(self, name: str, scope: Scope, depth: int, after: tuple[str, ...]) -> Node:
        carried = (Carry("i", Const("0"), INT), Carry("value", self.int(scope), INT))
        inner: Scope = {**scope, "int": [*scope["int"], Carried(name, "i"), Carried(name, "value")]}
        test_nodes, _ = self._block(inner, 0)
        test = Block(test_nodes.nodes, (("test", Apply("lt", (Carried(name, "i"), Const("2")))),))
        block, _ = self._block(inner, depth)
        step = Apply("add", (Carried(name, "i"), Const("1")))
        body = Block(block.nodes, (("i", step), ("value", block.results[0][1])))
        scope["int"].append(Output(name, "value"))
        return Loop(name, carried, test, body, self.pick(1, 2, 5), self.pick("fail", "stop"), after)

    def _try(self, name: str, scope: Scope, depth: int, after: tuple[str, ...]) -> Node:
        body, _ = self._block(scope, depth)
        handlers = []
        for _ in range(self.draw(st.integers(0, 2))):
            message = Caught(name, (Field("message"),))
            block, _inner = self._block({**scope, "str": [*scope["str"], message]}, depth)
            handlers.append(Handler((self.pick(*_EXCEPTIONS),), block))
        final = Block(self._block(scope, depth)[0].nodes) if self.draw(st.booleans()) else None
        scope["int"].append(Output(name))
        return Try(name, body, tuple(handlers), final, (Port("result", INT),), after)

    def _engine(self, name: str, scope: Scope, _: int, after: tuple[str, ...]) -> Node:
        spec = canonical_json({"text": self.pick(*HOSTILE)})
        inputs = (("text", self.str(scope)),)
        scope["str"].append(Output(name))
        task = _spec(f"special_{len(self.special)}", [Port("text", STR)], STR, engine=EngineSpec("argo", spec))
        self.special.append(task)
        return Call(name, task.name, inputs, after)
