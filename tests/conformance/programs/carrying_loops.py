"""Loops that carry values from item to item: a sum, the best so far, the one before, a value that turns from `None`."""

from drawloom import pipeline, task


@task
def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split()]


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def better(a: int, b: int) -> bool:
    return abs(a) > abs(b)


@pipeline
def summed(text: str, start: int = 0) -> int:
    total = start
    for number in numbers(text):
        total = add(total, number)
    return total


@pipeline
def best(text: str) -> tuple[int | None, int]:
    found: int | None = None
    changes = 0
    for number in numbers(text):
        if found is None or better(number, found):
            found = number
            changes += 1
    return found, changes


@pipeline
def steps(text: str) -> list[int]:
    before = 0
    last = -1
    made = []
    for number in numbers(text):
        made.append(number - before)
        before = number
        last = add(last, before)
    return made + [before, last]


CASES = {
    "sum": (summed, {"text": "1 2 3"}),
    "sum-none": (summed, {"text": "", "start": 7}),
    "best": (best, {"text": "1 -3 2 5"}),
    "best-none": (best, {"text": ""}),
    "best-one": (best, {"text": "0"}),
    "steps": (steps, {"text": "4 6 1"}),
    "steps-none": (steps, {"text": ""}),
}
