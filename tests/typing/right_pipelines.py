"""Pipelines that type checkers must find nothing wrong with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple, TypeVar, assert_type

from drawloom import (
    Cache,
    Codec,
    Failure,
    File,
    Pod,
    Resources,
    Retry,
    Secret,
    Static,
    Toleration,
    Volume,
    and_,
    branch,
    choose,
    for_each,
    is_none,
    length,
    not_,
    pipeline,
    run_info,
    task,
    try_,
    while_loop,
)

T = TypeVar("T")


@dataclass
class Model:
    depth: int


class Split(NamedTuple):
    train: list[float]
    test: list[float]


class Mesh: ...


@task
def load(csv: File, key: Secret | None = None) -> list[float]:
    return []


@task(retry=Retry(3, on=[ValueError, "infra"]), cache=Cache(version="2"), packages=["scikit-learn"])
def train(table: list[float], depth: int = 3) -> Model:
    return Model(depth)


@task
def split(table: list[float]) -> Split:
    return Split(table, table)


@task
def score(model: Model, table: list[float]) -> float:
    return 0.0


@task
def first(items: list[T]) -> T:
    return items[0]


@task
def publish(model: Model) -> None: ...


@task
def mesh(n: int) -> Annotated[Mesh, Codec("mesh")]:
    return Mesh()


@pipeline
def evaluate(table: list[float], depths: Static[tuple[int, ...]] = (2, 4)) -> float:
    a, b = split(table)
    models = [train(a, depth) for depth in depths]
    return max(score(model, b) for model in models)


@pipeline(run_timeout_seconds=60)
def churn(csv: File, depth: int = 3, *, minimum: float = 0.8) -> Model | None:
    table = load(csv)
    assert_type(table, list[float])
    needs = Resources(2, "4Gi", gpu=1, disk="10Gi")
    volumes = [Volume("/data", claim="team", read_only=True), Volume("/dev/shm", empty_dir=True, in_memory=True)]
    pod = Pod(
        node_selector={"pool": "gpu"},
        tolerations=["gpu:NoSchedule", Toleration("spot", effect="NoExecute", seconds=30)],
        spot=True,
        volumes=volumes,
        secret_env={"TOKEN": ("api", "token")},
    )
    model = train.with_options(retry=Retry(2), resources=needs, image="x:1", env={"A": "b"}, pod=pod)(table, depth=depth)
    assert_type(model, Model)
    assert_type(first([model]), Model)
    scores = for_each([1, 2, 3], lambda d: score(train(table, d), table), parallelism=2)
    assert_type(scores, list[float])
    models, trained = for_each([1, 2, 3], lambda d: (train(table, d), d), lists=2)
    assert_type(models, list[Model])
    assert_type(trained, list[int])
    best = branch(scores[0] > minimum, lambda: model, lambda: None)
    assert_type(best, Model | None)
    state = while_loop(lambda s: s < minimum, lambda s: s + 0.1, scores[0], max_iterations=5)
    assert_type(state, float)

    def explain(failure: Failure) -> str:
        return failure.message

    text = try_(lambda: score(model, table), {ValueError: explain})
    assert_type(text, float | str)
    assert_type(length(table), int)
    assert_type(not_(and_(is_none(best), state > 1)), bool)
    assert_type(choose(state > 1, 1, "a"), int | str)
    nested = evaluate(table, (1, 2))
    assert_type(nested, float)
    publish.after(nested)(model)
    assert_type(run_info.run_id, str)
    mesh(model.depth)
    return best


def use() -> None:
    assert_type(churn(File("a.csv"), 3, minimum=0.5), Model | None)
    churn.run(File("a.csv"), minimum=0.5)
    churn.options(executor="processes", workers=2).run(csv=File("a.csv"))
    assert_type(train.function([1.0], 2), Model)
    assert_type(churn.name, str)
