"""Pipelines for the tests of DAG files."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from drawloom import File, Retry, Schedule, engine_node, for_each, pipeline, run_info, run_on_engine, task

__all__ = ["by_schedule", "catching_up", "nested", "operated", "parameters", "replacing", "sales"]


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
