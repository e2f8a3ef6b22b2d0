"""`break`, `continue` and `return` in loops over run-time lists; what follows is not done."""

from drawloom import pipeline, task


@task
def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split()]


@task
def share(number: int) -> float:
    return 12 / number


@task
def note(path: str, line: str) -> None:
    with open(path, "a") as file:
        file.write(f"{line}\n")


@pipeline
def found(path: str, text: str, wanted: float) -> str:
    for number in numbers(text):
        if share(number) == wanted:
            return f"{number} has it"
    note(path, "not found")
    return "nobody"


@pipeline
def up_to(path: str, text: str) -> list[float]:
    made = []
    for number in numbers(text):
        if number == 0:
            break
        made.append(share(number))
    note(path, "done")
    return made


@pipeline
def skipping(text: str) -> tuple[list[float], int]:
    made = []
    skipped = 0
    for number in numbers(text):
        if number <= 0:
            skipped += 1
            if number < -5:
                break
            continue
        made.append(share(number))
    return made, skipped


@pipeline
def nested(text: str, most: float) -> list[float]:
    made: list[float] = []
    for number in numbers(text):
        for other in numbers(text):
            if other > number:
                break
            if other == number:
                continue
            made = made + [share(number - other)]
        if len(made) > 0 and number > most:
            return [0.0]
    return made


CASES = {
    "found-second": (found, {"text": "2 3 0", "wanted": 4.0}),
    "found-none": (found, {"text": "2 3", "wanted": 5.0}),
    "fails-before": (found, {"text": "2 0 3", "wanted": 4.0}),
    "no-items": (found, {"text": "", "wanted": 4.0}),
    "up-to-zero": (up_to, {"text": "3 4 0 0 1"}),
    "to-the-end": (up_to, {"text": "3 4"}),
    "zero-at-once": (up_to, {"text": "0"}),
    "skips": (skipping, {"text": "1 -1 2 0"}),
    "skips-and-breaks": (skipping, {"text": "1 -1 -6 2"}),
    "nested": (nested, {"text": "1 2 4", "most": 9.0}),
    "nested-return": (nested, {"text": "1 2 4", "most": 3.0}),
}
