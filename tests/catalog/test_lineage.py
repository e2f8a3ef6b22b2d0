"""Lineage and readers: by the pipeline's edges, across runs, through everything that only passes a value on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from drawloom import File, api, branch, for_each, pipeline, task, while_loop
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.edges import Edge, edges, wiring
from drawloom.catalog.facts import Facts
from drawloom.catalog.lineage import Execution, Lineage, VersionNode
from drawloom.catalog.queries import RunFilter
from drawloom.catalog.records import Commit, Decision, RunFinished, RunStarted
from drawloom.catalog.runlog import RunWriter, read_records, write_run
from drawloom.errors import StoreError
from drawloom.ir.nodes import Block, Branch, Call, Case, Map, Pipeline
from drawloom.ir.operands import Item, Operand, Output, Param
from drawloom.ir.tasks import Port


@dataclass
class Split:
    train: int
    test: int


@task
def split(n: int) -> Split:
    return Split(n, n + 1)


@task
def fit(n: int) -> int:
    return n * 10


@task
def three() -> int:
    return 3


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task
def save(n: int) -> File:
    Path("made.txt").write_text(f"{n}")
    return File("made.txt")


@task
def size(f: File) -> int:
    return len(Path(f.path).read_text())


@pipeline
def parts(n: int) -> int:
    both = split(n)
    model = fit(both.train)
    return add(model, both.test)


@pipeline
def mapped(n: int, xs: list[int] = [1, 2, 3]) -> int:  # noqa: B006  # a default as users write it
    offset = fit(n)
    fits = for_each(xs, lambda x: add(fit(x), offset))
    return total(fits)


@pipeline
def chosen(n: int) -> int:
    low = fit(n)
    high = add(n, n)
    test = fit(n + 1)
    picked = branch(test > 25, lambda: high, lambda: low)
    return fit(picked)


@pipeline
def looped(n: int) -> int:
    start = fit(n)
    end = while_loop(lambda x: x < 500, lambda x: add(x, start), start, max_iterations=100)
    return fit(end)


@pipeline
def exports(n: int) -> File:
    return save(n)


@pipeline
def imports(given: File, n: int = 3) -> int:
    return add(size(given), n)


def run(flow: Any, catalog: Catalog, **params: Any) -> str:
    found = api.run(flow, params, catalog=catalog, executor="inline")
    assert found.state == "succeeded", found.details.failure
    return found.id


def read_by(catalog: Catalog, name: str, version: int | None = None) -> set[tuple[str, str]]:
    return {(reader.node, reader.port) for reader in catalog.version(name, version).read_by}


def versions(lineage: Lineage) -> set[str]:
    return {node.id for node in lineage.nodes if isinstance(node, VersionNode)} - {lineage.root}


def test_a_part_of_a_value_counts_as_the_value(catalog: Catalog) -> None:
    run(parts, catalog, n=2)
    assert read_by(catalog, "parts/both") == {("model", "n"), ("add", "b")}
    assert versions(catalog.lineage("parts", direction="up")) == {
        "parts/add@1",
        "parts/model@1",
        "parts/both@1",
        "parts/params/n@1",
    }


def test_an_equal_value_of_elsewhere_is_no_reader(catalog: Catalog) -> None:
    @pipeline
    def equal(n: int) -> int:
        made = three()  # noqa: F841  # its name is the node's
        return add(n, n)

    run(equal, catalog, n=3)
    assert catalog.version("equal/made").digest == catalog.version("equal/params/n").digest
    assert read_by(catalog, "equal/made") == set()
    assert catalog.lineage("equal/made", direction="down").nodes[1:] == ()


def test_a_map_reads_its_items_and_what_its_body_takes_from_outside(catalog: Catalog) -> None:
    run(mapped, catalog, n=4)
    assert {node for node, _ in read_by(catalog, "mapped/offset")} == {"fits/add"}
    up = catalog.lineage("mapped/fits", direction="up")
    assert versions(up) == {"mapped/offset@1", "mapped/params/n@1", "mapped/params/xs@1"}
    inner = {node.node: node for node in up.nodes if isinstance(node, Execution)}
    assert (inner["fits"].kind, inner["fits/add"].instances, inner["fits/fit"].function) == (
        "map",
        3,
        f"{__name__}:fit",
    )


@pytest.mark.parametrize(("n", "taken", "left"), [(1, "low", "high"), (2, "high", "low")])
def test_a_branch_is_looked_through_to_the_arm_that_was_taken(catalog: Catalog, n: int, taken: str, left: str) -> None:
    run(chosen, catalog, n=n)
    assert read_by(catalog, f"chosen/{taken}") == {("fit", "n")}
    assert read_by(catalog, f"chosen/{left}") == set()
    assert read_by(catalog, "chosen/test") == {("picked", "test")}
    assert f"chosen/{taken}@1" in versions(catalog.lineage("chosen", direction="up"))
    assert "chosen/test@1" not in versions(catalog.lineage("chosen", direction="up"))


def test_a_loop_is_looked_through_to_its_start_and_to_itself(catalog: Catalog) -> None:
    run(looped, catalog, n=5)
    assert {node for node, _ in read_by(catalog, "looped/start")} == {"end", "end/add"}
    assert "looped/start@1" in versions(catalog.lineage("looped", direction="up"))
    assert "looped@1" in versions(catalog.lineage("looped/params/n", direction="down"))


def test_what_was_answered_from_the_cache_was_made_by_the_first_run(catalog: Catalog) -> None:
    first = run(mapped, catalog, n=4)
    run(mapped, catalog, n=4)
    for name in ("mapped/offset", "mapped/fits", "mapped/total"):
        up = catalog.lineage(name, direction="up")
        assert {node.run for node in up.nodes if isinstance(node, Execution)} == {first}, name
    down = catalog.lineage("mapped/params/n", direction="down")
    called = [node for node in down.nodes if isinstance(node, Execution) and node.kind != "pipeline"]
    assert {node.run for node in called} == {first}
    assert len(catalog.version("mapped/offset").read_by) == 2  # once in each run


def test_one_task_of_two_pipelines_is_one_execution(catalog: Catalog) -> None:
    @pipeline
    def other(n: int) -> int:
        again = fit(n)
        return add(again, again)

    first = run(mapped, catalog, n=4)
    run(other, catalog, n=4)
    (made,) = [n for n in catalog.lineage("other/again", direction="up").nodes if isinstance(n, Execution)]
    assert (made.run, made.node, made.pipeline) == (first, "offset", "mapped")


def test_a_file_that_comes_back_as_a_parameter_is_followed(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(exports, catalog, n=3)
    run(imports, catalog, given=File("made.txt"))
    up = catalog.lineage("imports", direction="up")
    assert {"exports/save@1", "exports/params/n@1"} <= versions(up)
    assert "imports@1" in versions(catalog.lineage("exports/params/n", direction="down"))
    # 3 was a parameter of both, and the number is no thing of its own
    assert "imports/params/n@1" not in versions(catalog.lineage("exports/params/n"))


def test_depth_counts_versions_and_says_what_it_left_out(catalog: Catalog) -> None:
    run(parts, catalog, n=2)
    near = catalog.lineage("parts", direction="up", depth=2)
    assert (versions(near), near.truncated) == ({"parts/add@1", "parts/both@1", "parts/model@1"}, True)
    assert versions(catalog.lineage("parts", direction="up", depth=0)) == set()
    assert not catalog.lineage("parts", direction="up", depth=9).truncated


def test_its_forms(catalog: Catalog) -> None:
    run_id = run(parts, catalog, n=2)
    lineage = catalog.lineage("parts/model", direction="up")
    digests = {n.function: n.function_digest[:8] for n in lineage.nodes if isinstance(n, Execution)}
    assert lineage.to_text(ascii_only=True) == (
        "parts/model version 1  int\n\nmade from\n"
        f"`- {__name__}:fit @{digests[f'{__name__}:fit']}  in run {run_id}\n"
        "   `- n: parts/both version 1  Split\n"
        f"      `- {__name__}:split @{digests[f'{__name__}:split']}  in run {run_id}\n"
        "         `- n: parts/params/n version 1  int"
    )
    assert str(lineage).isascii() is False
    document = lineage.to_json()
    assert document["root"] == "parts/model@1"
    assert {"from": f"{run_id}/model", "to": "parts/model@1", "kind": "made", "port": "result"} in document["edges"]
    assert lineage.to_mermaid().startswith('flowchart LR\n    n0["parts/model version 1  int"]\n')


def test_what_is_no_question(catalog: Catalog) -> None:
    run(parts, catalog, n=2)
    with pytest.raises(StoreError, match="S453"):
        catalog.lineage("nothing")
    with pytest.raises(StoreError, match="S458"):
        catalog.lineage("parts", 9)
    with pytest.raises(ValueError, match="a direction among up, down, both"):
        catalog.lineage("parts", direction="sideways")


def test_a_test_that_was_not_evaluated_has_read_nothing() -> None:
    names = ("n", "a", "b", "c")
    cases = tuple(Case(Param(name), Block((), (("result", Param("n")),))) for name in names[1:])
    pipeline = Pipeline("p", body=Block((Branch("pick", cases),)))
    for chosen, read in ((0, "a"), (1, "ab"), (3, "abc")):
        found = edges(wiring(pipeline), Facts([Decision("r", "pick", value=chosen)]))
        assert found == {Edge("", name, "pick", "test") for name in read}


def test_a_map_that_was_never_whole_has_collected_nothing() -> None:
    body = Block((Call("one", "t", (("x", Item("all")),)),), (("result", Output("one")),))
    pipeline = Pipeline("p", body=Block((Map("all", Param("xs"), body, (Port("result"),)),)))
    items = Edge("", "xs", "all", "items"), Edge("", "xs", "one", "x")
    told = [Decision("r", "all", value=2), Commit("r", "one", (0,))]
    assert edges(wiring(pipeline), Facts(told)) == set(items)
    told.append(Commit("r", "one", (1,)))
    assert edges(wiring(pipeline), Facts(told)) == {*items, Edge("one", "result", "all", "result")}
    told.append(Commit("r", "all", outcome="failed"))
    assert edges(wiring(pipeline), Facts(told)) == set(items)


def test_a_long_row_of_branches_is_followed(catalog: Catalog) -> None:
    nodes: list[Branch] = []
    last: Operand = Param("n")
    for number in range(1_500):
        arm = Block((), (("result", last),))
        nodes.append(Branch(f"b{number}", (Case(Param("n"), arm),), arm))
        last = Output(f"b{number}")
    pipeline = Pipeline("p", body=Block((*nodes, Call("end", "t", (("x", last),)))))
    told = [Commit("r", "end"), *(Decision("r", node.id) for node in nodes)]
    assert Edge("", "n", "end", "x") in edges(wiring(pipeline), Facts(told))


@pytest.mark.parametrize("again", [True, False])
def test_a_wide_map_in_the_index_counts_as_its_run_does(catalog: Catalog, again: bool) -> None:
    run(mapped, catalog, n=4, xs=[1, 2])
    last = api.run(mapped, {"n": 4, "xs": [1, 2] if again else [1, 2, 3]}, catalog=catalog, executor="inline")
    rows = {row.id: row for row in catalog.run_rows(RunFilter())}
    assert rows[last.id].counts == last.counts == ({"cached": 5} if again else {"succeeded": 4, "cached": 1})
    functions = {f.name.rpartition(":")[2]: f.runs for f in catalog.functions()}
    assert functions == {"add": 2, "fit": 2, "total": 2}


def test_a_map_that_was_answered_as_a_whole_goes_back_to_the_one_that_ran(catalog: Catalog) -> None:
    first = run(mapped, catalog, n=4, xs=[1, 2])
    records = read_records(catalog.storage, first)
    told: list[Any] = []
    for record in records:
        if isinstance(record, RunStarted):
            write_run(catalog.storage, replace(record, run="z", at=record.at + 100))
        elif isinstance(record, Commit) and record.node == "fits":
            source = (first, "fits", "-")
            told.append(replace(record, run="z", outcome="cached", attempt=0, source=source, at=record.at + 100))
        elif isinstance(record, (Commit, Decision, RunFinished)) and not getattr(record, "index", ()):
            told.append(replace(record, run="z", at=record.at + 100))
    with RunWriter(catalog.storage, "z") as writer:
        for record in told:
            writer.append(record)
    readers = {(reader.run, reader.node) for reader in catalog.version("mapped/offset").read_by}
    assert readers == {(first, "fits/add"), ("z", "fits/add")}
    down = catalog.lineage("mapped/params/xs", direction="down")
    inside = {(node.run, node.node) for node in down.nodes if isinstance(node, Execution)}
    assert {place for place in inside if place[1].startswith("fits")} == {
        (first, "fits"),
        (first, "fits/fit"),
        (first, "fits/add"),
    }
