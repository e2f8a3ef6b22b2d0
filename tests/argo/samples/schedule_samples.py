"""Pipelines with schedules."""

from datetime import datetime

from drawloom import Schedule, pipeline, run_info, task


@task
def same(number: int) -> int:
    return number


@task
def spoken(time: datetime, start: datetime, end: datetime) -> str:
    return f"{time} {start} {end}"


def plain_function(number: int = 7) -> int:
    return same(number)


def plain_function_of(number: int) -> int:
    return same(number)


plain = pipeline(plain_function_of)
plain.name = "plain"


@pipeline(schedule=Schedule("30 6 * * MON-FRI", zone="Europe/Berlin"), run_timeout_seconds=3600)
def nightly(number: int = 7) -> int:
    return same(same(number))


@pipeline(schedule=Schedule("30 6 * * *", zone="Europe/Berlin"))
def timed() -> str:
    return spoken(run_info.logical_time, run_info.interval_start, run_info.interval_end)
