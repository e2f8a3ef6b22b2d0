"""Runs that an engine clears in part: what was cleared runs again, what wasn't is kept, whoever reads it first."""

from __future__ import annotations

import pytest
import step_samples as samples

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.outcomes import read_commit
from drawloom.ir.protocol import DONE, FAILED_FINAL, SKIPPED
from drawloom.runtimes.call import Instance


def _again(flow, generation):
    """The reference that an engine gives steps once it has cleared something so often."""
    flow.reference = f"{flow.reference.rpartition('.')[0]}.{generation}"


def _outcome(flow, node, index=()):
    run, _, generation = flow.reference.rpartition(".")
    found = read_commit(flow.catalog.storage, run, int(generation), node, index)
    return found.outcome if found is not None else None


def _lines(tmp_path):
    return (tmp_path / "lines").read_text().splitlines()


@pytest.fixture
def failed(publish, tmp_path):
    """A run whose second call failed, with the effect before it done once; it is over."""
    flow = publish(samples.effect_then_failure)
    flow.params = {"path": str(tmp_path / "lines"), "flag": str(tmp_path / "flag")}
    flow.begin(flow.params, first=True)
    assert [flow.step("write"), flow.step("add"), flow.step("stop_at")] == [DONE, DONE, FAILED_FINAL]
    assert [flow.step("add-2"), flow.step(":end")] == [SKIPPED, FAILED_FINAL]
    return flow


def test_what_was_not_cleared_is_kept_and_what_was_is_done_again(failed, tmp_path):
    (tmp_path / "flag").touch()
    _again(failed, 1)
    assert [failed.step("stop_at"), failed.step("add-2"), failed.step(":end")] == [DONE, DONE, DONE]
    assert len(_lines(tmp_path)) == 1
    run = failed.run
    assert (run.state, run.details.generation) == ("succeeded", 1)
    assert {name: node.state for name, node in run.details.nodes.items()} == dict.fromkeys(
        ["write", "add", "stop_at", "add-2"], "succeeded"
    )
    assert failed.catalog.verify() == []


def test_a_run_that_was_cleared_is_carried_into_another_catalog(failed, tmp_path):
    (tmp_path / "flag").touch()
    _again(failed, 1)
    assert [failed.step("stop_at"), failed.step("add-2"), failed.step(":end")] == [DONE, DONE, DONE]
    failed.catalog.export_to(tmp_path / "run.zip", failed.run.id)
    other = Catalog.open(tmp_path / "other")
    other.import_from(tmp_path / "run.zip")
    assert other.run(failed.run.id).details == failed.run.details
    assert other.verify() == []


def test_a_cleared_step_that_succeeded_is_done_again_though_the_cache_has_it(failed):
    _again(failed, 1)
    before = failed.run.commits()["add", ()]
    assert failed.step("add") == DONE
    now = failed.run.commits()["add", ()]
    assert (before.outcome, now.outcome) == ("succeeded", "succeeded")
    assert now.at > before.at


def test_what_failed_and_was_not_cleared_stays_a_failure(failed, tmp_path):
    (tmp_path / "flag").touch()
    _again(failed, 1)
    assert failed.step(":end") == FAILED_FINAL
    assert failed.run.state == "failed"
    assert failed.run.details.nodes["stop_at"].state == "failed"


def test_a_cleared_step_that_was_lost_has_no_outcome_of_an_earlier_generation(failed, monkeypatch):
    def lose(*_: object, **__: object) -> None:
        raise OSError("the machine is gone")

    _again(failed, 1)
    monkeypatch.setattr(Instance, "_commit", lose)
    with pytest.raises(OSError, match="gone"):
        failed.step("add")
    monkeypatch.undo()
    assert failed.step(":end") == FAILED_FINAL
    assert failed.run.details.nodes["add"].state == "failed"


def test_generations_may_be_left_out_where_an_engine_clears_more_than_once_before_it_runs(failed, tmp_path):
    (tmp_path / "flag").touch()
    _again(failed, 3)
    assert [failed.step("stop_at"), failed.step("add-2"), failed.step(":end")] == [DONE, DONE, DONE]
    assert failed.run.details.generation == 3
    _again(failed, 4)
    assert failed.step("add-2") == DONE
    assert _outcome(failed, "add-2") == "succeeded"


def test_a_begin_that_is_cleared_begins_the_next_generation(failed, tmp_path):
    (tmp_path / "flag").touch()
    assert failed.begin(failed.params, first=False, clears=1) == DONE
    assert failed.reference.endswith(".1")
    assert failed.begin(failed.params, first=False, clears=1) == DONE  # it was lost, and is started again
    assert failed.reference.endswith(".1")
    names = ["write", "add", "stop_at", "add-2", ":end"]
    assert [failed.step(name) for name in names] == [DONE] * 5
    assert len(_lines(tmp_path)) == 2


def test_a_run_that_was_deleted_there_and_begun_again_keeps_nothing(failed, tmp_path):
    (tmp_path / "flag").touch()
    assert failed.begin(failed.params, first=True) == DONE
    assert failed.reference.endswith(".1")
    assert failed.step(":end") == FAILED_FINAL
    assert failed.run.details.nodes["write"].state == "failed"  # it was never run in this one


def test_a_begin_that_says_nothing_of_clearing_adopts_the_run_there_is(failed):
    before = failed.reference
    assert failed.begin(failed.params) == DONE
    assert failed.reference == before


def test_a_map_whose_items_ran_again_has_a_list_of_the_new_ones(publish):
    flow = publish(samples.deciding)
    flow.begin({"numbers": [1, 2, 3], "limit": 1}, first=True)
    assert [flow.step("sums:decide"), flow.step("sums/add", "0;1"), flow.step("sums/add", "2")] == [DONE] * 3
    assert [flow.step("grown:decide", "0"), flow.step("branch:decide"), flow.step(":end")] == [DONE] * 3
    first, written = flow.run.result, flow.run.commits()["sums", ()].at
    assert first == ([2, 3, 4], 0)
    _again(flow, 1)
    assert [flow.step("sums/add", "1"), flow.step(":end")] == [DONE, DONE]
    assert flow.run.result == first
    assert flow.run.commits()["sums", ()].at > written
    assert set(flow.run.details.nodes["sums"].instances.values()) == {"succeeded"}


# an engine that starts the steps of every arm, and those behind a failure


def test_a_step_of_an_arm_that_was_not_chosen_leaves_nothing(publish):
    flow = publish(samples.deciding)
    flow.begin({"numbers": [], "limit": 1})
    assert [flow.step("grown:decide", "0"), flow.step("branch:decide")] == [DONE, DONE]
    assert flow.step("branch/add", after="done") == SKIPPED
    assert _outcome(flow, "branch/add") is None
    assert flow.step("branch/add") == DONE  # an engine that follows the plan is trusted


def test_a_step_behind_one_that_was_lost_leaves_it_to_the_end_to_say_so(publish, tmp_path):
    flow = publish(samples.effect_then_failure)
    flow.begin({"path": str(tmp_path / "lines"), "flag": ""})
    assert flow.step("add-2", after="ended") == SKIPPED
    assert _outcome(flow, "add-2") is None
    assert flow.step(":end", after="ended") == FAILED_FINAL
    assert flow.run.details.nodes["write"].state == "failed"
