"""Steps that an engine starts again: of a run that is over, and of a run that goes on with an earlier one."""

from __future__ import annotations

import pytest
import step_samples as samples

from drawloom.catalog.outcomes import finish_run, read_commit
from drawloom.catalog.records import RunFinished
from drawloom.ir.protocol import DONE, FAILED_FINAL, SKIPPED


@pytest.fixture
def failed(publish, tmp_path):
    """A run whose second call failed, with the effect before it done once."""
    flow = publish(samples.effect_then_failure)
    flow.params = {"path": str(tmp_path / "lines"), "flag": str(tmp_path / "flag")}
    flow.begin(flow.params)
    assert [flow.step("write"), flow.step("add"), flow.step("stop_at")] == [DONE, DONE, FAILED_FINAL]
    assert [flow.step("add-2"), flow.step(":end")] == [SKIPPED, FAILED_FINAL]
    return flow


def _outcome(flow, node):
    run, _, generation = flow.reference.rpartition(".")
    return read_commit(flow.catalog.storage, run, int(generation), node, ())


# what an engine's own retry does: the run's reference is kept, failed steps are started anew with the same numbers


def test_e743_an_engine_that_retries_a_run_that_is_over_is_refused(failed, tmp_path, capsys):
    (tmp_path / "flag").touch()
    before = failed.run.details
    assert failed.step("stop_at") == FAILED_FINAL
    told = capsys.readouterr().err
    assert f"error[E743] run {failed.run.id} is over, and step `stop_at` was started again" in told
    assert f"`drawloom retry {failed.run.id}` runs what is left of it" in told
    assert [failed.step("add-2"), failed.step(":end")] == [FAILED_FINAL, FAILED_FINAL]
    assert failed.run.details == before
    assert sorted((one.node, one.event) for one in failed.run.facts.observations) == [
        ("add-2", "refused"),
        ("stop_at", "refused"),
    ]


def test_what_a_cancelled_run_never_began_is_not_begun_by_an_engine_that_retries_it(publish, tmp_path, capsys):
    flow = publish(samples.effect_then_failure)
    flow.begin({"path": str(tmp_path / "lines"), "flag": ""})
    finish_run(flow.catalog.storage, RunFinished(flow.run.id, "cancelled", at=5.0))
    assert flow.step("write") == FAILED_FINAL
    assert "E743" in capsys.readouterr().err
    assert not (tmp_path / "lines").exists()
    assert flow.run.details.nodes["write"].state == "cancelled"


def test_a_restarted_begin_gives_the_run_that_is_over_and_so_nothing_runs(failed, capsys):
    reference = failed.reference
    assert failed.begin(failed.params) == DONE
    assert failed.reference == reference
    assert failed.step("write") == FAILED_FINAL
    assert "E743" in capsys.readouterr().err


def test_a_retried_engine_run_whose_end_nobody_wrote_goes_on_where_it_was(publish, tmp_path):
    flow = publish(samples.effect_then_failure)
    flow.begin({"path": str(tmp_path / "lines"), "flag": str(tmp_path / "lines")})
    assert flow.step("write") == DONE  # then the engine was stopped, and let go on again
    assert [flow.step("add"), flow.step("stop_at"), flow.step("add-2"), flow.step(":end")] == [DONE] * 4
    assert (flow.run.state, flow.run.result) == ("succeeded", 4)


def test_the_end_step_may_be_started_twice(publish):
    flow = publish(samples.single)
    flow.begin({"start": 1})
    assert [flow.step("add"), flow.step(":end"), flow.step(":end", attempt=2)] == [DONE, DONE, DONE]


# what `drawloom retry` does: a new run that goes on with the old one


def test_a_run_that_goes_on_adopts_what_succeeded_effects_included(failed, tmp_path):
    (tmp_path / "flag").touch()
    first = failed.run.id
    failed.begin(failed.params, identity="2", resumed=first)
    assert failed.run.record.resumed == first
    steps = ["write", "add", "stop_at", "add-2", ":end"]
    assert [failed.step(name) for name in steps] == [DONE] * 5
    assert (failed.run.state, failed.run.result) == ("succeeded", 4)
    assert (tmp_path / "lines").read_text() == "one\n"  # it is no cacheable call, and was not done again
    assert _outcome(failed, "write").source == (first, "write", "-")
    states = {name: node.state for name, node in failed.run.details.nodes.items()}
    assert states == {"write": "cached", "add": "cached", "stop_at": "succeeded", "add-2": "succeeded"}


def test_a_run_that_goes_on_looks_into_the_runs_before_that_one(failed, tmp_path):
    first = failed.run.id
    failed.begin(failed.params, identity="2", resumed=first)
    second = failed.run.id  # and was stopped before it did anything
    (tmp_path / "flag").touch()
    failed.begin(failed.params, identity="3", resumed=second)
    assert [failed.step(name) for name in ("write", "add", "stop_at", "add-2", ":end")] == [DONE] * 5
    assert (tmp_path / "lines").read_text() == "one\n"
    assert _outcome(failed, "write").source[0] == first


def test_a_run_that_goes_on_with_other_parameters_does_what_they_ask_for(failed, tmp_path):
    (tmp_path / "flag").touch()
    given = {**failed.params, "path": str(tmp_path / "other")}
    failed.begin(given, identity="2", resumed=failed.run.id)
    assert failed.step("write") == DONE
    assert (tmp_path / "other").read_text() == "one\n"


def test_a_run_that_goes_on_with_one_that_was_removed_runs_everything(failed, tmp_path):
    failed.begin(failed.params, identity="2", resumed="reference-gone")
    assert failed.step("write") == DONE
    assert (tmp_path / "lines").read_text() == "one\none\n"
