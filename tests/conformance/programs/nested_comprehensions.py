"""Comprehensions in comprehensions, two `for` in one, filters on each level, names of the outer level in the inner one."""

from drawloom import pipeline, task


@task
def rows(count: int) -> list[list[int]]:
    return [list(range(k)) for k in range(count)]


@task
def mul(a: int, b: int) -> int:
    return a * b


@task
def total(items: list[int]) -> int:
    return sum(items)


@pipeline
def matrix(count: int, factor: int) -> list[list[int]]:
    return [[mul(number, factor) + total(row) for number in row] for row in rows(count)]


@pipeline
def flat(count: int, most: int) -> list[int]:
    table = rows(count)
    return [mul(number, total(row)) for row in table if total(row) > 0 for number in row if number < most]


@pipeline
def mixed(count: int) -> list[tuple[int, int]]:
    return [(k, mul(k, total(row))) for k in (1, 2) for row in rows(count) if total(row) != k]


@pipeline
def pairs(count: int) -> dict[str, list[int]]:
    return {f"row{total(row)}": [mul(number, number) for number in row if number] for row in rows(count)}


CASES = {
    "matrix": (matrix, {"count": 4, "factor": 3}),
    "matrix-none": (matrix, {"count": 0, "factor": 3}),
    "matrix-one": (matrix, {"count": 1, "factor": 3}),
    "flat": (flat, {"count": 5, "most": 3}),
    "flat-none": (flat, {"count": 2, "most": 3}),
    "mixed": (mixed, {"count": 3}),
    "pairs": (pairs, {"count": 4}),
}
