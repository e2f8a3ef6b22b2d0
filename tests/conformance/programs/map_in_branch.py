"""Maps in branches: on one side only, on both, the list used behind the branch, chosen by the list's own length."""

from drawloom import pipeline, task


@task
def words(text: str) -> list[str]:
    return text.split()


@task
def upper(word: str) -> str:
    return word.upper()


@task
def size(word: str) -> int:
    return len(word)


@task
def join(items: list[str]) -> str:
    return " ".join(items)


@pipeline
def chosen(text: str, loud: bool) -> tuple[str, list[int]]:
    found = words(text)
    sizes = []
    if loud:
        said = [upper(word) for word in found]
        if len(said) > 2:
            sizes = [size(word) for word in said]
    elif found:
        said = [word for word in found if size(word) > 1]
    else:
        said = ["nothing"]
    return join(said), sizes


@pipeline
def late(text: str) -> list[str]:
    made = words(text)
    for word in words(text):
        if size(word) > 2:
            made = [upper(w) for w in made] + [word]
    return made


CASES = {
    "loud": (chosen, {"text": "a bb c", "loud": True}),
    "loud-short": (chosen, {"text": "a bb", "loud": True}),
    "quiet": (chosen, {"text": "a bb", "loud": False}),
    "quiet-none": (chosen, {"text": "", "loud": False}),
    "loud-none": (chosen, {"text": "", "loud": True}),
    "late": (late, {"text": "abc d efg"}),
    "late-none": (late, {"text": "ab"}),
}
