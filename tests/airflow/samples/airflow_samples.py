"""Pipelines for the tests of DAG files."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from drawloom import (
    File,
    Pod,
    Resources,
    Retry,
    Schedule,
    Toleration,
    Volume,
    container,
    engine_node,
    for_each,
    pipeline,
    run_image,
    run_info,
    run_on_engine,
    task,
)

__all__ = [
    "behind_a_chain",
    "by_schedule",
    "catching_up",
    "contained",
    "nested",
    "operated",
    "operated_twice",
    "parameters",
    "replacing",
    "sales",
    "trained",
]


@task
def stores(count: int) -> list[int]:
    """The numbers of the stores."""
    return list(range(count))


@task(retry=Retry(max_attempts=4, delay_seconds=30, factor=2, on=ConnectionError))
def fetch(store: int) -> list[float]:
    """One store's sales.

    Asks the store's own system.
    """
    return [float(store)]


@task
def clean(sales: list[float]) -> float:
    return sum(sales)


@task
def listed(total: float) -> list[int]:
    return list(range(int(total)))


@task
def report(totals: list[float]) -> str:
    return str(totals)


@task
def capped(total: float, limit: float) -> float:
    return min(total, limit)


@task
def published(text: str) -> str:
    return text


def of_store(store: int, limit: float) -> float:
    try:
        total = clean(fetch(store))
    except ConnectionError:
        total = 0.0
    return capped(total, limit) if total > limit else total


@pipeline(run_timeout_seconds=3600)
def sales(count: int = 3, limit: float = 10.0) -> str:
    """Sales of all stores.

    A page for *people*: "quotes", back\\slashes and \'\'\'more\'\'\'.
    """
    return report([of_store(store, limit) for store in stores(count)])


@pipeline
def behind_a_chain(count: int = 2) -> list[float]:
    """The items ask for what was made long before their list, too."""
    first = clean(fetch(count))
    second = capped(first, 2.0)
    return for_each(listed(second), lambda one: capped(clean(fetch(one)), first))


@pipeline
def nested(count: int = 2) -> list[list[float]]:
    return for_each(stores(count), lambda one: for_each(stores(one), lambda two: clean(fetch(two))))


@task
def take(
    size: int,
    ratio: float | None,
    names: list[str],
    kind: Literal["a", "b"],
    at: datetime | None,
    table: dict[str, int],
    file: File | None,
) -> int:
    return size


@pipeline
def parameters(
    size: int,
    ratio: float | None = None,
    names: list[str] = ["one", "{{ two }}", 'three "quoted"'],
    kind: Literal["a", "b"] = "a",
    at: datetime | None = None,
    table: dict[str, int] = {},
    file: File | None = None,
) -> int:
    return take(size, ratio, names, kind, at, table, file)


@task
def day_of(at: datetime) -> str:
    return at.isoformat()


@engine_node
def refreshed(day: str, names: list[str]) -> int:
    """How many rows the warehouse has now."""
    return run_on_engine(
        "airflow",
        operator="airflow.providers.http.operators.http.HttpOperator",
        http_conn_id="warehouse",
        endpoint="refresh/{{ dag.dag_id }}",
        data={"day": "{{ inputs.day }}", "names": "{{inputs.names}}"},
        retries=2,
    )


@pipeline
def operated(days: list[str]) -> list[int]:
    return [refreshed(day, ["a", "b"]) for day in days]


@pipeline
def operated_twice(days: list[list[str]]) -> list[list[int]]:
    return [[refreshed(day, []) for day in some] for some in days]


@pipeline(schedule=Schedule("30 6 * * MON-FRI", zone="Europe/Berlin"))
def by_schedule() -> str:
    return day_of(run_info.logical_time)


@pipeline(schedule=Schedule("0 * * * *", zone="UTC", catch_up=True, overlap="allow"))
def catching_up(size: int = 1) -> str:
    return day_of(run_info.logical_time)


@pipeline(schedule=Schedule("0 * * * *", zone="UTC", overlap="replace"))
def replacing() -> str:
    return day_of(run_info.logical_time)


@pipeline(schedule=Schedule("0 * * * *", zone="UTC"))
def needing(size: int) -> list[int]:
    return stores(size)


@task(pod=Pod(volumes=[Volume("/cache", empty_dir=True)]))
def prepare(size: int) -> list[int]:
    return list(range(size))


@container(resources=Resources(memory="1Gi"))
def convert(size: int) -> str:
    return run_image("registry.example/converter:2", ["convert", size])


@task(
    image="registry.example/trainer:7",
    resources=Resources(cpu=4, memory="16Gi", gpu=1),
    pod=Pod(
        tolerations=[Toleration("gpu", effect="NoSchedule")],
        spot=True,
        volumes=[Volume("/models", claim="models"), Volume("/etc/keys", secret="keys", read_only=True)],
        annotations={"example.com/note": "{{ not a template }}"},
    ),
)
def train(rows: list[int], words: str) -> int:
    return len(rows) + len(words)


@pipeline
def trained(size: int = 3) -> list[int]:
    """A model, trained in pods."""
    return [train(prepare(one), convert(one)) for one in stores(size)]


@task
def len_of(rows: list[int]) -> int:
    return len(rows)


@pipeline
def contained(size: int = 3) -> int:
    return len_of(prepare(size))
