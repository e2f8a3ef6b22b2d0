"""Conformance programs by `dag.test()` of a real Airflow: results, states, versions, effects, catalog and lineage are
the oracle's; and what Airflow itself makes of the DAG files.

The first case of each small program; `TEST_CONFORMANCE=all` runs every case.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from expected import expected
from harness import PROGRAMS, Case, assert_same, case_names

from drawloom.catalog.catalog import Catalog
from drawloom.compilers.airflow.params import param_schema
from drawloom.compilers.base import compiler_of
from drawloom.errors import CompileError
from drawloom.ir.plain import has_plain_form
from drawloom.runtimes.airflow_conf import conf_of
from drawloom.runtimes.begin import run_name
from drawloom.runtimes.publish import begin_asked, publish_folder, read_engine

SMALL = case_names("small")
FIRST = [next((m, n) for m, n in SMALL if m == module) for module in dict.fromkeys(m for m, _ in SMALL)]
CASES = SMALL if os.environ.get("TEST_CONFORMANCE") == "all" else FIRST
REFUSED = {"scheduled": "policy.schedule.overlap_replace@1"}  # and by which feature


def build(case: Case, folder: Path, **options: Any) -> Catalog:
    """Compiles a case into `folder / "build"` and publishes it."""
    store = str(folder / "store")
    files = compiler_of("airflow").compile(
        case.trace.program, store=store, python=sys.executable, root=str(PROGRAMS), **options
    )
    files.write(folder / "build")
    publish_folder(folder / "build")
    return Catalog.open(store)


def run_by_dag_test(case: Case, folder: Path, dag_runs: Any, **options: Any) -> None:
    """Runs a case by `dag.test()`, and holds what came of it to the oracle."""
    for name in ("run", "oracle"):
        (folder / name).mkdir()
    catalog = build(case, folder / "run", **options)
    dag_id = read_engine(folder / "run" / "build", "airflow")["dag_id"]
    ports = case.trace.program.pipeline.params
    forms = {port.name: param_schema(port.type) for port in ports if has_plain_form(port.type)}
    conf = conf_of(begin_asked(catalog, case.encoded(folder / "run", catalog), "airflow"), forms)
    told = dag_runs.run(folder / "run" / "build" / "dag.py", dag_id, conf)
    run = catalog.run(run_name("airflow", [["dag_id", dag_id], ["run_id", told["run_id"]]]))
    found = case.outcome(run, catalog, folder / "run")
    assert told["state"] == {"succeeded": "success", "failed": "failed"}[found.state]
    assert_same(found, expected(case, folder / "oracle"))


@pytest.mark.parametrize(("module", "name"), [one for one in CASES if one[0] not in REFUSED])
def test_a_program_gives_the_same_on_airflow(tmp_path: Path, dag_runs: Any, module: str, name: str) -> None:
    run_by_dag_test(Case(module, name), tmp_path, dag_runs)


@pytest.mark.parametrize(
    ("module", "name"), [("branches", "short"), ("handled_items", "some"), ("hostile_values", "hostile")]
)
def test_a_forked_step_gives_the_same(tmp_path: Path, dag_runs: Any, module: str, name: str) -> None:
    run_by_dag_test(Case(module, name), tmp_path, dag_runs, runner="inprocess")


@pytest.mark.parametrize("module", sorted(REFUSED))
def test_what_airflow_can_not_do_is_refused(tmp_path: Path, module: str) -> None:
    case = Case(*next(one for one in CASES if one[0] == module))
    with pytest.raises(CompileError) as caught:
        build(case, tmp_path)
    assert REFUSED[module] in [found.feature for found in caught.value.diagnostics]
