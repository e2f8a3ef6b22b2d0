"""The two steps around what an engine has of its own: what it is given, as texts, and what becomes of what it gives."""

from __future__ import annotations

import json
import sys
import time
from base64 import b64encode
from pathlib import Path

import pytest

FLOWS = Path(__file__).parents[1] / "engines" / "argo" / "flows"
sys.path[:0] = [path for path in (str(FLOWS),) if path not in sys.path]

import owned  # noqa: E402  # found by the path above

from drawloom.catalog.outcomes import read_commit  # noqa: E402
from drawloom.ir.protocol import DONE, FAILED_FINAL, SKIPPED, WANTED  # noqa: E402
from drawloom.runtimes import engine_give, engine_take  # noqa: E402

HOSTILE = ["", "y", "1e-7", "${HOME}", "a\nb\n", "'\"`\\", "}} {", "☃😀", "\t lead ", "a\r\nb\r"]


class Own:
    """One call of what an engine has of its own; the test is the engine."""

    def __init__(self, published, node, folder, index="-", attempt=1):
        self.out = folder / f"{node.replace('/', '-')}-{index}-{attempt}"
        self.out.mkdir()
        self.base = ["--store", published.store, "--project", "default", "--run", published.reference]
        self.base += ["--index", index, "--attempt", f"1+{attempt - 1}"]
        self.node = node

    def give(self):
        return engine_give.main([*self.base, "--step", f"{self.node}:give", "--out", str(self.out)])

    @property
    def wanted(self):
        return self._read(WANTED) == "true"

    def given(self, name):
        return self._read(name)

    def _read(self, name):
        text = (self.out / name).read_bytes().decode("utf-8")
        return text.removesuffix("\n")  # as Argo takes one away

    def take(self, status="Succeeded", **results):
        told = ",".join(f"{name}={b64encode(text.encode()).decode()}" for name, text in results.items())
        return engine_take.main([*self.base, "--step", self.node, "--status", status, "--told", told])


@pytest.fixture
def begun(publish):
    def begin(pipeline, **params):
        found = publish(pipeline, "argo")
        assert found.begin(params) == DONE
        return found

    return begin


def commit_of(published, node, index=()):
    run, _, generation = published.reference.rpartition(".")
    return read_commit(published.catalog.storage, run, int(generation), node, index)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_reaches_the_engine_and_comes_back_unchanged(begun, tmp_path, text):
    flow = begun(owned.behind, text=text)
    own = Own(flow, "twice", tmp_path)
    assert [flow.step("fall"), own.give()] == [DONE, DONE]
    assert (own.wanted, own.given("text")) == (True, text)
    assert [own.take(result=2 * text), flow.step(":end")] == [DONE, DONE]
    assert flow.run.result == 2 * text
    (attempt,) = [node.attempts for node in flow.run.nodes() if node.id == "twice"]
    assert attempt == 1


def test_numbers_and_lists_are_json_in_which_braces_mean_nothing(begun, tmp_path):
    flow = begun(owned.kinds, text="abc", numbers=[1, 2])
    own = Own(flow, "measure", tmp_path)
    assert own.give() == DONE
    assert (own.given("text"), own.given("numbers"), own.given("flag")) == ("abc", "[1, 2]", "true")
    assert own.take(length="3", total='{"sum": 3, "flag": true}') == DONE
    assert [flow.step("described"), flow.step(":end")] == [DONE, DONE]
    assert flow.run.result == "3 [('flag', True), ('sum', 3)]"


def test_braces_in_json_are_spelled_so_that_an_engine_reads_no_template(begun, tmp_path):
    flow = begun(owned.listed, texts=["{{workflow.name}}", "{{{"])
    own = Own(flow, "joined", tmp_path)
    assert own.give() == DONE
    assert "{{" not in own.given("texts")
    assert json.loads(own.given("texts")) == ["{{workflow.name}}", "{{{"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{x}}", "it has `{{`, which the engine would read as a template"),
        ("\ud800", "no text can hold it: "),
        ("x" * 70_000, "the inputs have 70,000 bytes; the engine takes 65,536"),
    ],
)
def test_what_can_not_be_handed_over_fails_the_node_and_nothing_is_run(begun, tmp_path, text, told):
    flow = begun(owned.behind, text=text)
    own = Own(flow, "twice", tmp_path)
    assert [flow.step("fall"), own.give()] == [DONE, FAILED_FINAL]
    assert (own.wanted, own.given("text")) == (False, "")
    assert told in commit_of(flow, "twice").failure.message
    assert "R564" in commit_of(flow, "twice").failure.message


def test_how_it_ended_becomes_how_the_node_ended(begun, tmp_path):
    flow = begun(owned.failing, code=3)
    own = Own(flow, "ending", tmp_path)
    assert [own.give(), own.take("Failed")] == [DONE, FAILED_FINAL]
    assert commit_of(flow, "ending").failure.message.startswith(
        "error[R565] what the engine ran for task `owned:ending` ended as Failed"
    )
    assert own.take() == FAILED_FINAL  # the first one counts


@pytest.mark.parametrize("text", ["many", "", "1.5", "None"])
def test_what_is_not_of_the_declared_type_fails_the_node(begun, tmp_path, text):
    flow = begun(owned.no_number)
    own = Own(flow, "wordy", tmp_path)
    assert [own.give(), own.take(result=text)] == [DONE, FAILED_FINAL]
    assert f"R566] what the engine ran for task `owned:wordy` ended well and gave {text!r}" in (
        commit_of(flow, "wordy").failure.message
    )


def test_nothing_is_run_where_what_comes_before_has_failed(begun, tmp_path):
    flow = begun(owned.behind, text="bad")
    own = Own(flow, "twice", tmp_path)
    assert [flow.step("fall"), own.give()] == [FAILED_FINAL, SKIPPED]
    assert not own.wanted


def test_a_contained_one_tells_the_engine_to_go_on(begun, tmp_path):
    flow = begun(owned.handled, codes=[3])
    nodes = sorted(place for place in flow.steps if place.endswith(":give"))
    ending, twice = (Own(flow, name.removesuffix(":give"), tmp_path, "0") for name in nodes)
    assert flow.step(next(name for name in flow.steps if name.endswith(":decide") and "/" not in name)) == DONE
    assert [ending.give(), ending.take("Failed")] == [DONE, DONE]
    assert [twice.give(), twice.wanted, twice.take("Skipped")] == [DONE, False, DONE]
    assert commit_of(flow, twice.node, (0,)).outcome == "skipped"


def test_a_step_that_comes_after_the_end_of_the_run_changes_nothing(begun, tmp_path):
    flow = begun(owned.behind, text="a")
    own = Own(flow, "twice", tmp_path)
    assert [flow.step("fall"), own.give(), flow.step(":end")] == [DONE, DONE, FAILED_FINAL]
    ended = flow.run.state
    assert [own.take(result="aa"), Own(flow, "twice", tmp_path, attempt=2).give()] == [FAILED_FINAL, FAILED_FINAL]
    assert flow.run.state == ended
    assert commit_of(flow, "twice").outcome == "failed"


def test_a_step_that_comes_after_the_time_of_the_run_gives_up(begun, tmp_path):
    flow = begun(owned.limited, text="a")
    own = Own(flow, "twice", tmp_path)
    assert own.give() == DONE
    time.sleep(1.2)
    assert own.take(result="aa") == FAILED_FINAL
    flow.step(":end")
    assert (flow.run.state, commit_of(flow, "twice")) == ("failed", None)


def test_a_second_start_of_either_step_adopts_what_is_there(begun, tmp_path):
    flow = begun(owned.behind, text="a")
    assert flow.step("fall") == DONE
    first, second = Own(flow, "twice", tmp_path), Own(flow, "twice", tmp_path, attempt=2)
    assert [first.give(), second.give()] == [DONE, DONE]
    assert second.wanted  # the first was lost before the engine heard of it
    assert [second.take(result="aa"), first.take(result="other")] == [DONE, DONE]
    assert commit_of(flow, "twice").attempt == 2
    assert flow.step(":end") == DONE
    assert flow.run.result == "aa"
