"""Plain functions that call tasks: with branches, early return and loops of their own, calling each other, recursion
over known values."""

from drawloom import pipeline, task


@task
def inc(number: int) -> int:
    return number + 1


@task
def mul(a: int, b: int) -> int:
    return a * b


@task
def numbers(count: int) -> list[int]:
    return list(range(count))


def clamped(number: int, low: int = 0, high: int = 10) -> int:
    if number < low:
        return inc(low)
    if number > high:
        return high
    return number


def power(number: int, exponent: int) -> int:
    return 1 if exponent == 0 else mul(number, power(number, exponent - 1))


def summed(items: list[int]) -> int:
    total = 0
    for item in items:
        total += clamped(item, high=2)
    return total


@pipeline
def helped(number: int) -> tuple[int, int, int]:
    first = clamped(number)
    second = clamped(mul(first, first), 5, high=20)
    return first, second, power(second, 3)


@pipeline
def looped(count: int) -> int:
    return summed(numbers(count)) + summed([count, inc(count)])


CASES = {
    "inside": (helped, {"number": 3}),
    "below": (helped, {"number": -3}),
    "above": (helped, {"number": 30}),
    "loop": (looped, {"count": 4}),
    "loop-none": (looped, {"count": 0}),
}
