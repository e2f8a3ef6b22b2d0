"""What single records, and their lack, make of a run and its nodes."""

from __future__ import annotations

import pytest

from drawloom.catalog.records import (
    AttemptFinished,
    AttemptStarted,
    Commit,
    Decision,
    EngineObservation,
    FailureInfo,
    Record,
    RunFinished,
    RunStarted,
)
from drawloom.catalog.state import FailurePlace, RunState, state
from drawloom.ir.nodes import Block, Branch, Call, Carry, Case, Handler, Loop, Map, Node, Pipeline, PipelineCall, Try
from drawloom.ir.operands import Const, Output
from drawloom.ir.tasks import FunctionRef, TaskSpec

TASK = TaskSpec("t:one", FunctionRef("t", "one"))
START = RunStarted("r", "p", "d", at=1.0)
BOOM = FailureInfo("builtins:ValueError", "boom")


def call(name: str, *needs: str, after: tuple[str, ...] = ()) -> Call:
    return Call(name, "t:one", tuple((f"i{k}", Output(need)) for k, need in enumerate(needs)), after)


def of(*nodes: Node) -> Pipeline:
    return Pipeline("p", tasks=(TASK,), body=Block(nodes))


def done(node: str, *index: int, outcome: str = "succeeded", **more: object) -> Commit:
    failure = BOOM if outcome == "failed" else None
    return Commit("r", node, index, outcome=outcome, failure=failure, at=3.0, **more)  # type: ignore[arg-type]


def decided(node: str, value: int, *index: int) -> Decision:
    return Decision("r", node, index, value=value, at=2.0)


def began(node: str, *index: int, attempt: int = 1) -> AttemptStarted:
    return AttemptStarted("r", node, index, attempt, at=2.0)


def ended(node: str, *index: int, outcome: str, attempt: int = 1, seconds: float = 1.0) -> AttemptFinished:
    failure = BOOM if outcome == "failed" else None
    return AttemptFinished("r", node, index, attempt, outcome=outcome, seconds=seconds, failure=failure, at=3.0)


def over(outcome: str) -> RunFinished:
    return RunFinished("r", outcome, at=9.0)


def states(found: RunState) -> dict[str, str]:
    return {name: node.state for name, node in found.nodes.items()}


def test_nothing_known_is_pending() -> None:
    found = state(of(call("a")), [])
    assert (found.state, states(found), found.started_at, found.finished_at) == (
        "pending",
        {"a": "pending"},
        None,
        None,
    )


def test_a_started_run_is_running_and_its_nodes_wait() -> None:
    found = state(of(call("a"), call("b", "a")), [START, began("a")])
    assert (found.state, states(found), found.started_at) == ("running", {"a": "running", "b": "pending"}, 1.0)


@pytest.mark.parametrize("outcome", ["succeeded", "cached", "failed", "skipped"])
def test_a_commit_settles_its_node(outcome: str) -> None:
    assert states(state(of(call("a")), [START, began("a"), done("a", outcome=outcome)])) == {"a": outcome}


def test_what_is_behind_a_failure_is_skipped_by_data_by_order_and_by_both() -> None:
    pipeline = of(call("a"), call("b", "a"), call("c", after=("b",)), call("d"), call("e", "c", "d"))
    found = state(pipeline, [START, done("a", outcome="failed"), done("d")])
    assert states(found) == {"a": "failed", "b": "skipped", "c": "skipped", "d": "succeeded", "e": "skipped"}


def test_what_never_began_in_an_ended_run_is_cancelled() -> None:
    pipeline = of(call("a"), call("b", "a"), call("c"), call("d", "c"))
    found = state(pipeline, [START, done("a", outcome="failed"), over("failed")])
    assert states(found) == {"a": "failed", "b": "skipped", "c": "cancelled", "d": "cancelled"}
    assert (found.state, found.finished_at) == ("failed", 9.0)


def test_what_ran_when_the_run_was_cancelled_is_cancelled() -> None:
    found = state(
        of(call("a"), call("b")), [START, began("a"), began("b"), ended("b", outcome="failed"), over("cancelled")]
    )
    assert (found.state, states(found)) == ("cancelled", {"a": "cancelled", "b": "failed"})


def test_a_failed_attempt_without_a_commit_may_be_tried_again() -> None:
    found = state(of(call("a")), [START, began("a"), ended("a", outcome="failed")])
    assert states(found) == {"a": "running"}


def test_a_dead_writer_makes_what_ran_fail_and_the_rest_cancelled() -> None:
    found = state(of(call("a"), call("b", "a"), call("c")), [START, began("a")], alive=False)
    assert (found.state, found.lost) == ("failed", True)
    assert states(found) == {"a": "failed", "b": "skipped", "c": "cancelled"}
    assert found.failure is not None
    assert (found.failure.node, found.failure.info and found.failure.info.type) == ("a", "infra")


def test_a_writer_that_died_after_the_last_commit_has_succeeded() -> None:
    found = state(of(call("a")), [START, done("a"), done("")], alive=False)
    assert (found.state, found.lost) == ("succeeded", False)


@pytest.mark.parametrize("alive", [True, None])
def test_a_writer_that_lives_or_is_not_known_leaves_the_run_running(alive: bool | None) -> None:
    assert state(of(call("a")), [START, done("a"), done("")], alive=alive).state == "running"


@pytest.mark.parametrize(("event", "name"), [("skipped", "skipped"), ("cancelled", "cancelled"), ("lost", "running")])
def test_what_an_engine_saw_counts_where_no_process_lived_to_write(event: str, name: str) -> None:
    records: list[Record] = [START, began("a"), EngineObservation("r", "a", event, at=4.0)]
    assert states(state(of(call("a")), records)) == {"a": name}


def test_a_lost_step_has_failed_once_the_run_is_over() -> None:
    found = state(of(call("a")), [START, began("a"), EngineObservation("r", "a", "out_of_memory"), over("failed")])
    info = FailureInfo("infra", "the engine reported: out of memory")
    assert found.nodes["a"].failure == FailurePlace("a", (), info) == found.failure


def test_only_the_highest_generation_counts() -> None:
    again = RunStarted("r", "p", "d", generation=1, at=11.0)
    found = state(of(call("a")), [START, done("a", outcome="failed"), over("failed"), again])
    assert (found.state, found.generation, states(found)) == ("running", 1, {"a": "pending"})


def test_of_two_commits_the_earlier_counts() -> None:
    late = Commit("r", "a", outcome="failed", failure=BOOM, at=7.0)
    for records in ([done("a"), late], [late, done("a")]):
        assert states(state(of(call("a")), [START, *records])) == {"a": "succeeded"}


def test_attempts_and_seconds_add_up_over_instances_and_into_the_nodes_around() -> None:
    pipeline = of(Map("m", Const("[0,1]"), Block((call("a"),))))
    records: list[Record] = [START, decided("m", 2), began("a", 0), ended("a", 0, outcome="failed", seconds=1.0)]
    records += [began("a", 0, attempt=2), ended("a", 0, outcome="succeeded", attempt=2, seconds=2.0)]
    records += [done("a", 0, attempt=2, seconds=2.0), done("a", 1, seconds=4.0)]
    found = state(pipeline, records)
    for name in ("a", "m"):
        assert (found.nodes[name].attempts, found.nodes[name].seconds) == (3, 7.0)
    assert found.nodes["a"].counts == {"succeeded": 2}


def test_a_cached_call_has_no_attempt() -> None:
    assert state(of(call("a")), [START, done("a", outcome="cached")]).nodes["a"].attempts == 0


MAP = of(Map("m", Const("[0,1,2]"), Block((call("a"), call("b", "a")))), call("z", "m"))


def test_a_map_runs_until_each_item_is_settled() -> None:
    records: list[Record] = [START, decided("m", 2), done("a", 0), done("b", 0), done("a", 1)]
    found = state(MAP, records)
    assert states(found) == {"m": "running", "a": "succeeded", "b": "running", "z": "pending"}
    assert states(state(MAP, [*records, done("b", 1)]))["m"] == "succeeded"


def test_a_map_that_has_not_decided_may_have_more_items() -> None:
    assert states(state(MAP, [START, done("a", 0), done("b", 0)]))["b"] == "running"


def test_a_map_fails_with_its_first_item_in_order_whenever_that_failed() -> None:
    late = Commit("r", "a", (0,), outcome="failed", failure=FailureInfo("builtins:KeyError"), at=8.0)
    found = state(MAP, [START, decided("m", 2), done("a", 1, outcome="failed"), late])
    assert states(found) == {"m": "failed", "a": "failed", "b": "skipped", "z": "skipped"}
    assert found.nodes["m"].failure == FailurePlace("a", (0,), FailureInfo("builtins:KeyError"))


def test_an_empty_map_has_succeeded_and_what_is_in_it_is_skipped() -> None:
    found = state(MAP, [START, decided("m", 0)])
    assert states(found) == {"m": "succeeded", "a": "skipped", "b": "skipped", "z": "pending"}


def test_a_map_whose_items_were_all_cached_is_cached() -> None:
    records = [done("a", k, outcome="cached") for k in (0, 1)] + [done("b", k, outcome="cached") for k in (0, 1)]
    assert states(state(MAP, [START, decided("m", 2), *records, done("m")]))["m"] == "cached"


BRANCH = of(Branch("c", (Case(Const("true"), Block((call("yes"),))),), Block((call("no"), call("no2", "no")))))


def test_the_arm_that_was_not_taken_is_skipped() -> None:
    assert states(state(BRANCH, [START])) == {"c": "pending", "yes": "pending", "no": "pending", "no2": "pending"}
    found = state(BRANCH, [START, decided("c", 0)])
    assert states(found) == {"c": "running", "yes": "pending", "no": "skipped", "no2": "skipped"}
    assert states(state(BRANCH, [START, decided("c", 0), done("yes", outcome="cached")]))["c"] == "cached"


def test_a_branch_whose_test_raised_has_failed_and_no_arm_ran() -> None:
    found = state(BRANCH, [START, done("c", outcome="failed")])
    assert states(found) == {"c": "failed", "yes": "skipped", "no": "skipped", "no2": "skipped"}
    assert found.nodes["c"].failure == FailurePlace("c", (), BOOM)


TRY = of(Try("t", Block((call("a"), call("b"))), (Handler(("x:E",), Block((call("h"),))),), Block((call("f"),))))


@pytest.mark.parametrize(
    ("records", "name"),
    [
        ([done("a"), done("b"), decided("t", 0), done("f")], "succeeded"),
        ([done("a"), done("b"), decided("t", 0)], "running"),
        ([done("a", outcome="failed"), done("b")], "running"),
        ([done("a", outcome="failed"), done("b"), decided("t", 1), done("h"), done("f")], "succeeded"),
        ([done("a", outcome="failed"), done("b"), decided("t", 1), done("h", outcome="failed"), done("f")], "failed"),
        ([done("a", outcome="failed"), done("b"), decided("t", -1), done("f")], "failed"),
        ([done("a"), done("b"), decided("t", 0), done("f", outcome="failed")], "failed"),
    ],
)
def test_a_try_is_what_its_body_its_handler_and_its_final_block_make_of_it(records: list[Record], name: str) -> None:
    assert states(state(TRY, [START, *records]))["t"] == name


def test_a_handled_failure_is_not_the_failure_of_the_run() -> None:
    pipeline = of(*TRY.body.nodes, call("z"))
    records = [done("a", outcome="failed"), done("b"), decided("t", 1), done("h"), done("f")]
    found = state(pipeline, [START, *records, done("z", outcome="failed"), over("failed")])
    assert found.failure == FailurePlace("z", (), BOOM)
    assert found.nodes["t"].failure is None


def test_the_failure_of_a_final_block_replaces_that_of_the_body() -> None:
    records = [done("a", outcome="failed"), done("b"), decided("t", -1), done("f", outcome="failed"), over("failed")]
    found = state(TRY, [START, *records])
    assert found.failure is not None
    assert found.failure.node == "f"


def test_what_did_not_begin_in_a_body_before_its_handler_ran_is_skipped() -> None:
    records = [done("a", outcome="failed"), decided("t", 1), done("h"), done("f"), over("succeeded")]
    assert states(state(TRY, [START, *records]))["b"] == "skipped"


def loop(max_iterations: int = 5, on_limit: str = "fail") -> Pipeline:
    test = Block((call("q"),), (("test", Output("q")),))
    return of(Loop("l", (Carry("n", Const("0")),), test, Block((call("a"),)), max_iterations, on_limit))


@pytest.mark.parametrize(
    ("records", "name"),
    [
        ([], "pending"),
        ([done("q", 0)], "running"),
        ([done("q", 0), decided("l", 1, 0), done("a", 0)], "running"),
        ([done("q", 0), decided("l", 1, 0), done("a", 0), done("q", 1), decided("l", 0, 1)], "succeeded"),
        ([done("q", 0), decided("l", 1, 0), done("a", 0, outcome="failed")], "failed"),
        ([done("q", 0), decided("l", 0, 0)], "succeeded"),
    ],
)
def test_a_loop_goes_on_until_its_test_says_no(records: list[Record], name: str) -> None:
    assert states(state(loop(), [START, *records]))["l"] == name


@pytest.mark.parametrize(("on_limit", "name"), [("fail", "failed"), ("stop", "succeeded")])
def test_a_loop_at_its_bound_fails_or_stops(on_limit: str, name: str) -> None:
    records: list[Record] = [done("q", 0), decided("l", 1, 0), done("a", 0), done("q", 1), decided("l", 1, 1)]
    assert states(state(loop(1, on_limit), [START, *records]))["l"] == name


def test_the_body_of_a_loop_that_never_went_round_is_skipped() -> None:
    assert states(state(loop(), [START, done("q", 0), decided("l", 0, 0)]))["a"] == "skipped"


def test_a_nested_pipeline_is_what_its_nodes_are() -> None:
    pipeline = of(PipelineCall("g", "inner", Block((call("a"), call("b")))))
    assert states(state(pipeline, [START, done("a")]))["g"] == "running"
    assert states(state(pipeline, [START, done("a"), done("b", outcome="cached")]))["g"] == "succeeded"


def test_a_nested_pipeline_of_no_nodes_waits_for_what_it_comes_after() -> None:
    pipeline = of(call("a"), PipelineCall("g", "inner", Block(), after=("a",)))
    assert states(state(pipeline, [START]))["g"] == "pending"
    assert states(state(pipeline, [START, done("a")]))["g"] == "succeeded"
    assert states(state(pipeline, [START, done("a", outcome="failed")]))["g"] == "skipped"
    assert states(state(pipeline, [START, over("cancelled")]))["g"] == "cancelled"


def test_a_failure_of_the_results_alone_is_the_pipelines_own() -> None:
    found = state(of(call("a")), [START, done("a"), done("", outcome="failed"), over("failed")])
    assert found.failure == FailurePlace("", (), BOOM)


def test_records_of_steps_that_are_no_nodes_are_passed_over() -> None:
    records = [START, done("a:results-0"), done("gone", 3), decided("gone", 1)]
    assert states(state(of(call("a")), records)) == {"a": "pending"}


def test_a_loop_that_failed_says_nothing_yet_of_iterations_whose_records_have_not_come() -> None:
    body = Block((), (("result", Const("1")),))
    loop = Loop("l", (Carry("result", Const("0")),), Block((call("t"),), (("test", Const("true")),)), body, 0)
    failed = [START, done("l", outcome="failed")]
    assert states(state(of(loop), failed)) == {"l": "failed", "t": "pending"}
    assert states(state(of(loop), [*failed, decided("l", 1, 0)])) == {"l": "failed", "t": "pending"}
    assert states(state(of(loop), [*failed, over("failed")])) == {"l": "failed", "t": "skipped"}


def test_a_loop_that_failed_says_nothing_yet_of_what_it_may_have_run_before() -> None:
    test = Block((), (("test", Const("true")),))
    loop = Loop("l", (Carry("result", Const("0")),), test, Block((call("t"),), (("result", Const("1")),)), 1)
    failed = [START, done("l", outcome="failed")]
    assert states(state(of(loop), failed)) == {"l": "failed", "t": "pending"}
    assert states(state(of(loop), [*failed, decided("l", 1, 1)])) == {"l": "failed", "t": "pending"}
    assert states(state(of(loop), [*failed, over("failed")])) == {"l": "failed", "t": "skipped"}
