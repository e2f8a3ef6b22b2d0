"""Algorithms with bounded loops: bisection on a list, Newton's root, the greatest common divisor, digits."""

from drawloom import bounded, pipeline, task


@task
def middle(low: int, high: int) -> int:
    return (low + high) // 2


@task
def improve(number: float, guess: float) -> float:
    return (guess + number / guess) / 2


@task
def rest(a: int, b: int) -> int:
    return a % b


@pipeline
def bisected(items: list[int], wanted: int) -> int | None:
    low, high = 0, len(items)
    for _ in bounded(10):
        if low >= high:
            break
        at = middle(low, high)
        if items[at] == wanted:
            return at
        if items[at] < wanted:
            low = at + 1
        else:
            high = at
    return None


@pipeline
def root(number: float, exact: float) -> float:
    guess = 1.0
    for _ in bounded(25):
        better = improve(number, guess)
        if abs(better - guess) < exact:
            return better
        guess = better
    return guess


@pipeline
def divisor(a: int, b: int) -> int:
    for _ in bounded(30):
        if not b:
            break
        a, b = b, rest(a, b)
    return a


@pipeline
def digits(number: int) -> list[int]:
    made: list[int] = []
    for _ in bounded(8):
        made = [rest(number, 10), *made]
        number //= 10
        if number == 0:
            break
    return made


CASES = {
    "there": (bisected, {"items": [1, 3, 5, 7, 9], "wanted": 7}),
    "not-there": (bisected, {"items": [1, 3, 5, 7, 9], "wanted": 4}),
    "nothing": (bisected, {"items": [], "wanted": 4}),
    "root": (root, {"number": 2.0, "exact": 1e-7}),
    "root-at-once": (root, {"number": 1.0, "exact": 0.1}),
    "divisor": (divisor, {"a": 12, "b": 18}),
    "divisor-zero": (divisor, {"a": 5, "b": 0}),
    "digits": (digits, {"number": 907}),
    "digits-too-many": (digits, {"number": 10**9}),
}
