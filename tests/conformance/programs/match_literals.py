"""`match` on literals: numbers, texts, `None`, alternatives, a guard, a capture, the wildcard, nothing that fits."""

from drawloom import pipeline, task


@task
def first_word(text: str) -> str | None:
    return text.split()[0] if text.split() else None


@task
def power(number: int) -> int:
    return number**2


@task
def greet(name: str) -> str:
    return f"hello {name}"


@pipeline
def command(text: str, number: int) -> str | int:
    match first_word(text):
        case None:
            return "nothing"
        case "square":
            return power(number)
        case "same" | "id":
            return number
        case "big" if power(number) > 50:
            return "big indeed"
        case "big":
            return "not that big"
        case other:
            return greet(other)


@pipeline
def numbered(number: int) -> str:
    word = "unknown"
    match power(number):
        case 0:
            word = "zero"
        case 1 | 4:
            word = greet("small")
        case -1:
            word = "never"
    return word


@pipeline
def flagged(flag: bool | None) -> int:
    match flag:
        case True:
            return power(3)
        case False:
            return 0
    return -1


CASES = {
    "none": (command, {"text": "  ", "number": 3}),
    "square": (command, {"text": "square it", "number": 3}),
    "alternative": (command, {"text": "id", "number": 3}),
    "guard": (command, {"text": "big", "number": 8}),
    "guard-fails": (command, {"text": "big", "number": 7}),
    "capture": (command, {"text": "you there", "number": 3}),
    "number-zero": (numbered, {"number": 0}),
    "number-two": (numbered, {"number": -2}),
    "no-match": (numbered, {"number": 3}),
    "true": (flagged, {"flag": True}),
    "false": (flagged, {"flag": False}),
    "flag-none": (flagged, {"flag": None}),
}
