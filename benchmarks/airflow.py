"""Airflow: the time to print a DAG file, what Airflow needs to read it beside one written by hand, what a step adds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import Any

from benchmarks.timing import median_ms
from benchmarks.workloads import airflow_twins as twins
from benchmarks.workloads.trivial_tasks import blocks
from drawloom.api import compile as compile_pipeline
from drawloom.compilers.airflow.compile import compile_airflow, dag_text_of
from drawloom.compilers.airflow.dag_file import dag_text
from drawloom.compilers.airflow.tasks import dag_tasks
from drawloom.compilers.passes.lower_steps import lower_steps
from drawloom.dsl.tracing import trace
from drawloom.ir.program import Program, pipeline_digest
from drawloom.runtimes.publish import publish_folder

ROOT = Path(__file__).parents[1]
BINARIES = Path(os.environ.get("TEST_AIRFLOW") or ROOT / ".venv-airflow" / "bin")
_SCRIPT = Path(__file__).parent / "workloads" / "airflow_measures.py"


def rows() -> Iterator[tuple[str, str, str, str]]:
    program = trace(blocks, {"n": 1_000}).program
    took = median_ms(lambda: _text(program))
    yield (
        "a DAG file of 1,000 nodes, from the IR",
        f"{took:.0f} ms",
        f"{len(_text(program)) / 1024:,.0f} KB",
        "<= 100 ms",
    )
    if not (BINARIES / "python").exists():
        yield "Airflow's own part", "not measured", f"no Airflow in {BINARIES}: `make unit` makes one", ""
        return
    with tempfile.TemporaryDirectory() as folder:
        found = _measured(Path(folder))
    ours, twin = found["parse_ms"]
    what = "Airflow parses and serialises 1,000 nodes, beside TaskFlow by hand"
    yield what, f"{ours:.0f} ms, {ours / twin:.2f} x", f"{twin:.0f} ms", "<= 1.0 x"
    ours, twin = found["chain_ms"]
    what = "a step over an empty Airflow task, in a chain of 20 by dag.test()"
    yield what, f"+{(ours - twin) / 20:.0f} ms", f"{twin / 20:.0f} ms an empty task", "<= 100 ms"
    ours, twin = found["mixture_ms"]
    what = "a mixture (a map of 20, a branch) beside its TaskFlow twin, by dag.test()"
    yield what, f"{ours / 1000:.1f} s, {ours / twin:.2f} x", f"{twin / 1000:.1f} s", "<= 1.1 x"


def _text(program: Program) -> str:
    defaults: dict[str, Any] = {
        name: parameter.default
        for name, parameter in signature(compile_airflow).parameters.items()
        if name != "program"
    }
    given = {**defaults, "store": "s3://lake", "dag_id": "blocks"}
    tasks = dag_tasks(lower_steps(program.pipeline))
    return dag_text(dag_text_of(program, tasks, given, pipeline_digest(program.pipeline), "0" * 64))


def _measured(folder: Path) -> dict[str, list[float]]:
    """What a process of Airflow's measures, of ours and of the twin."""
    sys.path.insert(0, str(ROOT / "tests" / "engines" / "airflow"))
    from session import environment_of

    dags = folder / "dags"
    dags.mkdir()
    environment = environment_of(folder / "home", dags)
    subprocess.run([BINARIES / "airflow", "db", "migrate"], env=environment, check=True, capture_output=True)
    asked = {}
    for name, flow, static, text in twins.PAIRS:
        options = {"store": str(folder / "store"), "python": sys.executable, "dag_id": name}
        files = compile_pipeline(flow, "airflow", static=static, root=str(ROOT), **options)
        files.write(folder / name)
        publish_folder(folder / name)
        (folder / f"{name}_twin.py").write_text(text)
        asked[name] = [str(folder / name / "dag.py"), str(folder / f"{name}_twin.py")]
    done = subprocess.run(
        [BINARIES / "python", _SCRIPT, json.dumps(asked), str(dags)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found
