"""`if`, `elif`, `else` on run-time values: one name, a test by a task, an arm that does nothing."""

from drawloom import pipeline, task


@task
def measure(text: str) -> int:
    return len(text)


@task
def is_even(number: int) -> bool:
    return number % 2 == 0


@task
def double(number: int) -> int:
    return 2 * number


@task
def add(a: int, b: int) -> int:
    return a + b


@pipeline
def sized(text: str) -> str:
    size = measure(text)
    if size == 0:
        word = "none"
    elif size < 3:
        word = "few"
    elif size < 6:
        word = "some"
    else:
        word = "many"
    return word


@pipeline
def evened(number: int) -> int:
    if is_even(number):
        made = double(number)
    else:
        made = add(number, 1)
    if made > 10:
        made = add(made, 100)
    return made


CASES = {
    "if": (sized, {"text": ""}),
    "elif": (sized, {"text": "ab"}),
    "second-elif": (sized, {"text": "abcde"}),
    "else": (sized, {"text": "abcdef"}),
    "even": (evened, {"number": 4}),
    "odd": (evened, {"number": 3}),
    "then-more": (evened, {"number": 6}),
}
