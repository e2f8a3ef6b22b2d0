"""Tuples taken apart: a task's result, nested targets, swaps, loop targets, a wrong number of items."""

from drawloom import pipeline, task


@task
def divide(a: int, b: int) -> tuple[int, int]:
    return divmod(a, b)


@task
def nested(number: int) -> tuple[str, tuple[int, float]]:
    return f"n{number}", (number, number / 2)


@task
def pairs(count: int) -> list[tuple[int, int]]:
    return [(n, n * n) for n in range(count)]


@task
def row(count: int) -> list[int]:
    return list(range(count))


@task
def add(a: int, b: int) -> int:
    return a + b


@pipeline
def taken(a: int, b: int) -> tuple[int, str, float, list[int]]:
    quotient, rest = divide(a, b)
    name, (number, half) = nested(rest)
    quotient, rest = rest, quotient
    sums = [add(x, y) for x, y in pairs(quotient)]
    for x, y in pairs(rest):
        sums.append(add(x, -y))
    first = second = add(number, 1)
    return first + second + quotient, name, half, sums


@pipeline
def from_list(count: int) -> int:
    one, two = row(count)
    return add(one, two)


CASES = {
    "both": (taken, {"a": 7, "b": 4}),
    "no-rest": (taken, {"a": 4, "b": 2}),
    "fails": (taken, {"a": 4, "b": 0}),
    "list-fits": (from_list, {"count": 2}),
    "list-too-short": (from_list, {"count": 1}),
    "list-too-long": (from_list, {"count": 3}),
}
