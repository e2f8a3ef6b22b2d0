"""Helpers with `*args`, `**kwargs`, keyword-only and positional-only parameters; tasks called by keyword and spread."""

from drawloom import pipeline, task


@task
def add(a: int, b: int = 10, *, c: int = 100) -> int:
    return a + b + c


@task
def join(words: list[str], by: str) -> str:
    return by.join(words)


def every(first: int, /, *rest: int, scale: int = 1, **named: int) -> list[int]:
    made = [add(first, c=0)]
    for number in rest:
        made.append(add(number, scale))
    for name in sorted(named):
        if named[name] > 2:
            made.append(add(named[name], len(name), c=scale))
    return made


def labelled(*words: str, by: str = "-") -> str:
    return join(list(words), by=by)


@pipeline
def spread(number: int, word: str) -> tuple[list[int], str, int]:
    options = {"b": number, "c": 1}
    pair = (word, "end")
    made = every(number, number + 1, 5, scale=2, zz=number, a=3)
    return made, labelled(*pair, word, by=word), add(*[number], **options)


CASES = {
    "small": (spread, {"number": 1, "word": "x"}),
    "large": (spread, {"number": 3, "word": "yy"}),
}
