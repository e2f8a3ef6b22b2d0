"""Pipelines whose maps and branches ask no more than what the call before them gives."""

import os
from dataclasses import dataclass
from typing import Any

from drawloom import branch, container, for_each, output_path, pipeline, run_image, task, try_


@dataclass
class Batch:
    rows: list[int]


@task
def rows(number: int) -> list[int]:
    if number < 0:
        raise ValueError("no rows")
    return list(range(number))


@task
def batch(number: int) -> Batch:
    return Batch(list(range(number)))


@task
def word(number: int) -> str:
    return "many" if number > 3 else "few"


@task
def is_good(number: int) -> bool:
    if number < 0:
        raise ValueError("no number")
    return number > 1


@task
def double(number: int, by: int = 2) -> int:
    return number * by


@task
def factor() -> int:
    return 3


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task
def whatever(number: int) -> Any:
    return number


@task(cache=False)
def checked(wanted: str) -> bool:
    with open(wanted) as file:
        return file.read() == "yes"


@task
def leave(number: int) -> list[int]:
    os._exit(0)


@container
def listed(number: int) -> list[int]:
    return run_image("registry.example/lister:1", ["list", number, output_path()])


@pipeline
def mapped(number: int) -> int:
    return total(for_each(rows(number), double))


@pipeline
def nested(number: int) -> list[list[int]]:
    return for_each(rows(number), lambda n: for_each(rows(n), double))


@pipeline
def batched(number: int) -> list[int]:
    return for_each(rows(number), double, batch_size=2)


@pipeline
def chosen(number: int) -> int:
    return branch(is_good(number), lambda: double(number), lambda: double(number, 3))


@pipeline
def one_sided(number: int) -> int:
    return branch(is_good(number), lambda: 1, lambda: 0)


@pipeline
def caught(number: int) -> int:
    return try_(lambda: total(for_each(rows(number), double)), {ValueError: lambda failure: double(100)})


@pipeline
def twice(number: int) -> list[list[int]]:
    made = rows(number)
    return [for_each(made, double), for_each(made, lambda n: double(n, 3))]


@pipeline
def of_a_part(number: int) -> list[int]:
    return for_each(batch(number).rows, double)


@pipeline
def with_another(number: int) -> list[int]:
    by = factor()
    return for_each(rows(number), lambda n: double(n, by))


@pipeline
def with_an_earlier(number: int) -> list[int]:
    by = double(number)
    return for_each(rows(by), lambda n: double(n, by))


@pipeline
def with_one_around(number: int) -> list[list[int]]:
    by = factor()
    return for_each(rows(number), lambda n: for_each(rows(n), lambda m: double(m, by)))


@pipeline
def sized(number: int) -> int:
    made = double(number)
    if made > 10:
        return double(1)
    if made == 4 or made < 0.5:
        return double(2)
    return 0


@pipeline
def of_text(number: int) -> int:
    return branch(word(number) >= "many", lambda: double(number), lambda: 0)


@pipeline
def of_text_and_number(number: int) -> int:
    return branch(word(number) == number, lambda: double(number), lambda: 0)


@pipeline
def computed(number: int) -> int:
    return branch(double(number) // number > 3, lambda: double(number), lambda: 0)


@pipeline
def of_truth(number: int) -> int:
    return 0 if not is_good(number) else double(number)


@pipeline
def of_anything(number: int) -> Any:
    made = whatever(number)
    return for_each(made, double), double(made)


@pipeline
def armed(wanted: str) -> int:
    return try_(lambda: double(1) if checked(wanted) else 0, {OSError: lambda failure: 7})


@pipeline
def left(number: int) -> list[int]:
    return for_each(leave(number), double)


@pipeline
def of_a_container(number: int) -> list[int]:
    return for_each(listed(number), double)
