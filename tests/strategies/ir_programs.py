"""Hypothesis strategies for pipelines that are run everywhere: every kind of node, failures of every kind, hostile text.

Apart from `ir_pipelines`, whose pipelines only have to be read and interpreted: here the tasks can be imported by worker
processes, nothing waits, control nodes have none or several results of any type, effects leave a trace, attempts fail
and succeed when they are made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from generated_tasks import Point
from hypothesis import strategies as st
from ir_program_tasks import (
    FAILURE,
    HOSTILE,
    INTS,
    MATRIX,
    MAYBE,
    PAIR,
    PARAM_PORTS,
    POINT,
    POLICIES,
    STRS,
    TABLE,
    TASKS,
    TYPES,
)

from drawloom.ir.canonical import canonical_json
from drawloom.ir.envelope import encode
from drawloom.ir.nodes import (
    Block,
    Branch,
    Call,
    Carry,
    Case,
    Handler,
    Loop,
    Map,
    Node,
    Pipeline,
    PipelineCall,
    Port,
    Try,
)
from drawloom.ir.operands import Apply, Carried, Caught, Const, Field, Item, Key, Operand, Output, Param, RunInfo
from drawloom.ir.policies import Parallelism
from drawloom.ir.text import format_pipeline
from drawloom.ir.types import BOOL, FLOAT, INT, STR, Type

__all__ = ["Generated", "programs"]

_EXCEPTIONS = (
    "builtins:ValueError",
    "builtins:ArithmeticError",
    "builtins:LookupError",
    "generated_tasks:Odder",
    "builtins:SystemExit",
    "drawloom.errors:BoundReached",
    "builtins:Exception",
    "builtins:Exception",
    "builtins:BaseException",
)


class Generated:
    """A pipeline that shows itself in the text form (hypothesis writes out dataclasses field by field)."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def __repr__(self) -> str:
        return format_pipeline(self.pipeline)


@dataclass(frozen=True)
class _Scope:
    """What may be used at a place: (operand, type) pairs, the nodes to come after, whether a node runs at most once."""

    known: tuple[tuple[Operand, Type], ...]
    nodes: tuple[str, ...] = ()
    once: bool = True

    def of(self, type_: Type) -> list[Operand]:
        return [operand for operand, known in self.known if known == type_]

    def plus(self, *known: tuple[Operand, Type], nodes: Sequence[str] = (), once: bool = True) -> _Scope:
        return _Scope((*self.known, *known), (*self.nodes, *nodes), self.once and once)


@st.composite
def programs(draw: st.DrawFn, *, most: int = 30, max_depth: int = 3, per_block: int = 4) -> Generated:
    """Well-formed pipelines whose parameters have the values `PARAMS`, and `path` a folder.

    Args:
        most: about how many nodes a pipeline has at most.
        max_depth: how deep blocks lie in each other.
        per_block: how many nodes a block has at most.
    """
    builder = _Builder(draw, most, per_block)
    scope = _Scope(tuple((Param(port.name), port.type) for port in PARAM_PORTS if port.name != "path"))
    scope = scope.plus((Apply("str", (RunInfo("logical_time"),)), STR))
    nodes, scope = builder.nodes(scope, max_depth, least=1)
    results = builder.results(scope, draw(st.sampled_from((1, 1, 1, 0, 2))))
    made = Pipeline(
        name=draw(st.sampled_from(("nightly", "ml.churn", "päron"))),
        params=PARAM_PORTS,
        tasks=TASKS,
        body=Block(nodes, tuple((name, operand) for name, operand, _ in results)),
        results=tuple(Port(name, type_) for name, _, type_ in results),
    )
    return Generated(made)


class _Builder:
    """Draws one pipeline. `made` numbers the nodes, so that ids are unique."""

    def __init__(self, draw: st.DrawFn, most: int, per_block: int) -> None:
        self.draw = draw
        self.most = most
        self.per_block = per_block
        self.made = 0

    def pick(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def number(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    # blocks

    def nodes(self, scope: _Scope, depth: int, least: int = 0) -> tuple[tuple[Node, ...], _Scope]:
        kinds = ["call"] * 5
        if depth > 0:
            kinds += ["map", "map", "branch", "loop", "attempt", "attempt", "group"]
        found: list[Node] = []
        for _ in range(self.number(least, self.per_block)):
            if self.made >= self.most:
                break
            self.made += 1
            kind = self.pick(*kinds)
            after = self.after(scope)
            node, gives = getattr(self, f"_{kind}")(f"{kind}_{self.made}", scope, depth - 1, after)
            found.append(node)
            scope = scope.plus(*gives, nodes=[node.id])
        return tuple(found), scope

    def after(self, scope: _Scope) -> tuple[str, ...]:
        if not scope.nodes or self.number(0, 2):
            return ()
        return tuple(sorted({self.pick(*scope.nodes[-4:]) for _ in range(2)}))

    def results(self, scope: _Scope, count: int) -> list[tuple[str, Operand, Type]]:
        names = ["result"] if count == 1 else [f"port_{i}" for i in range(count)]
        return [(name, self.operand(scope, type_), type_) for name, type_ in zip(names, self.types(count), strict=True)]

    def types(self, count: int) -> list[Type]:
        return [self.pick(*TYPES) for _ in range(count)]

    def ports(self) -> tuple[Port, ...]:
        types = self.types(self.pick(1, 1, 1, 0, 2))
        return tuple(Port("result" if len(types) == 1 else f"port_{i}", type_) for i, type_ in enumerate(types))

    def block(self, scope: _Scope, depth: int, ports: Sequence[Port]) -> Block:
        nodes, inner = self.nodes(scope, depth)
        return Block(nodes, tuple((port.name, self.operand(inner, port.type)) for port in ports))

    @staticmethod
    def gives(name: str, ports: Sequence[Port]) -> list[tuple[Operand, Type]]:
        return [(Output(name, port.name), port.type) for port in ports]

    # operands

    def const(self, value: Any) -> Const:
        return Const(canonical_json(encode(value)))

    def operand(self, scope: _Scope, type_: Type, levels: int = 2) -> Operand:
        """An operand of a type: something known, most often the latest; a constant; an expression or a part."""
        known = scope.of(type_)
        choice = self.pick("known", "known", "known", "made", "const") if levels else "const"
        if choice == "known" and known:
            return self.pick(*known[-4:])
        if choice != "const":
            made: Operand = getattr(self, f"_{type_.name}")(scope, levels - 1, type_)
            return made
        return self.const(self.value(type_))

    def value(self, type_: Type) -> Any:
        if type_ == INT:
            return self.draw(st.integers(-9, 9) | st.sampled_from((2**63, -(10**25))))
        if type_ == STR:
            return self.pick(*HOSTILE)
        if type_ == FLOAT:
            return self.pick(0.5, -0.0, float("nan"), 1e300, float("-inf"))
        if type_ == BOOL:
            return self.draw(st.booleans())
        if type_.name == "list":
            return [self.value(type_.args[0]) for _ in range(self.number(0, 3))]
        if type_ == PAIR:
            return self.value(INT), self.value(STR)
        if type_ == TABLE:
            return {self.value(STR): self.value(INT) for _ in range(self.number(0, 2))}
        if type_ == POINT:
            return Point(self.value(INT), self.value(STR))
        return self.pick(None, self.value(INT))

    def _int(self, scope: _Scope, levels: int, _: Type) -> Operand:
        ops = ("add", "sub", "mul", "neg", "select", "floordiv", "mod", "len", "sum", "max", "get", "part", "int", "or")
        op = self.pick(*ops)
        if op == "neg":
            return Apply(op, (self.operand(scope, INT, levels),))
        if op in ("sum", "max"):
            return Apply(op, (self.operand(scope, INTS, levels),))
        if op == "len":
            return Apply(op, (self.operand(scope, self.pick(INTS, STR, TABLE, MATRIX), levels),))
        if op == "get":
            return Apply(op, (self.operand(scope, INTS, levels), self.operand(scope, INT, levels)))
        if op == "int":
            return Apply(op, (self.operand(scope, self.pick(STR, FLOAT, BOOL), levels),))
        if op == "select":
            test = self.operand(scope, self.pick(BOOL, INT, INTS), levels)
            return Apply(op, (test, self.operand(scope, INT, levels), self.operand(scope, INT, levels)))
        if op == "part":
            return self._part(scope, levels, INT)
        return Apply(op, (self.operand(scope, INT, levels), self.operand(scope, INT, levels)))

    def _part(self, scope: _Scope, levels: int, type_: Type) -> Operand:
        """A part of something known: a path, or `get` where that isn't a reference."""
        steps = {
            INT: [
                (POINT, Field("x")),
                (PAIR, Key(0)),
                (INTS, Key(self.number(-2, 2))),
                (TABLE, Key(self.pick("b", ""))),
            ],
            STR: [(POINT, Field("label")), (PAIR, Key(1)), (STRS, Key(self.number(-1, 1)))],
            INTS: [(MATRIX, Key(self.number(-2, 1)))],
        }[type_]
        whole, step = self.pick(*steps)
        operand = self.operand(scope, whole, levels)
        if isinstance(operand, (Param, Output, Item, Carried)):
            names = {slot: getattr(operand, slot) for slot in operand.__slots__}
            return type(operand)(**names | {"path": (*operand.path, step)})
        if isinstance(step, Field) or whole == PAIR:  # `get` on a tuple gives one of its types
            return self.const(self.value(type_))
        return Apply("get", (operand, self.const(step.key)))

    def _str(self, scope: _Scope, levels: int, _: Type) -> Operand:
        op = self.pick("str", "format", "part", "add", "select")
        if op == "str":
            return Apply(op, (self.operand(scope, self.pick(INT, INTS, FLOAT, TABLE, POINT, MAYBE), levels),))
        if op == "format":
            value, text = self.operand(scope, self.pick(INT, FLOAT), levels), self.const("{}")
            return Apply(op, (self.const("{<"), value, self.const(self.pick("", "r")), self.const(""), text))
        if op == "part":
            return self._part(scope, levels, STR)
        if op == "select":
            test = self.operand(scope, self.pick(STR, BOOL, MAYBE), levels)
            return Apply(op, (test, self.operand(scope, STR, levels), self.operand(scope, STR, levels)))
        return Apply(op, (self.operand(scope, STR, levels), self.operand(scope, STR, levels)))

    def _bool(self, scope: _Scope, levels: int, _: Type) -> Operand:
        op = self.pick("lt", "eq", "not", "and", "is_none", "contains", "bool", "ge")
        kind = self.pick(INT, STR, INTS, FLOAT)
        if op in ("lt", "ge", "eq"):
            return Apply(op, (self.operand(scope, kind, levels), self.operand(scope, kind, levels)))
        if op in ("not", "bool"):
            return Apply(op, (self.operand(scope, self.pick(INT, STR, INTS, MAYBE, TABLE, POINT), levels),))
        if op == "is_none":
            return Apply(op, (self.operand(scope, MAYBE, levels),))
        if op == "contains":
            items = self.pick((INTS, INT), (STRS, STR), (TABLE, STR), (STR, STR), (MATRIX, INTS))
            return Apply(op, tuple(self.operand(scope, type_, levels) for type_ in items))
        return Apply(op, (self.operand(scope, BOOL, levels), self.operand(scope, BOOL, levels)))

    def _list(self, scope: _Scope, levels: int, type_: Type) -> Operand:
        op = self.pick("list", "sorted", "part", "or")
        if op == "part" and type_ == INTS:
            return self._part(scope, levels, INTS)
        if op == "sorted":
            return Apply(op, (self.operand(scope, type_, levels),))
        if op == "or":
            return Apply(op, (self.operand(scope, type_, levels), self.operand(scope, type_, levels)))
        item = type_.args[0]
        return Apply("list", tuple(self.operand(scope, item, levels) for _ in range(self.number(1, 3))))

    def _tuple(self, scope: _Scope, levels: int, _: Type) -> Operand:
        return Apply("tuple", (self.operand(scope, INT, levels), self.operand(scope, STR, levels)))

    def _dict(self, scope: _Scope, levels: int, _: Type) -> Operand:
        parts: list[Operand] = []
        for _pair in range(self.number(1, 2)):
            parts += (self.operand(scope, STR, levels), self.operand(scope, INT, levels))
        return Apply("dict", tuple(parts))

    def _dataclass(self, scope: _Scope, levels: int, _: Type) -> Operand:
        test = self.operand(scope, BOOL, levels)
        return Apply("select", (test, self.operand(scope, POINT, levels), self.operand(scope, POINT, 0)))

    def _float(self, scope: _Scope, levels: int, _: Type) -> Operand:
        op = self.pick("float", "truediv", "mul")
        if op == "float":
            return Apply(op, (self.operand(scope, self.pick(INT, STR), levels),))
        kind = INT if op == "truediv" else FLOAT
        return Apply(op, (self.operand(scope, kind, levels), self.operand(scope, kind, levels)))

    def _union(self, scope: _Scope, levels: int, _: Type) -> Operand:
        return Apply("select", (self.operand(scope, BOOL, levels), Const("null"), self.operand(scope, INT, levels)))

    # nodes: each gives the node and what may be used of it

    def _call(self, name: str, scope: _Scope, _: int, after: tuple[str, ...]) -> tuple[Node, list[Any]]:
        likely = ("fails", "not_third", "note", "count_up")
        spec = self.pick(*TASKS, *(task for task in TASKS if task.function.qualname in likely))
        if spec.function.qualname == "flaky" and not scope.once:
            spec = TASKS[0]
        if spec.function.qualname == "blame" and not scope.of(FAILURE):
            spec = TASKS[0]
        inputs = tuple((p.name, self._input(name, p, scope)) for p in spec.inputs if p.default is None or self.made % 2)
        keeps = spec.effect or spec.function.qualname == "flaky"
        policies = None if keeps else self.pick(None, None, None, *POLICIES)
        gives = [] if spec.effect else [(Output(name), spec.result)]
        return Call(name, spec.name, inputs, after, policies), gives

    def _input(self, name: str, port: Port, scope: _Scope) -> Operand:
        if port.name == "path":
            return Param("path")
        if port.name == "name":
            return self.const(name)
        if port.name == "fails":
            return Const(str(self.number(0, 4)))
        if port.type == FAILURE:
            return self.pick(*scope.of(FAILURE))
        return self.operand(scope, port.type)

    def _group(self, name: str, scope: _Scope, depth: int, after: tuple[str, ...]) -> tuple[Node, list[Any]]:
        ports = self.ports()
        body = self.block(scope, depth, ports)
        inputs = (("n", self.pick(*scope.of(INT))),)
        return PipelineCall(name, "inner", body, inputs, ports, after), self.gives(name, ports)

    def _map(self, name: str, scope: _Scope, depth: int, after: tuple[str, ...]) -> tuple[Node, list[Any]]:
        type_, item = self.pick((INTS, INT), (INTS, INT), (STRS, STR), (MATRIX, INTS))
        items = self.operand(scope, type_)
        ports = self.ports()
        block = self.block(scope.plus((Item(name), item), once=False), depth, ports)
        made = tuple(Port(port.name, Type("list", (port.type,))) for port in ports)
        limit = self.pick(None, None, Parallelism(1), Parallelism(2))
        return Map(name, items, block, made, item, self.pick(1, 1, 2, 3), limit, after), self.gives(name, made)

    def _branch(self, name: str, scope: _Scope, depth: int, after: tuple[str, ...]) -> tuple[Node, list[Any]]:
        ports = self.ports()
        tests = [self.operand(scope, self.pick(BOOL, BOOL, MAYBE, INTS)) for _ in range(self.number(1, 2))]
        cases = tuple(Case(Apply("bool", (test,)), self.block(scope, depth, ports)) for test in tests)
        return Branch(name, cases, self.block(scope, depth, ports), ports, after), self.gives(name, ports)

    def _loop(self, name: str, scope: _Scope, depth: int, after: tuple[str, ...]) -> tuple[Node, list[Any]]:
        types = self.types(self.pick(0, 1, 1, 2))
        state = [(f"state_{i}", self.operand(scope, type_), type_) for i, type_ in enumerate(types)]
        carried = (Carry("i", Const("0"), INT), *(Carry(*part) for part in state))
        inner = scope.plus(*((Carried(name, c.name), c.type) for c in carried), once=False)
        nodes, seen = self.nodes(inner, 0) if self.draw(st.booleans()) else ((), inner)
        goes_on: Operand = Apply("lt", (Carried(name, "i"), Const(str(self.number(0, 3)))))
        if self.draw(st.booleans()):
            goes_on = Apply("and", (goes_on, self.operand(seen, BOOL)))
        body_nodes, seen = self.nodes(inner, depth)
        results = [(c.name, self.operand(seen, c.type)) for c in carried[1:]]
        step = ("i", Apply("add", (Carried(name, "i"), Const("1"))))
        made = Loop(
            name,
            carried,
            Block(nodes, (("test", goes_on),)),
            Block(body_nodes, (step, *results)),
            self.pick(1, 2, 5),
            self.pick("fail", "stop"),
            after,
        )
        return made, [(Output(name, c.name), c.type) for c in carried]

    def _attempt(self, name: str, scope: _Scope, depth: int, after: tuple[str, ...]) -> tuple[Node, list[Any]]:
        ports = self.ports()
        body = self.block(scope, depth, ports)
        caught = [(Caught(name, (Field(part),)), STR) for part in ("message", "type", "node")]
        inner = scope.plus(*caught, (Caught(name), FAILURE))
        handlers = []
        for _ in range(self.number(0, 2)):
            classes = tuple(dict.fromkeys(self.pick(*_EXCEPTIONS) for _ in range(self.number(1, 2))))
            handlers.append(Handler(classes, self.block(inner, depth, ports)))
        final = self.block(scope, depth, ()) if not handlers or self.draw(st.booleans()) else None
        return Try(name, body, tuple(handlers), final, ports, after), self.gives(name, ports)
