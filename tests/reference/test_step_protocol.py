"""What a step says to an engine: exit codes, decisions, and that of any number of attempts one commit counts."""

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest
import step_samples as samples

from drawloom.catalog.outcomes import read_commit
from drawloom.ir.protocol import DONE, FAILED_FINAL, FAILED_RETRY, SKIPPED


def commit_of(published, node, index=()):
    run, _, generation = published.reference.rpartition(".")
    return read_commit(published.catalog.storage, run, int(generation), node, index)


def test_steps_in_order_give_the_result(publish):
    flow = publish(samples.chain)
    assert flow.begin({"start": 4}) == DONE
    assert [flow.step("first"), flow.step("add"), flow.step(":end")] == [DONE, DONE, DONE]
    assert flow.run.state == "succeeded"
    assert flow.run.result == 5
    assert flow.run.params == {"start": 4}


def test_a_doubled_begin_makes_one_run_and_another_identity_another(publish):
    flow = publish(samples.chain)
    flow.begin({"start": 4})
    first = flow.reference
    flow.begin({"start": 99})
    assert flow.reference == first
    assert flow.run.params == {"start": 4}
    flow.begin({"start": 4}, identity="2")
    assert flow.reference != first


def test_a_cleared_run_is_a_new_generation_with_commits_of_its_own(publish):
    flow = publish(samples.single)
    flow.begin({"start": 1})
    assert [flow.step("add"), flow.step(":end")] == [DONE, DONE]
    flow.begin({"start": 5}, generation=1)
    assert flow.reference.endswith(".1")
    assert commit_of(flow, "add") is None
    assert [flow.step("add"), flow.step(":end")] == [DONE, DONE]
    assert flow.run.details.generation == 1
    assert flow.run.result == 6


def test_a_later_attempt_adopts_the_commit_and_runs_nothing(publish, tmp_path):
    flow = publish(samples.writing)
    path = tmp_path / "lines"
    flow.begin({"path": str(path)})
    assert flow.step("write") == DONE
    assert flow.step("write", attempt=2) == DONE
    assert flow.step("write", attempt=1) == DONE
    assert path.read_text() == "one\n"


def test_a_late_attempt_reports_the_first_commit_not_its_own(publish, monkeypatch):
    flow = publish(samples.single)
    flow.begin({"start": 1})
    from drawloom.runtimes import call

    real = call._fault

    def race(point):
        if point == "before-commit":
            monkeypatch.setattr(call, "_fault", real)
            assert flow.step("add", attempt=2) == DONE  # another attempt is faster

    monkeypatch.setattr(call, "_fault", race)
    assert flow.step("add") == DONE
    assert commit_of(flow, "add").attempt == 2


def test_a_failure_is_committed_and_told_by_the_exit_code(publish):
    flow = publish(samples.failing)
    flow.begin({"number": 3})
    assert flow.step("bad") == FAILED_FINAL
    assert flow.step("bad", attempt=2) == FAILED_FINAL
    assert flow.step("add") == SKIPPED
    assert flow.step(":end") == FAILED_FINAL
    details = flow.run.details
    assert (details.failure.node, details.failure.info.message) == ("bad", "bad 3")
    assert {name: node.state for name, node in details.nodes.items()} == {"bad": "failed", "add": "skipped"}


def test_the_policy_says_which_attempt_is_the_last(publish):
    flow = publish(samples.failing_twice)
    flow.begin({"number": 3})
    assert flow.step("bad_twice", attempt=1) == FAILED_RETRY
    assert commit_of(flow, "bad_twice") is None
    assert flow.step("bad_twice", attempt=2) == FAILED_FINAL
    assert commit_of(flow, "bad_twice").attempt == 2


def test_a_contained_failure_lets_the_engine_go_on_to_the_handler(publish):
    flow = publish(samples.contained)
    flow.begin({"number": 3})
    assert flow.step("try/bad") == DONE
    assert flow.step("try/add") == DONE
    assert commit_of(flow, "try/add").outcome == "skipped"
    assert flow.step("try:decide") == DONE
    assert flow.texts("try:decide") == {"arm-1": "true"}
    assert [flow.step("try/add-2"), flow.step("try:settle"), flow.step(":end")] == [DONE, DONE, DONE]
    assert flow.run.result == 10


def test_deciding_steps_write_counts_and_booleans(publish):
    flow = publish(samples.deciding)
    flow.begin({"numbers": [5, 6], "limit": 2})
    assert flow.step("sums:decide") == DONE
    assert flow.texts("sums:decide") == {"count": "2"}
    assert flow.step("sums/add", "0;1") == DONE
    assert flow.step("grown:decide", "0") == DONE
    assert flow.texts("grown:decide") == {"arm-0": "true", "next": "1"}
    assert [flow.step("grown/add", "0"), flow.step("grown:decide", "1")] == [DONE, DONE]
    assert flow.texts("grown:decide") == {"arm-0": "false", "next": "2"}
    assert flow.step("branch:decide") == DONE
    assert flow.texts("branch:decide") == {"arm-0": "false", "arm-1": "true"}
    assert flow.step(":end") == DONE
    assert flow.run.result == ([6, 7], 0)


def test_a_task_over_its_time_is_killed_and_says_so(publish):
    flow = publish(samples.limits)
    flow.begin({"seconds": 20.0})
    assert flow.step("sleepy") == FAILED_FINAL
    failure = commit_of(flow, "sleepy").failure
    assert failure.type == "timeout"
    assert failure.message.startswith(
        "error[R514] attempt 1 of `sleepy` ran longer than attempt_timeout_seconds=0.2 and was ended"
    )
    assert flow.step("limited") == DONE
    assert flow.run.logs("limited") == "in time\n"


def test_a_watched_process_that_vanishes_is_an_infra_failure(publish):
    flow = publish(samples.vanished)
    flow.begin()
    assert flow.step("vanishing") == FAILED_FINAL
    failure = commit_of(flow, "vanishing").failure
    assert (failure.type, failure.message) == (
        "infra",
        "the process of the attempt ended with exit status 3 before it answered",
    )


def test_the_time_for_a_node_counts_from_its_first_attempt(publish):
    flow = publish(samples.out_of_time)
    flow.begin()
    assert flow.step("never_done") == FAILED_RETRY
    assert flow.step("never_done", attempt=2) == FAILED_FINAL
    failure = commit_of(flow, "never_done").failure
    assert failure.message.startswith(
        "error[R515] the attempts at `never_done` took longer than node_timeout_seconds=2.5"
    )


def test_the_end_commits_a_failure_for_a_step_that_was_lost(publish, tmp_path):
    flow = publish(samples.writing)
    flow.begin({"path": str(tmp_path / "lines")})
    assert flow.step(":end") == FAILED_FINAL
    assert commit_of(flow, "write").failure.message == "its step was lost, and no attempt is left"
    assert flow.step("write", attempt=2) == FAILED_FINAL  # a zombie comes too late
    assert flow.run.state == "failed"


# what a step can't work with


def test_a_slice_that_is_not_there_or_not_whole_is_refused(publish, capsys):
    flow = publish(samples.single)
    flow.begin()
    assert flow.step("other") == 1
    said = capsys.readouterr().err
    assert (
        f"error[E710] the slice of step `other` of program {flow.digest[:12]} can't be read: it isn't in the store"
        in said
    )
    from drawloom.catalog.keys import slice_key

    key = slice_key(flow.digest, "add")
    flow.catalog.storage.write(key, flow.catalog.storage.read(key).replace(b'"add"', b'"sub"'))
    assert flow.step("add") == 1
    assert "can't be read: its bytes don't have the digest it carries\n" in capsys.readouterr().err


def test_a_run_that_is_not_there_is_refused(publish, capsys):
    flow = publish(samples.single)
    flow.reference = "reference-none.0"
    assert flow.step("add") == 1
    said = capsys.readouterr().err
    assert said.startswith("error[E711] there is no run 'reference-none.0' in this project\n")
    assert (
        "  fix    start steps with the reference the begin step wrote, and with the same --store and --project\n"
        in said
    )


def test_a_step_with_another_bundle_than_its_run_was_begun_with_is_refused(publish, capsys, monkeypatch):
    flow = publish(samples.single)
    monkeypatch.setenv("DRAWLOOM_BUNDLE", "a" * 64)
    flow.begin({"start": 1})
    run = flow.reference.rpartition(".")[0]
    monkeypatch.setenv("DRAWLOOM_BUNDLE", "b" * 64)
    assert flow.step("add") == 1
    refusal = (
        f"error[E718] run {run} was begun with the code bundle aaaaaaaaaaaa, and this step has the code bundle "
        "bbbbbbbbbbbb\n"
        "  fix    let the engine start all steps of a run from one compiled program; a run of newer code is a new run\n"
    )
    assert capsys.readouterr().err == refusal
    assert flow.begin({"start": 1}) == 1  # the same engine run
    assert capsys.readouterr().err == refusal
    monkeypatch.delenv("DRAWLOOM_BUNDLE")
    assert flow.step("add") == 1
    assert capsys.readouterr().err.partition("and this")[2].startswith(" step has no code bundle\n")
    assert commit_of(flow, "add") is None
    monkeypatch.setenv("DRAWLOOM_BUNDLE", "a" * 64)
    assert flow.step("add") == DONE


def test_a_step_out_of_order_is_refused_not_skipped(publish, capsys):
    flow = publish(samples.chain)
    flow.begin({"start": 1})
    run = flow.reference.rpartition(".")[0]
    assert flow.step("add") == 1
    assert capsys.readouterr().err == (
        "error[E712] step `add` [-] needs the outcome of `first` [-], which has none, "
        f"and nothing has failed in run {run}\n"
        "  fix    start `first` first: the engine must keep the order of the compiled program\n"
    )
    assert commit_of(flow, "add") is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--store"], "it takes pairs of an option and its value"),
        (["--store", "x", "--speed", "2"], "missing, unknown or doubled: --attempt, --index, --out, --project, --run"),
    ],
)
def test_a_wrong_command_line_is_refused(arguments, problem, capsys):
    from drawloom.runtimes.step import main

    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error[E713] a step can't be started like this: {problem}")
    assert "  fix    use the command the compiler printed: --store URL --project P --run REF --step ID" in said


def test_wrong_parameters_are_refused_all_at_once(publish, capsys):
    flow = publish(samples.chain)
    assert flow.begin({"strat": 1}) == FAILED_FINAL
    assert capsys.readouterr().err == (
        "error[E714] pipeline `chain` has no parameter `strat`, did you mean `start`?\n"
        "  fix    leave it out\n"
        "error[E714] pipeline `chain` needs the parameter `start`\n"
        "  fix    give it a value\n"
    )
    assert flow.begin({"start": "four"}) == FAILED_FINAL
    said = capsys.readouterr().err
    assert said.startswith("error[E714] pipeline `chain` parameter `start`: expected int, got str")
    assert said.endswith("  fix    give it a value of type int\n")


@pytest.mark.parametrize("pipeline", [samples.talking, samples.talking_in_time])
def test_what_a_task_prints_is_there_while_it_runs(publish, tmp_path, pipeline):
    flow = publish(pipeline)
    flow.begin({"folder": str(tmp_path)})
    (call,) = [name for name in flow.steps if name.startswith("talk")]
    code = "import sys; from drawloom.runtimes.step import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, *flow.arguments(call)]
    env = {"PYTHONPATH": os.pathsep.join(sys.path)}  # a variable of ours could change how it prints
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        try:
            assert select.select([process.stdout], [], [], 60)[0], "it waits for us, as we for it"
            assert process.stdout.readline() == "begins\n"
        finally:
            (tmp_path / "heard").touch()
        assert process.wait(60) == DONE
