"""`sum`, `min`, `max`, `sorted`, `reversed` over run-time lists and over generators of calls."""

from drawloom import pipeline, task


@task
def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split()]


@task
def distance(number: int) -> int:
    return abs(number - 5)


@task
def inc(number: int) -> int:
    return number + 1


@pipeline
def aggregated(text: str) -> tuple[int, int, int, list[int], list[int]]:
    found = numbers(text)
    far = sum(distance(n) for n in found)
    near = min([distance(n) for n in found])
    top = max(inc(n) for n in found)
    return far, near + inc(top), max(near, top, 3), sorted(found), sorted([distance(n) for n in found])[::-1]


@pipeline
def backwards(text: str) -> list[int]:
    made = []
    for n in reversed(numbers(text)):
        made.append(inc(n))
    return made + [sum(made), sum([], 1)]


@pipeline
def of_known(number: int) -> int:
    return max([inc(number), distance(number)]) * 100 + min(inc(number), distance(number)) + sum((number, 1))


CASES = {
    "several": (aggregated, {"text": "7 1 4 4"}),
    "one": (aggregated, {"text": "5"}),
    "none": (aggregated, {"text": ""}),
    "backwards": (backwards, {"text": "3 1 2"}),
    "backwards-none": (backwards, {"text": ""}),
    "known": (of_known, {"number": 1}),
}
