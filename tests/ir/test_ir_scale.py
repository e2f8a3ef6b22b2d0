"""Large and deep pipelines: nothing recurses per node, and the check stays linear."""

from __future__ import annotations

import sys
from collections.abc import Callable

import networkx as nx
import pytest

from drawloom.ir.assign import const_fits
from drawloom.ir.check import check_pipeline
from drawloom.ir.export import to_networkx
from drawloom.ir.interpret import interpret
from drawloom.ir.layout import layout
from drawloom.ir.nodes import (
    Block,
    Branch,
    Call,
    Case,
    FunctionRef,
    Handler,
    Map,
    Node,
    Pipeline,
    PipelineCall,
    Port,
    TaskSpec,
    Try,
)
from drawloom.ir.operands import Apply, Const, Item, Operand, Output, Param
from drawloom.ir.program import Program, load_pipeline, pipeline_digest, pipeline_json
from drawloom.ir.text import excerpt, format_pipeline
from drawloom.ir.types import INT, STR, Type
from drawloom.ir.walk import dependencies, walk

PLUS = TaskSpec("m:plus", FunctionRef("m", "plus"), (Port("a", INT), Port("b", INT)), INT)
TEXT = TaskSpec("m:text", FunctionRef("m", "text"), (), STR)
ONE = Const("1")


def chain(size: int, first: Operand = ONE) -> Pipeline:
    """Each node adds a constant of its own to the one before it."""
    operands = [first, *(Output(f"n{i}") for i in range(size))]
    nodes = tuple(Call(f"n{i}", "m:plus", (("a", operands[i]), ("b", Const(str(i))))) for i in range(size))
    result = (("result", operands[-1]),)
    return Pipeline("chain", (), (PLUS, TEXT), Block(nodes, result), (Port("result", INT),))


def _map(name: str, body: Block) -> Node:
    return Map(name, Const("[1]"), body, (Port("result", Type("list")),), INT)


def body_of(operand: Operand, *nodes: Node) -> Block:
    return Block(nodes, (("result", operand),))


HANDLERS = (Handler(("builtins:ValueError",), body_of(ONE)),)
KINDS: dict[str, Callable[[str, Block], Node]] = {
    "group": lambda name, body: PipelineCall(name, "inner", body, (), (Port("result", INT),)),
    "branch": lambda name, body: Branch(name, (Case(Const("true"), body),), body_of(ONE), (Port("result", INT),)),
    "try": lambda name, body: Try(
        name, body, (Handler(("builtins:ValueError",), body_of(ONE)),), None, (Port("result", INT),)
    ),
}


def deep(kind: str, levels: int = 100) -> Pipeline:
    node: Node = Call("n0", "m:plus", (("a", ONE), ("b", ONE)))
    for level in range(1, levels + 1):
        node = KINDS[kind](f"n{level}", body_of(Output(node.id), node))
    return Pipeline("deep", (), (PLUS,), body_of(Output(node.id), node), (Port("result", INT),))


@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_blocks_inside_each_other_are_no_problem(kind: str) -> None:
    pipeline = deep(kind)
    assert check_pipeline(Program(pipeline)) == []
    assert len(layout(pipeline)) == len(list(walk(pipeline.body))) == 101
    assert pipeline_digest(load_pipeline(pipeline_json(pipeline))) == pipeline_digest(pipeline)
    assert format_pipeline(pipeline).count("n0") == 2
    assert interpret(pipeline, {"m:plus": lambda a, b: a + b}).result == 2


def test_deeper_nesting_is_refused_and_told_once() -> None:
    (found,) = check_pipeline(Program(deep("group", 300)))
    assert str(found).splitlines()[0] == "error[G234] `n200` holds a block 101 levels deep; 100 are the most"
    assert str(found).splitlines()[-1] == "  fix    make it flatter: put an inner part into a @task"


def test_a_hundred_maps_inside_each_other_number_a_hundred_indices() -> None:
    list_type = INT
    node: Node = Call("n0", "m:plus", (("a", Item("n1")), ("b", ONE)))
    for level in range(1, 101):
        list_type = Type("list", (list_type,))
        node = Map(f"n{level}", Const("[1]"), body_of(Output(node.id), node), (Port("result", list_type),), INT)
    pipeline = Pipeline("maps", (), (PLUS,), body_of(Output("n100"), node), (Port("result", list_type),))
    assert check_pipeline(Program(pipeline)) == []
    assert layout(pipeline)["n0"].depth == 100
    outcome = interpret(pipeline, {"m:plus": lambda a, b: a + b})
    assert outcome.commits == {("n0", (0,) * 100): 2}


def test_a_hundred_thousand_nodes_need_no_stack() -> None:
    pipeline = chain(100_000)
    assert check_pipeline(Program(pipeline)) == []
    assert len(layout(pipeline)) == 100_000
    assert dependencies(pipeline.body.nodes[-1]) == {"n99998"}
    assert len(pipeline_json(pipeline)["body"]["nodes"]) == 100_000
    assert excerpt(pipeline, "n99999").endswith("<- here")


def _calls(pipeline: Pipeline) -> int:
    """How many calls a check makes: its work, whatever else the machine does."""
    made = 0

    def count(*_: object) -> None:
        nonlocal made
        made += 1

    const_fits.cache_clear()
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        check_pipeline(Program(pipeline))
    finally:
        sys.setprofile(before)
    return made


def test_the_work_of_a_check_grows_with_the_number_of_nodes() -> None:
    assert _calls(chain(5_000)) < _calls(chain(500)) * 11


def _wrong(size: int) -> Pipeline:
    """One large circle in which every node also needs one that isn't there."""
    following = [Output(f"n{(i + 1) % size}") for i in range(size)]
    gone = ("b", Output("gone"))
    nodes = tuple(Call(f"n{i}", "m:plus", (("a", following[i]), gone)) for i in range(size))
    return Pipeline("p", (), (PLUS,), Block(nodes))


def test_many_mistakes_in_a_large_pipeline_are_told_in_linear_work() -> None:
    found = [d.code for d in check_pipeline(Program(_wrong(1_000)))]
    assert found.count("G205") == 1_000
    assert found.count("G209") == 1
    assert len(found) == 1_001
    assert _calls(_wrong(3_000)) < _calls(_wrong(300)) * 12


def test_a_backward_pipeline_is_told_node_by_node() -> None:
    nodes = chain(2_000).body.nodes[::-1]
    found = check_pipeline(Program(Pipeline("p", (), (PLUS,), Block(nodes))))
    assert [d.code for d in found] == ["G210"] * 1999


# scopes: what a node depends on


def test_dependencies_are_those_from_outside() -> None:
    inner = Call("inner", "m:plus", (("a", Output("first")), ("b", Item("each"))), after=("second",))
    last = Call("last", "m:plus", (("a", Output("inner")), ("b", ONE)))
    each = Map("each", Output("third"), Block((inner, last)), (), INT, after=("fourth",))
    assert dependencies(each) == {"first", "second", "third", "fourth"}


def test_networkx_has_the_nodes_parameters_and_edges() -> None:
    inner = Call("inner", "m:plus", (("a", Item("each")), ("b", Param("n"))))
    each = Map("each", Param("items"), body_of(Output("inner"), inner), (Port("result", Type("list", (INT,))),), INT)
    count = Call("count", "m:plus", (("a", Apply("len", (Output("each"),))), ("b", Const("1"))), after=("each",))
    pipeline = Pipeline("p", (Port("items", Type("list", (INT,))), Port("n", INT)), (PLUS,), Block((each, count)))
    graph = to_networkx(pipeline)
    assert dict(graph.nodes(data="kind")) == {
        "$items": "param",
        "$n": "param",
        "each": "map",
        "inner": "call",
        "count": "call",
    }
    assert sorted((a, b, kind) for a, b, kind in graph.edges(data="kind")) == [
        ("$items", "each", "data"),
        ("$n", "inner", "data"),
        ("each", "count", "after"),
        ("each", "count", "data"),
        ("each", "inner", "contains"),
    ]
    assert graph.nodes["inner"] == {
        "kind": "call",
        "task": "m:plus",
        "parent": "each",
        "depth": 1,
        "text": "m:plus(a=@each, b=$n) -> int",
    }
    assert nx.is_directed_acyclic_graph(graph)
