"""What is refused before a Workflow is Argo's; what Argo makes of one is told by `tests/engines/argo`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness import Case, case_names
from kubernetes.client import ApiClient, Configuration, CustomObjectsApi

from drawloom.catalog.catalog import Catalog
from drawloom.compilers.base import compiler_of
from drawloom.errors import RunRefused
from drawloom.runtimes.argo import submit


@pytest.fixture
def nobody() -> CustomObjectsApi:
    """A client of a cluster that isn't there."""
    configuration = Configuration(host="http://127.0.0.1:1")
    configuration.retries = False
    return CustomObjectsApi(ApiClient(configuration))


def _refused(folder: Path, store: Path, api: CustomObjectsApi) -> str:
    with pytest.raises(RunRefused) as caught:
        submit(folder, {}, Catalog.open(str(store)), api=api)
    return str(caught.value)


def test_a_cluster_that_is_not_there_is_told(tmp_path: Path, nobody: Any) -> None:
    program = Case("straight_line", next(n for m, n in case_names() if m == "straight_line")).trace.program
    compiler_of("argo").compile(program, store=str(tmp_path / "store")).write(tmp_path / "build")
    told = _refused(tmp_path / "build", tmp_path / "store", nobody)
    assert told.startswith("error[E723] Kubernetes can't be reached for the Workflow of ")
    assert "fix    see that KUBECONFIG names the right cluster" in told


def test_a_program_for_another_engine_is_refused(tmp_path: Path, nobody: Any) -> None:
    program = Case("straight_line", next(n for m, n in case_names() if m == "straight_line")).trace.program
    compiler_of("reference").compile(program).write(tmp_path / "build")
    told = _refused(tmp_path / "build", tmp_path / "store", nobody)
    assert "is no program of the argo engine: it is a program for 'reference'" in told
