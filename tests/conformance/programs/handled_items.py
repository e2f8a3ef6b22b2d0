"""A fan-out whose items contain their failures: one that was handled is a value as any other, to all that comes after."""

from drawloom import pipeline, task


@task
def parsed(text: str) -> int:
    return int(text)


@task
def doubled(number: int) -> int:
    return 2 * number


@task
def guessed(text: str) -> int:
    return len(text)


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


def value_of(text: str) -> int:
    try:
        found = doubled(parsed(text))
    except ValueError:
        found = guessed(text)
    return doubled(found) if found > 3 else found


@pipeline
def handled(texts: list[str]) -> tuple[int, list[int]]:
    found = [value_of(text) for text in texts]
    return total(found), found


CASES = {
    "some": (handled, {"texts": ["4", "four", "1", "x", "-2"]}),
    "all": (handled, {"texts": ["a", "bcdef"]}),
    "none": (handled, {"texts": ["1", "2"]}),
    "no-items": (handled, {"texts": []}),
}
