"""Calls one after the other: parameters, defaults, constants, expressions, a value used twice."""

from drawloom import pipeline, task


@task
def one() -> int:
    return 1


@task
def add(a: int, b: int = 10) -> int:
    return a + b


@task
def describe(number: int, ratio: float, name: str) -> str:
    return f"{name}: {number} at {ratio}"


@pipeline
def straight_line(start: int, ratio: float = 0.5, name: str = "answer") -> str:
    first = one()
    second = add(first, start)
    third = add(second)
    return describe(third * 2 - second, ratio + 1, name)


CASES = {"defaults": (straight_line, {"start": 4}), "given": (straight_line, {"start": -1, "ratio": 1e-7, "name": "y"})}
