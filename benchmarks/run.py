"""Prints the table of docs/performance.md: `make bench`, or `python -m benchmarks.run [part ...]`."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator

from benchmarks import airflow, engines, experience, imports, install, parallel, staging, steps, tracing

Row = tuple[str, str, str, str]  # what, measured, floor or reach, verdict

PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "imports": imports.rows,
    "tracing": tracing.rows,
    "staging": staging.rows,
    "steps": steps.rows,
    "parallel": parallel.rows,
    "experience": experience.rows,
    "engines": engines.rows,
    "airflow": airflow.rows,
    "install": install.rows,
}


def main(chosen: list[str]) -> None:
    unknown = sorted(set(chosen) - set(PARTS))
    if unknown:
        sys.exit(f"unknown part: {', '.join(unknown)}; known: {', '.join(PARTS)}")
    print(f"Python {platform.python_version()}, {platform.system()}, medians of 5\n")
    print("| what | measured | floor | reach |\n|---|---|---|---|")
    for part in chosen or PARTS:
        for row in PARTS[part]():
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
