"""List comprehensions over run-time lists: of calls, of expressions, with filters by a call, by an expression, by both."""

from drawloom import pipeline, task


@task
def numbers(count: int) -> list[int]:
    return list(range(count))


@task
def square(number: int) -> int:
    return number * number


@task
def is_odd(number: int) -> bool:
    return number % 2 == 1


@task
def total(items: list[int]) -> int:
    return sum(items)


@pipeline
def mapped(count: int, add: int = 1) -> tuple[list[int], int]:
    squares = [square(n) for n in numbers(count)]
    shifted = [s + add for s in squares]
    return shifted, total([square(s) - add for s in shifted])


@pipeline
def filtered(count: int, least: int) -> list[list[int]]:
    found = numbers(count)
    by_call = [n for n in found if is_odd(n)]
    by_expression = [square(n) for n in found if n >= least]
    by_both = [square(n) for n in found if n > least if is_odd(n) and square(n) > 4]
    constant = [0 for n in found if not is_odd(n)]
    return [by_call, by_expression, by_both, constant]


CASES = {
    "three": (mapped, {"count": 3}),
    "none": (mapped, {"count": 0}),
    "one": (mapped, {"count": 1, "add": -1}),
    "filters": (filtered, {"count": 6, "least": 2}),
    "all-out": (filtered, {"count": 2, "least": 5}),
    "nothing": (filtered, {"count": 0, "least": 0}),
}
