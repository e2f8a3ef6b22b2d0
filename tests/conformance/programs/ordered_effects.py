"""Effects in branches, loops, helpers and nested pipelines: in the order they are written, run after run."""

from drawloom import bounded, pipeline, task


@task
def note(path: str, line: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"{line}\n")


@task
def names(text: str) -> list[str]:
    return text.split()


@task
def size(text: str) -> int:
    return len(text)


@task
def written(path: str) -> list[str]:
    """Each line once: an attempt that is made again writes its line again."""
    with open(path, encoding="utf-8") as file:
        return list(dict.fromkeys(file.read().split()))


def framed(path: str, name: str) -> None:
    note(path, f"<{name}")
    if size(name) > 1:
        note(path, f"{name} is long")
    note(path, f"{name}>")


@pipeline
def inner(path: str, name: str) -> int:
    note(path, f"inner-{name}")
    for letter in ("x", "y"):
        note(path, f"{name}-{letter}")
    return size(name)


@pipeline
def ordered(path: str, text: str) -> tuple[int, list[str]]:
    note(path, "begin")
    found = names(text)
    total = 0
    for name in found:
        framed(path, name)
        total += inner(path, name)
    for at, name in enumerate(found):
        for other in found:
            if other != name:
                note(path, f"{at}-{name}-{other}")
    for turn in bounded(2, on_limit="stop"):
        note(path, f"turn{turn}")
        if total < 2:
            note(path, "enough")
            break
    last = note(path, "end")
    return total, written.after(last)(path)


CASES = {
    "two": (ordered, {"text": "a bb"}),
    "three": (ordered, {"text": "aa b cc"}),
    "none": (ordered, {"text": ""}),
}
