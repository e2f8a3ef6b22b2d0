"""`for` in `for` over run-time lists: appending, with an `if` on each level, of rows that differ in length."""

from drawloom import pipeline, task


@task
def rows(count: int) -> list[list[int]]:
    return [list(range(k)) for k in range(count)]


@task
def scale(number: int, factor: int) -> int:
    return number * factor


@task
def width(row: list[int]) -> int:
    return len(row)


@pipeline
def appended(count: int, factor: int) -> tuple[list[int], list[int]]:
    every: list[int] = []
    widths = []
    for row in rows(count):
        wide = width(row)
        for number in row:
            if number % 2 == 0:
                every.append(scale(number, factor))
            elif number > wide - 2:
                every.append(-wide)
        if wide > 1:
            widths.append(wide)
    return every, widths


@pipeline
def tables(count: int) -> list[list[int]]:
    made = []
    for row in rows(count):
        line = []
        for number in row:
            line.append(scale(number, 2))
        line.append(width(row))
        made.append(line)
    return made


CASES = {
    "four": (appended, {"count": 4, "factor": 10}),
    "one": (appended, {"count": 1, "factor": 10}),
    "none": (appended, {"count": 0, "factor": 10}),
    "tables": (tables, {"count": 3}),
    "tables-none": (tables, {"count": 0}),
}
