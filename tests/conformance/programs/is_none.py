"""`is None` and `is not None`: of a parameter, a task's result, a branch's result; a value that is falsy but there."""

from drawloom import pipeline, task


@task
def find(items: list[int], wanted: int) -> int | None:
    return items.index(wanted) if wanted in items else None


@task
def inc(number: int) -> int:
    return number + 1


@pipeline
def position(items: list[int], wanted: int, fallback: int | None = None) -> int | None:
    place = find(items, wanted)
    if place is not None:
        return inc(place)
    if fallback is None:
        return None
    return inc(fallback)


@pipeline
def defaulted(items: list[int], wanted: int) -> tuple[int, bool]:
    place = find(items, wanted)
    other = inc(place) if place is not None and place > 0 else None
    known = 5 if other is None else other
    return inc(known), place is None


CASES = {
    "first-is-zero": (position, {"items": [7, 8], "wanted": 7}),
    "none": (position, {"items": [], "wanted": 7}),
    "fallback": (position, {"items": [1], "wanted": 7, "fallback": 0}),
    "branch-none": (defaulted, {"items": [7, 8], "wanted": 7}),
    "branch-value": (defaulted, {"items": [7, 8], "wanted": 8}),
    "missing": (defaulted, {"items": [7, 8], "wanted": 9}),
}
