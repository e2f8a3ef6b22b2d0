"""Pipelines that are deployed to a real Airflow, and what befalls them there."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from drawloom import Checkpoint, Retry, Schedule, for_each, pipeline, run_info, task

__all__ = [
    "chosen",
    "collected",
    "crashed",
    "every_minute",
    "flaky",
    "hostile",
    "late",
    "mended",
    "regional",
    "slow",
    "squares",
    "stubborn",
    "wide",
    "yearly",
]


@task
def numbers(count: int) -> list[int]:
    """The numbers below a count."""
    return list(range(count))


@task
def square(n: int) -> int:
    print(f"squaring {n}")
    return n * n


@task
def total(parts: list[int]) -> int:
    return sum(parts)


@pipeline
def squares(count: int = 4) -> int:
    """The sum of the squares below `count`."""
    return total(for_each(numbers(count), square))


@pipeline
def wide(count: int = 5_000) -> int:
    return total(for_each(numbers(count), square))


@task(cache=False)
def listed(wanted: str) -> list[int]:
    """The numbers of a file, which somebody may have to write first."""
    return [int(number) for number in Path(wanted).read_text().split()]


@pipeline
def collected(wanted: str) -> int:
    return total(for_each(listed(wanted), square))


@task
def is_even(n: int) -> bool:
    return n % 2 == 0


@task
def half(n: int) -> int:
    return n // 2


@task
def triple(n: int) -> int:
    return 3 * n + 1


@pipeline
def chosen(n: int = 7) -> int:
    return half(n) if is_even(n) else triple(n)


@task(retry=Retry(max_attempts=3, delay_seconds=1), cache=False)
def unsteady(fails: int) -> int:
    """Fails so many times."""
    checkpoint = Checkpoint()
    made = checkpoint.load("made", 0)
    checkpoint.save("made", made + 1)
    if made < fails:
        raise ConnectionError(f"attempt {made + 1}")
    return made


@pipeline
def flaky(fails: int = 1) -> int:
    return square(unsteady(fails))


@task
def counted(path: str) -> int:
    """An effect that tells how often it was done."""
    with open(path, "a") as file:
        file.write("counted\n")
    return len(Path(path).read_text().splitlines())


@task(cache=False)
def needs(path: str, wanted: str, n: int) -> int:
    """Fails until there is a file."""
    with open(path, "a") as file:
        file.write("needs\n")
    if not os.path.exists(wanted):
        raise FileNotFoundError(wanted)
    return n + int(Path(wanted).read_text())


@pipeline
def mended(path: str, wanted: str) -> int:
    return square(needs(path, wanted, counted(path)))


@task(retry=Retry(max_attempts=3, on="infra"), cache=False)
def crashes(n: int) -> int:
    """Is killed the first time, as by a machine without memory."""
    checkpoint = Checkpoint()
    if not checkpoint.load("begun", default=False):
        checkpoint.save("begun", value=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return n


@pipeline
def crashed(n: int = 3) -> int:
    return square(crashes(n))


@task(cache=False)
def sleeps(n: int, seconds: float) -> int:
    print("begins", flush=True)
    time.sleep(seconds)
    return n + 1


@pipeline
def slow(n: int = 0, seconds: float = 3.0) -> int:
    return square(sleeps(sleeps(n, seconds), seconds))


@task
def told(path: str, at: datetime | None, start: datetime | None, end: datetime | None) -> str:
    text = " ".join(moment.isoformat() if moment is not None else "-" for moment in (at, start, end))
    with open(path, "a") as file:
        file.write(f"{text}\n")
    return text


@pipeline
def late(path: str) -> str:
    return told(path, run_info.logical_time, run_info.interval_start, run_info.interval_end)


@pipeline(schedule=Schedule("* * * * *", zone="UTC", catch_up="latest", overlap="allow"))
def every_minute(path: str = "/dev/null") -> str:
    return told(path, run_info.logical_time, run_info.interval_start, run_info.interval_end)


_HALF_A_YEAR_AWAY = (datetime.now(UTC).month + 5) % 12 + 1  # else it is missed by so little that it is made up for


@pipeline(schedule=Schedule(f"0 0 1 {_HALF_A_YEAR_AWAY} *", zone="UTC"))
def yearly() -> list[int]:
    return numbers(3)


@task(cache=False)
def deaf(seconds: float) -> float:
    """Doesn't end when it is asked to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("begins", flush=True)
    time.sleep(seconds)
    return seconds


@pipeline
def stubborn(seconds: float = 300.0) -> float:
    return deaf(seconds)


@task
def echo(text: str, items: list[str], table: dict[str, float], flag: bool, moment: datetime | None) -> str:
    return repr((text, items, table, flag, moment))


@pipeline
def hostile(
    text: str, items: list[str], table: dict[str, float], flag: bool = False, moment: datetime | None = None
) -> str:
    return echo(text, items, table, flag, moment)


class Region(Enum):
    NORTH = "north"
    SOUTH = "south"


@task
def of_region(region: Region, count: int) -> str:
    return f"{region.name} {count}"


@pipeline
def regional(region: Region = Region.SOUTH, count: int = 1) -> str:
    """Has a parameter that no form can ask for."""
    return of_region(region, count)
