"""What differs between two runs, from their records alone: environments, externals, values in parts, graphs, engines."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import drawloom
from drawloom import Catalog, External, File, branch, for_each, pipeline, task, while_loop
from drawloom.catalog.diff import diff
from drawloom.catalog.keys import environment_key
from drawloom.catalog.records import Commit, RunFinished
from drawloom.catalog.runlog import RunWriter, write_run
from drawloom.ir.canonical import canonical_json, digest_json


@task
def echo(value: Any) -> Any:
    return value


@task
def size(source: File) -> int:
    return os.path.getsize(source.path)


@task
def small(n: int) -> bool:
    return n < 10


@task
def grown(n: int) -> int:
    return n + 1


@dataclass
class Setup:
    files: dict[str, File]
    place: External


@task
def read_all(setup: Setup) -> int:
    return len(setup.files)


@pipeline
def straight(n: int = 1, text: str = "") -> Any:
    first = grown(n)
    return echo([first, text])


@pipeline
def longer(n: int = 1, text: str = "") -> Any:
    first = grown(grown(n))
    chosen = branch(small(first), lambda: echo(1), lambda: echo(2))
    last = while_loop(lambda x: small(x), lambda x: grown(x), first, max_iterations=20)
    return echo([first, text, chosen, last])


@pipeline
def narrower(n: int = 1, text: str = "") -> Any:
    first = grown(n)
    chosen = branch(small(n), lambda: echo(1), lambda: echo(2))
    return echo([first, text, chosen])


@pipeline
def setups(setup: Setup) -> int:
    return read_all(setup)


@pipeline
def each(values: list[Any]) -> Any:
    return for_each(values, echo)


def test_hostile_values_are_compared_by_their_versions(catalog: Catalog) -> None:
    values = ["", "'\"", "\n\x1b[31m", "{{ x }}", float("nan"), -0.0, 2**70, b"\xff", None, [], {"k": {1}}, "x" * 9000]
    one = drawloom.run(each, {"values": values}, catalog=catalog)
    assert not diff(one, drawloom.run(each, {"values": values}, catalog=catalog, cache=False))
    found = diff(one, drawloom.run(each, {"values": [*values[:-1], "x" * 8999 + "y"]}, catalog=catalog))
    [data] = found.data
    assert (data.node, data.equal, data.different) == ("for_each/echo", len(values) - 1, ((len(values) - 1,),))
    assert (data.inputs, data.code, data.unexplained) == (("value",), False, False)
    assert [value.name for value in found.params] == ["values"]
    assert [value.name for value in found.results] == ["result"]


def test_files_and_externals_are_found_in_the_parts_of_a_parameter(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "a b").write_text("1")
    (tmp_path / "same").write_text("0")
    (tmp_path / "far").write_text("1")

    def setup() -> Setup:
        files = {"odd key": File(tmp_path / "a b"), "same": File(tmp_path / "same")}
        return Setup(files, External(str(tmp_path / "far")))

    one = drawloom.run(setups, {"setup": setup()}, catalog=catalog)
    (tmp_path / "a b").write_text("23")
    (tmp_path / "far").write_text("4567")
    found = diff(one, drawloom.run(setups, {"setup": setup()}, catalog=catalog))
    assert {(i.name, i.kind) for i in found.inputs} == {
        ('setup.files["odd key"]', "file"),
        ("setup.place", "external"),
    }
    external = next(i for i in found.inputs if i.kind == "external")
    assert external.before[0] == external.after[0] == str(tmp_path / "far")
    assert external.before[1] != external.after[1]


def test_a_graph_that_grew(catalog: Catalog) -> None:
    found = diff(drawloom.run(straight, catalog=catalog), drawloom.run(longer, catalog=catalog))
    assert not found.same_pipeline
    added = {line.name for line in found.graph.added}
    assert {"chosen", "chosen/echo", "last", "last/grown", "grown"} <= added
    assert found.graph.removed == ()
    assert {line.name for line in found.graph.rewired} == {"first", "echo"}
    back = diff(found.after, found.before)
    assert {line.name for line in back.graph.removed} == added


def test_a_branch_that_tests_something_else_is_rewired(catalog: Catalog) -> None:
    @pipeline
    def narrower_again(n: int = 1, text: str = "") -> Any:
        first = grown(n)
        chosen = branch(small(first), lambda: echo(1), lambda: echo(2))
        return echo([first, text, chosen])

    found = diff(drawloom.run(narrower, catalog=catalog), drawloom.run(narrower_again, catalog=catalog))
    assert [line.name for line in found.graph.rewired] == ["small"]
    assert (found.graph.added, found.graph.removed, found.code) == ((), (), ())


def test_options_of_a_task_are_part_of_the_graph(catalog: Catalog) -> None:
    @task(retry=drawloom.Retry(max_attempts=2))
    def doubled(n: int) -> int:
        return 2 * n

    plain = doubled.with_options(retry=drawloom.Retry(max_attempts=5))

    @pipeline
    def one(n: int = 1) -> int:
        return doubled(n)

    @pipeline
    def other(n: int = 1) -> int:
        return plain(n)

    found = diff(drawloom.run(one, catalog=catalog), drawloom.run(other, catalog=catalog))
    lines = [*found.graph.rewired, *found.graph.tasks]
    assert any("max_attempts=5" in line.after for line in lines)


def _with_environment(catalog: Catalog, of: Any, run: str, tree: Any) -> Any:
    """A run as `of` was, whose one commit says what was installed."""
    digest = digest_json(tree) if tree is not None else ""
    if digest:
        catalog.storage.create(environment_key(digest), canonical_json(tree).encode())
    write_run(catalog.storage, _renamed(of.record, run))
    with RunWriter(catalog.storage, run) as writer:
        writer.append(Commit(run, "first", environment=digest, at=2.0))
        writer.append(RunFinished(run, "succeeded", at=3.0))
    return catalog.run(run)


def _renamed(record: Any, run: str) -> Any:
    from dataclasses import replace

    return replace(record, run=run)


def test_packages_that_came_went_and_changed(catalog: Catalog) -> None:
    base = drawloom.run(straight, catalog=catalog)
    one = _with_environment(
        catalog, base, "e-1", {"python": "3.11", "packages": [["numpy", "1.0"], ["old", "1"], ["same", "2"]]}
    )
    other = _with_environment(
        catalog, base, "e-2", {"python": "3.12", "packages": [["new", "0.1"], ["numpy", "2.0"], ["same", "2"]]}
    )
    found = diff(one, other).environment
    assert found.facts == (("Python", "3.11", "3.12"),)
    assert found.packages == (("new", "", "0.1"), ("numpy", "1.0", "2.0"), ("old", "1", ""))
    assert found.known


def test_an_environment_that_nobody_looked_at_is_not_taken_for_equal(catalog: Catalog) -> None:
    base = drawloom.run(straight, catalog=catalog)
    one = _with_environment(catalog, base, "e-3", None)
    other = _with_environment(catalog, base, "e-4", {"python": "3.11", "packages": [["numpy", "2.0"]]})
    found = diff(one, other).environment
    assert (found.known, found.packages) == (False, ())


def test_runs_of_two_catalogs_and_a_method(catalog: Catalog, tmp_path: Path) -> None:
    one = drawloom.run(straight, {"text": "a" * 6000}, catalog=catalog)
    other = drawloom.run(straight, {"text": "a" * 6001}, catalog=Catalog.open(tmp_path / "elsewhere", "other"))
    found = one.diff(other)
    assert [data.node for data in found.data] == ["echo"]
    assert not found.graph


def test_times_and_states_of_every_node_are_there(catalog: Catalog) -> None:
    one = drawloom.run(straight, catalog=catalog)
    other = drawloom.run(straight, catalog=catalog)
    found = diff(one, other)
    assert {(n.id, n.same_state) for n in found.nodes} == {("first", False), ("echo", False)}
    assert [node.after.state for node in found.nodes if node.after is not None] == ["cached", "cached"]
