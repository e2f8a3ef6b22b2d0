"""Hand-over is by value: a task that changes its argument changes nobody else's."""

from drawloom import pipeline, task


@task
def numbers() -> list[int]:
    return [3, 1, 2]


@task
def spoil(items: list[int]) -> list[int]:
    items.sort()
    items.append(99)
    return items


@task
def spoil_both(items: list[int], others: list[int]) -> int:
    items.clear()
    return len(others)


@pipeline
def by_value(given: list[int]) -> tuple[list[int], list[int], list[int], int, list[int]]:
    made = numbers()
    spoilt = spoil(made)
    again = spoil(given)
    return made, spoilt, again, spoil_both(made, made), given


CASES = {"spoilt": (by_value, {"given": [2, 1]})}
