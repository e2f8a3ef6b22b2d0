"""The runner `kubernetes`: the pods that Airflow's own operator makes of a DAG file, and the same on a real cluster.

`make test-airflow-pods` starts the cluster; without its facts (`TEST_ARGO`) only what is made is looked at.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from by_dag_test import run_flow
from dag_process import DagRuns, migrated_database

from drawloom.catalog.run import Run
from drawloom.compilers.base import compiler_of
from drawloom.dsl.tracing import trace

HERE = Path(__file__).parent
SAMPLES = HERE.parents[1] / "airflow" / "samples"
BOXES = HERE.parent / "containers" / "programs"
GOLDEN = HERE / "pods.json"
sys.path[:0] = [str(path) for path in (SAMPLES, BOXES) if str(path) not in sys.path]
FACTS: dict[str, Any] = json.loads(Path(os.environ["TEST_ARGO"]).read_text()) if os.environ.get("TEST_ARGO") else {}
on_cluster = [
    pytest.mark.skipif(not FACTS, reason="`make test-airflow-pods` starts a cluster"),
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("airflow-pods"),
]
SIDECAR = "airflow-xcom-sidecar"


def test_the_pods_are_the_golden_ones(tmp_path: Path) -> None:
    import airflow_samples as samples

    options = {
        "namespace": "jobs",
        "env": {"AWS_REGION": "eu-central-1", "COSTS": "$(HOME) {{ x }}"},
        "secret_env": {"AWS_SECRET_ACCESS_KEY": "lake:key"},
        "env_from_secrets": ["more"],
        "image_pull_secrets": ["registry"],
        "service_account": "steps",
        "labels": {"team": "forecasts"},
        "node_selector": {"pool": "jobs"},
        "cpu": 0.5,
        "tasks": {"train": {"memory": "32Gi", "priority_class": "high"}},
        "spot_selector": {"cloud.example/spot": "true"},
    }
    files = compiler_of("airflow").compile(
        trace(samples.trained, {}).program,
        store="s3://lake/teams",
        root=str(SAMPLES),
        runner="kubernetes",
        image="registry.example/steps:1",
        **options,
    )
    files.write(tmp_path)
    tasks = ["begin", "stores", "for_each.prepare", "for_each.convert", "for_each.train"]
    done = subprocess.run(
        [f"{os.environ['TEST_AIRFLOW']}/python", HERE / "pod_of_task.py", tmp_path / "dag.py", *tasks],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.dumps(_settled(json.loads(done.stdout)), indent=1, sort_keys=True) + "\n"
    if os.environ.get("WRITE_GOLDEN"):
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text()


def _settled(tree: Any) -> Any:
    """Without what changes with drawloom's own code, and with versions of Airflow's."""
    if isinstance(tree, dict):
        own = {"airflow_version": "<version>"}
        if "labels" in tree:
            own["name"] = tree["name"].rpartition("-")[0]  # Airflow puts a random text behind it
        return {key: own.get(key, _settled(value)) for key, value in tree.items()}
    if isinstance(tree, list):
        named = [one for one in tree if isinstance(one, dict) and one.get("name") == SIDECAR]
        return [{"name": SIDECAR} if one in named else _settled(one) for one in tree]
    return "<the stub>" if isinstance(tree, str) and "urlopen" in tree else tree


# on a real cluster


@pytest.fixture(scope="module")
def pod_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagRuns]:
    """An Airflow whose Connection leads to the cluster; the sidecar has the one image that is there."""
    binaries = os.environ["TEST_AIRFLOW"]
    extra = {"kube_config_path": FACTS["kubeconfig"], "xcom_sidecar_container_image": FACTS["images"]["python"]}
    connection = json.dumps({"conn_type": "kubernetes", "extra": extra})
    database = migrated_database(binaries, tmp_path_factory.mktemp("airflow-pods-db"))
    folder = tmp_path_factory.mktemp("airflow-pods")
    made = DagRuns(binaries, folder, database, AIRFLOW_CONN_KUBERNETES_DEFAULT=connection)
    yield made
    made.stop()


@pytest.fixture
def run_in_pods(pod_runs: DagRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a pipeline by `dag.test()`, each of its steps in a pod."""
    s3 = FACTS["s3"]
    lake = {
        "AWS_ACCESS_KEY_ID": s3["access_key"],
        "AWS_SECRET_ACCESS_KEY": s3["secret_key"],
        "AWS_REGION": s3["region"],
        "AWS_ENDPOINT_URL": s3["endpoint"],
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, text in lake.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("TEST_IMAGE", FACTS["images"]["python"])

    def run(flow: Any, root: Path, **params: Any) -> tuple[Run, dict[str, list[str]]]:
        store = f"s3://{s3['bucket']}/{uuid4().hex[:12]}"
        options = {
            "runner": "kubernetes",
            "image": FACTS["images"]["python"],
            "namespace": FACTS["namespace"],
            "env": lake,
            "root": str(root),
            "dag_id": f"{flow.name}_{uuid4().hex[:6]}",
        }
        return run_flow(flow, params, tmp_path / uuid4().hex[:8], pod_runs, store, **options)

    return run


class TestOnCluster:
    """What pods do on a real Kubernetes."""

    pytestmark = on_cluster

    def test_a_map_runs_in_pods(self, run_in_pods: Any) -> None:
        import operated

        run, states = run_in_pods(operated.squares, HERE / "flows", count=3)
        assert (run.state, run.result) == ("succeeded", 5)
        assert states["for_each.square"] == ["success"] * 3

    def test_a_branch_skips_the_tasks_of_the_other_arm(self, run_in_pods: Any) -> None:
        import operated

        run, states = run_in_pods(operated.chosen, HERE / "flows", n=7)
        assert run.result == 22
        found = sorted(state for states_of_task in states.values() for state in states_of_task)
        assert found == ["skipped", *["success"] * (len(found) - 1)]

    def test_a_failed_attempt_is_made_again_in_another_pod(self, run_in_pods: Any) -> None:
        import operated

        run, _ = run_in_pods(operated.flaky, HERE / "flows", fails=1)
        assert run.state == "succeeded"
        assert run.commits()["unsteady", ()].attempt == 2

    def test_a_failure_that_is_final_is_not_tried_again(self, run_in_pods: Any, tmp_path: Path) -> None:
        import operated

        run, states = run_in_pods(operated.flaky, HERE / "flows", fails=9)
        assert run.state == "failed"
        assert run.commits()["unsteady", ()].attempt == 3
        assert states["unsteady"] == ["failed"]

    def test_an_image_of_the_users_runs_between_two_stages(self, run_in_pods: Any) -> None:
        sys.modules.pop("boxes", None)
        import boxes

        run, _ = run_in_pods(boxes.hostile, BOXES, texts=boxes.HOSTILE[:3])
        assert run.result == [2 * text for text in boxes.HOSTILE[:3]]
