"""Values of control nodes, found from decisions, against the reference interpreter."""

from __future__ import annotations

import json
from typing import Any

import pytest

from drawloom.catalog.facts import Facts
from drawloom.catalog.lookup import Lookup, NoValueError
from drawloom.catalog.records import Commit, Decision, FailureInfo, Record, RunStarted
from drawloom.ir.envelope import decode, encode
from drawloom.ir.nodes import Block, Branch, Call, Carry, Case, Handler, Loop, Map, Node, Pipeline, PipelineCall, Try
from drawloom.ir.operands import Apply, Carried, Caught, Const, Field, Item, Operand, Output, Param, RunInfo
from drawloom.ir.tasks import Port
from drawloom.values.failure import Failure
from drawloom.values.ref import ValueRef

RESULT = (Port("result"),)
START = RunStarted("r", "p", "d", params=(("n", ValueRef("x", tree=7)),), logical_time="2024-05-06T07:08:09+00:00")


def gives(operand: Operand, *nodes: Node) -> Block:
    return Block(nodes, (("result", operand),))


def commit(node: str, value: Any, *index: int) -> Commit:
    return Commit("r", node, index, outputs=(("result", ValueRef("d", tree=encode(value))),))


def lookup(node: Node, *records: Record) -> Lookup:
    facts = Facts([START, *records])
    return Lookup(Pipeline("p", body=Block((node,))), facts, decode, lambda ref: decode(ref.tree))


def test_a_group_gives_what_its_body_gives() -> None:
    node = PipelineCall("g", "inner", gives(Apply("add", (Output("a"), Param("n"))), Call("a", "t")), results=RESULT)
    assert lookup(node, commit("a", 1)).value("g", (), "result") == 8


@pytest.mark.parametrize(("arm", "value"), [(0, "yes"), (1, "no")])
def test_a_branch_gives_what_the_taken_arm_gives(arm: int, value: str) -> None:
    cases = (Case(Const("true"), gives(Const('"yes"'))),)
    node = Branch("b", cases, gives(Const('"no"')), RESULT)
    assert lookup(node, Decision("r", "b", value=arm)).value("b", (), "result") == value


def test_a_map_of_a_map_gives_lists_of_lists() -> None:
    inner = Map("inner", Item("outer"), gives(Apply("mul", (Item("inner"), Const("2")))), RESULT)
    node = Map("outer", Const("[[1,2],[3]]"), gives(Output("inner"), inner), RESULT)
    found = lookup(
        node,
        Decision("r", "outer", value=2),
        Decision("r", "inner", (0,), value=2),
        Decision("r", "inner", (1,), value=1),
    )
    assert found.value("outer", (), "result") == [[2, 4], [6]]
    assert found.value("inner", (1,), "result") == [6]


def test_a_long_loop_is_followed_without_recursion() -> None:
    carried = (Carry("n", Const("0")), Carry("m", Const("1")))
    body = Block((), (("n", Apply("add", (Carried("l", "n"), Carried("l", "m")))), ("m", Carried("l", "m"))))
    node = Loop("l", carried, Block((), (("test", Const("true")),)), body, 5000, "stop")
    assert lookup(node, Decision("r", "l", value=5000)).value("l", (), "n") == 5000


def test_a_try_gives_what_its_handler_gives_with_what_was_caught() -> None:
    handler = Handler(("builtins:ValueError",), gives(Caught("t", (Field("message"),))))
    node = Try("t", gives(Const("1")), (handler,), results=RESULT)
    caught = FailureInfo("builtins:ValueError", "no rows")
    assert lookup(node, Decision("r", "t", value=1, caught=caught)).value("t", (), "result") == "no rows"
    whole = Try("t", gives(Const("1")), (Handler((), gives(Caught("t"))),), results=RESULT)
    failure = Failure("builtins:ValueError", "no rows")
    assert lookup(whole, Decision("r", "t", value=1, caught=caught)).value("t", (), "result") == failure


def test_facts_about_the_run_are_given() -> None:
    node = PipelineCall(
        "g", "i", gives(Apply("tuple", (RunInfo("run_id"), RunInfo("logical_time"), RunInfo("interval_end"))))
    )
    run_id, logical_time, end = lookup(node).value("g", (), "result")
    assert (run_id, logical_time.isoformat(), end) == ("r", "2024-05-06T07:08:09+00:00", None)


@pytest.mark.parametrize(
    ("records", "name"),
    [
        ([], "undecided"),
        ([Decision("r", "t", value=-1)], "nobody handled it"),
        ([Decision("r", "t", value=0)], "the call it leads to has no commit"),
        ([Decision("r", "t", value=0), Commit("r", "t", outcome="failed")], "it failed"),
    ],
)
def test_what_has_no_value_says_so(records: list[Record], name: str) -> None:
    node = Try("t", gives(Output("a"), Call("a", "t")), results=RESULT)
    with pytest.raises(NoValueError):
        lookup(node, *records).value("t", (), "result")


def test_a_port_that_is_not_there_has_no_value() -> None:
    with pytest.raises(NoValueError):
        lookup(PipelineCall("g", "i", gives(Const(json.dumps(1))))).value("g", (), "other")
