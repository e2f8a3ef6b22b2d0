"""The Airflow that tests run: its environment (`make test` makes it), one process for `dag.test()`, one real session.

`TEST_AIRFLOW` is the folder of the environment's programs; without it these tests aren't run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CONFORMANCE = HERE.parents[1] / "conformance"
FOLDERS = (HERE, CONFORMANCE, CONFORMANCE / "programs", HERE / "flows")
sys.path[:0] = [str(path) for path in FOLDERS if str(path) not in sys.path]
BINARIES = os.environ.get("TEST_AIRFLOW", "")
collect_ignore_glob = [] if BINARIES else ["test_*.py"]
os.environ.setdefault("DRAWLOOM_SECRET_CONFORMANCE", "open-sesame")  # of the program `secret_values`


class DagRuns:
    """Runs DAG files in a process of Airflow's environment, one after another.

    Args:
        folder: an empty folder for its database, its logs and its DAGs.
        database: a database that has been migrated, which it copies.
    """

    def __init__(self, folder: Path, database: Path) -> None:
        from session import environment_of

        dags = folder / "dags"
        dags.mkdir()
        (folder / "home").mkdir()
        shutil.copy(database, folder / "home" / "airflow.db")
        self._log = (folder / "log").open("wb")
        environment = environment_of(folder / "home", dags) | {"DRAWLOOM_CACHE": str(folder / "cache")}
        self._process = subprocess.Popen(
            [f"{BINARIES}/python", HERE / "dag_runs.py"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._answer() == {"ready": True}

    def run(self, file: Path, dag_id: str, conf: dict[str, Any], **more: Any) -> dict[str, Any]:
        """What came of a run: `state`, `run_id`, and (task id, map index, state, tries) of `tasks`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"file": str(file), "dag_id": dag_id, "conf": conf, **more}) + "\n")
        self._process.stdin.flush()
        told = self._answer()
        assert "state" in told, told.get("error") or told
        return told

    def stop(self) -> None:
        """Ends the process."""
        self._process.stdin.close()  # type: ignore[union-attr]  # it has one
        self._process.stdout.close()  # type: ignore[union-attr]
        self._process.wait(60)
        self._log.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process has ended: see its log"
        told: dict[str, Any] = json.loads(line)
        return told


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of Airflow's without runs; each worker of pytest makes one."""
    from session import environment_of

    folder = tmp_path_factory.mktemp("airflow-db")
    (folder / "dags").mkdir()
    environment = environment_of(folder, folder / "dags")
    done = subprocess.run(
        [f"{BINARIES}/airflow", "db", "migrate"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "airflow.db"


@pytest.fixture(scope="session")
def dag_runs(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[DagRuns]:
    """One process for all runs by `dag.test()` of a worker of pytest."""
    made = DagRuns(tmp_path_factory.mktemp("dag-runs"), migrated)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real session: api-server, scheduler, DAG processor, triggerer; tests of it are one group."""
    from session import Session

    made = Session(Path(BINARIES), tmp_path_factory.mktemp("airflow"))
    try:
        made.start()
        yield made
    finally:
        made.stop()
