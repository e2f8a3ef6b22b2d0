"""Several items of a fan-out in one step: one that fails keeps no other from going on."""

from drawloom import for_each, pipeline, task


@task
def share(number: int) -> float:
    return 12 / number


@task
def plus(number: float) -> float:
    return number + 1


@pipeline
def one_step(numbers: list[int]) -> list[float]:
    return for_each(numbers, share, batch_size=3)


@pipeline
def two_steps(numbers: list[int]) -> list[float]:
    return for_each(numbers, lambda n: plus(share(n)), batch_size=2, parallelism=1)


CASES = {
    "fine": (two_steps, {"numbers": [1, 2, 3, 4, 6]}),
    "one-fails": (two_steps, {"numbers": [1, 2, 0, 4, 6]}),
    "single": (one_step, {"numbers": [1, 2, 0, 4]}),
}
