"""Pipelines in pipelines: called twice, in a fan-out, and with a result that is computed from what they hold."""

from drawloom import for_each, pipeline, task


@task
def half(number: int) -> int:
    return number // 2


@task
def add(a: int, b: int) -> int:
    return a + b


@pipeline
def inner(number: int) -> int:
    halved = half(number)
    return add(halved, 1) + halved


@pipeline
def outer(numbers: list[int]) -> int:
    first = inner(10)
    second = inner(first)
    return add(second, for_each(numbers, inner)[-1])


CASES = {"twice": (outer, {"numbers": [7, 8]})}
