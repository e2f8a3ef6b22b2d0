"""`any` and `all`: over lists of results, over generators, which call nothing behind the first answer."""

from drawloom import pipeline, task


@task
def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split()]


@task
def is_even(number: int) -> bool:
    return number % 2 == 0


@task
def share(number: int) -> float:
    return 6 / number


@pipeline
def of_lists(text: str) -> tuple[bool, bool]:
    even = [is_even(n) for n in numbers(text)]
    return any(even), all(even)


@pipeline
def of_generators(text: str) -> str:
    found = numbers(text)
    if any(share(n) > 5 for n in found):
        return "large"
    if all(is_even(n) for n in found):
        return "even"
    return "mixed"


CASES = {
    "both": (of_lists, {"text": "2 4"}),
    "some": (of_lists, {"text": "2 3"}),
    "none": (of_lists, {"text": "1"}),
    "empty": (of_lists, {"text": ""}),
    "stops-before-the-failure": (of_generators, {"text": "2 1 0"}),
    "runs-into-the-failure": (of_generators, {"text": "2 0 1"}),
    "all-even": (of_generators, {"text": "2 4"}),
    "mixed": (of_generators, {"text": "2 3 4"}),
    "no-items": (of_generators, {"text": ""}),
}
