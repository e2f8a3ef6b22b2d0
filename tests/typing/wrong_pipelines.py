"""Pipelines with mistakes; each line marked `# error` must be reported, and no other."""

from __future__ import annotations

from dataclasses import dataclass

from drawloom import File, Pod, Resources, Retry, Toleration, Volume, branch, for_each, pipeline, task, try_, while_loop


@dataclass
class Model:
    depth: int


@task
def load(csv: File) -> list[float]:
    return []


@task
def train(table: list[float], depth: int = 3) -> Model:
    return Model(depth)


@task
def score(model: Model, table: list[float]) -> float:
    return 0.0


@task(retries=3)  # error
def unknown_option(n: int) -> int:
    return n


@pipeline
def churn(csv: File, depth: int = 3) -> Model:
    table = load("data.csv")  # error
    model = train(table, "deep")  # error
    train(table, dept=3)  # error
    train()  # error
    score(model)  # error
    model.dept  # error
    for layer in model:  # error
        print(layer)
    total: str = score(model, table)  # error
    for_each(table, lambda x: score(x, table))  # error
    found: Model = branch(score(model, table) > 1, lambda: model)  # error
    while_loop(lambda s: s < 1, lambda s: "a", 0.0, max_iterations=3)  # error
    try_(lambda: model, {ValueError: lambda: model})  # error
    train.with_options(retry=3)  # error
    Retry(on=[3])  # error
    train.with_options(resources="4Gi")  # error
    train.with_options(env=["A=b"])  # error
    Resources(memory=4)  # error
    Resources(gpu="1")  # error
    Pod(volumes=["/data"])  # error
    Pod(tolerations=[3])  # error
    Pod(secret_env={"TOKEN": "api"})  # error
    Volume("/data", claims="team")  # error
    Toleration(effects="NoSchedule")  # error
    return score(model, table)  # error


def use(csv: File) -> None:
    churn.run(csv, depht=3)  # error
    churn.run()  # error
    churn.options(executer="threads").run(csv)  # error
    text: str = churn(csv)  # error
