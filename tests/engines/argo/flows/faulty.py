"""Pipelines that something befalls on the cluster."""

from __future__ import annotations

import time

from drawloom import Checkpoint, Retry, for_each, pipeline, task

__all__ = ["lost", "outgrown", "restarted", "wide"]


@task(retry=Retry(max_attempts=3, on="infra"))
def slow(n: int) -> int:
    """Never ends the first time, so that it is sure to be found running; a second time it only says so."""
    checkpoint = Checkpoint()
    if not checkpoint.load("begun", default=False):
        checkpoint.save("begun", value=True)
        checkpoint.commit()
        time.sleep(3_600)
    return n + 1


@task
def brief(n: int) -> int:
    time.sleep(1)
    return 2 * n


@task
def steady(n: int) -> int:
    time.sleep(10)
    return 2 * n


@task
def hungry(size_bytes: int) -> int:
    """Really takes the memory: what was never written costs nothing."""
    return sum(bytearray(b"x" * size_bytes)[:: 1 << 20])


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task
def numbers(count: int) -> list[int]:
    return list(range(count))


@pipeline
def lost(n: int = 1) -> int:
    return brief(slow(n))


@pipeline
def outgrown(size_bytes: int = 1 << 30) -> int:
    return hungry(size_bytes)


@pipeline
def restarted(count: int = 4) -> int:
    return total(for_each(numbers(count), steady))


@pipeline
def wide(count: int = 1_000) -> int:
    return total(for_each(numbers(count), brief_one, batch_size=100))


@task
def brief_one(n: int) -> int:
    return n + 1
