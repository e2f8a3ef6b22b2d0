"""Pipelines that take too long, and some that nearly do."""

import time
from datetime import datetime

from drawloom import Retry, Schedule, pipeline, run_info, task


@task
def quick(number: int) -> int:
    return number


@task
def slow(number: int) -> int:
    time.sleep(60)
    return number


@task(retry=Retry(max_attempts=9, delay_seconds=60))
def hopeless(number: int) -> int:
    raise ValueError(number)


@task
def note(text: str) -> None:
    print(text)


def over_time(numbers: list[int]) -> int:
    quickly = [quick(number) for number in numbers]
    try:
        inside = slow(quickly[0])
    except ValueError:
        inside = quick(0)
    finally:
        note("cleaned")
    many = [slow(number) for number in quickly]
    again = hopeless(quickly[0])
    return quick(many[0] + again + inside)


late = pipeline(run_timeout_seconds=10)(over_time)
late_here = pipeline(run_timeout_seconds=2)(over_time)  # nothing has to be started for its tasks


@pipeline(run_timeout_seconds=3600)
def in_time(number: int) -> int:
    return quick(quick(number))


@pipeline(schedule=Schedule("0 6 * * *", zone="Europe/Berlin"))
def daily() -> list[str]:
    start, end, logical = run_info.interval_start, run_info.interval_end, run_info.logical_time
    return texts(start, end, logical)


@pipeline(schedule=Schedule("0 6 * * *", zone="Indian/Mahe"))
def elsewhere() -> list[str]:
    start, end, logical = run_info.interval_start, run_info.interval_end, run_info.logical_time
    return texts(start, end, logical)


@task
def texts(start: datetime, end: datetime, logical: datetime) -> list[str]:
    return [str(start), str(end), str(logical)]
