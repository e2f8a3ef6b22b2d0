"""Pipelines with next to nothing in them: a constant, a parameter, no result, one effect, the same value twice."""

from drawloom import pipeline, task


@task
def note(path: str, line: str) -> None:
    with open(path, "a") as file:
        file.write(f"{line}\n")


@task
def one() -> int:
    return 1


@pipeline
def constant() -> tuple[int, str]:
    return 7, "seven"


@pipeline
def passed_on(value: list[int]) -> list[int]:
    return value


@pipeline
def nothing(number: int) -> None:
    if number > 3:
        return
    pass


@pipeline
def effect(path: str) -> None:
    note(path, "only")


@pipeline
def twice() -> tuple[int, int]:
    value = one()
    return value, value


CASES = {
    "constant": (constant, {}),
    "passed-on": (passed_on, {"value": [1, 2]}),
    "passed-on-empty": (passed_on, {"value": []}),
    "nothing": (nothing, {"number": 3}),
    "nothing-early": (nothing, {"number": 4}),
    "effect": (effect, {}),
    "twice": (twice, {}),
}
