"""Why nodes of a run became what they are, and what would be stale if something changed; of real runs."""

from __future__ import annotations

import importlib.util
import json
import linecache
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from drawloom import Catalog, StoreError
from drawloom.catalog.history import EarlierRun, History, latest_runs
from drawloom.catalog.impact import Impact, Subject, artifact_impact, function_impact, is_function
from drawloom.catalog.reasons import KINDS, CallFacts, age_text, differences, reasons_of
from drawloom.catalog.records import Commit, RunStarted
from drawloom.catalog.run import Run
from drawloom.catalog.value_changes import value_change
from drawloom.dsl.tracing import trace
from drawloom.values.ref import ValueRef

Load = Callable[..., ModuleType]

FLOW = """
from drawloom import Cache, Retry, branch, for_each, pipeline, task, try_, while_loop

OFFSET = 1

def helper(n):
    return n + OFFSET

class Model:
    size: int = 3

@task
def load(n: int) -> list[int]:
    return list(range(n))

@task
def double(n: int) -> int:
    if n == 13:
        raise ValueError("unlucky")
    return 2 * helper(n)

@task
def total(numbers: list[int]) -> int:
    return sum(numbers) + Model.size

@task
def text(n: int) -> str:
    return "x" * n

@task
def note(n: int) -> None:
    print(n)

@pipeline
def flow(n: int, bonus: int = 1) -> int:
    items = load(n)
    doubled = for_each(items, double)
    s = total(doubled)
    note(bonus)
    return total([s, bonus])

@pipeline
def chosen(n: int, limit: int) -> int:
    s = double(n)
    def yes():
        return double(s)
    def no():
        return total([s])
    return branch(s > limit, yes, no)

@pipeline
def tried(n: int) -> int:
    def body():
        return double(n)
    def handler(failure):
        return total([n])
    return try_(body, {ValueError: handler})

@pipeline
def looped(n: int) -> int:
    return while_loop(lambda state: state < 10, lambda state: double(state), n, max_iterations=5, on_limit="stop")

@pipeline
def texts(n: int) -> str:
    return text(n)

@pipeline
def reader(words: str) -> int:
    return total([length(words)])

@task
def length(words: str) -> int:
    return len(words)
"""


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    def write(old: str = "", new: str = "") -> ModuleType:
        path = tmp_path / "why_flows.py"
        path.write_text(FLOW.replace(old, new) if old else FLOW, encoding="utf-8")
        linecache.checkcache(str(path))
        spec = importlib.util.spec_from_file_location("why_flows", path)
        assert spec is not None
        module = sys.modules["why_flows"] = importlib.util.module_from_spec(spec)
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)
        return module

    yield write
    sys.modules.pop("why_flows", None)


def run(pipeline: Any, catalog: Catalog, **params: Any) -> Run:
    return pipeline.options(catalog=catalog, executor="inline").run(**params)


def told(found: Run, node: str, *index: int) -> str:
    groups = found.why(node, index or None).groups
    assert all(reason.kind in KINDS for group in groups for reason in group.reasons)
    return " | ".join("; ".join(reason.text for reason in group.reasons) for group in groups)


def test_a_first_run_never_ran_before(load: Load, catalog: Catalog) -> None:
    first = run(load().flow, catalog, n=2)
    assert told(first, "items") == "never ran before"
    assert "effect" in told(first, "note")
    assert told(first, "doubled") == "2 items; it is what the nodes in it are"
    answer = first.why("items")
    assert (answer.compared, answer.state, answer.kind) == ("", "succeeded", "call")


def test_a_later_run_is_compared_with_the_one_before(load: Load, catalog: Catalog) -> None:
    first = run(load().flow, catalog, n=2)
    later = run(load().flow, catalog, n=3)
    assert later.why("items").compared == first.id
    assert told(later, "items") == "input `n` changed: 2 -> 3"
    assert told(later, "doubled/double", 0).startswith(f"same code and inputs as in {first.id}")
    assert told(later, "doubled/double", 2) == "never ran before for [2], only for others"
    groups = later.why("doubled/double").groups
    assert [(group.state, group.count) for group in groups] == [("cached", 2), ("succeeded", 1)]


def test_changed_code_is_named_with_its_diff(load: Load, catalog: Catalog) -> None:
    run(load().flow, catalog, n=2)
    later = run(load("n + OFFSET", "n - OFFSET").flow, catalog, n=2)
    assert told(later, "doubled/double") == "code changed: function why_flows:helper"
    (part,) = later.why("doubled/double").groups[0].reasons[0].parts
    assert "+    return n - OFFSET" in part.diff()
    # who asks an older run is told what was then, whatever came later
    assert told(catalog.runs()[-1], "doubled/double", 0) == "never ran before"


def test_an_answer_of_another_node_is_named(load: Load, catalog: Catalog) -> None:
    first = run(load().chosen, catalog, n=3, limit=0)
    assert first.state == "succeeded"
    later = run(load().tried, catalog, n=3)
    assert "(s)" in told(later, "try/double")
    assert first.id in told(later, "try/double")


def test_what_is_behind_a_failure_goes_back_to_it(load: Load, catalog: Catalog) -> None:
    failed = run(load().flow, catalog, n=14)
    assert told(failed, "doubled/double", 13) == "ValueError: unlucky; never ran before"
    assert told(failed, "doubled") == "`doubled/double[13]` failed: ValueError: unlucky"
    assert told(failed, "s") == "`doubled/double[13]` failed: ValueError: unlucky"
    assert "`doubled/double[13]` failed" in told(failed, "total")
    assert failed.why("total").groups[0].reasons[0].nodes[-1] == "doubled/double"


def test_what_a_failure_cancelled_goes_back_to_it(load: Load, catalog: Catalog) -> None:
    module = load("    items = load(n)\n", "    items = load(n)\n    broken = double(13)\n")
    found = run(module.flow, catalog, n=3)
    cancelled = [node.id for node in found.nodes() if node.state == "cancelled"]
    assert cancelled
    for node in cancelled:
        assert told(found, node) == "`broken` failed, and that ended the run (fail_fast)", node


def test_an_arm_that_was_not_taken_is_told(load: Load, catalog: Catalog) -> None:
    found = run(load().chosen, catalog, n=3, limit=0)
    assert told(found, "branch/total") == "`branch` took another arm"
    assert told(run(load().tried, catalog, n=3), "try/total") == "the body of `try` didn't fail"
    handled = run(load().tried, catalog, n=13)
    assert told(handled, "try/double") == "ValueError: unlucky; input `n` changed: 3 -> 13"
    assert handled.why("try/total").state == "succeeded"


def test_a_run_without_the_cache_says_that_nothing_changed(load: Load, catalog: Catalog) -> None:
    run(load().looped, catalog, n=1)
    found = load().looped.options(catalog=catalog, cache=False).run(n=1)
    assert "nothing had changed since" in told(found, "while_loop/double", 0)


def test_another_cache_version_and_an_expired_result_are_told(load: Load, catalog: Catalog) -> None:
    run(load().looped, catalog, n=1)
    found = run(load("@task\ndef double", '@task(cache=Cache(version="2"))\ndef double').looped, catalog, n=1)
    assert told(found, "while_loop/double", 0) == "cache version changed: '' -> '2'"


def test_who_asks_for_what_is_not_there_is_refused(load: Load, catalog: Catalog) -> None:
    found = run(load().flow, catalog, n=2)
    with pytest.raises(StoreError, match="S454"):
        found.why("nonesuch")
    with pytest.raises(StoreError, match="S456"):
        found.why("doubled/double", (9,))


def test_a_map_without_items_has_no_instances_to_tell_of(load: Load, catalog: Catalog) -> None:
    found = run(load().flow, catalog, n=0)
    assert told(found, "doubled/double") == "`doubled` has no item or iteration with it"


def test_ages_are_short() -> None:
    assert [age_text(seconds) for seconds in (0, 0.44, 40, 60, 119, 7300, 100_000, 200_000)] == [
        "0.0 s", "0.4 s", "40 s", "1 min", "2 min", "2 h", "28 h", "2 days",
    ]  # fmt: skip


# the environment, which a run may or may not have looked at


def facts(environment: str, tree: Any) -> CallFacts:
    return CallFacts("f", (), environment, "", "k", lambda: None, lambda: tree, lambda _: (False, None))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            {"python": "3.11", "packages": [["a", "1"], ["b", "1"], ["gone", "2"]]},
            {"python": "3.12", "packages": [["a", "2"], ["b", "1"], ["new", "3"]]},
            "environment changed: Python 3.11 -> 3.12, a 1 -> 2, gone 2 removed, 1 more",
        ),
        (None, {"python": "3.12", "packages": []}, "environment changed (how, isn't recorded)"),
        ([1], {"python": "3.12", "packages": []}, "environment changed (how, isn't recorded)"),
    ],
)
def test_a_changed_environment_is_told_package_by_package(
    catalog: Catalog, before: Any, after: Any, expected: str
) -> None:
    if before is not None:
        catalog.storage.create(f"environments/{'a' * 64}.json", json.dumps(before).encode())
    commit = Commit("r", "n", function="f", environment="a" * 64)
    earlier = EarlierRun(catalog.storage, catalog.values, RunStarted("r", "p", "0" * 64))
    now = facts("b" * 64, after)
    moved = differences(now, earlier, commit, commit)
    history = History(catalog.storage, catalog.values, "p")
    assert [reason.text for reason in reasons_of(moved, now, history, (earlier, commit))] == [expected]
    assert differences(facts("", after), earlier, commit, commit) == (), "nobody looked"


@pytest.mark.parametrize(
    ("old", "new", "short"),
    [
        ([1, 2], [1, 3], "[1, 2] -> [1, 3]"),
        (None, 0, "None -> 0"),
        ("a" * 100, "a" * 100 + "b", None),
        ({"k\n": 1}, {"k\n": 2}, "{'k\\n': 1} -> {'k\\n': 2}"),
        (float("nan"), 1.0, "nan -> 1.0"),
    ],
)
def test_values_are_compared_by_what_is_seen(catalog: Catalog, old: Any, new: Any, short: str | None) -> None:
    trees = [catalog.values.encode(value) for value in (old, new)]
    refs = [catalog.values.ref(tree) for tree in trees]
    text, lines = value_change(refs[0], refs[1], (True, trees[0]), (True, trees[1]))
    assert text == short if short is not None else refs[0].digest[:12] in text
    assert all("\n" not in line for line in (text, *lines))
    unknown, _ = value_change(refs[0], ValueRef("f" * 64, 10), (True, trees[0]), (False, None))
    assert unknown.endswith("ffffffffffff (10 B)")


# impact


def subjects(catalog: Catalog) -> list[Subject]:
    return [
        Subject(catalog.load_program(found.started.program), found.id, found)
        for found in latest_runs(catalog.storage, catalog.values).values()
    ]


def stale(impact: Impact) -> dict[str, list[str]]:
    return {pipeline.pipeline: [node.id for node in pipeline.nodes] for pipeline in impact.pipelines}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("why_flows:load", ["items", "doubled", "doubled/double", "s", "total"]),
        ("why_flows:double", ["doubled", "doubled/double", "s", "total"]),
        ("why_flows:helper", ["doubled", "doubled/double", "s", "total"]),
        ("why_flows.py:OFFSET", ["doubled", "doubled/double", "s", "total"]),
        ("src/why_flows.py:Model", ["s", "total"]),
        ("why_flows:note", ["note"]),
    ],
)
def test_a_changed_function_makes_all_stale_that_reaches_it_and_what_is_behind(
    load: Load, catalog: Catalog, name: str, expected: list[str]
) -> None:
    run(load().flow, catalog, n=2)
    found = function_impact(catalog.storage, subjects(catalog), name)
    assert stale(found) == {"flow": expected}
    assert (found.pipelines[0].results == ("flow",)) is (expected != ["note"])
    assert all(node.where is not None for node in found.pipelines[0].nodes)


def test_a_target_is_looked_at_as_it_is_now(load: Load, catalog: Catalog) -> None:
    given = [Subject(trace(load().tried, {}).program)]
    found = function_impact(catalog.storage, given, "why_flows:helper")
    assert stale(found) == {"tried": ["try", "try/double"]}
    assert found.pipelines[0].tasks == ("why_flows:double",)


def test_loops_carry_staleness_round(load: Load, catalog: Catalog) -> None:
    run(load().looped, catalog, n=1)
    assert stale(function_impact(catalog.storage, subjects(catalog), "why_flows:helper")) == {
        "looped": ["while_loop", "while_loop/double"]
    }
    assert stale(artifact_impact(subjects(catalog), "looped/params/n")) == {
        "looped": ["while_loop", "while_loop/double"]
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("flow/items", ["doubled", "doubled/double", "s", "total"]),
        ("flow/doubled", ["s", "total"]),
        ("flow/doubled/double[1]:metric", ["doubled", "s", "total"]),
        ("flow/params/bonus", ["note", "total"]),
        ("flow/total", []),
    ],
)
def test_a_changed_artifact_makes_all_stale_that_is_behind_it(
    load: Load, catalog: Catalog, name: str, expected: list[str]
) -> None:
    run(load().flow, catalog, n=2)
    assert stale(artifact_impact(subjects(catalog), name)) == {"flow": expected}


def test_a_value_that_another_pipeline_was_given_makes_it_stale_too(load: Load, catalog: Catalog) -> None:
    made = run(load().texts, catalog, n=1000)
    run(load().reader, catalog, words=made.result)
    expected = {"reader": ["length", "total"]}
    assert stale(artifact_impact(subjects(catalog), "texts")) == expected
    assert stale(artifact_impact(subjects(catalog), "texts/text")) == {"texts": [], **expected}


def test_names_nobody_has_are_refused_with_a_hint(load: Load, catalog: Catalog) -> None:
    run(load().flow, catalog, n=2)
    with pytest.raises(StoreError, match=r"P655.*why_flows:helpr.*did you mean `why_flows:helper`"):
        function_impact(catalog.storage, subjects(catalog), "why_flows:helpr")
    with pytest.raises(StoreError, match=r"P657.*flow/itemz.*did you mean `flow/items`"):
        artifact_impact(subjects(catalog), "flow/itemz")
    with pytest.raises(StoreError, match="P655"):
        function_impact(catalog.storage, [], "{{x}}:\n☃")


def test_functions_and_artifacts_are_told_apart() -> None:
    assert [is_function(name) for name in ("m:f", "a/b.py:f", "a.b:C.m", "churn/x", "churn", "churn/x:metric")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
