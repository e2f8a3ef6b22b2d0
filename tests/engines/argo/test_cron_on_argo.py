"""Schedules, templates and a run's limit on a real Argo, deployed as the page says, with kubectl."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.run import Run

FLOW = """
import time
from datetime import datetime

from drawloom import Schedule, pipeline, run_info, task

@task
def double(n: int) -> int:
    return 2 * n

@task
def sleepy(n: int) -> int:
    time.sleep(900)
    return n

@task
def texts(logical: datetime, start: datetime, end: datetime) -> list[str]:
    return [time.isoformat() for time in (logical, start, end)]

@pipeline(schedule=Schedule("* * * * *", zone="Europe/Berlin", overlap="allow"))
def minutely() -> list[str]:
    return texts(run_info.logical_time, run_info.interval_start, run_info.interval_end)

@pipeline(run_timeout_seconds=120)
def endless(n: int = 2) -> int:
    return double(sleepy(double(n)))

@pipeline
def templated(n: int = 2) -> int:
    return double(n)
"""
LONGEST_SECONDS = 600.0
pytestmark = pytest.mark.timeout(LONGEST_SECONDS + 120)


class Deployed:
    """A pipeline of `FLOW`, built and pushed as a user does it."""

    def __init__(self, folder: Path, facts: dict[str, Any], lake: dict[str, str]) -> None:
        self.folder, self.facts, self.lake = folder, facts, lake
        self.store = f"s3://{facts['s3']['bucket']}/{uuid4().hex[:12]}"
        self.module = f"flow_{uuid4().hex[:8]}"
        (folder / f"{self.module}.py").write_text(FLOW)

    def build(self, name: str, *more: str) -> None:
        """Compiles and pushes a pipeline."""
        options = [f"store={self.store}", f"image={self.facts['images']['python']}"]
        options += [f"service_account={self.facts['service_account']}", *more]
        options += [f"env.{variable}={text}" for variable, text in self.lake.items()]
        given = [part for option in options for part in ("--option", option)]
        drawloom = [sys.executable, "-m", "drawloom"]
        self.do(*drawloom, "compile", f"{self.module}.py:{name}", "--engine", "argo", "-o", "build", *given)
        self.do(*drawloom, "push", "build")

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints."""
        facts = self.facts
        return self.do(facts["kubectl"], "--kubeconfig", facts["kubeconfig"], "-n", facts["namespace"], *arguments)

    def do(self, *command: str) -> str:
        """What a command prints."""
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ended_run(self) -> Run:
        """The first run in the store, once it has ended."""
        deadline = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < deadline:
            for run in Catalog.open(self.store).runs():
                if run.state in ("succeeded", "failed", "cancelled"):
                    return run
            time.sleep(2)
        raise TimeoutError(self.kubectl("get", "workflows,cronworkflows,pods"))


@pytest.fixture
def deployed(tmp_path: Path, facts: dict[str, Any], lake: dict[str, str]) -> Callable[..., Deployed]:
    def make(name: str, *more: str) -> Deployed:
        made = Deployed(tmp_path, facts, lake)
        made.build(name, *more)
        return made

    return make


def test_a_cron_starts_a_run_for_its_time(deployed: Callable[..., Deployed]) -> None:
    made = deployed("minutely")
    made.kubectl("apply", "-f", "build/cronworkflow.yaml")
    try:
        run = made.ended_run()
    finally:
        made.kubectl("delete", "cronworkflow", "minutely")
    assert run.state == "succeeded"
    logical, start, end = map(datetime.fromisoformat, run.result)
    assert (logical, end - start) == (end, timedelta(minutes=1))
    assert (logical.second, logical.microsecond) == (0, 0)
    assert logical.utcoffset() in (timedelta(hours=1), timedelta(hours=2))  # Berlin's
    assert 0 <= run.record.at - logical.timestamp() < LONGEST_SECONDS
    assert [run.record.logical_time, *run.record.interval] == run.result


def test_a_template_is_run_by_the_workflow_beside_it(deployed: Callable[..., Deployed]) -> None:
    made = deployed("templated", "kind=template")
    made.kubectl("apply", "-f", "build/workflowtemplate.yaml")
    try:
        made.kubectl("create", "-f", "build/workflow.yaml")
        assert made.ended_run().result == 4
    finally:
        made.kubectl("delete", "workflowtemplate", "templated")


def test_a_run_that_takes_too_long_is_ended_by_its_steps(deployed: Callable[..., Deployed]) -> None:
    made = deployed("endless")
    made.kubectl("create", "-f", "build/workflow.yaml")
    run = made.ended_run()
    assert run.state == "failed"
    assert {node.id: node.state for node in run.details.nodes.values()} == {
        "double": "succeeded",
        "sleepy": "cancelled",
        "double-2": "cancelled",
    }
    failure = run.details.failure
    assert failure is not None
    assert failure.info is not None
    assert failure.info.message == "`endless` took longer than run_timeout_seconds=120"
