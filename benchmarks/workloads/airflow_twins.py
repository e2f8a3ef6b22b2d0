"""Pipelines and their twins, written by hand with Airflow's TaskFlow."""

from __future__ import annotations

from typing import Any

from benchmarks.workloads.trivial_tasks import blocks, inc, source, square, total
from drawloom import Static, for_each, pipeline

__all__ = ["PAIRS"]

_HEAD = "from airflow.sdk import dag, task\n\n"
_BLOCKS = """
@task
def begin():
    return 0

@task
def inc(x):
    return x + 1

@task
def join(a, b, c, d, e, f, g, h, i, j):
    return a + b + c + d + e + f + g + h + i + j

@dag(schedule=None)
def blocks_twin(n=1000):
    last = begin()
    for _ in range((n - 1) // 11):
        last = join(*[inc(last) for _ in range(10)])
    for _ in range((n - 1) % 11):
        last = inc(last)

blocks_twin()
"""
_CHAIN = """
@task
def inc(x):
    return x + 1

@dag(schedule=None)
def chain_twin():
    x = 0
    for _ in range(20):
        x = inc(x)

chain_twin()
"""
_MIXTURE = """
@task
def source():
    return list(range(20))

@task
def inc(x):
    return x + 1

@task
def total(xs):
    return sum(xs)

@task.branch
def choose(x):
    return "inc_large" if x > 10 else "inc_small"

@dag(schedule=None)
def mixture_twin():
    found = total(inc.expand(x=source()))
    chosen = choose(found)
    chosen >> inc.override(task_id="inc_large")(found)
    chosen >> inc.override(task_id="inc_small")(found)

mixture_twin()
"""


@pipeline
def chain(n: Static[int] = 20) -> int:
    x = 0
    for _ in range(n):
        x = inc(x)
    return x


@pipeline
def mixture(n: int = 20) -> int:
    found = total(for_each(source(n), inc))
    return inc(found) if found > 10 else square(found)


PAIRS: list[tuple[str, Any, dict[str, Any], str]] = [
    ("blocks", blocks, {"n": 1_000}, _HEAD + _BLOCKS),
    ("chain", chain, {}, _HEAD + _CHAIN),
    ("mixture", mixture, {}, _HEAD + _MIXTURE),
]
