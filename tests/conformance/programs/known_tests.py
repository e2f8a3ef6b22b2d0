"""Tests of known values among those of run-time values: only one side is there; constants fold, names stay."""

from typing import Final

from drawloom import pipeline, task

DEBUG: Final = False
LEVELS: Final = ("low", "high")


@task
def inc(number: int) -> int:
    return number + 1


@task
def forbidden(number: int) -> int:
    raise RuntimeError(f"not for {number}")


@pipeline
def folded(number: int, level: str) -> tuple[int, int]:
    if DEBUG:
        number = forbidden(number)
    count = 0
    for name in LEVELS:
        if name == "low" and inc(number) > 3:
            count += 1
        elif name == "high":
            if level == name:
                count += 10
    bonus = forbidden(1) if DEBUG or len(LEVELS) > 5 else inc(count)
    assert LEVELS, "known"
    return count, bonus if not DEBUG else -1


CASES = {
    "low": (folded, {"number": 5, "level": "low"}),
    "high": (folded, {"number": 1, "level": "high"}),
    "both": (folded, {"number": 5, "level": "high"}),
}
