"""Records and tuples as results: fields, keys and items read by those who come after."""

from dataclasses import dataclass
from typing import NamedTuple

from drawloom import pipeline, task


class Split(NamedTuple):
    low: list[int]
    high: list[int]


@dataclass(frozen=True)
class Report:
    name: str
    mean: float


@task
def split(numbers: list[int], at: int) -> Split:
    return Split([n for n in numbers if n < at], [n for n in numbers if n >= at])


@task
def report(name: str, numbers: list[int]) -> Report:
    return Report(name, sum(numbers) / len(numbers))


@task
def lookup(numbers: list[int]) -> dict[str, int]:
    return {"first": numbers[0], "last": numbers[-1]}


@pipeline
def many_outputs(numbers: list[int], at: int = 3) -> tuple[Report, float, int]:
    parts = split(numbers, at)
    low = report("low", parts.low)
    high = report("high", parts.high)
    return low, high.mean, lookup(parts.high)["last"] + lookup(parts.low)["first"]


CASES = {"two-and-two": (many_outputs, {"numbers": [1, 2, 3, 4]})}
