"""`in` and `not in`: run-time lists, dicts, texts, known tuples of values, a list of run-time values."""

from drawloom import pipeline, task


@task
def words(text: str) -> list[str]:
    return text.split()


@task
def counts(items: list[str]) -> dict[str, int]:
    return {item: items.count(item) for item in items}


@task
def upper(text: str) -> str:
    return text.upper()


@pipeline
def found(text: str, word: str) -> list[str]:
    made = words(text)
    table = counts(made)
    seen: list[str] = []
    if word in made:
        seen.append("word")
    if upper(word) not in made:
        seen.append("no upper")
    if word in table and table[word] > 1:
        seen.append("twice")
    if word in text:
        seen.append("part")
    if upper(word) in ("A", "B", "ONE"):
        seen.append("known")
    if word in [upper(word), upper("x")]:
        seen.append("shouting")
    return seen


CASES = {
    "once": (found, {"text": "one two", "word": "one"}),
    "twice": (found, {"text": "a b a", "word": "a"}),
    "part": (found, {"text": "alone", "word": "one"}),
    "missing": (found, {"text": "", "word": "x"}),
    "shouting": (found, {"text": "A", "word": "A"}),
}
