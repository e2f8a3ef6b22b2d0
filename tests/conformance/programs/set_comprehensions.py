"""Set comprehensions: doubles fall together, filters, membership in what was made."""

from drawloom import pipeline, task


@task
def words(text: str) -> list[str]:
    return text.split()


@task
def size(word: str) -> int:
    return len(word)


@task
def ordered(sizes: set[int]) -> list[int]:
    return sorted(sizes)


@pipeline
def distinct(text: str) -> tuple[list[int], set[str], bool]:
    found = words(text)
    sizes = {size(word) for word in found}
    short = {word for word in found if size(word) < 4}
    return ordered(sizes), short, 3 in sizes


CASES = {
    "doubles": (distinct, {"text": "one two three two"}),
    "one": (distinct, {"text": "x"}),
    "none": (distinct, {"text": ""}),
}
