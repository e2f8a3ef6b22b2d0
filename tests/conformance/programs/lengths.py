"""`len` of run-time lists, texts and dicts: in arithmetic, tests and calls; truth of containers."""

from drawloom import pipeline, task


@task
def split(text: str) -> list[str]:
    return text.split(",") if text else []


@task
def table(items: list[str]) -> dict[str, int]:
    return {item: len(item) for item in items}


@task
def pad(text: str, width: int) -> str:
    return text.rjust(width, ".")


@pipeline
def lengths(text: str) -> tuple[int, int, str]:
    items = split(text)
    distinct = table(items)
    if not items:
        return 0, len(text), "nothing"
    padded = pad(text, len(text) + len(items))
    if len(items) == len(distinct):
        return len(items) * 10, len(padded), padded
    return len(items) - len(distinct), len(padded), "doubled"


CASES = {
    "empty": (lengths, {"text": ""}),
    "one": (lengths, {"text": "a"}),
    "distinct": (lengths, {"text": "a,b,cc"}),
    "doubled": (lengths, {"text": "a,b,a"}),
}
