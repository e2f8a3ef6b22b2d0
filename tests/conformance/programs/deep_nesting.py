"""Branches in loops in `try` in loops in branches: each level with names, jumps and failures of its own."""

from drawloom import pipeline, task


class Bad(Exception):
    """Raised on purpose."""


@task
def rows(count: int) -> list[list[int]]:
    return [list(range(k)) for k in range(1, count + 1)]


@task
def check(number: int, most: int) -> int:
    if number > most:
        raise Bad(f"{number}")
    return number * 10


@task
def total(items: list[int]) -> int:
    return sum(items)


@pipeline
def deep(count: int, most: int, wanted: int) -> tuple[list[int], int, str]:
    made: list[int] = []
    bad = 0
    word = "none"
    if count > 0:
        for row in rows(count):
            if total(row) == wanted:
                word = "wanted"
                break
            try:
                kept = []
                for number in row:
                    if number == 1:
                        continue
                    if number > 1:
                        kept.append(check(number, most))
                    else:
                        kept.append(-1)
                made.append(total(kept))
            except Bad:
                bad += 1
                if bad > 1:
                    return made, bad, "gave up"
        else:
            word = "all"
    return made, bad, word


CASES = {
    "all": (deep, {"count": 3, "most": 5, "wanted": 99}),
    "wanted": (deep, {"count": 4, "most": 5, "wanted": 3}),
    "one-bad": (deep, {"count": 3, "most": 1, "wanted": 99}),
    "gave-up": (deep, {"count": 5, "most": 1, "wanted": 99}),
    "none": (deep, {"count": 0, "most": 5, "wanted": 0}),
}
