"""A `try` in a loop: the first that works, failures counted, a failure in the fallback itself."""

from drawloom import pipeline, task


class Down(Exception):
    """A source doesn't answer."""


@task
def fetch(source: str) -> list[int]:
    if source.startswith("down"):
        raise Down(source)
    if source == "broken":
        raise KeyError(source)
    return [len(source)]


@task
def merge(left: list[int], right: list[int]) -> list[int]:
    return left + right


@pipeline
def each(sources: list[str]) -> tuple[list[int], int]:
    made: list[int] = []
    failed = 0
    for source in sources:
        try:
            made = merge(made, fetch(source))
        except Down:
            failed += 1
    return made, failed


@pipeline
def first(sources: list[str]) -> list[int]:
    for source in sources:
        try:
            return fetch(source)
        except Down:
            continue
    return fetch("last resort")


@pipeline
def mapped(sources: list[str]) -> list[int]:
    made = []
    for source in sources:
        try:
            size = fetch(source)[0]
        except (Down, KeyError):
            size = -1
        made.append(size)
    return made


CASES = {
    "each-fine": (each, {"sources": ["ab", "abc"]}),
    "each-some-down": (each, {"sources": ["down1", "abc", "down2"]}),
    "each-none": (each, {"sources": []}),
    "each-not-handled": (each, {"sources": ["ab", "broken", "abc"]}),
    "first-works": (first, {"sources": ["ab", "broken"]}),
    "second-works": (first, {"sources": ["down1", "abc"]}),
    "none-works": (first, {"sources": ["down1", "down2"]}),
    "mapped": (mapped, {"sources": ["down1", "abc", "broken"]}),
    "mapped-none": (mapped, {"sources": []}),
}
