"""Airflow: the time to print a DAG file, what Airflow needs to read it beside one written by hand, what a step adds."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.timing import REPEATS, median_ms
from benchmarks.workloads import airflow_twins as twins
from benchmarks.workloads.trivial_tasks import blocks, chain, mixture
from drawloom.api import compile as compile_pipeline
from drawloom.compilers.airflow.dag_file import DagText, dag_text
from drawloom.compilers.airflow.tasks import dag_tasks
from drawloom.compilers.passes.lower_steps import lower_steps
from drawloom.dsl.tracing import trace
from drawloom.ir.program import Program, pipeline_digest
from drawloom.ir.protocol import stub_text
from drawloom.runtimes.airflow_access import AirflowAccess
from drawloom.runtimes.engines import Connection
from drawloom.runtimes.publish import publish_folder

ROOT = Path(__file__).parents[1]
BINARIES = Path(os.environ.get("TEST_AIRFLOW") or ROOT / ".venv-airflow" / "bin")
_SCRIPT = Path(__file__).parent / "workloads" / "airflow_measures.py"
_ITEMS = 20
_LONGEST_SECONDS = 300.0

sys.path.append(str(ROOT / "tests" / "engines" / "airflow"))

from session import PASSWORD, USER, Session, environment_of, quick_database  # noqa: E402  # from the path above


def rows() -> Iterator[tuple[str, str, str, str]]:
    for length, reach in ((1_000, "<= 100 ms"), (10_000, "linear")):
        program = trace(blocks, {"n": length}).program
        took = median_ms(lambda program=program: _text(program))  # type: ignore[misc]  # bound in the loop
        size = len(_text(program)) / 1024
        yield f"a DAG file of {length:,} nodes, from the IR", f"{took:.0f} ms", f"{size:,.0f} KB of text", reach
    if not (BINARIES / "python").exists():
        yield "Airflow's own part", "not measured", f"no Airflow in {BINARIES}: `make unit` makes one", ""
        return
    with tempfile.TemporaryDirectory() as folder:
        yield from _by_process(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        yield from _by_session(Path(folder))


def _text(program: Program) -> str:
    return dag_text(
        DagText(
            dag={"dag_id": "blocks"},
            tasks=dag_tasks(lower_steps(program.pipeline)),
            settings={"PROGRAM": pipeline_digest(program.pipeline)},
            stub=stub_text(),
            title="The pipeline `blocks`.",
        )
    )


def _compiled(folder: Path, name: str, flow: Any, static: dict[str, Any], **options: Any) -> Path:
    """A DAG file whose program is in a store beside it."""
    given = {"store": str(folder / "store"), "python": sys.executable, "dag_id": name, **options}
    compile_pipeline(flow, "airflow", static=static, root=str(ROOT), **given).write(folder / name)
    publish_folder(folder / name)
    return folder / name / "dag.py"


def _by_hand(folder: Path, name: str, text: str) -> Path:
    (folder / name).mkdir()
    (folder / name / "dag.py").write_text(text)
    return folder / name / "dag.py"


def _by_process(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """What one process of Airflow's measures."""
    asked = {
        "parse": [
            _compiled(folder, "blocks", blocks, {"n": 1_000}),
            _by_hand(folder, "blocks_twin", twins.BLOCKS),
            _by_hand(folder, "blocks_named_twin", twins.BLOCKS_NAMED),
        ],
        "run": [
            _compiled(folder, "chain", chain, {"n": 20}),
            _compiled(folder, "forked", chain, {"n": 20}, runner="inprocess"),
            _by_hand(folder, "chain_twin", twins.CHAIN),
        ],
    }
    (ours, twin, named), (step, forked, empty) = _measured(folder, asked)
    what = "Airflow parses and serialises 1,000 nodes, beside TaskFlow by hand"
    yield what, f"{ours:.0f} ms, {ours / twin:.2f} x", f"{twin:.0f} ms", "<= 1.0 x"
    yield "... with a task id given to each by hand", f"{ours / named:.2f} x", f"{named:.0f} ms", "<= 1.0 x"
    what = "a step over a TaskFlow task that adds 1, by `dag.test()`"
    yield what, f"+{step - empty:.0f} ms", f"{empty:.0f} ms", "<= 100 ms"
    yield '... with `runner = "inprocess"`', f"+{forked - empty:.0f} ms", f"{empty:.0f} ms", "<= 100 ms"


def _measured(folder: Path, asked: dict[str, list[Path]]) -> list[list[float]]:
    dags = folder / "dags"
    dags.mkdir()
    database = quick_database("bench")
    environment = environment_of(folder / "home", dags, database=f"sqlite:///{database}")
    environment["DRAWLOOM_CACHE"] = str(folder / "cache")
    given = json.dumps({name: list(map(str, paths)) for name, paths in asked.items()})
    try:
        for command in (["airflow", "db", "migrate"], ["python", str(_SCRIPT), given]):
            done = subprocess.run(
                [f"{BINARIES}/{command[0]}", *command[1:]], env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise RuntimeError(done.stderr[-3000:])
    finally:
        for file in database.parent.glob(f"{database.name}*"):
            file.unlink()
    found: list[list[float]] = json.loads(done.stdout)
    return found


def _by_session(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """What runs on a real Airflow take: api-server, scheduler, LocalExecutor with 4 workers, SQLite in memory."""
    session = Session(BINARIES, folder / "session")
    session.environment |= {
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "DRAWLOOM_CACHE": str(folder / "cache"),
    }
    made = {
        f"mixture_{batch}": _compiled(folder, f"mixture_{batch}", mixture, {"batch": batch}, params={"count": _ITEMS})
        for batch in (1, 5)
    }
    made["mixture_twin"] = _by_hand(folder, "mixture_twin", twins.MIXTURE)
    for name, path in made.items():
        (session.dags / f"{name}.py").write_bytes(path.read_bytes())
    try:
        session.start()
        connection = Connection("bench", server=session.url, username=USER, password=PASSWORD)
        one, batched, twin = _run_seconds(AirflowAccess(connection), list(made))
    finally:
        session.stop()
    what = f"a mixture: a map of {_ITEMS}, two tasks an item, and a branch; on a LocalExecutor, by one"
    yield what, f"{one:.1f} s, {one / twin:.2f} x", f"TaskFlow by hand: {twin:.1f} s", "<= 1.1 x"
    yield "... in batches of 5", f"{batched:.1f} s, {batched / twin:.2f} x", f"the same: {twin:.1f} s", "<= 1.1 x"


def _run_seconds(airflow: AirflowAccess, dag_ids: Sequence[str]) -> list[float]:
    """The medians of runs in turn, each by Airflow's own times; one round isn't counted."""
    for dag_id in dag_ids:
        _wait(lambda dag_id=dag_id: airflow.get("dags", dag_id))
    rounds = [[_one_run(airflow, dag_id, f"bench-{n}") for dag_id in dag_ids] for n in range(REPEATS + 1)]
    return [statistics.median(times) for times in zip(*rounds[1:], strict=True)]


def _one_run(airflow: AirflowAccess, dag_id: str, run_id: str) -> float:
    airflow.ask("POST", "dags", dag_id, "dagRuns", body={"dag_run_id": run_id, "logical_date": None})

    def ended() -> Any:  # a run of Airflow's, as JSON
        found = airflow.get("dags", dag_id, "dagRuns", run_id)
        return found if found["state"] in ("success", "failed") else None

    run = _wait(ended)
    assert run["state"] == "success", f"{dag_id} runs"
    begun, end = (datetime.fromisoformat(run[name]) for name in ("start_date", "end_date"))
    return (end - begun).total_seconds()


def _wait(look: Any) -> Any:  # a function, and what it finds
    deadline = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.5)
    raise RuntimeError("it never came")
