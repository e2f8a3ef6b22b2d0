"""Names: a loop's variable after the loop, a comprehension's own, a parameter assigned anew, a builtin's name taken."""

from drawloom import pipeline, task


@task
def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split()]


@task
def inc(number: int) -> int:
    return number + 1


FACTOR = 3


@pipeline
def scoped(text: str, number: int) -> list[int]:
    n = 100
    squares = [n * inc(n) for n in numbers(text)]
    item = -1
    for item in numbers(text):
        number = inc(item) * FACTOR
    sum = inc(number)
    max = len(squares)
    if max > 1:
        item = inc(item)
        n = item
    del max
    return [*squares, n, item, number, sum]


@pipeline
def reassigned(text: str) -> str:
    text = text + "1"
    found = numbers(text)
    if inc(found[0]) > 5:
        text = f"{found[0]}"
    kept = text
    text = ""
    return kept + text + "."


CASES = {
    "several": (scoped, {"text": "1 2 3", "number": 5}),
    "one": (scoped, {"text": "4", "number": 5}),
    "none": (scoped, {"text": "", "number": 5}),
    "reassigned": (reassigned, {"text": "7 "}),
    "reassigned-kept": (reassigned, {"text": "2 "}),
}
