"""Conformance programs by `dag.test()` of a real Airflow: results, states, versions, effects, catalog and lineage are
the oracle's; and what Airflow itself makes of the DAG files.

The first case of each small program.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import operated
import operators
import pytest
from by_dag_test import run_flow, run_program
from expected import expected
from harness import PROGRAMS, Case, assert_same, case_names

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.run import Run
from drawloom.compilers.base import compiler_of
from drawloom.dsl.tracing import trace
from drawloom.errors import CompileError
from drawloom.runtimes.publish import publish_folder

HERE = Path(__file__).parent
SMALL = case_names("small")
FIRST = [next((m, n) for m, n in SMALL if m == module) for module in dict.fromkeys(m for m, _ in SMALL)]
REFUSED = {"scheduled": "policy.schedule.overlap_replace@1"}  # and by which feature


def run_by_dag_test(case: Case, folder: Path, dag_runs: Any, **options: Any) -> None:
    """Runs a case by `dag.test()`, and holds what came of it to the oracle."""
    for name in ("run", "oracle"):
        (folder / name).mkdir()
    place, store = folder / "run", str(folder / "run" / "store")
    given = {"root": str(PROGRAMS), **options}
    encode = partial(case.encoded, place)
    run, told = run_program(case.trace.program, place / "build", dag_runs, store, encode, **given)
    found = case.outcome(run, Catalog.open(store), place)
    assert told["state"] == {"succeeded": "success", "failed": "failed"}[found.state]
    assert_same(found, expected(case, folder / "oracle"))
    assert set(told["rules"]) <= {
        "all_done",
        "none_failed",
    }  # Airflow's own rule leaves out what is behind a skipped task


@pytest.mark.parametrize(("module", "name"), [one for one in FIRST if one[0] not in REFUSED])
def test_a_program_gives_the_same_on_airflow(tmp_path: Path, dag_runs: Any, module: str, name: str) -> None:
    run_by_dag_test(Case(module, name), tmp_path, dag_runs)


@pytest.mark.parametrize(
    ("module", "name"), [("branches", "short"), ("handled_items", "some"), ("hostile_values", "hostile")]
)
def test_a_forked_step_gives_the_same(tmp_path: Path, dag_runs: Any, module: str, name: str) -> None:
    run_by_dag_test(Case(module, name), tmp_path, dag_runs, runner="inprocess")


@pytest.mark.parametrize("module", sorted(REFUSED))
def test_what_airflow_can_not_do_is_refused(tmp_path: Path, module: str) -> None:
    case = Case(*next(one for one in FIRST if one[0] == module))
    with pytest.raises(CompileError) as caught:
        compiler_of("airflow").compile(case.trace.program, store=str(tmp_path), root=str(PROGRAMS))
    assert REFUSED[module] in [found.feature for found in caught.value.diagnostics]


# parameters


def test_what_a_run_is_given_goes_before_what_the_target_gives(tmp_path: Path, dag_runs: Any) -> None:
    given = {"params": {"count": 4, "region": operated.Region.NORTH}, "root": str(HERE / "flows")}
    store = str(tmp_path / "store")
    for params, result in (({}, "NORTH 4"), ({"count": 5}, "NORTH 5"), ({"region": operated.Region.SOUTH}, "SOUTH 4")):
        run, _ = run_flow(operated.regional, params, tmp_path / result, dag_runs, store, **given)
        assert run.result == result


def test_a_conf_that_names_what_no_form_asks_for_ends_the_run_before_it_begins(tmp_path: Path, dag_runs: Any) -> None:
    given = {"params": {"region": operated.Region.NORTH}, "root": str(HERE / "flows")}
    program = trace(operated.regional, {}).program
    compiler_of("airflow").compile(program, store=str(tmp_path / "store"), python=sys.executable, **given).write(
        tmp_path
    )
    publish_folder(tmp_path)
    told = dag_runs.run(tmp_path / "dag.py", "regional", {"region": "SOUTH"})
    assert told["state"] == "failed"
    assert ["begin", -1, "failed", 1] in told["tasks"]
    assert Catalog.open(str(tmp_path / "store")).runs() == []


# what Airflow has of its own


def run_own(flow: Any, params: dict[str, Any], folder: Path, dag_runs: Any) -> tuple[Run, dict[str, list[str]]]:
    """The run of a pipeline with operators, and Airflow's states of its tasks."""
    return run_flow(flow, params, folder / "build", dag_runs, str(folder / "store"), root=str(HERE / "flows"))


def test_an_operator_is_given_texts_and_gives_a_typed_result(tmp_path: Path, dag_runs: Any) -> None:
    nasty = "{{ dag }} $HOME `id` \"'\\ {% raw %} ☃"
    run, states = run_own(operators.counted, {"text": nasty, "add": 2}, tmp_path, dag_runs)
    assert run.result == len(nasty.upper().encode()) + 2
    assert states["length"] == ["success"]
    assert run.details.nodes["length"].state == "succeeded"


def test_an_operator_in_a_loop_is_run_for_each_item(tmp_path: Path, dag_runs: Any) -> None:
    run, states = run_own(operators.each, {"texts": ["a", "bb", "ccc"]}, tmp_path, dag_runs)
    assert run.result == 6
    assert states["for_each.length"] == ["success"] * 3


def test_an_operator_that_fails_is_a_failure_of_its_node(tmp_path: Path, dag_runs: Any) -> None:
    run, states = run_own(operators.failing, {"code": 3}, tmp_path, dag_runs)
    assert (run.state, run.details.nodes["breaks"].state) == ("failed", "failed")
    assert "R565" in str(run.details.failure)
    assert states["breaks"] == ["failed"]


def test_an_operator_that_fails_can_be_handled(tmp_path: Path, dag_runs: Any) -> None:
    assert run_own(operators.handled, {"code": 3}, tmp_path, dag_runs)[0].result == 9


def test_an_operator_behind_a_failure_is_not_run(tmp_path: Path, dag_runs: Any) -> None:
    run, states = run_own(operators.unneeded, {"text": "x"}, tmp_path, dag_runs)
    assert run.details.nodes["length"].state == "skipped"
    assert states["length"] == ["skipped"]


def test_an_operator_in_an_arm_that_was_not_chosen_is_not_run(tmp_path: Path, dag_runs: Any) -> None:
    run, states = run_own(operators.several, {"wanted": False}, tmp_path, dag_runs)
    assert run.result == 0
    assert states["branch.length"] == ["skipped"]
