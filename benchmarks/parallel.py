"""Three independent sleeps of one second: what running in parallel costs beyond the longest."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator

from benchmarks.timing import median_ms
from drawloom import api, pipeline, task


@task
def sleep(seconds: float, name: str) -> str:
    time.sleep(seconds)
    return name


@pipeline
def three(seconds: float) -> list[str]:
    return [sleep(seconds, name) for name in ("a", "b", "c")]


def rows() -> Iterator[tuple[str, str, str, str]]:
    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            assert api.run(three, {"seconds": 1.0}, catalog=folder, cache=False).result == ["a", "b", "c"]

    yield "three independent sleeps of 1 s", f"{median_ms(run) / 1000:.3f} s", "1.000 s", "<= 1.15 s"
