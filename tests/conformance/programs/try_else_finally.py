"""`else` and `finally`: in which order their effects happen, with and without a failure, with `return` in each part."""

from drawloom import pipeline, task


class Refused(Exception):
    """Raised on purpose."""


@task
def check(number: int) -> int:
    if number < 0:
        raise Refused(f"{number} is negative")
    return number


@task
def inverse(number: int) -> float:
    return 1 / number


@task
def note(path: str, line: str) -> None:
    with open(path, "a") as file:
        file.write(f"{line}\n")


@pipeline
def parts(path: str, number: int) -> float:
    note(path, "before")
    try:
        made = check(number)
        note(path, "body")
    except Refused:
        note(path, "handler")
        result = -1.0
    else:
        note(path, "else")
        result = inverse(made)
        note(path, "else done")
    finally:
        note(path, "finally")
    note(path, "after")
    return result


@pipeline
def returning(path: str, number: int) -> str:
    try:
        if check(number) > 5:
            return "body"
        inverse(number)
    except ZeroDivisionError:
        return "handler"
    finally:
        note(path, "finally")
    note(path, "after")
    return "end"


@pipeline
def nested(path: str, number: int) -> str:
    try:
        try:
            check(number)
            said = "checked"
        finally:
            note(path, "inner")
    except Refused:
        note(path, "handler")
        return "refused"
    finally:
        note(path, "outer")
    return said


CASES = {
    "else": (parts, {"number": 2}),
    "handler": (parts, {"number": -1}),
    "else-fails": (parts, {"number": 0}),
    "return-from-body": (returning, {"number": 6}),
    "return-from-handler": (returning, {"number": 0}),
    "falls-through": (returning, {"number": 2}),
    "not-handled": (returning, {"number": -2}),
    "nested-fine": (nested, {"number": 1}),
    "nested-raised": (nested, {"number": -1}),
}
