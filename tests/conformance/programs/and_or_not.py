"""`and`, `or`, `not`: their values, what they leave undone, mixed with known values."""

from drawloom import pipeline, task


@task
def positive(number: int) -> bool:
    return number > 0


@task
def inverse(number: int) -> float:
    return 1 / number


@task
def name(number: int) -> str:
    return "" if number == 0 else f"n{number}"


@task
def items(number: int) -> list[int]:
    return list(range(number))


@pipeline
def guarded(number: int) -> float:
    if positive(number) and inverse(number) < 1:
        return inverse(number)
    if not positive(number) and not (number == 0 or inverse(number) > -1):
        return 2.0
    return 0.0


@pipeline
def valued(number: int, other: str) -> tuple[str, list[int] | str, bool, bool | str]:
    label = name(number) or other or "nobody"
    some = items(number) or "no items"
    both = bool(name(number) and other)
    return label, some, not both, positive(number) and name(number + 1)


@pipeline
def with_known(number: int, verbose: bool = True) -> str:
    loud = False
    if loud and inverse(0) > 1:
        return "never"
    if loud or positive(number):
        return name(number)
    return "verbose" if verbose and not loud else "quiet"


CASES = {
    "both": (guarded, {"number": 2}),
    "second-fails": (guarded, {"number": 1}),
    "first-fails": (guarded, {"number": -1}),
    "not-made": (guarded, {"number": 0}),
    "first-value": (valued, {"number": 2, "other": "x"}),
    "second-value": (valued, {"number": 0, "other": "x"}),
    "last-value": (valued, {"number": 0, "other": ""}),
    "negative": (valued, {"number": -1, "other": ""}),
    "known-positive": (with_known, {"number": 1}),
    "known-verbose": (with_known, {"number": -1}),
    "known-quiet": (with_known, {"number": -1, "verbose": False}),
}
