"""`break`, `continue` and `return` on run-time tests in loops over known things; what follows is not done."""

from drawloom import pipeline, task


@task
def step(number: int) -> int:
    return number + 1


@task
def double(number: int) -> int:
    return 2 * number


@pipeline
def broken(start: int, most: int) -> int:
    number = start
    for _ in range(4):
        number = step(number)
        if number > most:
            number = double(number)
            break
        number = double(number)
    return number


@pipeline
def continued(start: int) -> list[int]:
    made = []
    for offset in (0, 1, 2):
        number = step(start + offset)
        if number % 2 == 0:
            continue
        made.append(double(number))
        if number > 4:
            continue
        made.append(number)
    return made


@pipeline
def returned(start: int) -> int | str:
    for factor in (1, 3, 9):
        number = step(start * factor)
        for bound in (10, 100):
            if number == bound:
                return f"met {bound}"
            if number > bound:
                break
        else:
            return double(number)
    return -1


CASES = {
    "break-first": (broken, {"start": 9, "most": 3}),
    "break-third": (broken, {"start": 1, "most": 8}),
    "no-break": (broken, {"start": 0, "most": 1000}),
    "continue-middle": (continued, {"start": 2}),
    "continue-twice": (continued, {"start": 3}),
    "return-met": (returned, {"start": 9}),
    "return-from-else": (returned, {"start": 1}),
    "return-later": (returned, {"start": 33}),
    "no-return": (returned, {"start": 200}),
}
