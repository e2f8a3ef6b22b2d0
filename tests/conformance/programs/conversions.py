"""`int`, `float`, `str`, `bool`, `list`, `tuple`, `dict` of run-time values, and what can't be converted."""

from drawloom import pipeline, task


@task
def keep(text: str) -> str:
    return text


@task
def items(text: str) -> list[str]:
    return text.split()


@task
def inc(number: int) -> int:
    return number + 1


@pipeline
def converted(text: str) -> tuple[int, float, str, bool, list[int], dict[str, int]]:
    kept = keep(text)
    number = inc(int(kept))
    return (
        number,
        float(kept) / 2,
        str(number) + f"{kept!r}",
        bool(number),
        list(inc(n) for n in [number, 2]),
        dict(zip(items(kept), [number])),
    )


@pipeline
def joined(text: str) -> tuple[str, tuple[int, ...]]:
    sizes = tuple(inc(len(word)) for word in items(text))
    return str(sizes), sizes


CASES = {
    "number": (converted, {"text": "41"}),
    "zero": (converted, {"text": "-1"}),
    "fails": (converted, {"text": "x"}),
    "joined": (joined, {"text": "a bb"}),
    "joined-none": (joined, {"text": ""}),
}
