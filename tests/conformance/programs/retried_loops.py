"""Attempts made again inside branches, loops and `try`: succeeding late, given up and handled, given up for good."""

from drawloom import Retry, pipeline, task


class Flaky(Exception):
    """Goes away by itself."""


@task(retry=Retry(max_attempts=3, on=Flaky))
def unsteady(path: str, name: str, failures: int) -> str:
    with open(path, "a+") as file:
        file.write(f"{name}\n")
        file.seek(0)
        if file.read().split().count(name) <= failures:
            raise Flaky(name)
    return name.upper()


@task
def names(text: str) -> list[str]:
    return text.split()


@pipeline
def looped(path: str, text: str) -> list[str]:
    made: list[str] = []
    for name in names(text):
        if len(made) > 5:
            break
        try:
            said = unsteady(path, name, len(name) if len(name) < 3 else 99)
        except Flaky:
            said = "gave up"
        made = [*made, said]
    return made


@pipeline
def final(path: str, name: str, failures: int) -> str:
    if failures > 1:
        return unsteady(path, name, failures) + "!"
    return unsteady(path, name, failures)


CASES = {
    "some-give-up": (looped, {"text": "a bb ccc"}),
    "none": (looped, {"text": ""}),
    "at-once": (final, {"name": "x", "failures": 0}),
    "last-attempt": (final, {"name": "x", "failures": 2}),
    "given-up": (final, {"name": "x", "failures": 99}),
}
