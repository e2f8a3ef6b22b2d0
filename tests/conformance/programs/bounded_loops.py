"""`while` with a bound, written `for _ in bounded(n)`: left by `break`, by `return`, never, and at the bound."""

from drawloom import bounded, pipeline, task


@task
def collatz(number: int) -> int:
    return number // 2 if number % 2 == 0 else 3 * number + 1


@task
def is_one(number: int) -> bool:
    return number == 1


@task
def add(a: int, b: int) -> int:
    return a + b


@pipeline
def steps(number: int) -> int:
    count = 0
    for _ in bounded(12):
        if number == 1:
            break
        number = collatz(number)
        count = add(count, 1)
    return count


@pipeline
def path(number: int) -> list[int]:
    seen: list[int] = []
    for turn in bounded(20):
        seen = seen + [number + turn]
        if is_one(number):
            return seen
        number = collatz(number)
        if number > 1000:
            seen = [0]
            break
    return seen + [-1]


@pipeline
def stopped(number: int) -> tuple[int, int]:
    turns = 0
    for turn in bounded(3, on_limit="stop"):
        if number > 50:
            break
        if number % 5 == 0:
            number = add(number, 1)
            continue
        number = collatz(number)
        turns = turn
    return number, turns


@pipeline
def otherwise(number: int) -> str:
    for _ in bounded(2, on_limit="stop"):
        number = collatz(number)
        if is_one(number):
            break
    else:
        return f"still {number}"
    return "one"


CASES = {
    "eight": (steps, {"number": 8}),
    "at-once": (steps, {"number": 1}),
    "bound-reached": (steps, {"number": 7}),
    "path": (path, {"number": 3}),
    "path-broken": (path, {"number": 703}),
    "stopped-at-the-limit": (stopped, {"number": 4}),
    "stopped-before": (stopped, {"number": 33}),
    "stopped-continued": (stopped, {"number": 10}),
    "else": (otherwise, {"number": 12}),
    "no-else": (otherwise, {"number": 4}),
}
