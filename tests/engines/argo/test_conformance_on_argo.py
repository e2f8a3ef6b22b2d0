"""Conformance programs on a real Argo: results, states, versions, effects, catalog and lineage are the oracle's.

The first case of each small program; `TEST_CONFORMANCE=all` runs every case.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from expected import expected
from harness import PROGRAMS, Case, assert_same, case_names, effects_of

from drawloom.catalog.catalog import Catalog
from drawloom.compilers.base import compiler_of
from drawloom.errors import RunRefused
from drawloom.runtimes.argo import run_workflow, submit

SMALL = case_names("small")
FIRST = [next((m, n) for m, n in SMALL if m == module) for module in dict.fromkeys(m for m, _ in SMALL)]
CASES = SMALL if os.environ.get("TEST_CONFORMANCE") == "all" else FIRST
LONGEST_SECONDS = 900.0
pytestmark = pytest.mark.timeout(LONGEST_SECONDS + 60)


class Cluster:
    """Runs cases on the cluster."""

    def __init__(self, facts: dict[str, Any], lake: dict[str, str], api: Any) -> None:
        self.facts, self.lake, self.api = facts, lake, api

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
        )
        files.write(folder / "build")
        return Catalog.open(store)

    def run(self, case: Case, folder: Path) -> Any:
        """What comes of a case."""
        catalog = self.build(case, folder)
        run = run_workflow(
            folder / "build",
            case.encoded(folder, catalog),
            catalog,
            api=self.api,
            namespace=self.facts["namespace"],
            change=lambda made: _share(made, effects_of(folder).parent),
            timeout_seconds=LONGEST_SECONDS,
        )
        return case.outcome(run, catalog, folder)


def _share(workflow: dict[str, Any], folder: Path) -> None:
    """The folder that effects write into, in every pod at the place it has here."""
    workflow["spec"]["volumes"] = [{"name": "effects", "hostPath": {"path": str(folder), "type": "Directory"}}]
    for template in workflow["spec"]["templates"]:
        if "container" in template:
            template["container"]["volumeMounts"] = [{"name": "effects", "mountPath": str(folder)}]


@pytest.fixture
def cluster(facts: dict[str, Any], lake: dict[str, str], api: Any) -> Cluster:
    return Cluster(facts, lake, api)


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
    with pytest.raises(RunRefused) as caught:
        run_workflow(
            tmp_path / "build",
            {"nobody": 1},
            catalog,
            api=cluster.api,
            namespace=cluster.facts["namespace"],
            timeout_seconds=LONGEST_SECONDS,
        )
    (found,) = caught.value.diagnostics
    assert found.code == "E717"
