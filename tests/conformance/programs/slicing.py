"""Slices: with known and with run-time bounds, steps, of lists and texts, beyond the ends."""

from drawloom import pipeline, task


@task
def row(count: int) -> list[int]:
    return list(range(count))


@task
def half(items: list[int]) -> int:
    return len(items) // 2


@task
def total(items: list[int]) -> int:
    return sum(items)


@pipeline
def halves(count: int) -> tuple[list[int], list[int], int]:
    numbers = row(count)
    middle = half(numbers)
    return numbers[:middle], numbers[middle:], total(numbers[1:-1])


@pipeline
def stepped(count: int, text: str) -> tuple[list[int], list[int], str, str]:
    numbers = row(count)
    return numbers[::2], numbers[::-1], text[-3:], text[1:100]


@pipeline
def mapped(count: int) -> list[int]:
    return [total([n, n]) for n in row(count)[2:]]


CASES = {
    "even": (halves, {"count": 4}),
    "odd": (halves, {"count": 5}),
    "none": (halves, {"count": 0}),
    "steps": (stepped, {"count": 5, "text": "abcdef"}),
    "steps-short": (stepped, {"count": 1, "text": "a"}),
    "mapped": (mapped, {"count": 4}),
    "mapped-none": (mapped, {"count": 2}),
}
