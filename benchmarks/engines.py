"""Workflows for Argo: the time to make one from the IR, and how many pods it takes beside one written by hand."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.timing import median_ms
from benchmarks.workloads.compiling import workflow_text
from benchmarks.workloads.trivial_tasks import blocks, mixture
from drawloom.api import compile as compile_pipeline
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.run import Run
from drawloom.dsl.tracing import trace
from drawloom.ir.nodes import Call
from drawloom.ir.walk import walk
from drawloom.runtimes.reference import run_bundle

_ITEMS = 20


def rows() -> Iterator[tuple[str, str, str, str]]:
    for length, reach in ((1_000, "<= 40 ms"), (10_000, "linear")):
        program = trace(blocks, {"n": length}).program
        took = median_ms(lambda program=program: workflow_text(program))  # type: ignore[misc]  # bound in the loop
        size = len(workflow_text(program)) / 1024
        yield f"an Argo Workflow of {length:,} nodes, from the IR", f"{took:.0f} ms", f"{size:,.0f} KB of text", reach
    for batch, reach in ((1, ""), (5, "<= 1.2 x")):
        pods, calls = _starts(batch)
        what = f"pods of a mixture: a map of {_ITEMS}, two tasks an item, and a branch; batches of {batch}"
        yield what, f"{pods}, {pods / calls:.2f} x", f"by hand one for each call: {calls}", reach


def _starts(batch: int) -> tuple[int, int]:
    """How many steps a run of the mixture takes, each of which is a pod on Argo; and how many calls it makes."""
    started = []
    start = subprocess.Popen

    def counted(*command: Any, **options: Any) -> Any:
        started.append(command)
        return start(*command, **options)

    with tempfile.TemporaryDirectory() as folder:
        files = compile_pipeline(mixture, "reference", static={"batch": batch}, root=str(Path(__file__).parents[1]))
        files.write(f"{folder}/build")
        catalog = Catalog.open(f"{folder}/store")
        params = {"count": catalog.values.encode(_ITEMS)}
        with mock.patch("drawloom.runtimes.engine_process.subprocess.Popen", counted):
            run = run_bundle(f"{folder}/build", params, f"{folder}/store", told={"static": {}})
        return len(started), _calls(run)


def _calls(run: Run) -> int:
    assert run.state == "succeeded", "the mixture runs"
    calls = {node.id for node in walk(run.program.pipeline.body) if isinstance(node, Call)}
    return sum(1 for node, _ in run.commits() if node in calls)
