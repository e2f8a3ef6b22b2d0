"""`try`: no failure, a handled one, one nobody handles, `finally` in each, a try in a try, failures in a fan-out."""

from drawloom import Failure, for_each, pipeline, task, try_


class Unlucky(Exception):
    """Raised on purpose."""


@task
def risky(number: int) -> int:
    if number < 0:
        raise Unlucky(f"no luck with {number}")
    if number == 0:
        raise ZeroDivisionError("nothing to share")
    return number


@task
def plus(a: int, b: int) -> int:
    return a + b


@task
def explain(failure: Failure) -> str:
    return f"{failure.type}|{failure.message}"


@task
def note(path: str, line: str) -> None:
    with open(path, "a") as file:
        file.write(f"{line}\n")


@pipeline
def handled(number: int, path: str) -> str | int:
    outcome = try_(lambda: plus(risky(number), 1), {Unlucky: explain}, lambda: note(path, "finally"))
    note(path, "after")
    return outcome


@pipeline
def nested(number: int) -> str | int:
    return try_(
        lambda: try_(lambda: risky(number), {ZeroDivisionError: lambda _: plus(risky(-7), 1)}),
        {Unlucky: explain},
    )


@pipeline
def in_fan_out(numbers: list[int]) -> list[str | int]:
    return for_each(numbers, lambda number: try_(lambda: plus(risky(number), 10), {Exception: explain}))


@pipeline
def around_fan_out(numbers: list[int]) -> list[int] | str:
    return try_(lambda: for_each(numbers, lambda n: plus(risky(n), 10)), {Exception: explain})


CASES = {
    "none": (handled, {"number": 4}),
    "handled": (handled, {"number": -4}),
    "unhandled": (handled, {"number": 0}),
    "inner-handler-fails": (nested, {"number": 0}),
    "outer": (nested, {"number": -1}),
    "each": (in_fan_out, {"numbers": [1, 0, -2]}),
    "around": (around_fan_out, {"numbers": [1, 0, -2, 3]}),
}
