"""`zip` of run-time lists: of one length, of different ones, with a known list, in loops and in comprehensions."""

from drawloom import pipeline, task


@task
def numbers(count: int) -> list[int]:
    return list(range(1, count + 1))


@task
def names(count: int) -> list[str]:
    return [chr(97 + n) for n in range(count)]


@task
def label(name: str, number: int) -> str:
    return name * number


@pipeline
def zipped(left: int, right: int) -> tuple[list[str], list[str], dict[str, int]]:
    made = [label(name, number) for name, number in zip(names(left), numbers(right))]
    extra = []
    for name, number, factor in zip(names(left), numbers(right), numbers(2)):
        if number > 1:
            extra.append(label(name, number * factor))
    return made, extra, {name: number for name, number in zip(names(left), numbers(right)) if number != 2}


@pipeline
def with_known(count: int) -> list[str]:
    return [label(name, number) for name, number in zip(names(count), [2, 1, 3])]


CASES = {
    "equal": (zipped, {"left": 3, "right": 3}),
    "shorter": (zipped, {"left": 2, "right": 4}),
    "none": (zipped, {"left": 0, "right": 2}),
    "known-shorter": (with_known, {"count": 2}),
    "known-longer": (with_known, {"count": 5}),
}
