"""`except ... as error`: its text in an f-string, handed to a task, a field of what it was raised with is not needed."""

from drawloom import pipeline, task


class Unlucky(Exception):
    """Raised on purpose."""


@task
def draw(number: int) -> int:
    if number == 13:
        raise Unlucky("thirteen")
    return 100 // number


@task
def shorten(text: str) -> str:
    return text[:8]


@pipeline
def told(number: int) -> str:
    try:
        return f"drew {draw(number)}"
    except Unlucky as error:
        return f"unlucky: {error}"
    except ZeroDivisionError as error:
        said = shorten(str(error))
    return said


CASES = {
    "nothing": (told, {"number": 5}),
    "text": (told, {"number": 13}),
    "task": (told, {"number": 0}),
}
