"""What the rules share: what is visible where the check stands, and how a problem is told.

A `Context` is a `Scope` for `ir.infer`: it types the references of the node at hand, and reports those that lead
nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from drawloom.errors import Diagnostic, Span, did_you_mean
from drawloom.ir.assign import assignable, const_fits, widen
from drawloom.ir.checks.cycles import components
from drawloom.ir.checks.references import explain
from drawloom.ir.infer import RUN_INFO, TypeProblem, operand_type
from drawloom.ir.layout import layout
from drawloom.ir.narrow import Facts, together
from drawloom.ir.nodes import Block, Node, Pipeline, Port
from drawloom.ir.notation import format_operand, format_type, printable
from drawloom.ir.operands import Apply, Const, Item, Operand, Output, Param, Reference, RunInfo
from drawloom.ir.operands import Carried as CarriedRef
from drawloom.ir.sources import Source
from drawloom.ir.tasks import how_it_runs
from drawloom.ir.text import Printer, excerpt, excerpt_of, numbered
from drawloom.ir.types import ANY, Type
from drawloom.ir.walk import dependencies

__all__ = ["UNKNOWN_PORTS", "Context", "Ports", "names_of"]

Ports = Mapping[str, Type]


class _AnyPorts(dict[str, Type]):
    """The ports of a node that is wrong itself: whatever is asked for is there, so that one mistake is told once."""

    def get(self, _key: str, _default: object = None) -> Type:
        return ANY


UNKNOWN_PORTS: Final = _AnyPorts()


def names_of(names: Sequence[str]) -> str:
    """The names in backticks, or `none`."""
    return ", ".join(f"`{n}`" for n in names) if names else "none"


class Context:
    """The state of one check. `node` is the node being checked, None for the pipeline itself."""

    def __init__(self, pipeline: Pipeline, spans: Mapping[str, Span]) -> None:
        self.pipeline = pipeline
        self.spans = spans
        self.found: list[Diagnostic] = []
        self.node: Node | None = None
        self.giving: Block | None = None  # the pipeline's body, while its results are checked
        self.params: dict[str, Type] = {}
        self.visible: dict[str, Ports] = {}  # node id -> its ports, for the nodes that may be referred to here
        self.items: dict[str, Type] = {}  # the maps around the place, and their items' types
        self.carried: dict[str, dict[str, Type]] = {}  # the loops around the place
        self.known: Facts = {}  # what the tests around the place tell of operands (`ir.narrow`)
        self.told: dict[Operand, tuple[Facts, Facts]] = {}  # and the flags that nodes give
        self.caught: set[str] = set()  # the tries whose handler is around the place
        self.open: list[tuple[str, int]] = [("", 0)]  # the blocks around the place: (control node, arm)
        self.fitting: set[tuple[int | str, int]] = set()  # (source, target) that fit; see `edge`
        self.sound_policies: set[tuple[int, str]] = set()  # (id, how its task runs) of those without a problem
        self.runs = {task.name: how_it_runs(task) for task in pipeline.tasks}
        self.reported: set[object] = set()  # cycles and types that have been told of
        self.hints: dict[str, str] = {}  # unknown node ids, and what they may have meant
        self._nodes: dict[str, tuple[int, Node]] | None = None
        self._sources: Mapping[str, Source] | None = None
        self._graphs: dict[tuple[str, int], tuple[dict[str, list[str]], dict[str, int]]] = {}
        self._printer: Printer | None = None

    # reporting

    def report(self, code: str, what: str, fix: str) -> None:
        """Takes note of a problem of the node being checked."""
        node = self.node
        place = self.spans.get(node.id if node is not None else "", self.spans.get(""))
        self.found.append(Diagnostic(code, printable(what), place, printable(fix), self._excerpt()))

    def _excerpt(self) -> str:
        if self._printer is None:
            self._printer = Printer(self.pipeline, short=True)
        if self.node is not None:
            return excerpt_of(self._printer, self.node, self.nodes())
        return excerpt_of(self._printer, self.giving, self.nodes()) if self.giving else excerpt(self.pipeline)

    def nodes(self) -> dict[str, tuple[int, Node]]:
        """Every node by id, with its place in program order; made when the first problem is found."""
        if self._nodes is None:
            self._nodes = numbered(self.pipeline)
        return self._nodes

    def sources(self) -> Mapping[str, Source]:
        """Where every node lies; made when a reference leads nowhere."""
        if self._sources is None:
            self._sources = layout(self.pipeline)
        return self._sources

    def block_graph(self, block: tuple[str, int]) -> tuple[dict[str, list[str]], dict[str, int]]:
        """The edges among the nodes of one block, in program order, and the component of each node (`cycles`)."""
        if block not in self._graphs:
            nodes, sources = self.nodes(), self.sources()
            members = {n for n, s in sources.items() if (s.parent, s.arm) == block}
            edges = {n: sorted(dependencies(nodes[n][1]) & members, key=lambda m: nodes[m][0]) for n in members}
            self._graphs[block] = (edges, components(edges))
        return self._graphs[block]

    # the scope that operands are typed in

    def reference(self, reference: Reference) -> Type:
        """The type of what a reference names; a reference that leads nowhere is reported and gives `any`."""
        found: Type | None
        match reference:
            case Output(node, port):
                return self._output(node, port)
            case Param(name):
                found = self.params.get(name)
            case Item(map_id):
                found = self.items.get(map_id)
            case CarriedRef(loop, name):
                found = self.carried.get(loop, {}).get(name)
            case RunInfo(name):
                found = RUN_INFO.get(name)
            case _:
                found = _FAILURE if reference.node in self.caught else None
        if found is None:
            explain(self, reference)
            return ANY
        return found

    def _output(self, node: str, port: str) -> Type:
        ports = self.visible.get(node)
        if ports is None:
            explain(self, Output(node, port))
            return ANY
        found = ports.get(port)
        if found is None:
            what = f"`{node}` has no result `{port}`{did_you_mean(port, ports)}"
            self.report("G207", what, f"use one of its results: {names_of(list(ports))}")
            return ANY
        return found

    @contextmanager
    def under(self, facts: Facts) -> Iterator[None]:
        """Where these facts hold too."""
        before = self.known
        self.known = together(before, facts)
        try:
            yield
        finally:
            self.known = before

    def problem(self, problem: TypeProblem) -> None:
        """Reports a path or an operator that can't be."""
        self.report(problem.code, problem.what, problem.fix)

    def after(self, nodes: Sequence[str]) -> None:
        """Checks order edges."""
        for node in nodes:
            if node not in self.visible:
                explain(self, Output(node), order=True)

    # edges

    def type_of(self, operand: Operand) -> Type:
        """The type of an operand, its references checked; literals widened."""
        return widen(operand_type(operand, self))

    def results(self, block: Block, ports: Sequence[Port], taker: str, giver: str) -> None:
        """Checks that a block gives what is declared: the same names, with types that fit.

        Args:
            block: the block, its nodes visible.
            ports: what is declared.
            taker: whose results they are, for messages.
            giver: the block, for messages.
        """
        declared = {port.name: port.type for port in ports}
        given: set[str] = set()
        for name, operand in block.results:
            if name in declared and name not in given:
                self.edge(f"result `{name}` of {taker}, from {giver},", operand, declared[name])
            else:
                self.type_of(operand)
                what = f"{giver} gives the result `{name}`{' twice' if name in given else ''}"
                fix = f"{taker} declares {names_of(list(declared))}"
                self.report(
                    "G218",
                    what if name in given else f"{what}, which isn't declared{did_you_mean(name, declared)}",
                    fix,
                )
            given.add(name)
        missing = [name for name in declared if name not in given]
        if missing:
            what = f"{giver} doesn't give the result {names_of(missing)}, which {taker} declares"
            self.report("G218", what, "give it in every block, a None if there is nothing to give")

    def edge(self, what: str, operand: Operand, expected: Type, *, keep: bool = False) -> None:
        """Checks that the value of `operand` may flow into a place that wants `expected`.

        Args:
            what: the place, as the subject of the message: "input `n` of `train`".
            operand: what is given.
            expected: what is wanted.
            keep: remember that the two types fit; only where both outlive the check (identity is the key).
        """
        if isinstance(operand, Const):
            self._constant_edge(what, operand, expected)
            return
        source = operand_type(operand, self)
        if source is not expected and not assignable(source, expected):
            wanted, got = _told_apart(expected, widen(source))
            self.report("G203", f"{what} needs {wanted}, got {got}", self._fix(operand, source, expected))
        elif keep:
            self.fitting.add((id(source), id(expected)))

    def _constant_edge(self, what: str, constant: Const, expected: Type) -> None:
        try:
            fits = const_fits(constant.json, expected)
        except TypeProblem as problem:
            self.problem(problem)
            return
        if fits:
            self.fitting.add((constant.json, id(expected)))
        else:
            got = format_operand(constant, short=True)
            self.report("G203", f"{what} needs {expected}, got {got}", f"give it a value of type {expected}")

    def _fix(self, operand: Operand, source: Type, expected: Type) -> str:
        if source.name == "union" and assignable(_without_none(source), expected):
            return f"handle the None first: branch on `is_none(...)`, or let it take {expected} | None"
        if isinstance(operand, Output) and not operand.path:
            return f"make `{operand.node}` return {expected}, or put a @task that converts between the two"
        if isinstance(operand, Param) and not operand.path:
            return f"declare the parameter `{operand.name}` as {expected}, or put a @task that converts between the two"
        what = "this expression" if isinstance(operand, Apply) else "the value"
        return f"make {what} a {expected}, or put a @task that converts between the two"


def _told_apart(one: Type, other: Type) -> tuple[str, str]:
    """The texts of two types; two classes of one name with their modules, two schemas with their columns."""
    short = (str(one), str(other))
    return short if short[0] != short[1] else (format_type(one), format_type(other))


def _without_none(union: Type) -> Type:
    members = tuple(m for m in union.args if m.name != "none")
    return members[0] if len(members) == 1 else Type("union", members)


_FAILURE: Final = Type("failure")
