"""Tasks run for their effect: they keep the order they are written in, in a block and in a fan-out's item."""

from drawloom import for_each, pipeline, task


@task
def write(path: str, line: str) -> None:
    with open(path, "a") as file:
        file.write(f"{line}\n")


@task
def lines(path: str) -> int:
    with open(path) as file:
        return len(set(file.read().split()))


@pipeline
def effects(path: str, names: list[str]) -> int:
    write(path, "first")
    write(path, "second")
    for_each(names, lambda name: write(path, name), parallelism=1)
    last = write(path, "last")
    return lines.after(last)(path)


CASES = {"ordered": (effects, {"names": ["a", "b"]})}
