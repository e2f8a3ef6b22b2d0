"""Branches in maps: each item on a side of its own, sides of different types, a side that fails for one item only."""

from drawloom import pipeline, task


@task
def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split()]


@task
def inverse(number: int) -> float:
    return 1 / number


@task
def negate(number: int) -> int:
    return -number


@task
def describe(number: int) -> str:
    return f"<{number}>"


def sided(number: int) -> int | float | str:
    if number > 2:
        return negate(number)
    if number >= 0:
        return inverse(number)
    return describe(number)


@pipeline
def mapped(text: str) -> list[int | float | str]:
    return [sided(number) for number in numbers(text)]


@pipeline
def looped(text: str) -> list[str]:
    made = []
    for number in numbers(text):
        if number > 2:
            number = negate(number)
            if number < -10:
                word = "huge"
            else:
                word = describe(number)
        else:
            word = "small" if inverse(number) > 0.9 else describe(number)
        made.append(word + ".")
    return made


CASES = {
    "each-side": (mapped, {"text": "3 1 -1 2"}),
    "one-fails": (mapped, {"text": "3 0 -1"}),
    "none": (mapped, {"text": ""}),
    "looped": (looped, {"text": "11 3 1 2"}),
    "looped-fails": (looped, {"text": "1 0"}),
    "looped-one": (looped, {"text": "-4"}),
}
