"""What a run tells: its state, nodes, values, logs, and its failure."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.records import AttemptFinished, AttemptStarted, Commit, Decision, FailureInfo, RunFinished
from drawloom.catalog.runlog import RunWriter
from drawloom.errors import DrawloomError, NodeFailed, RunCancelled, RunFailed, Span, StoreError

BOOM = FailureInfo("builtins:ValueError", "no rows", arguments=["no rows"], traceback="Traceback: x.py, line 3\n")


def text(error: pytest.ExceptionInfo[BaseException]) -> str:
    return str(error.value)


def test_a_succeeded_run_tells_everything(recorder: Any) -> None:
    run = recorder.good("r1", n=3, at=10.0)
    assert (run.id, run.pipeline, run.state, run.result, run.params) == ("r1", "p", "succeeded", 6, {"n": 3})
    assert run.counts == {"succeeded": 4}
    assert (run.started_at, run.finished_at) == (10.0, 15.0)
    assert repr(run) == "Run('r1', pipeline='p', state='succeeded')"
    assert [node.id for node in run.nodes()] == ["first", "all", "one", "last"]
    first = run.nodes(state="succeeded")[0]
    assert (first.kind, first.task, first.where, first.attempts, first.seconds) == (
        "call",
        "flow:double",
        Span("flow.py", 10, "p"),
        1,
        0.5,
    )
    assert run.nodes(state="failed") == []


def test_values_of_calls_maps_items_and_the_pipeline_are_loaded(recorder: Any) -> None:
    run = recorder.good("r1", n=3)
    assert [run.load("first"), run.load("one", (0,)), run.load("all"), run.load("")] == [[6], 12, [12], 6]


def test_a_map_without_a_commit_of_its_own_is_found_from_its_items(recorder: Any) -> None:
    commits = [recorder.commit("r1", "one", 10 * k, k) for k in range(3)]
    run = recorder.run("r1", recorder.commit("r1", "first", [0, 1, 2]), Decision("r1", "all", value=3), *commits)
    assert run.load("all") == [0, 10, 20]


def test_each_load_is_a_copy_of_its_own(recorder: Any) -> None:
    run = recorder.good("r1")
    run.load("first").append("changed")
    assert run.load("first") == [6]


def test_a_failed_run_raises_from_the_tasks_own_exception(recorder: Any) -> None:
    run = recorder.failed("r1", BOOM)
    with pytest.raises(RunFailed) as error:
        _ = run.result
    assert text(error) == (
        "error[S470] run r1 of `p` failed: node `first`: ValueError: no rows\n"
        "  where  flow.py:10, p\n"
        "  fix    `drawloom logs r1 first` shows what it printed; mend it and run again: what succeeded is "
        "answered from the cache"
    )
    cause = error.value.__cause__
    assert type(cause) is ValueError
    assert cause.args == ("no rows",)
    assert cause.__notes__ == ["The task's own traceback:\nTraceback: x.py, line 3"]
    assert run.counts == {"skipped": 3, "failed": 1}


def test_the_live_exception_is_raised_from_where_there_is_one(recorder: Any) -> None:
    run, live = recorder.failed("r1", BOOM), KeyError("live")
    run.attach_failure(live)
    with pytest.raises(RunFailed) as error:
        _ = run.result
    assert error.value.__cause__ is live


@pytest.mark.parametrize(
    "info",
    [
        FailureInfo("gone_module:Oops", "lost", arguments=["lost"]),
        FailureInfo("builtins:dict", "lost", arguments=[]),  # no exception at all
    ],
)
def test_an_exception_that_cannot_be_made_again_becomes_a_node_failed(recorder: Any, info: FailureInfo) -> None:
    with pytest.raises(RunFailed) as error:
        _ = recorder.failed("r1", info).result
    cause = error.value.__cause__
    module, _, name = info.type.partition(":")
    assert isinstance(cause, NodeFailed)
    assert str(cause) == (
        f"error[S473] node `first` failed: {name}: lost\n"
        "  where  flow.py:10, p\n"
        f"  fix    make `{module}` importable here to get the task's own exception class"
    )


@pytest.mark.parametrize(
    "info",
    [
        FailureInfo("builtins:UnicodeDecodeError", "lost", arguments=["lost"]),  # takes five arguments
        FailureInfo("builtins:ValueError", "lost", arguments={"$": "unknown-leaf"}),
        FailureInfo("builtins:ValueError", "lost"),
        FailureInfo("builtins:ValueError", "lost", arguments=["something else"]),  # would tell another story
        FailureInfo("builtins:KeyError", "lost"),  # shows the repr of its argument
    ],
)
def test_an_exception_whose_arguments_are_not_to_be_had_has_its_class_and_text(
    recorder: Any, info: FailureInfo
) -> None:
    with pytest.raises(RunFailed) as error:
        _ = recorder.failed("r1", info).result
    cause = error.value.__cause__
    assert isinstance(cause, getattr(builtins, info.type.partition(":")[2]))
    assert type(cause).__name__ == info.type.partition(":")[2]
    assert str(cause) == "lost"


def test_a_step_that_was_killed_is_told_as_such(recorder: Any) -> None:
    with pytest.raises(RunFailed) as error:
        _ = recorder.failed("r1", FailureInfo("timeout", "over 5 s")).result
    assert "failed: node `first`: timeout: over 5 s" in text(error)
    assert str(error.value.__cause__).endswith(
        "fix    give the task more time or memory, or let it be tried again: `retry=Retry(max_attempts=3)`"
    )


def test_a_cancelled_run_raises(recorder: Any) -> None:
    run = recorder.run("r1", outcome="cancelled")
    with pytest.raises(RunCancelled) as error:
        _ = run.result
    assert text(error) == (
        "error[S471] run r1 of `p` was cancelled before it had a result\n"
        "  where  flow.py:9, p\n"
        "  fix    run it again: what succeeded is answered from the cache"
    )
    assert run.counts == {"cancelled": 4}


def test_a_run_of_a_killed_process_is_lost(recorder: Any) -> None:
    run = recorder.run("r1", AttemptStarted("r1", "first"), outcome=None)
    with pytest.raises(RunFailed) as error:
        _ = run.result
    assert (
        text(error).splitlines()[0] == "error[S470] run r1 of `p` was cut off: its process ended while node `first` ran"
    )
    assert run.counts == {"skipped": 3, "failed": 1}


def test_a_run_that_goes_on_is_read_anew_each_time(recorder: Any, catalog: Catalog) -> None:
    run = recorder.run("r1", outcome=None)
    with RunWriter(catalog.storage, "r1") as writer:
        assert (run.state, run.counts) == ("running", {"pending": 4})
        with pytest.raises(DrawloomError) as error:
            _ = run.result
        assert text(error) == (
            "error[S472] run r1 of `p` is running and has no result yet: 4 pending\n"
            "  where  flow.py:9, p\n"
            "  fix    ask again when it has ended; `drawloom show r1` tells how far it is"
        )
        writer.append(recorder.commit("r1", "first", [1]))
        writer.flush()
        assert run.counts == {"pending": 3, "succeeded": 1}
        assert run.load("first") == [1]
        writer.append(RunFinished("r1", "cancelled"))
    assert run.state == "cancelled"


def test_logs_of_one_attempt_stand_alone_and_of_several_have_titles(recorder: Any, catalog: Catalog) -> None:
    one, two, item = (catalog.objects.put(data) for data in (b"first try", b"second try\n", b"item\n"))
    run = recorder.run(
        "r1",
        AttemptStarted("r1", "first"),
        AttemptFinished("r1", "first", outcome="failed", log=one),
        AttemptFinished("r1", "first", attempt=2, log=two),
        Commit("r1", "one", (0,), log=item),
    )
    assert run.logs("first") == "--- first, attempt 1\nfirst try\n--- first, attempt 2\nsecond try\n"
    assert run.logs("one") == run.logs("all") == "item\n"
    assert run.logs("last") == ""


def test_an_unknown_node_is_refused_with_a_near_name(recorder: Any) -> None:
    run = recorder.good("r1")
    for ask in (run.logs, run.load):
        with pytest.raises(StoreError) as error:
            ask("frist")
        assert text(error) == (
            "error[S454] `p` has no node `frist`, did you mean `first`?\n"
            "  where  flow.py:9, p\n"
            "  fix    its nodes are first, all, one, last"
        )


def test_a_node_in_a_map_needs_an_index(recorder: Any) -> None:
    with pytest.raises(StoreError) as error:
        recorder.good("r1").load("one")
    assert text(error) == (
        "error[S455] node `one` lies in a map or a loop and has 1 instances\n"
        "  fix    say which one: `run.load('one', index=(0,))`"
    )


def test_a_value_that_was_never_made_is_refused(recorder: Any) -> None:
    run = recorder.failed("r1", BOOM)
    with pytest.raises(StoreError) as error:
        run.load("last")
    assert text(error) == (
        "error[S456] node `last` has no value `result`: it is skipped\n"
        "  where  flow.py:12, p\n"
        "  fix    `drawloom show r1` tells what became of each node"
    )


def test_a_port_that_is_not_there_is_refused(recorder: Any) -> None:
    with pytest.raises(StoreError) as error:
        recorder.good("r1").load("first", port="results")
    assert text(error) == (
        "error[S456] node `first` has no port `results`, did you mean `result`?\n"
        "  where  flow.py:10, p\n"
        "  fix    it has `result`"
    )


def test_a_run_without_its_first_record_is_refused(recorder: Any, catalog: Catalog, tmp_path: Path) -> None:
    run = recorder.good("r1")
    catalog.storage.delete("runs/r1/run.json")
    again = type(run)("r1", catalog.storage, catalog.objects, catalog.values)
    with pytest.raises(StoreError) as error:
        _ = again.state
    assert text(error) == (
        "error[S457] run r1 has no record of its start\n"
        f"  where  {tmp_path}/store/projects/default/runs/r1\n"
        "  fix    its writer was killed as it began, or the file was removed: run the pipeline again"
    )
