"""Which failure a local run writes down where several happen, and what becomes of one that a `try_` handles."""

import time

import pytest
import sample_tasks as tasks
from sample_programs import Sheet, const, out

from drawloom.ir.nodes import Block, Handler, Map, PipelineCall, Port, Try
from drawloom.ir.operands import Apply, Item
from drawloom.ir.policies import Policies, RetryPolicy
from drawloom.runtimes.local import run_local

RESULT = (Port("result"),)
DIVIDED = Apply("floordiv", (const(1), const(0)))


def states(run):
    return {node.id: node.state for node in run.nodes()}


def failed_at(run):
    place = run.details.failure
    return place.node, place.index, place.info.type


def fails_late(n):
    time.sleep(2)
    raise tasks.Unlucky(n)


def test_a_try_whose_bodys_result_failed_and_was_handled_has_succeeded(catalog):
    sheet = Sheet()
    body = Block((sheet.call("made", tasks.one),), (("result", DIVIDED),))
    handler = Handler(("builtins:ZeroDivisionError",), Block((), (("result", const(7)),)))
    program = sheet.program(Try("safe", body, (handler,), None, RESULT), result=out("safe"))
    run = run_local(program, sheet.functions, {}, catalog, executor="inline")
    assert (run.state, run.result, states(run)) == ("succeeded", 7, {"safe": "succeeded", "made": "succeeded"})


@pytest.mark.parametrize("handled", ["builtins:KeyError", "builtins:ZeroDivisionError"])
def test_a_result_that_failed_is_told_of_the_node_it_was_for(catalog, handled):
    sheet = Sheet()
    inner = PipelineCall("group", "inner", Block((), (("result", DIVIDED),)), (), RESULT)
    mend = Block((), (("result", Apply("get", (const([]), const(0)))),))
    body = Block((inner,), (("result", out("group")),))
    program = sheet.program(Try("safe", body, (Handler((handled,), mend),), None, RESULT), result=out("safe"))
    run = run_local(program, sheet.functions, {}, catalog, executor="inline")
    expected = {
        "builtins:KeyError": ("group", (), "builtins:ZeroDivisionError"),
        "builtins:ZeroDivisionError": ("safe", (), "builtins:IndexError"),
    }
    assert failed_at(run) == expected[handled]
    assert states(run) == {"safe": "failed", "group": "failed"}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([0, 1], ("each", (), "builtins:ZeroDivisionError")),
        ([1, 0], ("odd", (0,), "sample_tasks:Unlucky")),
        ([2, 0], ("each", (), "builtins:ZeroDivisionError")),
    ],
)
def test_of_a_maps_failures_that_of_the_first_item_counts_be_it_a_nodes_or_its_results(catalog, items, expected):
    sheet = Sheet()
    result = Apply("floordiv", (const(1), Item("each")))
    body = Block((sheet.call("odd", tasks.fails_on_odd, n=Item("each")),), (("result", result),))
    program = sheet.program(Map("each", const(items), body, RESULT))
    run = run_local(program, sheet.functions, {}, catalog, executor="inline", fail_fast=False)
    assert failed_at(run) == expected
    assert failed_at(catalog.run(run.id)) == expected


def test_an_attempt_that_would_have_been_made_again_is_not_the_failure_that_counts(catalog):
    sheet = Sheet()
    late = sheet.call("late", fails_late, n=1, policies=Policies(RetryPolicy(max_attempts=3)))
    delayed = sheet.call("delayed", tasks.fails, n=2, policies=Policies(RetryPolicy(2, delay_seconds=60.0)))
    ends = sheet.call("ends", tasks.fails, n=3, after=("begun",))
    program = sheet.program(late, delayed, sheet.call("begun", tasks.sleep, seconds=0.05), ends)
    run = run_local(program, sheet.functions, {}, catalog, workers=4)
    assert failed_at(run)[:2] == ("ends", ())
    assert states(run) == {"late": "cancelled", "delayed": "cancelled", "begun": "succeeded", "ends": "failed"}
    assert [node.attempts for node in run.nodes()] == [1, 1, 1, 1]
