"""Results of runs, misused; each line marked `# error` should be reported once `Run` tells the type of its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_type

from drawloom import File, pipeline, task


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
