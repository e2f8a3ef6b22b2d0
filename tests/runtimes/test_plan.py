"""A plan: what a run would do with each node and why, without running or writing anything."""

from __future__ import annotations

import importlib.util
import linecache
import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

import drawloom
from drawloom import Catalog, DrawloomError, Plan, RunRefused
from drawloom.errors import Span
from drawloom.ir.nodes import Block, Call, Pipeline
from drawloom.ir.program import Program
from drawloom.ir.tasks import EngineSpec, FunctionRef, TaskSpec
from drawloom.runtimes.plan import plan_local
from drawloom.runtimes.planned import group_texts
from drawloom.storage.objects import Objects
from drawloom.storage.overlay import Overlay
from drawloom.values.store import Values

sys.path[:0] = [p for p in (str(Path(__file__).parents[1] / "strategies"),) if p not in sys.path]
from lost_answers import forget_answers  # noqa: E402  # found beside these tests, imported by path

Load = Callable[..., ModuleType]

HELPERS = """
SHIFT = 1
WORD = "a"
def shifted(n):
    # a comment
    return n + SHIFT
"""
FLOW = """
from drawloom import Cache, branch, for_each, pipeline, run_info, task, try_, while_loop
import plan_helpers

@task
def load(n: int) -> list[int]:
    return list(range(n))

@task
def shift(n: int) -> int:
    if n > 1000:
        raise ValueError("too large")
    return plan_helpers.shifted(n)

@task
def total(numbers: list[int]) -> int:
    return sum(numbers)

@task
def note(n: int) -> None:
    print(n)

@task
def constant() -> int:
    return 7

@pipeline
def flow(n: int, scale: int = 2) -> int:
    items = load(n)
    shifted = for_each(items, shift)
    s = total(shifted)
    note(s)
    return total([s, scale])

@pipeline
def one(n: int) -> int:
    return shift(n)

@pipeline
def twice(n: int) -> int:
    first = shift(n)
    return shift(first)

@pipeline
def switched(n: int, limit: int) -> int:
    s = shift(n)
    def yes():
        return shift(n + 100)
    def no():
        return shift(n + 200)
    return branch(s > limit, yes, no)

@pipeline
def looped(n: int, times: int) -> int:
    return while_loop(lambda state: state < times, lambda state: shift(state), n, max_iterations=5, on_limit="stop")

@pipeline
def tried(n: int) -> int:
    def body():
        return shift(n)
    def handler(failure):
        return total([n, 0])
    def last():
        note(n)
    return try_(body, {ValueError: handler}, last)

@pipeline
def divided(n: int) -> int:
    return shift(10 // n)

@pipeline
def sourced() -> int:
    return shift(constant())

@pipeline
def named() -> str:
    return told(run_info.run_id)

@task
def told(text: str) -> str:
    return text
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Writes both modules and imports them anew; `old` is replaced by `new` in whichever has it."""
    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])

    def write(old: str = "", new: str = "", *more: str) -> ModuleType:
        found = None
        for name, text in (("plan_helpers", HELPERS), ("plan_flows", FLOW)):
            changed = text
            for one, other in zip((old, *more[::2]), (new, *more[1::2]), strict=True):
                changed = changed.replace(one, other) if one else changed
            path = folder / f"{name}.py"
            path.write_text(textwrap.dedent(changed), encoding="utf-8")
            linecache.checkcache(str(path))
            sys.modules.pop(name, None)
            spec = importlib.util.spec_from_file_location(name, path)
            assert spec is not None
            assert spec.loader is not None
            found = sys.modules[name] = importlib.util.module_from_spec(spec)
            exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), found.__dict__)  # no stale bytecode
        assert found is not None
        return found

    yield write
    for name in ("plan_flows", "plan_helpers"):
        sys.modules.pop(name, None)


def kinds(plan: Plan, node: str) -> list[str]:
    return [reason.kind for reason in plan.node(node).reasons]


def text(plan: Plan, node: str) -> str:
    return "; ".join(reason.text for reason in plan.node(node).reasons)


def states(plan: Plan) -> dict[str, str]:
    return {node.id: node.state for node in plan}


def test_a_plan_of_a_first_run_makes_no_store(load: Load, tmp_path: Path) -> None:
    where = tmp_path / "nowhere" / "store"
    plan = drawloom.plan(load().flow, {"n": 3}, catalog=str(where))
    assert not where.parent.exists()
    assert states(plan) == {
        "items": "run", "shifted": "perhaps", "shifted/shift": "perhaps", "s": "run", "note": "run", "total": "run",
    }  # fmt: skip
    assert kinds(plan, "items") == ["never-ran"]
    assert kinds(plan, "shifted/shift") == ["undecided"]
    assert (plan.compared, plan.estimate.unknown, plan.seconds) == ("", 5, 0.0)


def test_after_a_run_all_is_cached_but_what_never_is(load: Load, catalog: Catalog) -> None:
    flow = load().flow
    run = flow.options(catalog=catalog).run(n=3)
    before = sorted((key, catalog.storage.size_bytes(key)) for key in catalog.storage.keys(""))
    plan = flow.options(catalog=catalog).plan(n=3)
    assert sorted((key, catalog.storage.size_bytes(key)) for key in catalog.storage.keys("")) == before
    assert plan.counts == {"run": 1, "cached": 6}
    assert kinds(plan, "items") == ["answered"]
    assert plan.node("items").reasons[0].run == plan.compared == run.id
    assert (plan.node("note").state, kinds(plan, "note")) == ("run", ["not-cacheable"])
    assert "effect" in text(plan, "note")
    assert group_texts(plan.node("shifted/shift")) == ["3 cached"]
    assert plan.node("items").where == Span(flow.function.__code__.co_filename, plan.node("items").where.line, "flow")


def test_a_source_is_told_as_one(load: Load, catalog: Catalog) -> None:
    sourced = load().sourced.options(catalog=catalog)
    sourced.run()
    plan = sourced.plan()
    assert kinds(plan, "constant") == ["not-cacheable"]
    assert "source" in text(plan, "constant")
    assert (plan.node("shift").state, kinds(plan, "shift")) == ("perhaps", ["upstream-runs"])
    assert plan.node("shift").reasons[0].nodes == ("constant",)


def test_changed_code_is_named_down_to_the_helper(load: Load, catalog: Catalog) -> None:
    load().twice.options(catalog=catalog).run(n=3)
    plan = load("n + SHIFT", "n - SHIFT").twice.options(catalog=catalog).plan(n=3)
    assert text(plan, "first") == "code changed: function plan_helpers:shifted"
    (change,) = plan.node("first").reasons[0].parts
    assert "-    return n + SHIFT\n+    return n - SHIFT" in change.diff()
    assert (plan.node("first").state, plan.node("shift").state) == ("run", "run"), "no run had this code"
    plan = load("SHIFT = 1", "SHIFT = 2").twice.options(catalog=catalog).plan(n=3)
    assert text(plan, "first") == "code changed: constant plan_helpers:SHIFT (1 -> 2)"


def test_a_comment_changes_nothing_and_a_deep_plan_says_so(load: Load, catalog: Catalog) -> None:
    load().one.options(catalog=catalog).run(n=3)
    one = load("# a comment", "# another").one
    plan = drawloom.plan(one, {"n": 3}, catalog=catalog, deep=True)
    assert states(plan) == {"shift": "cached"}
    (part,) = plan.node("shift").reasons[0].parts
    assert (part.change, "no change of the code" in part.diff()) == ("reworded", True)


def test_code_of_an_earlier_run_may_answer_again(load: Load, catalog: Catalog) -> None:
    load().twice.options(catalog=catalog).run(n=3)
    load("n + SHIFT", "n - SHIFT").twice.options(catalog=catalog).run(n=3)
    plan = load().twice.options(catalog=catalog).plan(n=3)
    assert states(plan) == {"first": "cached", "shift": "cached"}


def test_a_changed_input_is_named_with_what_changed_in_it(load: Load, catalog: Catalog) -> None:
    flow = load().flow.options(catalog=catalog)
    flow.run(n=3)
    plan = flow.plan(n=3, scale=5)
    assert text(plan, "total") == "input `numbers` changed: [6, 2] -> [6, 5]"
    assert plan.node("total").reasons[0].lines == ("[1]: 2 -> 5",)
    plan = flow.plan(n=4)
    assert text(plan, "items") == "input `n` changed: 3 -> 4"
    assert states(plan)["s"] == "perhaps"
    assert plan.node("s").reasons[0].nodes == ("items",)


@pytest.mark.parametrize("value", ["{{x}}", "'\"\n", "☃😀", "x" * 5000, "\x1b[31m"])
def test_hostile_values_are_told_in_one_line(load: Load, catalog: Catalog, value: str) -> None:
    module = load("def constant() -> int:\n    return 7", "def constant() -> int:\n    return 7\n\n"
                  "@task\ndef say(text: str) -> str:\n    return text\n\n"
                  "@pipeline\ndef said(text: str) -> str:\n    return say(text)\n")  # fmt: skip
    said = module.said.options(catalog=catalog)
    said.run(text="before")
    plan = said.plan(text=value)
    assert kinds(plan, "say") == ["input-changed"]
    assert text(plan, "say").startswith("input `text` changed: 'before' -> ")
    assert "\n" not in text(plan, "say")
    assert len(text(plan, "say")) < 200


def test_items_are_planned_one_by_one_and_told_together(load: Load, catalog: Catalog) -> None:
    module = load("def load(n: int)", "def load(n: list[int])", "range(n)", "n", "def flow(n: int,", "def flow(n: list[int],",
                  "@task\ndef load", "@task(cache=True)\ndef load")  # fmt: skip
    each = module.flow.options(catalog=catalog)
    each.run(n=list(range(20)))
    each.run(n=[500, 501, *range(2, 20), 502])
    lost = {("shifted", ()), ("shifted/shift", (0,))}  # the map as a whole, and one of its items
    forget_answers(catalog, lambda commit: (commit.node, commit.index) in lost)
    plan = each.plan(n=[500, 501, *range(2, 20), 502])
    told = group_texts(plan.node("shifted/shift"))
    assert told[0].startswith("1 run: the result of")
    assert told[1:] == ["20 cached"]


def test_equal_calls_of_one_run_may_answer_each_other(load: Load, catalog: Catalog) -> None:
    module = load("return total([s, scale])", "return total([total([1, scale]), total([1, scale])])")
    plan = module.flow.options(catalog=catalog).plan(n=1)
    assert {"run", "perhaps"} <= set(states(plan).values())
    assert [kind for node in plan for kind in kinds(plan, node.id)].count("equal-call") == 1


def test_a_new_item_is_told_as_new(load: Load, catalog: Catalog) -> None:
    module = load("@task\ndef load", "@task(cache=False)\ndef load")
    flow = module.flow.options(catalog=catalog)
    flow.run(n=2)
    looped = module.looped.options(catalog=catalog)
    looped.run(n=0, times=2)
    plan = looped.plan(n=0, times=3)
    told = group_texts(plan.node("while_loop/shift"))
    assert told[0] == "2 cached"
    assert "only for others" in told[1]


def test_an_old_result_is_expired(load: Load, catalog: Catalog) -> None:
    one = load("@task\ndef shift", "@task(cache=Cache(ttl_seconds=2))\ndef shift").one.options(catalog=catalog)
    one.run(n=3)
    assert states(one.plan(n=3)) == {"shift": "cached"}
    time.sleep(2.1)
    plan = one.plan(n=3)
    assert (states(plan), kinds(plan, "shift")) == ({"shift": "run"}, ["expired"])
    assert text(plan, "shift").endswith("old, ttl_seconds=2")


def test_a_result_that_lost_an_object_is_incomplete(load: Load, catalog: Catalog) -> None:
    one = load("plan_helpers.shifted(n)", "0 * len(b'x') + n", "def shift(n: int) -> int", "def shift(n: int) -> bytes",
               "0 * len(b'x') + n", "b'x' * n", "def one(n: int) -> int", "def one(n: int) -> bytes",
               "n > 1000", "n > 10**9").one.options(catalog=catalog)  # fmt: skip
    run = one.run(n=100_000)
    assert run.state == "succeeded"
    assert states(one.plan(n=100_000)) == {"shift": "cached"}
    for key in list(catalog.storage.keys("objects/")):
        catalog.storage.delete(key)
    plan = one.plan(n=100_000)
    assert (states(plan), kinds(plan, "shift")) == ({"shift": "run"}, ["incomplete"])


def test_a_result_that_is_kept_no_more_is_told(load: Load, catalog: Catalog) -> None:
    one = load().one.options(catalog=catalog)
    one.run(n=3)
    forget_answers(catalog)
    assert kinds(one.plan(n=3), "shift") == ["no-entry"]


def test_another_cache_version_is_told(load: Load, catalog: Catalog) -> None:
    load().one.options(catalog=catalog).run(n=3)
    plan = load("@task\ndef shift", '@task(cache=Cache(version="b"))\ndef shift').one.options(catalog=catalog).plan(n=3)
    assert text(plan, "shift") == "cache version changed: '' -> 'b'"


def test_without_the_cache_everything_runs(load: Load, catalog: Catalog) -> None:
    one = load().one
    one.options(catalog=catalog).run(n=3)
    plan = drawloom.plan(one, {"n": 3}, catalog=catalog, cache=False)
    assert (states(plan), kinds(plan, "shift")) == ({"shift": "run"}, ["cache-off"])


def test_a_failed_node_runs_again(load: Load, catalog: Catalog) -> None:
    one = load().one.options(catalog=catalog)
    one.run(n=2000)
    plan = one.plan(n=2000)
    assert (states(plan), kinds(plan, "shift")) == ({"shift": "run"}, ["failed-before"])


def test_a_known_test_takes_one_arm_and_an_unknown_one_perhaps_both(load: Load, catalog: Catalog) -> None:
    switched = load().switched.options(catalog=catalog)
    switched.run(n=3, limit=1)
    assert states(switched.plan(n=3, limit=1)) == {
        "s": "cached", "branch": "cached", "branch/shift": "cached", "branch/shift-2": "skipped",
    }  # fmt: skip
    plan = switched.plan(n=3, limit=9)
    assert states(plan)["branch/shift"] == "skipped"
    assert states(plan)["branch/shift-2"] == "run"
    plan = switched.plan(n=5, limit=1)
    assert {states(plan)[name] for name in ("branch", "branch/shift", "branch/shift-2")} == {"perhaps"}
    assert kinds(plan, "branch/shift") == ["undecided"]


def test_a_loop_is_followed_as_far_as_it_is_known(load: Load, catalog: Catalog) -> None:
    looped = load().looped.options(catalog=catalog)
    looped.run(n=0, times=3)
    assert looped.plan(n=0, times=3).node("while_loop/shift").counts == {"cached": 3}
    plan = looped.plan(n=0, times=5)
    assert plan.node("while_loop/shift").instances == {
        (0,): "cached", (1,): "cached", (2,): "cached", (3,): "run", (4,): "perhaps",
    }  # fmt: skip


def test_a_handler_is_perhaps_run_where_the_body_may_fail(load: Load, catalog: Catalog) -> None:
    tried = load().tried.options(catalog=catalog)
    plan = tried.plan(n=3)
    assert states(plan) == {
        "try": "run", "try/shift": "run", "try/total": "perhaps", "try/note": "run",
    }  # fmt: skip
    tried.run(n=3)
    assert states(tried.plan(n=3))["try/total"] == "skipped"


def test_an_expression_that_raises_is_told_before_it_does(load: Load, catalog: Catalog) -> None:
    plan = load().divided.options(catalog=catalog).plan(n=0)
    assert (states(plan), kinds(plan, "shift")) == ({"shift": "fails"}, ["input-fails"])
    assert "ZeroDivisionError" in text(plan, "shift")


def test_what_depends_on_the_run_itself_is_known_only_in_it(load: Load, catalog: Catalog) -> None:
    named = load().named.options(catalog=catalog)
    named.run()
    plan = named.plan()
    assert (states(plan), kinds(plan, "told")) == ({"told": "perhaps"}, ["upstream-runs"])


def test_files_are_compared_by_what_they_hold_and_nothing_of_them_is_kept(
    load: Load, catalog: Catalog, tmp_path: Path
) -> None:
    module = load("@task\ndef constant", "@task\ndef size(file: File) -> int:\n    return len(file.path)\n\n"
                  "@pipeline\ndef sized(file: File) -> int:\n    return size(file)\n\n@task\ndef constant",
                  "from drawloom import Cache", "from drawloom import File, Cache")  # fmt: skip
    sized = module.sized.options(catalog=catalog)
    file = tmp_path / "data.csv"
    file.write_text("a,b\n1,2\n")
    sized.run(file=str(file))
    assert states(sized.plan(file=str(file))) == {"size": "cached"}
    file.write_text("a,b\n1,2\n" * 500)
    objects = list(catalog.storage.keys("objects/"))
    plan = sized.plan(file=str(file))
    assert text(plan, "size") == "input `file` changed: 8 B -> 4.0 kB"
    assert list(catalog.storage.keys("objects/")) == objects


def test_tables_are_compared_by_rows_and_columns(load: Load, catalog: Catalog) -> None:
    import pandas as pd

    module = load("@task\ndef constant", "@task\ndef rows(table: pd.DataFrame) -> int:\n    return len(table)\n\n"
                  "@pipeline\ndef counted(table: pd.DataFrame) -> int:\n    return rows(table)\n\n@task\ndef constant",
                  "from drawloom import Cache", "import pandas as pd\nfrom drawloom import Cache")  # fmt: skip
    counted = module.counted.options(catalog=catalog)
    counted.run(table=pd.DataFrame({"a": [1, 2], "b": [1, 2]}))
    plan = counted.plan(table=pd.DataFrame({"a": [1, 2, 3], "c": ["x", "y", "z"]}))
    assert text(plan, "rows") == "input `table` changed: rows 2 -> 3, columns 'c' added, columns 'b' removed"
    plan = counted.plan(table=pd.DataFrame({"a": [1, 2], "b": [1, 3]}))
    assert "content" in text(plan, "rows")


def test_time_and_size_come_from_earlier_runs(load: Load, catalog: Catalog) -> None:
    module = load(
        "def load(n: int) -> list[int]:", "def load(n: int) -> list[int]:\n    __import__('time').sleep(0.05)"
    )
    flow = module.flow.options(catalog=catalog)
    flow.run(n=3)
    plan = flow.plan(n=4)
    assert 0.04 < plan.node("items").estimate.least_seconds < 5
    assert plan.node("items").estimate.output_bytes > 0
    assert plan.path_seconds >= plan.node("items").estimate.least_seconds
    assert plan.seconds <= plan.most_seconds
    cached = flow.run(n=3)
    assert cached.details.nodes["items"].state == "cached"
    assert flow.plan(n=4).node("items").estimate.least_seconds > 0.04, "a cached commit leads to the one that ran"


def test_what_only_an_engine_can_run_is_refused() -> None:
    spec = TaskSpec("ml:c", FunctionRef("ml", "c"), engine=EngineSpec("airflow", "{}"))
    program = Program(Pipeline("p", tasks=(spec,), body=Block((Call("c", "ml:c"),))), {"c": Span("f.py", 3, "p")})
    storage = Overlay(None)
    with pytest.raises(RunRefused) as refused:
        plan_local(program, {}, storage, Values(Objects(storage)))
    assert [d.code for d in refused.value.diagnostics] == ["R545"]
    assert "f.py:3" in str(refused.value)


def test_a_plan_refuses_what_a_run_refuses(load: Load, catalog: Catalog) -> None:
    flow = load().flow
    with pytest.raises(RunRefused, match="R541"):
        drawloom.plan(flow, {}, catalog=catalog)
    with pytest.raises(RunRefused, match="R543"):
        drawloom.plan(flow, {"n": "3"}, catalog=catalog)


def test_a_plan_is_a_table_in_a_notebook_and_escapes_what_it_shows(load: Load, catalog: Catalog) -> None:
    module = load("def constant() -> int:\n    return 7", "def constant() -> int:\n    return 7\n\n"
                  "@task\ndef say(text: str) -> str:\n    return text\n\n"
                  "@pipeline\ndef said(text: str) -> str:\n    return say(text)\n")  # fmt: skip
    said = module.said.options(catalog=catalog)
    said.run(text="<b>before")
    html = said.plan(text="<script>")._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert repr(said.plan(text="<b>before")) == "Plan('said': 1 cached)"
    with pytest.raises(KeyError):
        said.plan(text="x").node("nonesuch")


def test_records_that_cannot_be_read_leave_the_plan_without_history(load: Load, catalog: Catalog) -> None:
    one = load().one.options(catalog=catalog)
    run = one.run(n=3)
    catalog.storage.write(f"runs/{run.id}/run.json", b"no json")
    plan = one.plan(n=4)
    assert (plan.compared, kinds(plan, "shift")) == ("", ["never-ran"])


def test_a_store_of_a_newer_drawloom_is_refused(load: Load, tmp_path: Path) -> None:
    store = tmp_path / "store"
    Catalog.open(str(store))
    (store / "store.json").write_text('{"format": 999}')
    with pytest.raises(DrawloomError, match="S405"):
        drawloom.plan(load().one, {"n": 1}, catalog=os.fspath(store))
