"""A bit of everything, one within the other: fan-out, branch, loop, try, nested pipeline, effect, retry."""

from drawloom import Failure, Retry, branch, for_each, length, pipeline, task, try_, while_loop


class Odd(Exception):
    """Raised for odd numbers on purpose."""


@task
def numbers(count: int) -> list[int]:
    return list(range(count))


@task(retry=Retry(max_attempts=2))
def halve(number: int) -> int:
    if number % 2:
        raise Odd(str(number))
    return number // 2


@task
def triple(number: int) -> int:
    return 3 * number


@task
def size(failure: Failure) -> int:
    return len(failure.message)


@task
def note(path: str, line: str) -> None:
    with open(path, "a") as file:
        file.write(f"{line}\n")


@pipeline
def grow(number: int, limit: int) -> int:
    return while_loop(lambda n: n < limit, lambda n: triple(n) + 1, number, max_iterations=4, on_limit="stop")


@pipeline
def mixture(path: str, count: int) -> tuple[list[int], int]:
    made = numbers(count)

    def one(number: int) -> int:
        half = try_(lambda: halve(number), {Odd: size})
        return branch(half > 0, lambda: grow(half, 5), lambda: number)

    grown = for_each(made, one, parallelism=2)
    note(path, "grown")
    return grown, length(grown) + triple(grown[-1])


CASES = {"four": (mixture, {"count": 4})}
