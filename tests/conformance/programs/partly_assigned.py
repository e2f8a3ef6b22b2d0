"""Names assigned on one side only: kept from before, swapped, used in the test of the next `if`, never used again."""

from drawloom import pipeline, task


@task
def number(text: str) -> int:
    return int(text)


@task
def inc(a: int) -> int:
    return a + 1


@task
def join(a: int, b: int, c: int) -> str:
    return f"{a},{b},{c}"


@pipeline
def one_side(text: str) -> str:
    first = number(text)
    second, third = 0, 1
    if first > 10:
        second = inc(first)
        unused = inc(second)
        third = unused
    elif first > 5:
        third = inc(first)
    return join(first, second, third)


@pipeline
def swapped(a: int, b: int) -> str:
    low, high = a, b
    if inc(low) > inc(high):
        low, high = high, low
    between = 0
    if high > low:
        between = inc(low)
    if between > 3:
        low = between
    return join(low, between, high)


CASES = {
    "first": (one_side, {"text": "11"}),
    "second": (one_side, {"text": "6"}),
    "neither": (one_side, {"text": "-1"}),
    "swap": (swapped, {"a": 9, "b": 4}),
    "no-swap": (swapped, {"a": 1, "b": 4}),
    "equal": (swapped, {"a": 2, "b": 2}),
}
