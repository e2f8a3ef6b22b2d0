"""Pipelines called in branches, loops, comprehensions and `try` of another one, with control flow of their own."""

from drawloom import pipeline, task


@task
def half(number: int) -> int:
    if number < 0:
        raise ValueError("negative")
    return number // 2


@task
def numbers(count: int) -> list[int]:
    return list(range(count))


@pipeline
def shrink(number: int, least: int = 1) -> int:
    if number <= least:
        return least
    smaller = half(number)
    if smaller < least:
        smaller = least
    return smaller


@pipeline
def shrink_all(items: list[int]) -> list[int]:
    return [shrink(item, least=2) for item in items if item != 3]


@pipeline
def outer(count: int, number: int) -> tuple[list[int], int, str]:
    small = shrink_all(numbers(count))
    if shrink(number) > 3:
        word = "large"
        number = shrink(shrink(number), 2)
    else:
        word = "small"
    try:
        last = shrink(number, number - 3)
    except ValueError:
        last = 0
        word += " and negative"
    return small, last, word


CASES = {
    "large": (outer, {"count": 6, "number": 20}),
    "small": (outer, {"count": 1, "number": 2}),
    "negative": (outer, {"count": 0, "number": -7}),
}
