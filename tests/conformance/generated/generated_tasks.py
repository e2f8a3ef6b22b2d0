"""The tasks of generated programs, importable by worker processes and bundles: the standard library alone."""

from __future__ import annotations

import os
from dataclasses import dataclass

from drawloom.values.failure import Failure

__all__ = ["Odd", "Odder", "Point"]


class Odd(ValueError):
    """A failure of the user's own."""


class Odder(Odd):
    """A more special one, with arguments that its text doesn't show."""

    def __init__(self, number: int, why: str = "{{why}}") -> None:
        super().__init__(number, why)

    def __str__(self) -> str:
        return f"odder: {self.args[0]}"


class Silent(Exception):
    """One whose arguments can't be kept."""

    def __init__(self) -> None:
        super().__init__(lambda: None)

    def __str__(self) -> str:
        return ""


class Mute(BaseException):
    """Not even an `Exception`."""


@dataclass(frozen=True)
class Point:
    """A record that travels on edges."""

    x: int
    label: str


def add(a: int, b: int = 2) -> int:
    return a + b


def count_up(n: int) -> list[int]:
    return list(range(n % 4))


def grow(numbers: list[int]) -> list[int]:
    """Changes what it is given, which must not be seen by anybody else."""
    numbers.append(len(numbers))
    numbers.sort(reverse=True)
    return numbers


def twice(numbers: list[int]) -> list[list[int]]:
    """One object at two places."""
    return [numbers, numbers]


def point(x: int, label: str) -> Point:
    return Point(x, label)


def shift(point: Point, by: int) -> Point:
    return Point(point.x + by, point.label * 2)


def table(keys: list[str], value: int) -> dict[str, int]:
    return {key: value + place for place, key in enumerate(keys)}


def words(text: str, n: int) -> list[str]:
    return [text[:20]] * (n % 3)


def maybe(n: int) -> int | None:
    return None if n % 2 else n


def ratio(a: int, b: int) -> float:
    return a / b


def special(n: int) -> float:
    return (float("nan"), -0.0, float("inf"), 1e-7, 5e-324)[n % 5]


def large(n: int) -> int:
    return (2**63, -(2**63) - 1, 10**30, 2**53 + 1, -1)[n % 5]


def fails(n: int) -> int:
    """Fails for most numbers, in many ways."""
    match n % 8:
        case 0:
            raise Odd(f"{{{{{n}}}}}")
        case 1:
            raise Odder(n)
        case 2:
            raise KeyError(n)
        case 3:
            raise Silent
        case 4:
            raise SystemExit(n)
        case 5:
            raise Mute("mute ☃\n")
        case 6:
            raise ExceptionGroup("many", [Odd("one"), KeyError("two")])
    return n


def not_third(n: int) -> int:
    if n % 3 == 0:
        raise Odd(f"{n} is a multiple of three")
    return n


def note(path: str, line: str) -> None:
    """An effect: one line in a folder's log, and perhaps a failure."""
    descriptor = os.open(os.path.join(path, "log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, f"{line!r}\n".encode("ascii", "backslashreplace"))
    finally:
        os.close(descriptor)


def flaky(path: str, name: str, fails: int) -> int:
    """Fails so many times, counted in a folder; `name` is that of one node instance."""
    for attempt in range(1, 10):
        try:
            os.close(os.open(os.path.join(path, f"{name}-{attempt}"), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        if attempt <= fails:
            raise ConnectionError(f"attempt {attempt}")
        return attempt
    raise AssertionError("too many attempts")


def blame(failure: Failure) -> str:
    return f"{failure.node}: {failure.type}: {failure.message}"
