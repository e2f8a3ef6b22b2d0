"""`for ... else`: with and without `break`, over known and over run-time lists, `return` in the `else`."""

from drawloom import pipeline, task


@task
def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split()]


@task
def square(number: int) -> int:
    return number * number


@task
def note(path: str, line: str) -> None:
    with open(path, "a") as file:
        file.write(f"{line}\n")


@pipeline
def searched(path: str, text: str, least: int) -> str:
    found = -1
    for number in numbers(text):
        if square(number) >= least:
            found = number
            break
    else:
        note(path, "none")
        found = -2
    return f"{found}"


@pipeline
def tried(path: str, number: int) -> int:
    for factor in (1, 2, 3):
        if square(number * factor) > 20:
            note(path, f"factor {factor}")
            break
    else:
        return 0
    return number


CASES = {
    "break": (searched, {"text": "1 3 5", "least": 9}),
    "else": (searched, {"text": "1 2", "least": 9}),
    "no-items": (searched, {"text": "", "least": 9}),
    "known-first": (tried, {"number": 5}),
    "known-last": (tried, {"number": 2}),
    "known-else": (tried, {"number": 1}),
}
