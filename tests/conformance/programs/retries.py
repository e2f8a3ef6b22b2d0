"""Attempts made again: by any exception, by its class, and a class that isn't named."""

from drawloom import Pipeline, Retry, pipeline, task


class Flaky(Exception):
    """Goes away by itself."""


def _count(path: str, name: str) -> int:
    with open(path, "a+") as file:
        file.write(f"{name}\n")
        file.seek(0)
        return file.read().split().count(name)


@task(retry=Retry(max_attempts=3, delay_seconds=0.01, factor=2.0))
def unsteady(path: str) -> str:
    if _count(path, "unsteady") < 3:
        raise Flaky("not yet")
    return "steady"


@task(retry=Retry(max_attempts=2, on=Flaky))
def named(path: str, text: str) -> str:
    if _count(path, "named") < 2:
        raise Flaky("once more")
    return f"{text} and named"


@task(retry=Retry(max_attempts=5, on=Flaky))
def wrong_class(text: str) -> str:
    raise ValueError(f"never again: {text}")


@pipeline
def retried(path: str) -> str:
    return named(path, unsteady(path))


@pipeline
def given_up(path: str) -> str:
    return wrong_class(unsteady(path))


CASES: dict[str, tuple[Pipeline[..., str], dict[str, object]]] = {"retried": (retried, {}), "given-up": (given_up, {})}
