"""The runner `docker`: each step in a container that the worker's docker starts. `make test-containers` starts a docker."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import operated
import placed
import pytest
from by_dag_test import run_flow

from drawloom.catalog.run import Run

FLOWS = Path(__file__).parent / "flows"
IMAGE = os.environ.get("TEST_PYTHON_IMAGE", "")
pytestmark = [
    pytest.mark.skipif(not IMAGE, reason="`make test-containers` starts a docker"),
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("airflow-docker"),
]


def run_in_containers(flow: Any, folder: Path, dag_runs: Any, params: dict[str, Any], **options: Any) -> Run:
    """What comes of a pipeline by `dag.test()`."""
    (folder / "store").mkdir(parents=True)
    given = {"root": str(FLOWS), "runner": "docker", "image": IMAGE, **options}
    return run_flow(flow, params, folder / "build", dag_runs, str(folder / "store"), **given)[0]


def test_a_map_and_a_retry_run_in_containers(tmp_path: Path, dag_runs: Any) -> None:
    for flow, given, result in ((operated.squares, {"count": 3}, 5), (operated.flaky, {"fails": 1}, 1)):
        run = run_in_containers(flow, tmp_path / flow.name, dag_runs, given)
        assert (run.state, run.result) == ("succeeded", result)
    assert _containers() == []


def test_a_task_has_the_image_the_memory_and_the_folders_it_asks_for(tmp_path: Path, dag_runs: Any) -> None:
    shared = Path("/srv/shared")
    shared.mkdir(parents=True, exist_ok=True)
    (shared / "told").write_text("of the worker")
    try:
        run = run_in_containers(
            placed.placed,
            tmp_path,
            dag_runs,
            {},
            env={"GREETING": "a $HOME `b` \"c\" 'd' {{ e }} ☃"},
            tasks={"limited": {"env": {"TOKEN": "only there"}}},
        )
    finally:
        (shared / "told").unlink()
    assert run.state == "succeeded", run.details.failure
    greeting = "a $HOME `b` \"c\" 'd' {{ e }} ☃"
    assert run.result == ["1", "2", greeting, "only there", str(256 << 20), "of the worker"]


def _containers() -> list[str]:
    """Those of steps that are still there; docker takes a moment to remove one."""
    for _ in range(50):
        listed = ["docker", "ps", "--all", "--quiet", "--filter", "name=drawloom-"]
        found = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
        if not found:
            break
        time.sleep(0.1)
    return found
