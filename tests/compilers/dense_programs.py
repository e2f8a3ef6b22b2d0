"""Small programs with little but control nodes, order edges and failures: what `ir_programs` makes only now and then.

They are of numbers and lists of numbers, drawn by a seed and a size, so that thousands can be run in a few seconds.
"""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st
from ir_program_tasks import INTS, PARAM_PORTS, TASKS
from ir_programs import Generated

from drawloom.ir.canonical import canonical_json
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
from drawloom.ir.operands import Apply, Carried, Const, Item, Key, Operand, Output, Param
from drawloom.ir.types import INT, Type

__all__ = ["dense_programs"]

_CAUGHT = ("builtins:ZeroDivisionError", "builtins:ValueError", "builtins:Exception", "builtins:LookupError")
_MAYBE_PORT = Type("union", (INT, Type("none")))


@st.composite
def dense_programs(draw: st.DrawFn) -> Generated:
    """Well-formed pipelines whose parameters have the values of `ir_program_tasks.PARAMS`, and `path` a folder."""
    return Generated(_Draw(Random(draw(st.integers(0, 2**32))), draw(st.integers(1, 14))).pipeline())


Scope = tuple[list[Operand], list[Operand], list[str]]  # numbers, lists of numbers, nodes to come after


class _Draw:
    """Draws one pipeline with about `most` nodes."""

    def __init__(self, random: Random, most: int) -> None:
        self.random = random
        self.most = most
        self.made = 0

    def pipeline(self) -> Pipeline:
        nodes, scope = self.nodes(([Param("n")], [Param("numbers")], []), 3, self.random.randint(1, 6))
        count = self.random.choice((0, 1, 1, 3))
        results = self.results(scope, [Port("result" if count == 1 else f"port_{i}", INT) for i in range(count)])
        ports = tuple(Port(name, INT) for name, _ in results)
        return Pipeline("dense", PARAM_PORTS, TASKS, Block(nodes, results), ports)

    # blocks

    def nodes(self, scope: Scope, depth: int, count: int) -> tuple[tuple[Node, ...], Scope]:
        numbers, lists, ids = list(scope[0]), list(scope[1]), list(scope[2])
        found: list[Node] = []
        for _ in range(count):
            if self.made >= self.most:
                break
            self.made += 1
            kinds = ["call"] * 3 + (["group", "map", "branch", "branch", "loop", "attempt"] if depth else [])
            kind = self.random.choice(kinds)
            node: Node = getattr(self, f"_{kind}")(f"{kind}_{self.made}", (numbers, lists, ids), depth - 1)
            found.append(node)
            ids.append(node.id)
            for port, type_ in _ports(node):
                (numbers if type_ == INT else lists if type_ == INTS else []).append(Output(node.id, port))
        return tuple(found), (numbers, lists, ids)

    def block(self, scope: Scope, depth: int, ports: tuple[Port, ...], *, empty: float = 0.2) -> Block:
        count = 0 if self.random.random() < empty else self.random.randint(1, 3)
        nodes, inner = self.nodes(scope, depth, count)
        return Block(nodes, self.results(inner, ports))

    def results(self, scope: Scope, ports: tuple[Port, ...] | list[Port]) -> tuple[tuple[str, Operand], ...]:
        return tuple((port.name, self.number(scope)) for port in ports)

    def ports(self) -> tuple[Port, ...]:
        count = self.random.choice((0, 1, 1, 2))
        return tuple(Port("result" if count == 1 else f"port_{i}", INT) for i in range(count))

    def after(self, scope: Scope) -> tuple[str, ...]:
        if not scope[2] or self.random.random() < 0.6:
            return ()
        return tuple(sorted({self.random.choice(scope[2]) for _ in range(2)}))

    # operands

    def number(self, scope: Scope, levels: int = 2) -> Operand:
        choice = self.random.random()
        if choice < 0.6 or not levels:
            return self.random.choice(scope[0][-5:])
        if choice < 0.7:
            return Const(str(self.random.randint(0, 4)))
        if choice < 0.74:
            return Apply("get", (self.items(scope), self.number(scope, levels - 1)))
        op = self.random.choice(("add", "add", "sub", "mul", "floordiv"))
        return Apply(op, (self.number(scope, levels - 1), self.number(scope, levels - 1)))

    def items(self, scope: Scope) -> Operand:
        choice = self.random.random()
        if choice < 0.4:
            return self.random.choice(scope[1])
        if choice < 0.6:
            return Const(canonical_json([self.random.randint(0, 4) for _ in range(self.random.randint(0, 3))]))
        return Apply("list", tuple(self.number(scope, 1) for _ in range(self.random.randint(1, 3))))

    def test(self, scope: Scope) -> Operand:
        choice = self.random.random()
        if choice < 0.3:
            return self.random.choice(scope[0][-3:])
        if choice < 0.4:
            return Const(self.random.choice(("true", "false")))
        return Apply(self.random.choice(("lt", "eq", "ge")), (self.number(scope), self.number(scope)))

    # nodes

    def _call(self, name: str, scope: Scope, _: int) -> Call:
        task = self.random.choice(("add", "add", "add", "not_third", "fails", "count_up", "note", "note"))
        latest = scope[0][-1]  # so that there are chains
        inputs: tuple[tuple[str, Operand], ...] = (("n", latest if self.random.random() < 0.4 else self.number(scope)),)
        if task == "add":
            inputs = (("a", latest), ("b", Const("1") if self.random.random() < 0.5 else self.number(scope)))
        if task == "note":
            inputs = (("path", Param("path")), ("line", Apply("str", (self.number(scope),))))
        return Call(name, f"generated_tasks:{task}", inputs, self.after(scope))

    def _group(self, name: str, scope: Scope, depth: int) -> PipelineCall:
        ports = self.ports()
        body = self.block(scope, depth, ports)
        if len(ports) == 2:
            ports = (ports[0], Port(ports[1].name, _MAYBE_PORT))  # wider than what is given
        return PipelineCall(name, "inner", body, (("n", self.number(scope)),), ports, self.after(scope))

    def _map(self, name: str, scope: Scope, depth: int) -> Map:
        ports, batch = self.ports(), self.random.choice((1, 1, 2))
        if self.random.random() < 0.5:
            body = self.block(([*scope[0], Item(name)], scope[1], scope[2]), depth, ports)
            return Map(name, self.items(scope), body, _listed(ports), INT, batch, after=self.after(scope))
        # a map that is all another map does, or nearly
        rows = Apply("list", tuple(self.items(scope) for _ in range(self.random.randint(1, 3))))
        row, within = Item(name), f"{name}_within"
        first = Item(name, (Key(0),))
        over = self.random.choice((row, row, Apply("list", (first, first)), self.random.choice(scope[1])))
        inner: Scope = ([*scope[0], first, Item(within)], [*scope[1], row], scope[2])
        made = Map(within, over, self.block(inner, depth, ports), _listed(ports), INT, batch, after=self.after(scope))
        given = tuple((port.name, Output(within, port.name)) for port in ports)
        return Map(name, rows, Block((made,), given), _listed(_listed(ports)), INTS, after=self.after(scope))

    def _branch(self, name: str, scope: Scope, depth: int) -> Branch:
        ports = self.ports()
        tests = [self.test(scope) for _ in range(self.random.randint(1, 3))]
        cases = tuple(Case(test, self.block(scope, depth, ports, empty=0.4)) for test in tests)
        return Branch(name, cases, self.block(scope, depth, ports, empty=0.4), ports, self.after(scope))

    def _loop(self, name: str, scope: Scope, depth: int) -> Loop:
        carried = (Carry("i", Const("0"), INT),)
        if self.random.random() < 0.6:
            carried += (Carry("state", self.number(scope), INT),)
        inner: Scope = ([*scope[0], *(Carried(name, one.name) for one in carried)], scope[1], scope[2])
        nodes, seen = self.nodes(inner, 0, self.random.choice((0, 1, 1, 2)))
        goes_on = Apply("lt", (Carried(name, "i"), Const(str(self.random.randint(0, 4)))))
        if self.random.random() < 0.5:
            goes_on = Apply("and", (goes_on, Apply("bool", (self.test(seen),))))
        given = self.block(inner, depth, carried[1:])  # type: ignore[arg-type]  # what is carried has a name, as ports have
        step = ("i", Apply("add", (Carried(name, "i"), Const("1"))))
        body = Block(given.nodes, (step, *given.results))
        bound, limit = self.random.randint(1, 3), self.random.choice(("fail", "stop", "stop"))
        return Loop(name, carried, Block(nodes, (("test", goes_on),)), body, bound, limit, self.after(scope))

    def _attempt(self, name: str, scope: Scope, depth: int) -> Try:
        ports = self.ports()
        body = self.block(scope, depth, ports)
        kinds = self.random.sample(_CAUGHT, self.random.randint(0, 2))
        handlers = tuple(Handler((kind,), self.block(scope, depth, ports)) for kind in kinds)
        final = self.block(scope, depth, ()) if not handlers or self.random.random() < 0.5 else None
        return Try(name, body, handlers, final, ports, self.after(scope))


def _ports(node: Node) -> list[tuple[str, Type]]:
    if isinstance(node, Call):
        task = node.task.partition(":")[2]
        return [] if task == "note" else [("result", INTS if task == "count_up" else INT)]
    if isinstance(node, Loop):
        return [(carry.name, carry.type) for carry in node.carried]
    return [(port.name, port.type) for port in node.results]


def _listed(ports: tuple[Port, ...]) -> tuple[Port, ...]:
    return tuple(Port(port.name, Type("list", (port.type,))) for port in ports)
