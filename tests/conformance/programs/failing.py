"""A failure: what depends on it is skipped, what doesn't runs, and the first one in program order is the run's."""

from drawloom import branch, for_each, pipeline, task


@task
def fine(number: int) -> int:
    return number + 1


@task
def broken(number: int) -> int:
    raise RuntimeError(f"broken at {number}")


@task
def divide(number: int) -> float:
    return 10 / number


@pipeline
def independent(number: int) -> tuple[int, int]:
    good = fine(number)
    bad = broken(good)
    worse = broken(number)
    behind = fine(bad)
    also_good = fine(good)
    branch(behind > 3, lambda: fine(worse))
    return behind, also_good


@pipeline
def in_fan_out(numbers: list[int]) -> list[float]:
    shares = for_each(numbers, divide)
    return for_each(shares, lambda share: fine(1))


@pipeline
def in_expression(numbers: dict[str, int], key: str) -> int:
    value = branch(fine(0) > 0, lambda: numbers["missing"], lambda: 1)
    fine(3)
    return fine(value)


@pipeline
def in_result(numbers: list[int]) -> int:
    return fine(numbers[0]) // (fine(0) - 1)


CASES = {
    "independent": (independent, {"number": 1}),
    "items": (in_fan_out, {"numbers": [5, 0, 2, 0]}),
    "expression": (in_expression, {"numbers": {"a": 1}, "key": "b"}),
    "result": (in_result, {"numbers": [1]}),
}
