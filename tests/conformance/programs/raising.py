"""`raise` in a pipeline: under a run-time test, in a handler, again, from a cause, a failing `assert`;
exceptions that make their text themselves."""

from drawloom import bounded, pipeline, task


class TooSmall(ValueError):
    """A number is below its least."""


class Rejected(Exception):
    """Another name for what went wrong."""


class Missing(Exception):
    """Makes its text of what it is given."""

    def __init__(self, name: str, place: str) -> None:
        super().__init__(name, place)

    def __str__(self) -> str:
        return f"no {self.args[0]} in {self.args[1]}"


@task
def find(name: str) -> str:
    raise Missing(name, "the cellar")


@task
def number(text: str) -> int:
    return int(text)


@task
def note(path: str, line: str) -> None:
    with open(path, "a") as file:
        file.write(f"{line}\n")


@pipeline
def checked(path: str, text: str, least: int) -> int:
    found = number(text)
    if found < least:
        note(path, "too small")
        raise TooSmall(f"{found} is below {least}")
    note(path, "large enough")
    return found


@pipeline
def again(path: str, text: str) -> int:
    try:
        found = number(text)
        if found == 0:
            raise TooSmall("zero")
    except TooSmall:
        note(path, "zero")
        raise
    except ValueError as error:
        note(path, "no number")
        raise Rejected("no number at all") from error
    return found


@pipeline
def caught(path: str, text: str) -> str:
    try:
        if number(text) < 0:
            raise TooSmall("negative")
        note(path, "fine")
    except TooSmall:
        return "small"
    return "fine"


@pipeline
def asserted(text: str, least: int) -> int:
    found = number(text)
    assert found >= least, f"{found} < {least}"
    assert found
    return found


@pipeline
def own_text(path: str, name: str) -> str:
    try:
        return find(name)
    except Missing as error:
        note(path, str(error))
        raise


@pipeline
def bound_reached(path: str, least: int) -> int:
    found = least
    try:
        for _ in bounded(2):
            if found > 10:
                break
            found = number(f"{found}1")
    except Exception as error:
        note(path, str(error))
        raise
    return found


CASES = {
    "own-text": (own_text, {"name": "wine"}),
    "bound-reached": (bound_reached, {"least": -1}),
    "bound-not-reached": (bound_reached, {"least": 1}),
    "raised": (checked, {"text": "3", "least": 4}),
    "not-raised": (checked, {"text": "4", "least": 4}),
    "again-own": (again, {"text": "0"}),
    "again-other": (again, {"text": "x"}),
    "again-fine": (again, {"text": "1"}),
    "caught": (caught, {"text": "-1"}),
    "caught-nothing": (caught, {"text": "1"}),
    "assert-holds": (asserted, {"text": "5", "least": 5}),
    "assert-fails": (asserted, {"text": "4", "least": 5}),
    "assert-fails-bare": (asserted, {"text": "0", "least": -5}),
}
