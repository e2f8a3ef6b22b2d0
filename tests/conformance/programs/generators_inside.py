"""Generators as the only argument: of `sum`, `list`, `tuple`, `set`, `dict`, `sorted`, `min` with filters and two loops."""

from drawloom import pipeline, task


@task
def numbers(count: int) -> list[int]:
    return list(range(count))


@task
def square(number: int) -> int:
    return number * number


@pipeline
def inside(count: int) -> tuple[int, list[int], set[int], dict[int, int], int]:
    found = numbers(count)
    total = sum(square(n) for n in found if n % 2)
    ordered = sorted(-square(n) for n in found)
    distinct = set(square(n) % 3 for n in found)
    table = dict((n, square(n)) for n in found if n > 1)
    least = min(square(n) + m for n in found for m in (1, 2))
    return total, ordered, distinct, table, least


CASES = {
    "four": (inside, {"count": 4}),
    "one": (inside, {"count": 1}),
    "none": (inside, {"count": 0}),
}
