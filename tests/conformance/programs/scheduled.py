"""A schedule and a limit for the run: a run that somebody starts is made at once, and what it gives is the same."""

from __future__ import annotations

from drawloom import Pipeline, Schedule, pipeline, task


@task
def doubled(number: int) -> int:
    return 2 * number


@task
def summed(numbers: list[int]) -> int:
    if sum(numbers) > 100:
        raise ValueError(f"{sum(numbers)} is too much")
    return sum(numbers)


@pipeline(
    run_timeout_seconds=3600,
    schedule=Schedule("*/5 6-18 * * MON-FRI", zone="Europe/Berlin", catch_up="latest", overlap="replace"),
)
def often(numbers: list[int] = [1, 2, 3]) -> int:  # noqa: B006  # a default is kept as a value
    return summed([doubled(number) for number in numbers])


CASES: dict[str, tuple[Pipeline[..., int], dict[str, object]]] = {
    "default": (often, {}),
    "too-much": (often, {"numbers": [50, 60]}),
}
