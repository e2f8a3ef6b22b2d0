"""`debug`: a node of a run again, with its exact inputs, the code as it is now, and nothing written."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import drawloom
from drawloom import (
    Catalog,
    Failure,
    File,
    Retry,
    RunRefused,
    Static,
    StoreError,
    branch,
    for_each,
    pipeline,
    run_info,
    task,
    try_,
    while_loop,
)

HOSTILE: list[Any] = ["", "'", '"', "\n\r\t\x1b[31m", "{{ x }} ${y} %s", "🦜é", "y", "x" * 5000, "\x00"]


@dataclass
class Point:
    x: float
    label: str


@task
def echo(value: Any) -> Any:
    return value


@task
def span(n: int) -> list[int]:
    return list(range(n))


@task
def add(a: int, b: int) -> int:
    print("adding", a, b)
    return a + b


@task
def below(n: int, limit: int) -> bool:
    return n < limit


@task
def refuse(n: int) -> int:
    raise ValueError(f"{n} is 'refused'\n{{{{")


@task
def told(failure: Failure) -> str:
    return f"{failure.type} {failure.message} {failure.node}"


@task
def shown(point: Point, when: datetime) -> str:
    return f"{point.x} {point.label} {when}"


@task
def length(source: File) -> int:
    return len(source.read_text())


@pipeline
def everything(n: int = 3) -> list[Any]:
    numbers = span(n)
    table = for_each(numbers, lambda row: for_each(numbers, lambda cell: add(row, cell)))
    last = while_loop(lambda s: below(s[1], 20), lambda s: (s[1], add(s[0], s[1])), (0, 1), max_iterations=30)
    chosen = branch(below(n, 2), lambda: add(n, 1), lambda: add(n, 100))
    caught = try_(lambda: echo(refuse(n)), {ValueError: lambda failure: told(failure)})
    point = shown(Point(1.5, "p"), run_info.logical_time)
    return [table, last, chosen, caught, point]


@pipeline
def failing(n: int = 3) -> int:
    return add(refuse(n), 1)


@pipeline
def each(values: list[Any]) -> list[Any]:
    return for_each(values, echo)


@pipeline
def with_static(n: int, times: Static[int] = 2) -> int:
    for _ in range(times):
        n = add(n, n)
    return n


@pipeline
def measured(source: File) -> int:
    return length(source)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.open(tmp_path / "store")


def _calls(run: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    for node in run.details.nodes.values():
        if node.kind == "call":
            yield from ((node.id, index) for index, state in node.instances.items() if state != "skipped")


def _written(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_every_instance_of_every_call_ends_again_as_it_did(catalog: Catalog, tmp_path: Path) -> None:
    run = drawloom.run(everything, catalog=catalog, logical_time=datetime(2026, 1, 31, tzinfo=UTC))
    assert run.state == "succeeded"
    before = _written(tmp_path)
    made = {(node, index): drawloom.debug(run, node, index=index, tee=False) for node, index in _calls(run)}
    assert len(made) > 20
    assert {place: (m.outcome, m.same, m.same_code) for place, m in made.items() if m.same is not True} == {}
    assert {m.outcome for m in made.values()} == {"succeeded", "failed"}
    assert _written(tmp_path) == before


def test_what_it_prints_is_kept_and_its_value_can_be_had(catalog: Catalog) -> None:
    run = drawloom.run(everything, catalog=catalog, logical_time=datetime(2026, 1, 31, tzinfo=UTC))
    [node] = [name for name, index in _calls(run) if name.startswith("table/") and index == (1, 2)]
    made = run.debug(node, index=(1, 2), tee=False)
    assert (made.log, made.value, dict(made.inputs)) == ("adding 1 2\n", 3, {"a": 1, "b": 2})


def test_a_failed_node_fails_again_with_the_users_traceback(catalog: Catalog) -> None:
    run = drawloom.run(failing, catalog=catalog)
    made = drawloom.debug(run, "refuse", tee=False)
    assert (made.outcome, made.same, made.earlier.outcome) == ("failed", True, "failed")
    assert made.failure is not None
    assert "in refuse" in made.failure.traceback
    assert "drawloom/runtimes" not in made.failure.traceback
    with pytest.raises(ValueError, match="refused"):
        _ = made.value


def test_r550_an_input_that_is_not_there_names_the_node_it_comes_from(catalog: Catalog) -> None:
    run = drawloom.run(failing, catalog=catalog)
    with pytest.raises(RunRefused, match=r"R550.*input `a` of `add`.*`refuse`, and it failed") as refused:
        drawloom.debug(run, "add")
    assert f"drawloom debug {run.id} refuse" in refused.value.diagnostics[0].fix


@pytest.mark.parametrize("value", [*HOSTILE, math.nan, -0.0, 2**70, b"\xff", {"a b": [None]}, ("t", {1, 2}), [], None])
def test_hostile_values_come_back_as_they_were(value: Any, catalog: Catalog, tmp_path: Path) -> None:
    run = drawloom.run(each, {"values": [1, value]}, catalog=catalog)
    before = _written(tmp_path)
    made = drawloom.debug(run, "for_each/echo", index=(1,), tee=False)
    assert (made.outcome, made.same) == ("succeeded", True)
    assert repr(made.value) == repr(value)
    assert _written(tmp_path) == before


def test_a_file_is_given_as_it_was_though_it_has_changed(catalog: Catalog, tmp_path: Path) -> None:
    source = tmp_path / "data {{ 'x'.txt"
    source.write_text("12345")
    run = drawloom.run(measured, {"source": source}, catalog=catalog)
    source.write_text("other")
    source.unlink()
    made = drawloom.debug(run, "length", tee=False)
    assert (made.value, made.same) == (5, True)


def test_the_first_failed_instance_is_meant_where_none_is_named(catalog: Catalog) -> None:
    run = drawloom.run(some_fail, catalog=catalog, fail_fast=False)
    made = drawloom.debug(run, "for_each/picky", tee=False)
    assert (made.index, made.outcome) == ((2,), "failed")


@task
def picky(n: int) -> int:
    if n >= 2:
        raise KeyError(n)
    return n


@pipeline
def some_fail() -> list[int]:
    return for_each(span(4), picky)


def test_s455_an_index_is_needed_where_no_instance_failed(catalog: Catalog) -> None:
    run = drawloom.run(each, {"values": [1, 2]}, catalog=catalog)
    with pytest.raises(StoreError, match="S455"):
        drawloom.debug(run, "for_each/echo")


@pytest.mark.parametrize(
    ("node", "index", "code"),
    [
        ("for_each/echo", (7,), "S494"),
        ("for_each/echo", (), "S494"),
        ("for_each/echo", (0, 0), "S494"),
        ("for_each", None, "S496"),
        ("nonesuch", None, "S454"),
        ("", None, "S454"),
    ],
)
def test_what_is_no_instance_of_a_call_is_refused(node: str, index: Any, code: str, catalog: Catalog) -> None:
    run = drawloom.run(each, {"values": [1, 2]}, catalog=catalog)
    with pytest.raises(StoreError, match=code):
        drawloom.debug(run, node, index=index)


@task(retry=Retry(max_attempts=3))
def flaky(path: str) -> int:
    with open(path, "a") as file:
        file.write("x")
    count = os.path.getsize(path)
    if count < 3:
        raise OSError(f"attempt {count}")
    return count


@pipeline
def retried(path: str) -> int:
    return flaky(path)


def test_an_attempt_can_be_named_to_compare_with(catalog: Catalog, tmp_path: Path) -> None:
    run = drawloom.run(retried, {"path": str(tmp_path / "count")}, catalog=catalog)
    second = drawloom.debug(run, "flaky", attempt=2, tee=False)
    assert second.earlier.failure is not None
    assert (second.earlier.outcome, second.earlier.failure.message, second.same) == ("failed", "attempt 2", False)
    last = drawloom.debug(run, "flaky", tee=False)
    assert (last.earlier.attempt, last.value, last.same) == (3, 5, False)
    with pytest.raises(StoreError, match=r"S495.*no attempt 4"):
        drawloom.debug(run, "flaky", attempt=4)


def test_the_code_as_it_is_now_runs_and_is_told_to_differ(catalog: Catalog) -> None:
    run = drawloom.run(failing, catalog=catalog)

    @task
    def refuse(n: int) -> int:
        return n + 40

    @pipeline
    def mended(n: int = 3) -> int:
        return add(refuse(n), 1)

    made = drawloom.debug(run, "refuse", pipeline=mended, tee=False)
    assert (made.value, made.same_code, made.same) == (43, False, False)
    assert made.function != made.earlier.function


def test_r551_a_task_that_takes_other_inputs_now(catalog: Catalog) -> None:
    run = drawloom.run(failing, catalog=catalog)

    @task
    def refuse(m: int, more: int = 2) -> int:
        return m + more

    @pipeline
    def other(n: int = 3) -> int:
        return add(refuse(m=n), 1)

    with pytest.raises(RunRefused, match=r"R551.*no longer takes `n` and now takes `m`"):
        drawloom.debug(run, "refuse", pipeline=other)


def test_a_new_input_with_a_constant_is_no_obstacle(catalog: Catalog) -> None:
    run = drawloom.run(failing, catalog=catalog)

    @task
    def refuse(n: int, more: int = 2) -> int:
        return n + more

    @pipeline
    def other(n: int = 3) -> int:
        return add(refuse(n, 20), 1)

    assert drawloom.debug(run, "refuse", pipeline=other, tee=False).value == 23


def test_r553_a_node_that_the_pipeline_no_longer_has(catalog: Catalog) -> None:
    run = drawloom.run(failing, catalog=catalog)
    with pytest.raises(RunRefused, match=r"R553.*no longer has the call `refuse`"):
        drawloom.debug(run, "refuse", pipeline=each)


def test_compile_time_parameters_are_those_of_the_run(catalog: Catalog) -> None:
    run = drawloom.run(with_static, {"n": 1, "times": 4}, catalog=catalog)
    last = [node.id for node in run.nodes()][-1]
    assert drawloom.debug(run, last, tee=False).value == 16


def test_an_id_will_do(catalog: Catalog) -> None:
    run = drawloom.run(failing, catalog=catalog)
    assert drawloom.debug(run.id, "refuse", catalog=catalog, tee=False).same is True


def test_calls_in_a_map_that_was_answered_as_a_whole_are_those_of_the_run_they_are_from(catalog: Catalog) -> None:
    drawloom.run(summed, {"n": 3}, catalog=catalog)
    run = drawloom.run(summed, {"n": 3}, catalog=catalog)
    made = drawloom.debug(run, "for_each/add", index=(2,), tee=False)
    assert (made.value, made.same, made.earlier.outcome) == (3, True, "cached")
    assert drawloom.debug(run, "total", tee=False).same is True


@task
def total(items: list[int]) -> int:
    return sum(items)


@pipeline
def summed(n: int) -> int:
    return total(for_each(span(n), lambda item: add(item, 1)))
