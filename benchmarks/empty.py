"""A pipeline of one task that does nothing, in a module that imports nothing: what is timed is the step alone."""

from drawloom import pipeline, task


@task(cache=False)  # each step timed executes
def nothing(n: int) -> int:
    return n


@pipeline
def empty(n: int) -> int:
    return nothing(n)
