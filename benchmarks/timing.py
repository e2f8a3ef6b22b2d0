"""How everything here is timed: medians of whole processes, interleaved with their floor."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

__all__ = ["median_ms", "processes_ms"]

REPEATS = 5


def median_ms(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """The median wall time of `work()` in milliseconds, after one call that isn't counted."""
    work()
    return statistics.median(_timed(work) for _ in range(repeats))


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def processes_ms(commands: dict[str, Sequence[str]], repeats: int = REPEATS) -> dict[str, float]:
    """The median wall time in milliseconds of each command, as whole processes, in turn; one round isn't counted."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    for _ in range(repeats + 1):
        for name, command in commands.items():
            begin = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=environment)
            times[name].append((time.perf_counter() - begin) * 1000)
    return {name: statistics.median(found[1:]) for name, found in times.items()}


PYTHON = sys.executable
