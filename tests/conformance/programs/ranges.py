"""`range` with bounds known only at run time: its length, a start, a step, backwards, nothing at all."""

from drawloom import pipeline, task


@task
def count(text: str) -> int:
    return len(text)


@task
def square(number: int) -> int:
    return number * number


@pipeline
def ranged(text: str) -> tuple[list[int], list[int], list[int]]:
    size = count(text)
    up = [square(n) for n in range(size)]
    stepped = [n for n in range(1, size + 1, 2)]
    down = []
    for n in range(size, 0, -1):
        down.append(square(n))
    return up, stepped, down


@pipeline
def known(start: int) -> list[int]:
    made = []
    for n in range(3):
        made.append(square(start + n))
    return made


CASES = {
    "four": (ranged, {"text": "abcd"}),
    "one": (ranged, {"text": "a"}),
    "none": (ranged, {"text": ""}),
    "known": (known, {"start": -1}),
}
