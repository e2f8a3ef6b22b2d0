"""`:=` in tests, comprehensions, arguments and loops; the name is there afterwards."""

from drawloom import bounded, pipeline, task


@task
def half(number: int) -> int:
    return number // 2


@task
def numbers(count: int) -> list[int]:
    return list(range(count))


@pipeline
def named(number: int) -> tuple[int, list[int], int]:
    smaller = 0
    if (small := half(number)) > 3:
        if (smaller := half(small)) > 1:
            found = small + smaller
        else:
            found = smaller
    elif small:
        found = -small
    else:
        found = 0
    kept = [h for n in numbers(number) if (h := half(n)) != 1]
    turns = 0
    for _ in bounded(10):
        if (number := half(number)) == 0:
            break
        turns += 1
    return half(two := found + 2) + two, kept, turns


CASES = {
    "first": (named, {"number": 8}),
    "second-test": (named, {"number": 6}),
    "zero": (named, {"number": 1}),
}
