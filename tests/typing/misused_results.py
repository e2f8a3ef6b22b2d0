"""Results of runs, misused; each line marked `# error` must be reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_type

import drawloom
from drawloom import Catalog, File, pipeline, task


@dataclass
class Model:
    depth: int


@task
def find(csv: File) -> Model | None:
    return None


@pipeline
def churn(csv: File) -> Model | None:
    return find(csv)


@pipeline
def depths(csv: File) -> list[int]:
    return [1]


def use(csv: File) -> None:
    assert_type(churn.options(workers=2).run(csv).result, Model | None)
    churn.run(csv).result.depth  # error
    names: list[str] = depths.run(csv).result  # error
    for model in churn.run(csv).result:  # error
        pass
    assert_type(drawloom.run(churn, {"csv": csv}).result, Model | None)
    drawloom.run(depths, {"csv": csv}).result.append("deep")  # error
    Catalog.open(".drawloom").run("r1").result.anything()
