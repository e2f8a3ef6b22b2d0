"""A call that made an `External` is answered only while that has the version it had."""

from __future__ import annotations

import os

import pytest

import drawloom
from drawloom import External, pipeline, task
from drawloom.api import run_compiled


@task
def made(folder: str, count: int) -> dict[str, list[External]]:
    path = os.path.join(folder, "made.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write("a" * count)
    return {"made": [External(path)]}


@task
def counted(made: dict[str, list[External]], plus: int) -> int:
    with made["made"][0].open() as file:
        return len(file.read()) + plus


@pipeline
def outside(folder: str, count: int, plus: int = 0) -> int:
    return counted(made(folder, count), plus)


def in_place(place, params, catalog):
    run = run_compiled if place == "reference" else drawloom.run
    return run(outside, params, catalog=catalog)


@pytest.mark.parametrize("place", ["threads", "reference"])
@pytest.mark.parametrize("change", ["rewritten", "gone"])
def test_what_somebody_changed_is_made_again(catalog, tmp_path, place, change):
    params = {"folder": str(tmp_path), "count": 3}
    assert in_place(place, params, catalog).result == 3
    assert in_place(place, params, catalog).counts == {"cached": 2}
    if change == "gone":
        (tmp_path / "made.txt").unlink()
    else:
        (tmp_path / "made.txt").write_text("another")
    again = in_place(place, params | {"plus": 1}, catalog)
    assert (again.result, again.counts) == (4, {"succeeded": 2})
