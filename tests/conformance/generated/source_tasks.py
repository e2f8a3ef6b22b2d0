"""The tasks of generated modules; this text is put before each of them. A call is told in `LOG`."""

from dataclasses import dataclass

from drawloom import (  # noqa: F401  # for what is put behind
    Failure,
    and_,
    branch,
    choose,
    contains,
    for_each,
    is_none,
    length,
    not_,
    or_,
    pipeline,
    task,
    try_,
    while_loop,
)

LOG = []


class Bad(ValueError):
    pass


@dataclass
class Point:
    x: int
    label: str


def log(name, *values):
    LOG.append(f"{name} {values!r}")


@task
def add(a: int, b: int = 2) -> int:
    log("add", a, b)
    return a + b


@task
def check(n: int) -> int:
    log("check", n)
    if n % 4 == 0:
        raise Bad(f"{n} is bad {{{{}}}}")
    if n % 7 == 0:
        raise KeyError(n)
    return n


@task
def count_up(n: int) -> list[int]:
    log("count_up", n)
    return list(range(n % 4))


@task
def total(numbers: list[int]) -> int:
    log("total", numbers)
    return sum(numbers)


@task
def pair(n: int, text: str) -> tuple[int, str]:
    log("pair", n, text)
    return n, text[::-1]


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
def move(point: Point, by: int) -> Point:
    log("move", point.x, point.label, by)
    return Point(point.x + by, point.label)


@task
def size(failure: Failure) -> int:
    log("size", failure.message, failure.type)
    return len(failure.message)


@task
def shout(text: str, n: int) -> str:
    log("shout", text, n)
    return f"{text[:20]}{n % 10}!"


@task
def note(n: int) -> None:
    log("note", n)
    if n % 11 == 10:
        raise OSError(n)
