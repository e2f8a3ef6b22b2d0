"""The load of the durability tests: maps, retries, small values and large ones, effects; importable by name."""

import hashlib
import os
import random
import time

from drawloom import Cache, Retry, for_each, pipeline, task


@task
def numbers(n: int, salt: int) -> list[int]:
    return [salt * 1_000_000 + k for k in range(n)]


@task(retry=Retry(max_attempts=50))
def square(x: int) -> int:
    if random.random() < 0.05:
        raise ConnectionError("try again")
    return x * x


@task
def large(x: int) -> str:
    """20 kB, so an object of its own; every third is printed, so a log is an object, too."""
    if x % 3 == 0:
        print("large", x)
    return hashlib.sha256(str(x).encode()).hexdigest() * 320


@task
def summed(squares: list[int], texts: list[str]) -> str:
    return f"{sum(squares)}-{hashlib.sha256(''.join(texts).encode()).hexdigest()}"


@task
def journal(path: str, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(handle, f"{text}\n".encode())
    os.close(handle)


@pipeline
def work(n: int, salt: int, path: str) -> str:
    journal(path, "begun")
    found = numbers(n, salt)
    squares = for_each(found, square)
    texts = for_each(found, large)
    result = summed(squares, texts)
    journal(path, result)
    return result


def expected(n: int, salt: int) -> str:
    """What `work` returns, computed without drawloom."""
    found = numbers.function(n, salt)
    return summed.function([x * x for x in found], [large.function(x) for x in found])


@task
def source() -> bytes:
    return hashlib.sha256(b"source").digest() * 1000


@task
def doubled(data: bytes) -> bytes:
    with open(os.environ["DURABLE_COUNT"], "a") as file:
        file.write("doubled\n")
    return data * 2


@task
def counted(data: bytes) -> int:
    with open(os.environ["DURABLE_COUNT"], "a") as file:
        file.write("counted\n")
    return len(data)


@task
def described(count: int) -> str:
    with open(os.environ["DURABLE_COUNT"], "a") as file:
        file.write("described\n")
    return f"{count} bytes"


@pipeline
def chain() -> str:
    """A source, an object made from it, a number made from that, a text."""
    return described(counted(doubled(source())))


@task(cache=Cache(enabled=True))
def slow(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@pipeline
def waiting(items: list[float]) -> list[float]:
    return for_each(items, slow)
