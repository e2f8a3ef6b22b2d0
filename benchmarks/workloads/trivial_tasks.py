"""The pipelines of W1 to W3."""

from __future__ import annotations

from drawloom import Static, for_each, pipeline, task

__all__ = ["chain", "fan_out"]


@task
def inc(x: int) -> int:
    return x + 1


@pipeline
def chain(n: Static[int], start: int = 0) -> int:
    x = start
    for _ in range(n):
        x = inc(x)
    return x


@task
def source(n: int) -> list[int]:
    return list(range(n))


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@pipeline
def fan_out(n: int) -> int:
    return total(for_each(source(n), inc))


@task
def begin() -> int:
    return 0


@task
def join(a: int, b: int, c: int, d: int, e: int, f: int, g: int, h: int, i: int, j: int) -> int:
    return a + b + c + d + e + f + g + h + i + j


@pipeline
def blocks(n: Static[int]) -> int:
    last = begin()
    for _ in range((n - 1) // 11):
        last = join(*[inc(last) for _ in range(10)])
    for _ in range((n - 1) % 11):
        last = inc(last)
    return last


@task
def square(x: int) -> int:
    return x * x


@task
def largest(numbers: list[int]) -> int:
    return max(numbers)


@task
def publish(number: int) -> None:
    print(number)


@pipeline
def mixture(batch: Static[int], count: int) -> int:
    found = largest(for_each(source(count), lambda x: square(inc(x)), batch_size=batch))
    if found > 10:
        publish(found)
    return found
