"""Pipelines' twins, written by hand with Airflow's TaskFlow as its users do: values go through XCom."""

from __future__ import annotations

from typing import Final

__all__ = ["BLOCKS", "BLOCKS_NAMED", "CHAIN", "MIXTURE"]

_HEAD: Final = """
from airflow.sdk import dag, task

@task
def inc(x):
    return x + 1
"""

_BLOCKS: Final = f"""{_HEAD}
@task
def begin():
    return 0

@task
def join(a, b, c, d, e, f, g, h, i, j):
    return a + b + c + d + e + f + g + h + i + j
"""

BLOCKS: Final = f"""{_BLOCKS}
@dag(schedule=None)
def blocks_twin():
    last = begin()
    for _ in range(90):
        last = join(*[inc(last) for _ in range(10)])
    for _ in range(9):
        last = inc(last)

blocks_twin()
"""

# Airflow looks for a free id among all tasks of the same function, which takes it long; so with ids of their own, too
BLOCKS_NAMED: Final = f"""{_BLOCKS}
@dag(schedule=None)
def blocks_named_twin():
    last = begin()
    for block in range(90):
        parts = [inc.override(task_id=f"inc_{{block}}_{{n}}")(last) for n in range(10)]
        last = join.override(task_id=f"join_{{block}}")(*parts)
    for n in range(9):
        last = inc.override(task_id=f"inc_{{n}}")(last)

blocks_named_twin()
"""

CHAIN: Final = f"""{_HEAD}
@dag(schedule=None)
def chain_twin():
    x = 0
    for _ in range(20):
        x = inc(x)

chain_twin()
"""

MIXTURE: Final = f"""{_HEAD}
@task
def source(n):
    return list(range(n))

@task
def square(x):
    return x * x

@task
def largest(numbers):
    return max(numbers)

@task.short_circuit
def is_large(found):
    return found > 10

@task
def publish(number):
    print(number)

@dag(schedule=None)
def mixture_twin():
    found = largest(square.expand(x=inc.expand(x=source(20))))
    is_large(found) >> publish(found)

mixture_twin()
"""
