"""Branches on run-time values: merged results, an arm without nodes, a branch in a branch, an arm that isn't taken."""

from drawloom import branch, pipeline, task


@task
def size(text: str) -> int:
    return len(text)


@task
def shout(text: str) -> str:
    return text.upper()


@task
def cut(text: str, length: int) -> str:
    return text[:length]


@task
def use(text: str) -> str:
    return f"<{text}>"


@pipeline
def branches(text: str) -> str:
    length = size(text)
    merged = branch(
        length > 5,
        lambda: branch(length > 8, lambda: cut(text, 8), lambda: shout(text)),
        lambda: "short",
    )
    return use(merged)


@pipeline
def optional(text: str) -> str | None:
    return branch(size(text) == 0, lambda: None, lambda: shout(text))


CASES = {
    "short": (branches, {"text": "abc"}),
    "middle": (branches, {"text": "abcdef"}),
    "long": (branches, {"text": "abcdefghijkl"}),
    "nothing": (optional, {"text": ""}),
}
