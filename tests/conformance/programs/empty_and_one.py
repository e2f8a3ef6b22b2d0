"""Everything that goes over a list, over none and over one: loops, comprehensions, aggregates, maps of maps."""

from drawloom import bounded, pipeline, task


@task
def items(count: int) -> list[int]:
    return list(range(count))


@task
def inc(number: int) -> int:
    return number + 1


@task
def count(numbers: list[int]) -> int:
    return len(numbers)


@pipeline
def everything(size: int) -> tuple[list[int], list[list[int]], dict[int, int], int, int, bool, int | None]:
    found = items(size)
    mapped = [inc(n) for n in found if n >= 0]
    nested = [[inc(m) for m in items(n)] for n in mapped]
    table = {n: inc(n) for n in mapped}
    last = None
    for n in mapped:
        last = inc(n)
    turns = 0
    for _ in bounded(3):
        if turns >= count(found):
            break
        turns += 1
    return mapped, nested, table, sum(mapped), turns, not found, last


CASES = {
    "none": (everything, {"size": 0}),
    "one": (everything, {"size": 1}),
    "two": (everything, {"size": 2}),
}
