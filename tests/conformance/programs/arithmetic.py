"""Operators on run-time values: all of them, large and negative numbers, floats, texts, lists, what can't be computed."""

from drawloom import pipeline, task


@task
def keep(number: int) -> int:
    return number


@task
def keep_float(number: float) -> float:
    return number


@task
def keep_text(text: str) -> str:
    return text


@pipeline
def computed(a: int, b: int, x: float) -> list[int | float | bool]:
    n, m = keep(a), keep(b)
    y = keep_float(x)
    return [
        n + m * 2 - 3,
        n / m,
        n // m,
        n % m,
        m**2,
        2 ** keep(3),
        -n,
        +m,
        abs(n),
        y * n,
        y // 0.3,
        (n > m) + 1,
        n == a,
        y == y,
        n - 2**63,
        1 if n <= m < y else 0,
    ]


@pipeline
def texts(text: str, count: int) -> tuple[str, list[str], bool]:
    made = keep_text(text)
    return made * count + "/" + made, [made] * 2 + [text], made < "m"


@pipeline
def unused(number: int) -> int:
    share = 10 // keep(number)
    other = keep(7)
    if number > 5:
        return share
    return other


CASES = {
    "positive": (computed, {"a": 7, "b": 3, "x": 0.1}),
    "negative": (computed, {"a": -7, "b": 3, "x": -2.5}),
    "huge": (computed, {"a": 2**64, "b": -1, "x": 1e300}),
    "not-a-number": (computed, {"a": 1, "b": 2, "x": float("nan")}),
    "by-zero": (computed, {"a": 1, "b": 0, "x": 1.0}),
    "texts": (texts, {"text": "ab", "count": 2}),
    "texts-none": (texts, {"text": "z", "count": 0}),
    "unused-fails": (unused, {"number": 0}),
    "unused": (unused, {"number": 3}),
}
