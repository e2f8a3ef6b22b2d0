"""`a < f(x) <= b`: the middle once, the rest not at all where the first fails; equality chains."""

from drawloom import pipeline, task


@task
def value(path: str, number: int) -> int:
    with open(path, "a") as file:
        file.write(f"value {number}\n")
    return number


@task
def limit(number: int) -> int:
    if number < 0:
        raise ValueError("no limit")
    return number * 10


@pipeline
def between(path: str, number: int, low: int, high: int) -> str:
    if low < value(path, number) <= limit(high):
        return "inside"
    return "outside"


@pipeline
def ordered(a: int, b: int, c: int) -> bool:
    return limit(a) < limit(b) < limit(c) != 50


@pipeline
def all_equal(a: int, b: int, c: int) -> int:
    count = 0
    if a == b == c:
        count = limit(1)
    if a <= b >= c:
        count += 1
    return count


CASES = {
    "inside": (between, {"number": 5, "low": 1, "high": 3}),
    "above": (between, {"number": 31, "low": 1, "high": 3}),
    "below-skips-the-rest": (between, {"number": 0, "low": 1, "high": -1}),
    "rest-fails": (between, {"number": 2, "low": 1, "high": -1}),
    "ordered": (ordered, {"a": 1, "b": 2, "c": 3}),
    "not-ordered": (ordered, {"a": 1, "b": 3, "c": 2}),
    "ordered-but-fifty": (ordered, {"a": 1, "b": 2, "c": 5}),
    "equal": (all_equal, {"a": 2, "b": 2, "c": 2}),
    "peak": (all_equal, {"a": 1, "b": 5, "c": 2}),
    "valley": (all_equal, {"a": 3, "b": 1, "c": 2}),
}
