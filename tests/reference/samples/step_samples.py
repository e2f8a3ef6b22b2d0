"""Pipelines whose steps are started one by one."""

import os
import sys
import time

from drawloom import Retry, branch, for_each, pipeline, task, try_, while_loop


@task
def one() -> int:
    return 1


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def where_from() -> list[str]:
    import drawloom

    return [drawloom.__file__, sys.executable, str(sorted(sys.modules))]


@task
def write(path: str, line: str) -> None:
    with open(path, "a") as file:
        file.write(f"{line}\n")


@task
def bad(number: int) -> int:
    raise ValueError(f"bad {number}")


@task(retry=Retry(max_attempts=2))
def bad_twice(number: int) -> int:
    raise ValueError(f"bad {number}")


@task(attempt_timeout_seconds=0.2)
def sleepy(seconds: float) -> float:
    print("going to sleep", flush=True)
    time.sleep(seconds)
    return seconds


@task(attempt_timeout_seconds=30)
def limited(number: int) -> int:
    print("in time")
    return number + 1


@task(attempt_timeout_seconds=30)
def vanishing() -> int:
    os._exit(3)


@task(node_timeout_seconds=0.2, retry=Retry(max_attempts=5))
def never_done() -> int:
    time.sleep(0.15)
    raise ValueError("again")


@pipeline
def chain(start: int) -> int:
    first = one()
    return add(first, start)


@pipeline
def single(start: int = 1) -> int:
    return add(start, 1)


@pipeline
def probing() -> list[str]:
    return where_from()


@pipeline
def writing(path: str) -> None:
    write(path, "one")
    write(path, "two")


@pipeline
def failing(number: int) -> int:
    return add(bad(number), 1)


@pipeline
def failing_twice(number: int) -> int:
    return bad_twice(number)


@pipeline
def contained(number: int) -> int:
    return try_(lambda: add(bad(number), 1), {ValueError: lambda failure: add(7, number)})


@pipeline
def limits(seconds: float) -> tuple[float, int]:
    return sleepy(seconds), limited(2)


@pipeline
def vanished() -> int:
    return vanishing()


@pipeline
def out_of_time() -> int:
    return never_done()


@pipeline
def deciding(numbers: list[int], limit: int) -> tuple[list[int], int]:
    sums = for_each(numbers, lambda n: add(n, 1))
    grown = while_loop(lambda n: n < limit, lambda n: add(n, n), 1, max_iterations=5)
    return sums, branch(grown > 3, lambda: add(grown, 1), lambda: 0)
