"""A map that is answered from the cache as a whole looks to everybody as if each of its items had been."""

from __future__ import annotations

import importlib
import sys

import pytest
import sample_tasks as tasks
from sample_programs import Sheet, const, out

import drawloom
from drawloom.api import run_compiled
from drawloom.catalog.catalog import Catalog
from drawloom.ir.nodes import Block, Carry, Loop, Map, Port
from drawloom.ir.operands import Apply, Carried, Item, Param
from drawloom.ir.policies import CachePolicy, Policies
from drawloom.runtimes.local import run_local

RESULT = (Port("result"),)


def mapped(sheet, policies=None, **inputs):
    given = inputs or {"a": Item("each"), "b": Param("b")}
    inner = sheet.call("sum", tasks.add, policies=policies, **given)
    body = Block((inner,), (("result", out("sum")),))
    each = Map("each", Param("items"), body, RESULT)
    return sheet.program(each, result=out("each"), params=("items", "b"))


def states(run):
    return {node.id: (node.state, node.counts) for node in run.nodes()}


def commits(run, node):
    return [index for name, index in run._refresh().commits if name == node]


@pytest.mark.parametrize("executor", ["inline", "threads", "processes"])
def test_the_same_items_are_answered_by_one_commit(catalog, executor):
    sheet = Sheet()
    program = mapped(sheet)
    params = {"items": [1, 2, 3], "b": 10}
    first = run_local(program, sheet.functions, params, catalog, executor=executor)
    again = run_local(program, sheet.functions, params, catalog, executor=executor)
    assert (again.result, commits(again, "sum")) == ([11, 12, 13], [])
    assert states(again) == {"each": ("cached", {"cached": 1}), "sum": ("cached", {"cached": 3})}
    assert [again.load("sum", (k,)) for k in range(3)] == [first.load("sum", (k,)) for k in range(3)] == [11, 12, 13]
    assert again.load("each") == [11, 12, 13]
    assert again.counts == {"cached": 2}


def test_one_changed_item_runs_alone(catalog):
    sheet = Sheet()
    program = mapped(sheet)
    run_local(program, sheet.functions, {"items": [1, 2, 3], "b": 10}, catalog)
    again = run_local(program, sheet.functions, {"items": [1, 5, 3], "b": 10}, catalog)
    assert again.result == [11, 15, 13]
    assert states(again)["sum"][1] == {"succeeded": 1, "cached": 2}


@pytest.mark.parametrize(
    "changed", [{"items": [3, 2, 1], "b": 10}, {"items": [1, 2, 3], "b": 11}, {"items": [1, 2], "b": 10}]
)
def test_other_items_another_order_or_another_captured_value_are_not(catalog, changed):
    sheet = Sheet()
    program = mapped(sheet)
    run_local(program, sheet.functions, {"items": [1, 2, 3], "b": 10}, catalog)
    again = run_local(program, sheet.functions, changed, catalog)
    assert again.result == [item + changed["b"] for item in changed["items"]]
    assert len(commits(again, "sum")) == len(changed["items"])


@pytest.mark.parametrize("cache", [CachePolicy(False), CachePolicy(ttl_seconds=1000.0), CachePolicy(version="2")])
def test_a_map_whose_calls_are_cached_otherwise_is_not(catalog, cache):
    sheet, other = Sheet(), Sheet()
    params = {"items": [1, 2, 3], "b": 10}
    run_local(mapped(sheet), sheet.functions, params, catalog)
    program = mapped(other, policies=Policies(cache=cache))
    again = run_local(program, other.functions, params, catalog)
    assert (again.result, len(commits(again, "sum"))) == ([11, 12, 13], 3)


def test_without_the_cache_nothing_is_looked_up(catalog):
    sheet = Sheet()
    program = mapped(sheet)
    params = {"items": [1, 2, 3], "b": 10}
    run_local(program, sheet.functions, params, catalog)
    again = run_local(program, sheet.functions, params, catalog, cache=False)
    assert states(again)["sum"] == ("succeeded", {"succeeded": 3})


def test_an_empty_map_and_one_that_failed_answer_nothing(catalog):
    sheet = Sheet()
    program = mapped(sheet)
    for _ in range(2):
        assert states(run_local(program, sheet.functions, {"items": [], "b": 1}, catalog))["sum"][0] == "skipped"
    for _ in range(2):
        failed = run_local(program, sheet.functions, {"items": [1, "x"], "b": 1}, catalog)
        assert states(failed)["each"][0] == "failed"


def test_a_list_whose_object_is_gone_is_made_again(catalog, tmp_path):
    sheet = Sheet()
    program = mapped(sheet)
    params = {"items": ["x" * 3000, "y" * 3000], "b": "z"}
    first = run_local(program, sheet.functions, params, catalog)
    for key in list(catalog.storage.keys("objects/")):
        catalog.storage.delete(key)
    again = run_local(program, sheet.functions, params, Catalog.open(str(tmp_path / "store")))
    assert again.result == first.result == ["x" * 3000 + "z", "y" * 3000 + "z"]
    assert len(commits(again, "sum")) == 2


def test_maps_in_a_loop_are_answered_iteration_by_iteration(catalog):
    sheet = Sheet()
    inner = sheet.call("sum", tasks.add, a=Item("each"), b=Carried("grow", "n"))
    each = Map("each", const([1, 2]), Block((inner,), (("result", out("sum")),)), RESULT)
    total = sheet.call("total", tasks.total, items=out("each"))
    body = Block((each, total), (("n", out("total")),))
    test = Block((), (("test", Apply("lt", (Carried("grow", "n"), const(20)))),))
    loop = Loop("grow", (Carry("n", Param("n")),), test, body, 5)
    program = sheet.program(loop, result=out("grow", "n"), params=("n",))
    first = run_local(program, sheet.functions, {"n": 0}, catalog)
    again = run_local(program, sheet.functions, {"n": 0}, catalog)
    assert again.result == first.result == 21
    assert commits(again, "sum") == []
    assert again.load("sum", (1, 0)) == first.load("sum", (1, 0)) == 4


OPERATED = """
from dataclasses import dataclass
from drawloom import for_each, pipeline, task
from drawloom.dsl.expressions import or_

@dataclass(frozen=True)
class Amount:
    value: int
    def __add__(self, other: int) -> int:
        return self.value + other

@task
def amounts(n: int) -> list[Amount]: return [Amount(n), Amount(n + 1)]
@task
def rest(n: int) -> dict[str, int]: return {"there": n}
@task
def show(x: int) -> str: return f"<{x}>"
@pipeline
def added(n: int) -> list[str]:
    return for_each(amounts(n), lambda amount: show(amount + 1))
@pipeline
def lazily(n: int) -> list[str]:
    of = rest(n)
    return for_each(amounts(n), lambda amount: show(amount + 1 or of["missing"]))
@pipeline
def missing(n: int) -> list[str]:
    of = rest(n)
    return for_each(amounts(n), lambda amount: show(of["missing"]))
"""


@pytest.fixture
def operated(tmp_path, monkeypatch):
    """Imports the pipelines above, their text changed."""

    def load(old="", new=""):
        folder = tmp_path / f"v{len(list(tmp_path.glob('v*')))}"
        folder.mkdir()
        (folder / "operated.py").write_text(OPERATED.replace(old, new))
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, "operated", raising=False)
        return importlib.import_module("operated")

    yield load
    sys.modules.pop("operated", None)


def test_an_operator_of_the_users_that_was_changed_is_applied_again(catalog, operated):
    assert drawloom.run(operated().added, {"n": 1}, catalog=catalog).result == ["<2>", "<3>"]
    changed = operated("self.value + other", "self.value + other + 100")
    assert drawloom.run(changed.added, {"n": 1}, catalog=catalog).result == ["<102>", "<103>"]


def test_what_no_item_asks_for_need_not_be_there(catalog, operated):
    assert drawloom.run(operated().lazily, {"n": 1}, catalog=catalog).result == ["<2>", "<3>"]


def test_a_call_that_is_given_what_is_not_there_fails_itself(catalog, operated):
    run = drawloom.run(operated().missing, {"n": 1}, catalog=catalog)
    assert {node.id for node in run.nodes(state="failed")} == {"for_each", "for_each/show"}


def test_what_an_engine_committed_answers_only_while_its_value_has_its_digest(catalog, operated):
    pipeline = operated().added
    made = run_compiled(pipeline, {"n": 1}, catalog=catalog)
    for key in list(catalog.storage.keys("cache/")):  # what steps look for; a local run looks into the commits
        catalog.storage.delete(key)
    changed = 0
    for key in list(catalog.storage.keys(f"runs/{made.id}/")):
        data = catalog.storage.read(key)
        if "/commits/" in key and b'"<2>"' in data:
            catalog.storage.write(key, data.replace(b'"<2>"', b'"<9>"'))
            changed += 1
    assert changed
    again = drawloom.run(pipeline, {"n": 1}, catalog=catalog)
    assert again.result == ["<2>", "<3>"]
    assert {node.id: node.counts for node in again.nodes()}["for_each/show"] == {"succeeded": 1, "cached": 1}
