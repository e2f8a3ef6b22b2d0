"""The tasks and exceptions that modules of `plain_sources` use: each imports them all. A call is told in `LOG`."""

import itertools
import json
import math
from contextlib import suppress
from dataclasses import dataclass
from functools import partial, reduce

from drawloom import BoundReached, DefinitionError, bounded, pipeline, task

__all__ = [
    "BOX",
    "LOG",
    "TICK",
    "Bad",
    "BoundReached",
    "DefinitionError",
    "Lost",
    "Point",
    "TooLong",
    "Worse",
    "add",
    "bounded",
    "check",
    "count_up",
    "grid",
    "half",
    "json",
    "label",
    "math",
    "maybe",
    "move",
    "neg",
    "note",
    "pair",
    "partial",
    "pipeline",
    "point",
    "reduce",
    "shout",
    "show",
    "suppress",
    "table",
    "task",
    "total",
    "weigh",
    "words",
    "yes",
]

LOG: list[str] = []
FAILED: list[str] = []  # what tasks have raised
MOST = 3000  # calls in one run
BOX: dict[str, int] = {}
TICK = itertools.count().__next__  # tells whether a line is met while tracing, and is nothing that could be staged


class Bad(ValueError):
    pass


class Worse(Bad):
    pass


class Lost(KeyError):
    pass


class TooLong(BaseException):
    """A program makes more calls than a test has time for."""


@dataclass
class Point:
    x: int
    label: str


def log(name: str, *values: object) -> None:
    if len(LOG) > MOST:
        raise TooLong
    LOG.append(f"{name} {values!r}")


def failure(error: Exception) -> Exception:
    FAILED.append(f"{type(error).__name__} {error}")
    return error


@task
def add(a: int, b: int = 2) -> int:
    log("add", a, b)
    return a + b


@task
def neg(a: int) -> int:
    log("neg", a)
    return -a


@task
def check(n: int) -> int:
    log("check", n)
    if n % 5 == 4:
        raise failure(Bad(f"bad {n}"))
    if n % 7 == 5:
        raise failure(Worse(f"worse {n}"))
    if n % 11 == 8:
        raise failure(Lost(f"lost {n}"))
    return n


@task
def count_up(n: int) -> list[int]:
    log("count_up", n)
    return list(range(n % 4))


@task
def grid(n: int) -> list[list[int]]:
    log("grid", n)
    return [[k, n] for k in range(n % 3)]


@task
def words(n: int) -> list[str]:
    log("words", n)
    return ["a", "", "b{x}"][: n % 4]


@task
def total(numbers: list[int]) -> int:
    log("total", numbers)
    return sum(numbers)


@task
def pair(n: int, text: str) -> tuple[int, str]:
    log("pair", n, text)
    return n, text[:3]


@task
def table(n: int, m: int) -> dict[str, int]:
    log("table", n, m)
    return {"a": n, "b": m}


@task
def weigh(parts: dict[str, int], *, factor: int = 1) -> int:
    log("weigh", parts, factor)
    return factor * sum(parts.values())


@task
def point(x: int, label: str) -> Point:
    log("point", x, label)
    return Point(x, label)


@task
def move(at: Point, by: int) -> Point:
    log("move", at.x, at.label, by)
    return Point(at.x + by, at.label)


@task
def half(x: float) -> float:
    log("half", x)
    return x / 2


@task
def label(n: int) -> str:
    log("label", n)
    return f"n{n % 100}"


@task
def shout(text: str, n: int) -> str:
    log("shout", text, n)
    return f"{text[:10]}{n % 10}!"


@task
def show(value: int | None) -> str:
    log("show", value)
    return "none" if value is None else str(value % 100)


@task
def maybe(n: int) -> int | None:
    log("maybe", n)
    return None if n % 3 == 0 else n


@task
def yes(n: int) -> bool:
    log("yes", n)
    return n % 3 == 1


@task
def note(n: int) -> None:
    log("note", n)
    if n % 29 == 28:
        raise failure(Worse(f"note {n}"))
