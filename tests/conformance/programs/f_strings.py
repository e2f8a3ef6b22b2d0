"""f-strings of run-time values: conversions, format specs, specs that are known at run time only, braces, nesting."""

from drawloom import pipeline, task


@task
def ratio(a: int, b: int) -> float:
    return a / b


@task
def keep(text: str) -> str:
    return text


@task
def width(text: str) -> int:
    return len(text) + 3


@pipeline
def formatted(a: int, b: int, text: str) -> list[str]:
    share = ratio(a, b)
    return [
        f"{share}",
        f"{share:.2f} of {a:05d}",
        f"{text!r} {text!s} {text!a}",
        f"{{{text}}} {{}} %s",
        f"[{text:>{width(text)}}]",
        f"{keep(f'<{text}>')}-{a + b}-{a > b}",
        f"",
    ]


@pipeline
def wrong_spec(text: str) -> str:
    return keep(f"{keep(text):d}")


CASES = {
    "plain": (formatted, {"a": 1, "b": 3, "text": "ab"}),
    "negative": (formatted, {"a": -10, "b": 4, "text": ""}),
    "hostile": (formatted, {"a": 1, "b": 7, "text": "{x}'\"\n🧵"}),
    "fails": (wrong_spec, {"text": "x"}),
}
