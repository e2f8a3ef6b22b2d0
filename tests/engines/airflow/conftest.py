"""The Airflow that tests run: its environment (`make test` makes it), one process for `dag.test()`, one real session.

`TEST_AIRFLOW` is the folder of the environment's programs; without it these tests aren't run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CONFORMANCE = HERE.parents[1] / "conformance"
FOLDERS = (HERE, HERE.parent, CONFORMANCE, CONFORMANCE / "programs", HERE / "flows")
sys.path[:0] = [str(path) for path in FOLDERS if str(path) not in sys.path]
BINARIES = os.environ.get("TEST_AIRFLOW", "")
collect_ignore_glob = [] if BINARIES else ["test_*.py"]
os.environ.setdefault("DRAWLOOM_SECRET_CONFORMANCE", "open-sesame")  # of the program `secret_values`


@pytest.fixture(scope="session")
def dag_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One process for all runs by `dag.test()` of a worker of pytest."""
    from dag_process import DagRuns, migrated_database

    database = migrated_database(BINARIES, tmp_path_factory.mktemp("airflow-db"))
    made = DagRuns(BINARIES, tmp_path_factory.mktemp("dag-runs"), database)
    yield made
    made.stop()


@pytest.fixture(scope="module")  # else it goes on, and takes its part of the machine, until all other tests are over
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real session: api-server, scheduler, DAG processor, triggerer; tests of it are one group."""
    from session import Session

    made = Session(Path(BINARIES), tmp_path_factory.mktemp("airflow"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


def _what_airflow_says(place: Any) -> str:
    """The runs and tasks there are, why those that failed did, and what the catalog has of it."""
    client, lines = place.client(), []
    for dag in client.access.pages("dags", "dags"):
        for run in client.access.pages("dag_runs", "dags", dag["dag_id"], "dagRuns"):
            known = place.engine_run(dag["dag_id"], run["dag_run_id"])
            lines.append(f"{dag['dag_id']} {run['dag_run_id']}: {run['state']}")
            for one in client._instances(known):
                told = client._told_error(known, one) if one["state"] == "failed" else ""
                lines.append(f"  {one['task_id']} {one['map_index']}, try {one['try_number']}: {one['state']} {told}")
    for run in place.catalog.runs():
        lines.append(f"{run.id}, generation {run.details.generation}: {run.state} {run.details.failure or ''}")
        lines += [f"  {name}: {node.state} {node.failure or ''}" for name, node in run.details.nodes.items()]
    return "\n".join(lines)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Tells of a test of a session that failed what Airflow and the catalog have of it."""
    outcome: Any = yield
    report, place = outcome.get_result(), getattr(item, "funcargs", {}).get("place")
    if report.failed and place is not None:
        try:
            report.sections.append(("what Airflow says", _what_airflow_says(place)))
        except Exception as error:  # Airflow may be what has failed
            report.sections.append(("what Airflow says", f"nothing: {error!r}"))
