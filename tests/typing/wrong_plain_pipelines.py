"""Plain Python pipelines with mistakes; each line marked `# error` must be reported, and no other."""

from __future__ import annotations

from dataclasses import dataclass

from drawloom import File, bounded, pipeline, task


@dataclass
class Model:
    depth: int
    name: str = ""


@task
def load(csv: File) -> list[int]:
    return []


@task
def train(table: list[int], depth: int = 3) -> Model:
    return Model(depth)


@task
def score(model: Model, table: list[int]) -> float:
    return 0.0


@task
def find(name: str) -> Model | None:
    return None


@task
def label(text: str) -> str:
    return text


@pipeline
def branches(csv: File, name: str, minimum: float) -> Model:
    table = load(csv)
    found = find(name)
    depth = found.depth  # error
    if found is not None:
        name = found.depth  # error
    if score(found, table) > minimum:  # error
        return found  # error
    if score(train(table), table) > name:  # error
        return table  # error
    text = name if depth else 3
    label(text)  # error
    total = name + depth  # error
    match name:
        case "a":
            return train(table, "a")  # error
    return train(table) if depth else None  # error


@pipeline
def loops(csv: File, names: list[str]) -> list[Model]:
    table = load(csv)
    models = [train(name) for name in names]  # error
    deep = [train(table, depth) for depth in table if depth.name]  # error
    for model in train(table):  # error
        pass
    out: list[Model] = []
    for row in table:
        out.append(score(train(table, row), table))  # error
    for a, b in table:  # error
        pass
    best: Model | None = None
    for model in models:
        if best is None or score(model, table) > score(best, table):
            best = model
    best.name  # error
    scores: dict[str, float] = {model.depth: score(model, table) for model in deep}  # error
    worst: str = min(score(model) for model in models)  # error
    for turn in bounded("3"):  # error
        label(turn)  # error
    while score(models, table) > 1:  # error
        pass
    return [score(model, table) for model in models]  # error


@pipeline
def attempts(csv: File) -> str:
    try:
        made = train(csv)  # error
    except ValueError as error:
        label(error)  # error
    finally:
        label()  # error
    return label("a", "b")  # error


def helper(model: Model, extra: int) -> float:
    return score(model, extra)  # error


@pipeline
def helpers(csv: File) -> float:
    table = load(csv)
    helper(train(table))  # error
    helper(find("a"), 3)  # error
    inner = branches(csv, "a", minimun=3.0)  # error
    return [helper(model, 3) for model in loops(csv, ["a"])]  # error


def use(csv: File) -> None:
    run = branches.run(csv, "a", 0.5)
    run.depth  # error
    helpers.run(csv, 3)  # error
