"""Pipelines of plain Python that type checkers must find nothing wrong with: every construct that is staged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, assert_type

from drawloom import Failure, File, Retry, Static, bounded, pipeline, task


@dataclass
class Model:
    depth: int
    name: str = ""


class Table(NamedTuple):
    rows: list[int]
    source: str


@task(packages=["pandas", "pyarrow"])
def load(csv: File) -> Table:
    return Table([], "")


@task(retry=Retry(max_attempts=3), attempt_timeout_seconds=600)
def train(table: Table, depth: int) -> Model:
    return Model(depth)


@task
def score(model: Model, table: Table) -> float:
    return 0.0


@task
def best(models: list[Model], scores: list[float]) -> Model:
    return models[0]


@task
def publish(model: Model) -> None: ...


@task
def find(name: str) -> Model | None:
    return None


@task
def big(n: int) -> bool:
    return n > 3


@pipeline
def churn(csv: File, depths: list[int] = [2, 4, 8], minimum: float = 0.8) -> Model | None:
    table = load(csv)
    models = [train(table, depth) for depth in depths]
    winner = best(models, [score(model, table) for model in models])
    if score(winner, table) > minimum:
        publish(winner)
        return winner
    return None


@pipeline
def branches(csv: File, name: str, flag: bool) -> str:
    table = load(csv)
    found = find(name)
    assert_type(found, Model | None)
    if found is None:
        found = train(table, 3)
    elif found.depth > 3 and not flag:
        found = train(table, found.depth)
    else:
        publish(found)
    assert_type(found, Model)
    other = find("other")
    depth = other.depth if other is not None else 0
    assert_type(depth, int)
    named = other is not None and other.name == name or flag
    assert_type(named, bool)
    assert found.depth > 0, f"no depth: {found.name!r}"
    match name:
        case "a" | "b":
            label = "one"
        case _ if big(depth):
            label = f"{depth:>3} {found}"
        case _:
            label = name
    return label if 0 < depth < 9 else str(depth)


@pipeline
def loops(csv: File, names: list[str], table: dict[str, int], known: Static[tuple[int, ...]] = (1, 2)) -> list[Model]:
    data = load(csv)
    rows, source = data
    assert_type(rows, list[int])
    out: list[Model] = []
    for i, (name, row) in enumerate(zip(names, rows)):
        if name not in table:
            continue
        found = find(name)
        if found is None:
            break
        out.append(found)
        out += [train(data, row + i + table[name])]
    else:
        out.extend(train(data, depth) for depth in known)
    total = 0.0
    for model in out:
        total += score(model, data)
    chosen = [m for m in out if score(m, data) > total / len(out)]
    assert_type(chosen, list[Model])
    nested = [[train(data, a * b) for a in known] for b in rows]
    assert_type(nested, list[list[Model]])
    by_name = {m.name: score(m, data) for m in chosen}
    assert_type(by_name, dict[str, float])
    assert_type({big(row) for row in rows}, set[bool])
    assert_type(any(big(row) for row in rows), bool)
    whole: float = sum(score(m, data) for m in chosen)
    assert_type(whole / 2, float)
    assert_type(max(rows), int)
    assert_type(sorted(names, reverse=True), list[str])
    return chosen or out


@pipeline
def bounded_loops(csv: File, minimum: float) -> tuple[Model, float]:
    table = load(csv)
    model = train(table, 1)
    for turn in bounded(20):
        assert_type(turn, int)
        if score(model, table) > minimum:
            break
        model = train(table, model.depth + turn)
    steps: Iterator[int] = bounded(3, on_limit="stop")
    for _ in steps:
        model = train(table, model.depth)
    turns = 0
    while turns < 2:
        turns += 1
    return model, (last := score(model, table)) + last


@pipeline
def attempts(csv: File) -> Model:
    try:
        model = train(load(csv), 3)
    except (ValueError, KeyError) as error:
        model = train(load(csv), len(str(error)))
    except OSError as error:
        raise RuntimeError("no table") from error
    else:
        publish(model)
    finally:
        publish(Model(0))
    return model


def helper(model: Model | None, table: Table) -> float:
    if model is None:
        return 0.0
    return score(model, table)


class Steps:
    def __init__(self, table: Table) -> None:
        self.table = table

    @property
    def empty(self) -> bool:
        return len(self.table.rows) == 0

    def worth(self, model: Model) -> float:
        return 0.0 if self.empty else score(model, self.table)


@pipeline
def helpers(csv: File, name: str) -> float:
    table = load(csv)
    steps = Steps(table)
    found = find(name)
    twice: Callable[[float], float] = lambda value: value * 2.0  # noqa: E731
    assert_type(helper(found, table), float)
    inner = churn(csv, minimum=helper(found, table))
    assert_type(inner, Model | None)
    return steps.worth(inner) if inner else twice(steps.worth(train(table, 1)))


def failed(failure: Failure) -> str:
    return failure.message


def use() -> None:
    run = churn.run(File("a.csv"), minimum=0.5)
    found: Model | None = run.result
    failed(Failure("builtins:ValueError", found.name if found else "", ""))
    assert_type(churn(File("a.csv"), [1]), Model | None)
    assert_type(loops.function(File("a.csv"), ["a"], {"a": 1}), list[Model])
