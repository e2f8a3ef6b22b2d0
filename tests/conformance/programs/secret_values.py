"""A secret goes by its name: where it is needed it is read from the environment, and it is taken out of what is kept."""

from drawloom import Secret, pipeline, task


@task
def signed(token: Secret, text: str) -> str:
    return f"{text}:{len(token.reveal())}"


@task
def refused(token: Secret, texts: list[str]) -> str:
    raise PermissionError(f"{token.reveal()} is not enough for {texts}")


@pipeline
def sign(token: Secret, texts: list[str]) -> list[str]:
    return [signed(token, text) for text in texts]


@pipeline
def ask(token: Secret, text: str) -> str:
    try:
        return refused(token, [text])
    except PermissionError:
        return "not enough"


CASES = {
    "signed": (sign, {"token": Secret("conformance"), "texts": ["a", "b"]}),
    "refused": (ask, {"token": Secret("conformance"), "text": "a"}),
}
