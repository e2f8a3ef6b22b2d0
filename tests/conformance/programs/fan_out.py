"""A fan-out whose width is known only at run time: none, one, many; order is kept, and nothing is lost."""

from drawloom import for_each, pipeline, task


@task
def numbers(width: int) -> list[int]:
    return list(range(width))


@task
def square(number: int) -> int:
    return number * number


@task
def total(items: list[int]) -> int:
    return sum(items)


@pipeline
def fan_out(width: int) -> tuple[list[int], int]:
    squares = for_each(numbers(width), square)
    return squares, total(squares)


CASES = {"none": (fan_out, {"width": 0}), "one": (fan_out, {"width": 1}), "fifty": (fan_out, {"width": 50})}
