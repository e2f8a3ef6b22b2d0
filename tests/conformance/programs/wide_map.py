"""A thousand items in a map of maps, each with a branch inside."""

from drawloom import pipeline, task

TAGS = {"scale"}


@task
def rows(count: int, width: int) -> list[list[int]]:
    return [[row * width + column for column in range(width)] for row in range(count)]


@task
def triple(number: int) -> int:
    return 3 * number


@task
def negate(number: int) -> int:
    return -number


@task
def total(items: list[int]) -> int:
    return sum(items)


@pipeline
def wide(count: int, width: int, most: int) -> tuple[list[int], int]:
    table = rows(count, width)
    made = [[triple(number) if number % 3 else negate(number) for number in row] for row in table]
    sums = [total(row) for row in made]
    large = [number for number in sums if number > most]
    return sums, total(large)


CASES = {
    "thousand": (wide, {"count": 40, "width": 25, "most": 1000}),
    "small": (wide, {"count": 3, "width": 2, "most": 3}),
    "no-rows": (wide, {"count": 0, "width": 25, "most": 0}),
    "empty-rows": (wide, {"count": 4, "width": 0, "most": -1}),
}
