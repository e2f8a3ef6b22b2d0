"""A pipeline of a thousand small calls: a hundred rows of ten, each call needing two of the row before."""

from __future__ import annotations

from drawloom import pipeline, task

__all__ = ["many"]


@task
def start(n: int) -> int:
    return n


@task
def join(a: int, b: int) -> int:
    return (a + b) % 1_000_003


def _rows(count: int) -> int:
    row = [start(n) for n in range(10)]
    for _ in range(count - 1):
        row = [join(row[n], row[(n + 1) % 10]) for n in range(10)]
    return row[0]


@pipeline
def many() -> int:
    return _rows(100)
