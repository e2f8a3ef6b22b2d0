"""`enumerate` of run-time lists: from 0, from another number, the number in tests and calls, nested unpacking."""

from drawloom import pipeline, task


@task
def words(text: str) -> list[str]:
    return text.split()


@task
def pairs(text: str) -> list[tuple[str, int]]:
    return [(word, len(word)) for word in text.split()]


@task
def label(number: int, word: str) -> str:
    return f"{number}:{word}"


@pipeline
def numbered(text: str) -> tuple[list[str], list[str]]:
    found = [label(at, word) for at, word in enumerate(words(text))]
    later = []
    for at, word in enumerate(words(text), start=10):
        if at % 2 == 0:
            later.append(label(at, word))
    return found, later


@pipeline
def unpacked(text: str) -> list[str]:
    return [label(at * size, word) for at, (word, size) in enumerate(pairs(text), 1) if size > 1]


CASES = {
    "three": (numbered, {"text": "a b c"}),
    "one": (numbered, {"text": "a"}),
    "none": (numbered, {"text": ""}),
    "unpacked": (unpacked, {"text": "aa b ccc"}),
    "unpacked-none": (unpacked, {"text": "b"}),
}
