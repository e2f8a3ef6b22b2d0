"""Lists that nobody reads: of a map whose result isn't used, and of one whose only reader is skipped."""

from drawloom import for_each, pipeline, task


@task
def square(number: int) -> int:
    return number * number


@task
def fail(number: int) -> int:
    raise ValueError(str(number))


@task
def read(items: list[int], other: int) -> int:
    return sum(items) + other


@pipeline
def unused(numbers: list[int]) -> int:
    for_each(numbers, square)
    return square(3)


@pipeline
def skipped(numbers: list[int]) -> int:
    made = for_each(numbers, square)
    return read(made, fail(1))


CASES = {"unused": (unused, {"numbers": [1, 2]}), "skipped": (skipped, {"numbers": [1, 2]})}
