"""A process of Airflow's own environment that runs DAG files by `dag.test()` (`dag_runs.py`)."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from session import environment_of, quick_database

HERE = Path(__file__).parent


def migrated_database(binaries: str, folder: Path) -> Path:
    """A database of Airflow's without runs.

    Args:
        binaries: the folder of the environment's programs.
        folder: an empty folder for it.
    """
    (folder / "dags").mkdir()
    environment = environment_of(folder, folder / "dags")
    done = subprocess.run(
        [f"{binaries}/airflow", "db", "migrate"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "airflow.db"


class DagRuns:
    """Runs DAG files in a process of Airflow's environment, one after another.

    Args:
        binaries: the folder of the environment's programs.
        folder: an empty folder for its database, its logs and its DAGs.
        database: a database that has been migrated, which it copies.
        variables: further variables of the process.
    """

    def __init__(self, binaries: str, folder: Path, database: Path, **variables: str) -> None:
        dags = folder / "dags"
        dags.mkdir()
        (folder / "home").mkdir()
        self._database = quick_database(f"dag-runs-{id(self)}")
        shutil.copy(database, self._database)
        self._log = (folder / "log").open("wb")
        environment = environment_of(folder / "home", dags, database=f"sqlite:///{self._database}") | {
            "DRAWLOOM_CACHE": str(folder / "cache"),
            **variables,
        }
        self._process = subprocess.Popen(
            [f"{binaries}/python", HERE / "dag_runs.py"],
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
        for file in self._database.parent.glob(f"{self._database.name}*"):
            file.unlink()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process has ended: see its log"
        told: dict[str, Any] = json.loads(line)
        return told
