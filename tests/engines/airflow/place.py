"""A project whose target is an Airflow of a test, and what a test asks of it."""

from __future__ import annotations

import importlib
import json
import linecache
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import operated
import pytest
from session import PASSWORD, USER, Session

from drawloom import Deployment, Pipeline, Run, deploy
from drawloom.catalog.catalog import Catalog
from drawloom.deploying import Deployed, connect_target
from drawloom.errors import CheckFailed, DrawloomError
from drawloom.project.settings import load_settings
from drawloom.project.targets import Target, find_target
from drawloom.runtimes.airflow import AirflowClient
from drawloom.runtimes.begin import run_name
from drawloom.runtimes.engines import EngineRun

LONGEST_SECONDS = 180.0


class Place:
    """A project whose target is the session.

    Args:
        session: the Airflow.
        folder: an empty folder of its own.
        monkeypatch: by which it is made the folder that is worked in.
        options: further keys of the target.
    """

    def __init__(self, session: Session, folder: Path, monkeypatch: pytest.MonkeyPatch, **options: object) -> None:
        self.session, self.folder, self.options = session, folder, options
        self.store = str(folder / "store")
        monkeypatch.setenv("AIRFLOW_TEST_PASSWORD", PASSWORD)
        monkeypatch.chdir(folder)
        self.write()

    def write(self, **options: object) -> None:
        """Writes the project file."""
        given: dict[str, object] = {
            "engine": "airflow",
            "server": self.session.url,
            "username": USER,
            "password_env": "AIRFLOW_TEST_PASSWORD",
            "dags": str(self.session.dags),
            "store": self.store,
            "python": sys.executable,
            **self.options,
            **options,
        }
        lines = [f"{name} = {toml(value)}" for name, value in given.items() if value is not None]
        (self.folder / "drawloom.toml").write_text("\n".join(["[targets.air]", *lines, ""]))

    def target(self) -> Target:
        """The target as the project file says it."""
        return find_target("air", load_settings())

    def client(self) -> AirflowClient:
        """A client of the session."""
        found = connect_target(self.target())
        assert isinstance(found, AirflowClient)
        return found

    def deploy(
        self, pipeline: Pipeline[..., Any], params: Mapping[str, object] | None = None, **more: Any
    ) -> Deployment:
        """Deploys under a name of its own, so that tests don't meet."""
        return deploy(pipeline, "air", params or {}, **more)

    def run(self, pipeline: Pipeline[..., Any], params: Mapping[str, object] | None = None, **more: Any) -> Run:
        """Deploys and waits."""
        return self.deploy(pipeline, params, **more).wait(LONGEST_SECONDS)

    @property
    def catalog(self) -> Catalog:
        """The store."""
        return Catalog.open(self.store)

    def triggered(self, dag_id: str, **body: object) -> EngineRun:
        """Triggers a run as somebody does in Airflow's own page."""
        run_id = f"by_hand__{uuid4().hex}"
        access, path = self.client().access, ("dags", dag_id, "dagRuns")
        asked = {"dag_run_id": run_id, "logical_date": None, **body}
        access.make(*path, body=asked, is_there=lambda: access.get(*path, run_id) is not None)
        return self.engine_run(dag_id, run_id)

    def engine_run(self, dag_id: str, run_id: str) -> EngineRun:
        """A DAG run as the catalog knows it."""
        ids = (("dag_id", dag_id), ("run_id", run_id))
        return EngineRun(run_name("airflow", ids), ids, dag_id, "air")

    def wait(self, run: EngineRun) -> Run:
        """The run, once Airflow says that it has ended."""
        return Deployed(run, self.client(), self.catalog).watch(timeout_seconds=LONGEST_SECONDS)

    def clear(self, run: EngineRun, *tasks: str, downstream: bool = True) -> None:
        """Clears tasks, as somebody does in Airflow's own page who sees that the run has ended."""
        # what is cleared between a run's last task and Airflow's word that it ended, Airflow never starts
        until(lambda: self.client().status(run).ended)
        body = {
            "dry_run": False,
            "only_failed": False,
            "include_downstream": downstream,
            "dag_run_id": run.id("run_id"),
            "task_ids": list(tasks),
            "reset_dag_runs": True,
        }
        # a busy database refuses it whole
        self.client().access.make("dags", run.id("dag_id"), "clearTaskInstances", body=body, is_there=lambda: False)

    def states(self, run: EngineRun) -> dict[str, list[str]]:
        """Airflow's states of the tasks of a run."""
        made: dict[str, list[str]] = {}
        for one in self.client()._instances(run):
            made.setdefault(one["task_id"], []).append(one["state"])
        return made


def toml(value: object) -> str:
    """A value as TOML, in one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {toml(one)}" for name, one in value.items()) + " }"
    return f"[{', '.join(map(toml, value))}]" if isinstance(value, list) else json.dumps(value)


def until(told: Callable[[], Any], seconds: float = LONGEST_SECONDS) -> Any:
    """What is told, once it is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = told()
        if found:
            return found
        time.sleep(0.3)
    raise AssertionError("it never came")


def engine_run(deployment: Deployment) -> EngineRun:
    """The run that a deployment has triggered."""
    assert deployment.deployed is not None
    return deployment.deployed.run


def processes_with(*words: str) -> list[int]:
    """The processes that have all of these among their arguments."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                arguments = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            except OSError:
                continue
            if all(word in arguments for word in words):
                found.append(int(folder.name))
    return found


def kill_with_its_worker(process: int) -> None:
    """Kills a step's process, and what runs the task for Airflow."""
    parent = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    os.killpg(process, signal.SIGKILL)


def assert_changed_at_once(place: Place, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs a pipeline, and in the next moment another one of the same name, with other tasks and parameters."""
    monkeypatch.syspath_prepend(str(folder))
    place.write(root=str(folder))
    code = (Path(operated.__file__).parent / "changing.py.txt").read_text()
    assert place.run(_written(folder, code), {"n": 1}).result == 2
    changed = code.replace("changing(n: int)", "changing(more: int)").replace("double(n)\n", "total(double(5), more)\n")
    assert place.run(_written(folder, changed), {"more": 3}).result == 13
    sys.modules.pop("changing_there")


def _written(folder: Path, code: str) -> Pipeline[..., Any]:
    (folder / "changing_there.py").write_text(code)
    sys.modules.pop("changing_there", None)
    importlib.invalidate_caches()
    linecache.clearcache()
    found: Pipeline[..., Any] = importlib.import_module("changing_there").changing
    return found


def refused(place: Place) -> str:
    """The code of what deploying there is refused with."""
    with pytest.raises((CheckFailed, DrawloomError)) as caught:
        deploy(operated.squares, "air", run=False)
    code: str = caught.value.diagnostics[0].code
    return code


def probed(place: Place) -> list[Any]:
    """What the doctor finds by a run on a worker."""
    from drawloom.api import compile_program
    from drawloom.ir.nodes import Block, Pipeline
    from drawloom.ir.program import Program, pipeline_digest
    from drawloom.runtimes.publish import publish_program

    target = place.target()
    program = Program(Pipeline("drawloom-doctor", body=Block(())), {})
    files = compile_program(program, "airflow", target.options)
    catalog = Catalog.open(target.catalog)
    publish_program(catalog.storage, files, pipeline_digest(program.pipeline))
    folder = place.folder / "probe"
    files.write(folder)
    return list(place.client().probe(folder, catalog))
