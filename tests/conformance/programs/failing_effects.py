"""An effect that fails: what is behind it isn't done, what was done stays, cleanups run in their order."""

from drawloom import pipeline, task


class Full(Exception):
    """There is no room."""


@task
def write(path: str, line: str) -> None:
    if line == "bad":
        raise Full(line)
    with open(path, "a") as file:
        file.write(f"{line}\n")


@task
def names(text: str) -> list[str]:
    return text.split()


@pipeline
def cleaned(path: str, text: str) -> str:
    try:
        write(path, "open")
        for name in names(text):
            write(path, name)
        write(path, "all written")
    except Full:
        write(path, "full")
        return "full"
    finally:
        write(path, "close")
    return "done"


@pipeline
def each(path: str, text: str) -> list[str]:
    made = []
    for name in names(text):
        try:
            write(path, name)
            made.append(name)
        except Full:
            made.append("skipped")
        finally:
            write(path, f"after-{name}")
    return made


CASES = {
    "fine": (cleaned, {"text": "a b"}),
    "last-fails": (cleaned, {"text": "a bad"}),
    "none": (cleaned, {"text": ""}),
    "each": (each, {"text": "a bad b"}),
    "each-fine": (each, {"text": "a"}),
}
