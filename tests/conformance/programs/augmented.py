"""`+=` and its kin on numbers, texts and lists; what a name had before is kept where another name has it."""

from drawloom import pipeline, task


@task
def inc(number: int) -> int:
    return number + 1


@task
def row(count: int) -> list[int]:
    return list(range(count))


@pipeline
def changed(number: int, text: str) -> tuple[int, int, str, str, list[int], list[int]]:
    value = inc(number)
    before = value
    value += 2
    value *= inc(value)
    if value > 20:
        value -= before
        text += "!"
    value //= 2
    value %= 7
    kept = text
    text *= 2
    made = [value]
    other = made
    made += [inc(value)]
    longer = row(2)
    longer = longer + made
    longer = longer + [9]
    return before, value, kept, text, other, longer


CASES = {
    "small": (changed, {"number": 0, "text": "a"}),
    "large": (changed, {"number": 5, "text": ""}),
    "negative": (changed, {"number": -8, "text": "xy"}),
}
