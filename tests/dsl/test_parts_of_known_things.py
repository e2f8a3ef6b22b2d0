"""Parts of tuples made of handles, and of values that are known while tracing."""

from __future__ import annotations

from pathlib import Path

from drawloom import api, pipeline, task, try_
from drawloom.ir.operands import Param


@task
def add(n: int, m: int) -> int:
    return n + m


@pipeline
def pair_user(p: tuple[int, str]) -> int:
    return add(p[0], 1)


@pipeline
def gives_a_tuple_of_handles(n: int) -> int:
    return pair_user((n, "x"))


@pipeline
def first_of(p: list[int]) -> int:
    return add(p[0], 1)


@pipeline
def handles_a_part_that_is_not_there() -> int:
    return try_(lambda: first_of([]), {IndexError: lambda _: add(1, 2)})


def test_an_item_of_a_tuple_of_handles_keeps_its_own_type() -> None:
    assert api.check(gives_a_tuple_of_handles) == []
    (group,) = gives_a_tuple_of_handles.graph.pipeline.body.nodes
    assert group.body.nodes[0].inputs[0] == ("n", Param("n"))


def test_a_part_that_is_not_there_fails_in_the_run_where_a_handler_catches_it(tmp_path: Path) -> None:
    assert handles_a_part_that_is_not_there() == 3
    assert api.run(handles_a_part_that_is_not_there, catalog=tmp_path).result == 3
