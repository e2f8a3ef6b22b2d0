"""`return` before the end: one after the other, nested, in both arms, with calls that must not be made behind it."""

from drawloom import pipeline, task


@task
def size(text: str) -> int:
    return len(text)


@task
def shout(text: str) -> str:
    return text.upper()


@task
def must_be_long(text: str) -> str:
    if len(text) < 4:
        raise ValueError(f"{text!r} is short")
    return text[:4]


@task
def note(path: str, line: str) -> None:
    with open(path, "a") as file:
        file.write(f"{line}\n")


@pipeline
def guarded(text: str, path: str) -> str:
    note(path, "begin")
    if size(text) == 0:
        note(path, "empty")
        return "nothing"
    if size(text) < 4:
        return shout(text)
    note(path, "long")
    return must_be_long(text)


@pipeline
def nested(a: int, b: int, text: str) -> str:
    length = size(text)
    if length > a:
        if length > b:
            return "above both"
        text = shout(text)
        if length == b:
            return text
    elif length == a:
        return "at a"
    text = text + "!"
    return shout(text)


@pipeline
def both(text: str) -> int | str | None:
    if size(text) > 3:
        return size(text)
    else:
        if text == "abc":
            return None
        return text


CASES = {
    "empty": (guarded, {"text": ""}),
    "short": (guarded, {"text": "abc"}),
    "long": (guarded, {"text": "abcdef"}),
    "above-both": (nested, {"a": 1, "b": 2, "text": "xyz"}),
    "inner-return": (nested, {"a": 1, "b": 3, "text": "xyz"}),
    "falls-through": (nested, {"a": 1, "b": 5, "text": "xyz"}),
    "at": (nested, {"a": 3, "b": 0, "text": "xyz"}),
    "below": (nested, {"a": 4, "b": 0, "text": "xyz"}),
    "number": (both, {"text": "abcd"}),
    "none": (both, {"text": "abc"}),
    "text": (both, {"text": "ab"}),
}
