"""What single passes do at their edges, on pipelines small enough to be read."""

from __future__ import annotations

from typing import Any

import pytest

from drawloom.compilers.passes.batch_maps import batch_maps
from drawloom.compilers.passes.flatten_maps import flatten_maps
from drawloom.compilers.passes.fuse_nodes import fuse_nodes
from drawloom.compilers.passes.inline_pipelines import inline_pipelines
from drawloom.compilers.passes.made_nodes import Names
from drawloom.compilers.passes.separate_decisions import separate_decisions
from drawloom.compilers.passes.unroll_loops import unroll_loops
from drawloom.errors import BoundReached
from drawloom.ir.check import check_pipeline
from drawloom.ir.interpret import interpret
from drawloom.ir.nodes import (
    Block,
    Branch,
    Call,
    Carry,
    Case,
    FunctionRef,
    Loop,
    Map,
    Node,
    Pipeline,
    PipelineCall,
    Port,
    TaskSpec,
)
from drawloom.ir.operands import Apply, Carried, Const, Item, Key, Operand, Output, Param
from drawloom.ir.policies import Parallelism, Policies, RetryPolicy
from drawloom.ir.program import Program
from drawloom.ir.types import INT, NONE, Type
from drawloom.ir.walk import walk

INTS, ROWS = Type("list", (INT,)), Type("list", (Type("list", (INT,)),))
MAYBE = Type("union", (INT, NONE))
RESULT = (Port("result", INT),)
TASKS = (
    TaskSpec("m:effect", FunctionRef("m", "effect"), (Port("n", INT),), NONE, effect=True),
    TaskSpec("m:f", FunctionRef("m", "f"), (Port("n", INT),), INT),
)
FUNCTIONS: dict[str, Any] = {"m:f": lambda n: n + 1, "m:effect": lambda n: None}
PARAMS = (Port("n", INT, "1"), Port("rows", ROWS, "[[1,2],[],[3]]"))


def call(node: str, value: Operand, task: str = "f", **more: Any) -> Call:
    return Call(node, f"m:{task}", (("n", value),), **more)


def pipeline(*nodes: Node, **results: tuple[Operand, Type]) -> Pipeline:
    given = tuple((name, operand) for name, (operand, _) in results.items())
    ports = tuple(Port(name, type_) for name, (_, type_) in results.items())
    made = Pipeline("p", PARAMS, TASKS, Block(nodes, given), ports)
    return clean(made)


def clean(made: Pipeline) -> Pipeline:
    assert [str(d) for d in check_pipeline(Program(made))] == []
    return made


def ids(made: Pipeline) -> list[str]:
    return [node.id for node in walk(made.body)]


def give(operand: Operand, *nodes: Node) -> Block:
    return Block(nodes, (("result", operand),))


# inline pipelines


def test_a_group_whose_result_is_declared_wider_stays() -> None:
    group = PipelineCall("g", "q", give(Output("x"), call("x", Param("n"))), (), (Port("result", MAYBE),))
    made = clean(inline_pipelines(pipeline(group, result=(Output("g"), MAYBE))))
    assert ids(made) == ["x", "g"]
    assert made.body.nodes[1] == PipelineCall("g", "q", give(Output("x")), (), (Port("result", MAYBE),))


@pytest.mark.parametrize("value", [Const("[1,2]"), Apply("list", (Param("n"),))], ids=["a-constant", "a-list"])
def test_a_result_without_parts_of_its_own_stays_where_a_part_is_read(value: Operand) -> None:
    group = PipelineCall("g", "q", give(value), (), (Port("result", INTS),))
    before = pipeline(group, result=(Output("g", path=(Key(0),)), INT))
    assert inline_pipelines(before) == before
    whole = inline_pipelines(pipeline(group, result=(Output("g"), INTS)))
    assert whole.body == give(value)


def test_what_comes_after_an_empty_group_comes_after_what_it_waited_for() -> None:
    group = PipelineCall("g", "q", Block(), after=("x",))
    made = clean(inline_pipelines(pipeline(call("x", Param("n")), group, call("y", Param("n"), after=("g",)))))
    assert made.body.nodes[1] == call("y", Param("n"), after=("x",))


def test_a_node_waits_for_what_only_an_empty_group_in_it_waited_for() -> None:
    empty = PipelineCall("g", "q", Block(), (("n", Output("x")),))
    arm = Branch("b", (Case(Const("true"), Block((empty, call("y", Param("n"))))),))
    made = clean(inline_pipelines(pipeline(call("x", Param("n")), arm)))
    assert ids(made) == ["x", "b", "y"]
    assert made.body.nodes[1].after == ("x",)


# unroll loops


def loop(test: Operand, bound: int, on_limit: str = "stop") -> Loop:
    body = Block((call("x", Carried("l", "i")),), (("i", Output("x")),))
    return Loop("l", (Carry("i", Const("0"), INT),), Block((), (("test", test),)), body, bound, on_limit)


def test_the_bound_is_reached_with_the_same_text_after_unrolling() -> None:
    before = pipeline(loop(Const("true"), 2, "fail"), result=(Output("l", "i"), INT))
    made = clean(unroll_loops(before))
    outcomes = [interpret(one, FUNCTIONS).failure for one in (before, made)]
    assert [type(one) for one in outcomes] == [BoundReached, BoundReached]
    assert str(outcomes[0]) == str(outcomes[1])
    assert [node.id for node in walk(made.body) if isinstance(node, Loop)] == ["l~limit"]


def test_the_test_after_the_last_iteration_can_still_fail() -> None:
    test = Apply("truediv", (Const("1"), Apply("sub", (Const("2"), Carried("l", "i")))))  # fails when i is 2
    before = pipeline(loop(test, 2), result=(Output("l", "i"), INT))
    made = clean(unroll_loops(before))
    for one in (before, made):
        assert isinstance(interpret(one, FUNCTIONS).failure, ZeroDivisionError)


def test_a_loop_that_only_computes_stays() -> None:
    body = Block((), (("i", Apply("add", (Carried("l", "i"), Const("1")))),))
    before = pipeline(Loop("l", (Carry("i", Const("0"), INT),), Block((), (("test", Const("true")),)), body, 2, "stop"))
    assert unroll_loops(before) == before


# separate decisions


def test_a_later_test_is_not_computed_when_an_earlier_arm_is_chosen() -> None:
    fails = Apply("eq", (Apply("floordiv", (Const("1"), Const("0"))), Const("1")))
    cases = (Case(Const("true"), give(Const("1"))), Case(fails, give(Const("2"))))
    branch = Branch("b", cases, give(Const("3")), RESULT)
    made = clean(separate_decisions(pipeline(branch, result=(Output("b"), INT))))
    assert interpret(made, FUNCTIONS).result == 1
    assert ids(made) == ["b~case-1", "b~case-2", "b"]


def test_a_decision_that_is_a_result_already_stays() -> None:
    branch = Branch("b", (Case(Output("x"), Block()),))
    before = pipeline(call("x", Param("n")), branch)
    assert separate_decisions(before) == before


# flatten maps


def nested(inner: Operand, **more: Any) -> Pipeline:
    cells = Map("cells", inner, give(Output("x"), call("x", Item("cells"))), (Port("result", INTS),), INT, **more)
    rows = Map("rows", Param("rows"), give(Output("cells"), cells), (Port("result", ROWS),), INTS)
    return pipeline(rows, result=(Output("rows"), ROWS))


def test_empty_rows_stay_empty() -> None:
    made = clean(flatten_maps(nested(Item("rows"))))
    assert made != nested(Item("rows"))
    assert interpret(made, FUNCTIONS).result == [[2, 3], [], [4]]


@pytest.mark.parametrize(
    "before",
    [nested(Apply("sorted", (Item("rows"),))), nested(Item("rows"), parallelism=Parallelism(2))],
    ids=["an-expression", "a-limit"],
)
def test_maps_that_cant_be_flat_stay(before: Pipeline) -> None:
    assert flatten_maps(before) == before


# batch maps, fuse nodes


def each(items: Operand, batch: int = 1) -> Pipeline:
    return pipeline(Map("m", items, Block((call("x", Item("m")),)), (), INT, batch))


def test_a_batch_size_of_ones_own_stays_and_one_item_needs_none() -> None:
    assert batch_maps(each(Const("[1,2]")), items_per_step=5) == each(Const("[1,2]"), 5)
    for before in (each(Const("[1,2]"), 3), each(Const("[1]")), each(Apply("list", (Param("n"),)))):
        assert batch_maps(before) == before


@pytest.mark.parametrize(
    "nodes",
    [
        (call("a", Param("n")), call("b", Output("a")), call("c", Output("a"))),
        (call("x", Param("n")), call("a", Param("n")), call("b", Output("a"), after=("x",))),
        (call("a", Param("n")), call("b", Output("a"), "effect")),
        (call("a", Param("n")), call("b", Output("a"), policies=Policies(RetryPolicy(2)))),
        (call("a", Param("n")), call("b", Param("n"))),
    ],
    ids=["two-users", "waits-for-more", "an-effect", "retries", "no-edge"],
)
def test_what_is_no_chain_stays(nodes: tuple[Node, ...]) -> None:
    before = pipeline(*nodes)
    assert fuse_nodes(before) == before


# names


def test_made_names_are_told_from_those_that_are_there() -> None:
    names = Names(pipeline(call("A~x", Param("n"))))
    assert [names.fresh("a~x"), names.fresh("a~x"), names.fresh("b~x")] == ["a~x-2", "a~x-3", "b~x"]
