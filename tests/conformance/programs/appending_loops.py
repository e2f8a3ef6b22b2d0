"""Loops that append to lists: one or two lists, some items left out, `extend`, `+=`, a list begun with known items."""

from drawloom import pipeline, task


@task
def words(text: str) -> list[str]:
    return text.split()


@task
def upper(word: str) -> str:
    return word.upper()


@task
def letters(word: str) -> list[str]:
    return list(word)


@task
def join(items: list[str]) -> str:
    return "+".join(items)


@pipeline
def sorted_out(text: str) -> tuple[str, list[str], int]:
    short = ["begin"]
    rest: list[str] = []
    for word in words(text):
        if len(word) < 3:
            short.append(upper(word))
            short.append(word)
        else:
            rest.append(word)
    short.append("end")
    return join(short), rest, len(rest)


@pipeline
def extended(text: str) -> list[str]:
    made: list[str] = []
    for word in words(text):
        made.extend(letters(word))
        made += [upper(word), "/"]
    return made


@pipeline
def alias(text: str) -> tuple[list[str], list[str]]:
    made: list[str] = []
    other = made
    for word in words(text):
        made.append(upper(word))
    if len(other) > 1:
        other.append("several")
    return made, other


CASES = {
    "mixed": (sorted_out, {"text": "a bcd ef ghi"}),
    "none": (sorted_out, {"text": ""}),
    "long-only": (sorted_out, {"text": "abcd"}),
    "extended": (extended, {"text": "ab c"}),
    "extended-none": (extended, {"text": ""}),
    "alias-several": (alias, {"text": "a b"}),
    "alias-one": (alias, {"text": "a"}),
}
