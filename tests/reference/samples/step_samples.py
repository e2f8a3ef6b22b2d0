"""Pipelines whose steps are started one by one."""

import os
import subprocess
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


@task(node_timeout_seconds=2.5, retry=Retry(max_attempts=5))  # far enough apart for a busy machine
def never_done() -> int:
    time.sleep(1.3)
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


@task
def leave() -> int:
    print("out of here", file=sys.stderr, flush=True)
    os._exit(5)


@pipeline
def leaving() -> int:
    return leave()


@task
def raise_base(number: int) -> int:
    print("about to")
    raise (KeyboardInterrupt, SystemExit)[number]("enough")


@task(attempt_timeout_seconds=60)
def raise_base_in_time(number: int) -> int:
    raise (KeyboardInterrupt, SystemExit)[number]("enough")


@pipeline
def raising(number: int) -> int:
    return raise_base(number)


@pipeline
def raising_in_time(number: int) -> int:
    return raise_base_in_time(number)


def _linger(folder: str) -> int:
    child = subprocess.Popen(["sleep", "300"])
    for pid in (os.getpid(), child.pid):
        with open(os.path.join(folder, str(pid)), "w"):
            pass
    return child.wait()


@task
def linger(folder: str) -> int:
    return _linger(folder)


@task(attempt_timeout_seconds=300)
def linger_in_time(folder: str) -> int:
    return _linger(folder)


@pipeline
def slow(folder: str) -> list[int]:
    return [linger(folder), linger(folder), linger(folder)]


@pipeline
def slow_in_time(folder: str) -> list[int]:
    return [linger_in_time(folder), linger_in_time(folder), linger_in_time(folder)]


@task(retry=Retry(max_attempts=2, delay_seconds=300))
def fail_slowly(folder: str) -> int:
    with open(os.path.join(folder, "one"), "w"):
        pass
    raise ValueError("again")


@pipeline
def waiting(folder: str) -> int:
    return fail_slowly(folder)


def make(k: int):
    @task
    def scale(n: int) -> int:
        return n * k

    return scale


double = make(2)


@pipeline
def made_by_a_factory(n: int) -> int:
    return double(n)


@pipeline
def batched_over_control(numbers: list[int]) -> list[int]:
    return for_each(numbers, lambda n: branch(n > 1, lambda: add(n, 1), lambda: n), batch_size=2)


@task
def count_lines(path: str, after: None) -> int:
    with open(path) as file:
        return len(file.readlines())


@task
def stop_at(number: int, path: str) -> int:
    import os

    if not os.path.exists(path):
        raise ValueError("not yet")
    return number


@pipeline
def effect_then_failure(path: str, flag: str) -> int:
    write(path, "one")
    return add(stop_at(add(1, 2), flag), 1)


def _talk(folder: str) -> int:
    print("begins")
    while not os.path.exists(f"{folder}/heard"):
        time.sleep(0.01)
    return 1


@task
def talk(folder: str) -> int:
    return _talk(folder)


@task(attempt_timeout_seconds=300)
def talk_in_time(folder: str) -> int:
    return _talk(folder)


@pipeline
def talking(folder: str) -> int:
    return talk(folder)


@pipeline
def talking_in_time(folder: str) -> int:
    return talk_in_time(folder)
