"""Arguments, the clock and the one JSON line of a workload script."""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from typing import Any

import drawloom.dsl.tracing
import drawloom.ir.check
import drawloom.parameters.binding
import drawloom.parameters.requirements
import drawloom.project.origin
import drawloom.project.settings
import drawloom.runtimes.local
import drawloom.runtimes.progress_lines
import drawloom.values.conform  # noqa: F401  # as the others' libraries, all of it before the clock starts
from drawloom import Run, api
from drawloom.runtimes.progress import choose_progress

__all__ = ["arguments", "emit", "frame", "peak_mb", "run_once"]


def arguments(n: int = 1000) -> argparse.Namespace:
    """What the runner of the workloads gives each script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=n)
    parser.add_argument("--mode", default="threads")
    parser.add_argument("--work", default=None, help="a folder; made afresh if left out")
    parser.add_argument("--phase", default="", help="W3 alone: cold or warm")
    given = parser.parse_args()
    given.work = given.work or tempfile.mkdtemp()
    os.makedirs(given.work, exist_ok=True)
    os.environ.setdefault("DRAWLOOM_CACHE", os.path.join(given.work, "cache"))
    return given


def peak_mb() -> float:
    """The most memory this process has had, in MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def run_once(pipeline: Any, params: dict[str, object], given: argparse.Namespace) -> tuple[Run, float, float]:
    """Runs a pipeline as a user would, defaults on; returns the run, its wall seconds and its processor seconds."""
    given.before_mb = peak_mb()
    with open(os.path.join(given.work, "progress"), "a", encoding="utf-8") as lines:
        processor, began = time.process_time(), time.perf_counter()
        run = api.run(
            pipeline,
            params,
            catalog=os.path.join(given.work, "store"),
            executor=given.mode,
            progress=choose_progress(lines),
        )
        seconds, cpu = time.perf_counter() - began, time.process_time() - processor
    given.run_mb = peak_mb()
    return run, seconds, cpu


def emit(
    workload: str, given: argparse.Namespace, tasks: int, seconds: float, cpu: float, ok: bool, **more: object
) -> None:
    """Prints the line the runner reads."""
    line = {
        "peer": "drawloom",
        "workload": workload,
        "mode": given.mode,
        "n": given.n,
        "tasks": tasks,
        "seconds": round(seconds, 6),
        "per_task_us": round(seconds / tasks * 1e6, 3),
        "peak_rss_mb": given.run_mb,
        "item_bytes": round((given.run_mb - given.before_mb) * 2**20 / tasks),
        "read_rss_mb": peak_mb(),
        "cpu_s": round(cpu, 3),
        "ok": ok,
        **more,
    }
    print(json.dumps(line), flush=True)


def frame(rows: int = 1_000_000, columns: int = 10) -> Any:
    """The 80 MB frame: 1,000,000 x 10 float64, the same at each call."""
    import numpy as np
    import pandas as pd

    return pd.DataFrame(np.random.default_rng(7).random((rows, columns)), columns=[f"c{k}" for k in range(columns)])
