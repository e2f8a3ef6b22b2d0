"""`x[k]`: lists from both ends, dicts, tuples, texts, two levels; a key known only at run time; what isn't there."""

from drawloom import pipeline, task


@task
def row(count: int) -> list[int]:
    return [n * n for n in range(count)]


@task
def table(count: int) -> dict[str, list[int]]:
    return {f"k{n}": list(range(n)) for n in range(count)}


@task
def pick(count: int) -> int:
    return count // 2


@task
def key(number: int) -> str:
    return f"k{number}"


@task
def add(a: int, b: int) -> int:
    return a + b


@pipeline
def parts(count: int) -> tuple[int, int, int, list[int]]:
    numbers = row(count)
    lists = table(count)
    middle = numbers[pick(count)]
    last = lists[key(count - 1)]
    return add(numbers[0], numbers[-1]), middle, lists["k2"][1] + last[-1], last


@pipeline
def of_known(at: int, text: str) -> str:
    names = ["zero", "one", "two"]
    ages = {"zero": 10, "one": 11}
    chosen = names[pick(at)]
    pair = (chosen, ages["one"])
    return f"{pair[0]} {pair[-1]} {text[0]}"


CASES = {
    "three": (parts, {"count": 3}),
    "five": (parts, {"count": 5}),
    "index-missing": (parts, {"count": 0}),
    "key-missing": (parts, {"count": 2}),
    "known": (of_known, {"at": 3, "text": "xyz"}),
    "known-missing": (of_known, {"at": 9, "text": "xyz"}),
    "text-empty": (of_known, {"at": 0, "text": ""}),
}
