"""`Static[...]`: parameters that are known while the pipeline is traced, in tests, ranges, keys and names of tasks."""

from drawloom import Static, pipeline, task


@task
def inc(number: int) -> int:
    return number + 1


@task
def dec(number: int) -> int:
    return number - 1


STEPS = {"up": inc, "down": dec}


@pipeline
def stepped(number: int, steps: Static[list[str]], repeat: Static[int] = 1, loud: Static[bool] = False) -> str | int:
    for _ in range(repeat):
        for step in steps:
            number = STEPS[step](number)
    if loud:
        return f"{number}!"
    return number


CASES = {
    "up-down": (stepped, {"number": 5, "steps": ["up", "up", "down"]}),
    "none": (stepped, {"number": 5, "steps": []}),
    "repeated": (stepped, {"number": 5, "steps": ["down"], "repeat": 3}),
    "loud": (stepped, {"number": 5, "steps": ["up"], "loud": True}),
}
