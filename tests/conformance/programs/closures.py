"""Lambdas and inner functions over run-time values: given to helpers, chosen by a known value, changing an outer name."""

from collections.abc import Callable

from drawloom import pipeline, task


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def numbers(count: int) -> list[int]:
    return list(range(count))


def twice(function: Callable[[int], int], number: int) -> int:
    return function(function(number))


@pipeline
def closed(count: int, step: int) -> tuple[int, list[int], int]:
    start = add(step, 1)

    def from_start(number: int) -> int:
        if number > 5:
            return add(number, -start)
        return add(number, start)

    functions = {"add": lambda number: add(number, step), "start": from_start}
    total = 0

    def count_up(number: int) -> None:
        nonlocal total
        total = add(total, number)

    count_up(twice(functions["add"], count))
    count_up(3)
    return twice(from_start, 1), [functions["start"](n) for n in numbers(count)], total


CASES = {
    "small": (closed, {"count": 3, "step": 1}),
    "large": (closed, {"count": 8, "step": 4}),
    "none": (closed, {"count": 0, "step": 0}),
}
