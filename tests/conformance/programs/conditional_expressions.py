"""`a if test else b`: with calls in each arm, nested, as an argument, in a list, as a test."""

from drawloom import pipeline, task


@task
def half(number: int) -> int:
    if number < 0:
        raise ValueError("negative")
    return number // 2


@task
def negate(number: int) -> int:
    return -number


@task
def three(a: int, b: int, c: list[int]) -> int:
    return 100 * a + 10 * b + sum(c)


@pipeline
def chosen(number: int) -> int:
    near = half(number) if number >= 0 else half(negate(number))
    far = 1 if near == 0 else 2 if near == 1 else negate(near)
    return three(near, far if far > 0 else negate(far), [near if number > 3 else 0, far])


@pipeline
def as_test(number: int, strict: bool) -> str:
    if (half(number) > 2) if strict else number:
        return "yes" if strict else "truthy"
    return "no"


CASES = {
    "positive": (chosen, {"number": 9}),
    "negative": (chosen, {"number": -9}),
    "zero": (chosen, {"number": 0}),
    "two": (chosen, {"number": 2}),
    "strict-yes": (as_test, {"number": 6, "strict": True}),
    "strict-no": (as_test, {"number": 5, "strict": True}),
    "truthy": (as_test, {"number": -1, "strict": False}),
    "falsy": (as_test, {"number": 0, "strict": False}),
}
