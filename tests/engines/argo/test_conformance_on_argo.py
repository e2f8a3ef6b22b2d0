"""Conformance programs on a real Argo: results, states, versions, effects, catalog and lineage are the oracle's.

The first case of each small program; `TEST_CONFORMANCE=all` runs every case.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from expected import expected
from harness import PROGRAMS, Case, assert_same, case_names, effects_of

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.outcomes import read_run
from drawloom.catalog.run import Run
from drawloom.compilers.base import compiler_of
from drawloom.errors import RunRefused
from drawloom.runtimes.argo import Submitted, submit, wait

SMALL = case_names("small")
FIRST = [next((m, n) for m, n in SMALL if m == module) for module in dict.fromkeys(m for m, _ in SMALL)]
CASES = SMALL if os.environ.get("TEST_CONFORMANCE") == "all" else FIRST
LONGEST_SECONDS = 900.0
FLOW = """
from drawloom import pipeline, task

@task
def double(n: int) -> int:
    return 2 * n

@pipeline
def doubled(n: int = 3) -> int:
    return double(n)
"""
pytestmark = pytest.mark.timeout(LONGEST_SECONDS + 60)


class Cluster:
    """Runs cases on the cluster."""

    def __init__(self, facts: dict[str, Any], lake: dict[str, str], api: Any, wait_for: Callable[..., Run]) -> None:
        self.facts, self.lake, self.api, self.wait_for = facts, lake, api, wait_for

    def build(self, case: Case, folder: Path) -> Catalog:
        """The store of a case, and what is compiled for it, in `folder / "build"`."""
        store = f"s3://{self.facts['s3']['bucket']}/{uuid4().hex[:12]}"
        env = {**self.lake, "DRAWLOOM_SECRET_CONFORMANCE": os.environ["DRAWLOOM_SECRET_CONFORMANCE"]}
        files = compiler_of("argo").compile(
            case.trace.program,
            store=store,
            image=self.facts["images"]["packages"],
            service_account=self.facts["service_account"],
            env=env,
            root=str(PROGRAMS),
            kind="workflow",  # also of what has a schedule
        )
        files.write(folder / "build")
        return Catalog.open(store)

    def run(self, case: Case, folder: Path) -> Any:
        """What comes of a case."""
        catalog = self.build(case, folder)
        submitted = self.submit(case.encoded(folder, catalog), catalog, folder)
        run = self.wait_for(submitted, catalog, LONGEST_SECONDS)
        return case.outcome(run, catalog, folder)

    def submit(self, params: dict[str, Any], catalog: Catalog, folder: Path) -> Submitted:
        """Gives what was built to Argo."""
        return submit(
            folder / "build",
            params,
            catalog,
            api=self.api,
            namespace=self.facts["namespace"],
            change=lambda made: _share(made, effects_of(folder).parent),
        )


def _share(workflow: dict[str, Any], folder: Path) -> None:
    """The folder that effects write into, in every pod at the place it has here."""
    workflow["spec"]["volumes"] = [{"name": "effects", "hostPath": {"path": str(folder), "type": "Directory"}}]
    for template in workflow["spec"]["templates"]:
        if "container" in template:
            template["container"]["volumeMounts"] = [{"name": "effects", "mountPath": str(folder)}]


@pytest.fixture
def cluster(facts: dict[str, Any], lake: dict[str, str], api: Any, wait_for: Callable[..., Run]) -> Cluster:
    return Cluster(facts, lake, api, wait_for)


@pytest.mark.parametrize(("module", "name"), CASES)
def test_a_program_gives_the_same_on_argo(tmp_path: Path, cluster: Cluster, module: str, name: str) -> None:
    case = Case(module, name)
    for folder in ("run", "oracle"):
        (tmp_path / folder).mkdir()
    assert_same(cluster.run(case, tmp_path / "run"), expected(case, tmp_path / "oracle"))


def test_a_namespace_that_is_not_there_is_told(tmp_path: Path, cluster: Cluster) -> None:
    case = Case(*FIRST[0])
    catalog = cluster.build(case, tmp_path)
    with pytest.raises(RunRefused) as caught:
        submit(tmp_path / "build", case.encoded(tmp_path, catalog), catalog, api=cluster.api, namespace="gone")
    (found,) = caught.value.diagnostics
    assert found.code == "E723"
    assert "gone" in found.what


def test_parameters_that_do_not_fit_end_the_run_before_it_begins(tmp_path: Path, cluster: Cluster) -> None:
    case = Case(*FIRST[0])
    catalog = cluster.build(case, tmp_path)
    submitted = cluster.submit({"nobody": 1}, catalog, tmp_path)
    with pytest.raises(RunRefused) as caught:
        wait(submitted, catalog, api=cluster.api, timeout_seconds=LONGEST_SECONDS)
    (found,) = caught.value.diagnostics
    assert found.code == "E717"


def test_a_workflow_that_was_stopped_is_a_cancelled_run(tmp_path: Path, cluster: Cluster) -> None:
    case = Case(*FIRST[0])
    (tmp_path / "run").mkdir()
    catalog = cluster.build(case, tmp_path / "run")
    submitted = cluster.submit(case.encoded(tmp_path / "run", catalog), catalog, tmp_path / "run")
    while read_run(catalog.storage, submitted.run) is None:
        time.sleep(0.5)
    where = {"group": "argoproj.io", "version": "v1alpha1", "plural": "workflows", "name": submitted.name}
    cluster.api.patch_namespaced_custom_object(
        namespace=submitted.namespace, body={"spec": {"shutdown": "Terminate"}}, **where
    )
    assert wait(submitted, catalog, api=cluster.api, timeout_seconds=LONGEST_SECONDS).state == "cancelled"


def test_what_the_page_says_works_with_kubectl(tmp_path: Path, cluster: Cluster) -> None:
    (tmp_path / "flow_for_kubectl.py").write_text(FLOW)
    store = f"s3://{cluster.facts['s3']['bucket']}/{uuid4().hex[:12]}"
    options = [f"store={store}", f"image={cluster.facts['images']['python']}"]
    options += [f"service_account={cluster.facts['service_account']}"]
    options += [f"env.{name}={text}" for name, text in cluster.lake.items()]
    given = [part for option in options for part in ("--option", option)]

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    drawloom = [sys.executable, "-m", "drawloom"]
    run(*drawloom, "compile", "flow_for_kubectl.py:doubled", "--engine", "argo", "-o", "build", *given)
    run(*drawloom, "push", "build")
    kubectl = [cluster.facts["kubectl"], "--kubeconfig", cluster.facts["kubeconfig"], "-n", cluster.facts["namespace"]]
    name = run(*kubectl, "create", "-f", "build/workflow.yaml", "-o", "name").strip()
    run(*kubectl, "wait", name, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=600s")
    (found,) = Catalog.open(store).runs()
    assert found.result == 6
