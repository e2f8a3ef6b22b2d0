"""Dict comprehensions: keys and values from calls, filters, keys that come twice, over the items of a known dict."""

from drawloom import pipeline, task


@task
def words(text: str) -> list[str]:
    return text.split()


@task
def size(word: str) -> int:
    return len(word)


@task
def initial(word: str) -> str:
    return word[0]


@task
def heaviest(weights: dict[str, int]) -> str:
    return max(weights, key=lambda word: (weights[word], word)) if weights else "-"


@pipeline
def tables(text: str) -> tuple[dict[str, int], dict[str, str], str]:
    found = words(text)
    sizes = {word: size(word) for word in found}
    last = {initial(word): word for word in found if size(word) > 1}
    return sizes, last, heaviest({word + "!": size(word) * 2 for word in found})


@pipeline
def known(text: str) -> dict[str, int]:
    wanted = {"a": 1, "b": 2}
    return {key: size(text) * factor for key, factor in wanted.items()}


CASES = {
    "several": (tables, {"text": "one two three a"}),
    "one": (tables, {"text": "x"}),
    "none": (tables, {"text": ""}),
    "known": (known, {"text": "abc"}),
}
