"""What users wait for daily: W1 to W4, a wide map, `--help`, the example's rerun; fresh processes, in turn."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.timing import PYTHON, REPEATS, processes_ms

Row = tuple[str, str, str, str]
_SCRIPTS = Path(__file__).parent / "workloads"
_EXAMPLE = Path(__file__).parents[1] / "examples" / "hotel_rates"
# as a user's shell has it: with compiled modules, and without what a test machine may set
_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DRAWLOOM"))}


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(dir=_quick_folder()) as folder:
        yield from _small_tasks(folder)
        yield from _frames(folder)
        yield from _wide_map(folder)
    yield from _commands()


def _quick_folder() -> str | None:
    """A file system in memory, where there is one: the disk's own pauses are no part of these figures."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _script(name: str, folder: str, *arguments: str, fresh: bool = True) -> dict[str, Any]:
    work = os.path.join(folder, "work")
    if fresh:
        shutil.rmtree(work, ignore_errors=True)
    began = time.perf_counter()
    command = [PYTHON, str(_SCRIPTS / f"{name}.py"), "--work", work, *arguments]
    done = subprocess.run(command, capture_output=True, check=True, env=_ENVIRONMENT, cwd=folder)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["ok"], name
    return {**found, "process_ms": (time.perf_counter() - began) * 1000}


def _small_tasks(folder: str) -> Iterator[Row]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for _ in range(REPEATS):
        found["floor"].append(_script("floor", folder))
        for mode in ("inline", "threads"):
            found[f"w1 {mode}"].append(_script("w1_chain", folder, "--mode", mode))
            found[f"w2 {mode}"].append(_script("w2_fanout", folder, "--mode", mode))
        _script("w3_cached", folder, "--phase", "cold")
        found["w3"].append(_script("w3_cached", folder, "--phase", "warm", fresh=False))
    floor = f"keyed, hashed, in SQLite: {_median(found['floor'], 'per_task_us'):.0f} us"
    for mode, reach in (("threads", "<= 60 us"), ("inline", "<= 30 us")):
        yield f"W1, 1,000 tasks in a chain, {mode}", _us(found[f"w1 {mode}"]), floor, reach
        yield f"W2, a map of 1,000 tasks, {mode}", _us(found[f"w2 {mode}"]), floor, reach
    yield "W3, W2 again in a new process", _us(found["w3"], "node"), floor, "<= 10 us"
    bare = processes_ms({"bare": [PYTHON, "-c", "pass"]})["bare"]
    shell = f"{_median(found['w3'], 'process_ms'):.0f} ms"
    yield "... from shell to result", shell, f"a bare interpreter, {bare:.0f} ms", "<= 120 ms"


def _frames(folder: str) -> Iterator[Row]:
    found = [_script("w4_frames", folder) for _ in range(REPEATS)]
    measured = f"{_median(found, 'seconds'):.2f} s, {_median(found, 'peak_rss_mb'):.0f} MB peak"
    yield "W4, an 80 MB frame, 5 readers, a join", measured, "making it, writing it once: 0.13 s", "<= 0.25 s, 300 MB"


def _wide_map(folder: str) -> Iterator[Row]:
    pairs = [
        (_script("w2_fanout", folder, "--n", "100000"), _script("w2_fanout", folder, "--n", "1000")) for _ in range(3)
    ]
    ratio = statistics.median(wide["per_task_us"] / narrow["per_task_us"] for wide, narrow in pairs)
    wide = [pair[0] for pair in pairs]
    measured = f"{_us(wide)}, {ratio:.2f} x W2, {_median(wide, 'item_bytes'):.0f} bytes an item in memory"
    yield "a map of 100,000 tasks", measured, "", "<= 1.5 x W2"


def _commands() -> Iterator[Row]:
    drawloom = str(Path(PYTHON).with_name("drawloom"))
    times = processes_ms({"help": [drawloom, "--help"], "bare": [PYTHON, "-c", "pass"]})
    yield "`drawloom --help`", f"+{times['help'] - times['bare']:.0f} ms", f"bare {times['bare']:.0f} ms", "<= +100 ms"
    with tempfile.TemporaryDirectory() as folder:
        environment = {**_ENVIRONMENT, "DRAWLOOM_CATALOG": f"{folder}/store", "DRAWLOOM_CACHE": f"{folder}/cache"}
        run = [drawloom, "run", "hotel_rates", "--bookings", "hotel_rates.csv", "--quiet"]
        load = [PYTHON, "-c", "import sys; sys.path.insert(0, '.'); import pipeline"]
        timed: dict[str, list[float]] = {"run": [], "load": []}
        for number in range(REPEATS + 1):
            for name, command in (("run", run), ("load", load)):
                began = time.perf_counter()
                subprocess.run(command, cwd=_EXAMPLE, env=environment, check=True, capture_output=True)
                if number:  # the first run computes
                    timed[name].append(time.perf_counter() - began)
        ratio = statistics.median(one / other for one, other in zip(timed["run"], timed["load"], strict=True))
        floor = f"importing its module, {statistics.median(timed['load']):.2f} s"
        measured = f"{statistics.median(timed['run']):.2f} s, {ratio:.2f} x"
        yield "rerun of examples/hotel_rates, shell to result", measured, floor, "<= 1.3 x"


def _median(found: list[dict[str, Any]], key: str) -> float:
    return statistics.median(one[key] for one in found)


def _us(found: list[dict[str, Any]], of: str = "task") -> str:
    return f"{_median(found, 'per_task_us'):.0f} us a {of}"


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row), file=sys.stdout)
