"""A fan-out in a fan-out, of rows of different lengths, one of them empty."""

from drawloom import for_each, pipeline, task


@task
def rows(count: int) -> list[list[int]]:
    return [list(range(k)) for k in range(count)]


@task
def scale(number: int, factor: int) -> int:
    return number * factor


@task
def total(items: list[int]) -> int:
    return sum(items)


@pipeline
def nested_fan_out(count: int, factor: int = 3) -> tuple[list[list[int]], list[int]]:
    table = for_each(rows(count), lambda row: for_each(row, lambda number: scale(number, factor)))
    return table, for_each(table, total)


CASES = {"three": (nested_fan_out, {"count": 3})}
