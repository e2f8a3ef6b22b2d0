"""The pipeline of W4."""

from __future__ import annotations

import pandas as pd

from benchmarks.workloads.measure import frame
from drawloom import pipeline, task

__all__ = ["frames"]


@task
def big_table(rows: int) -> pd.DataFrame:
    return frame(rows)


@task
def column_sum(table: pd.DataFrame, k: int) -> float:
    return float(table[f"c{k}"].sum())


@task
def join(parts: list[float]) -> float:
    return sum(parts)


@pipeline
def frames(rows: int) -> float:
    table = big_table(rows)
    return join([column_sum(table, k) for k in range(5)])
