"""What takes long: every program on a real session with PostgreSQL, a thousand nodes, five thousand items, two versions
of a pipeline at once, and Airflow 2.11. `make test-airflow-full` runs it; without its variables it is left out.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import operated
import operators
import pytest
from by_dag_test import run_flow
from dag_process import DagRuns, migrated_database
from expected import expected
from harness import PROGRAMS, Case, assert_same, effects_of
from many_nodes import many
from place import until
from session import PASSWORD, USER, Session
from test_dags_on_airflow import FIRST, REFUSED, run_by_dag_test

from drawloom import deploy
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.outcomes import read_run

DATABASE = os.environ.get("TEST_AIRFLOW_DATABASE", "")
OLD_BINARIES = os.environ.get("TEST_AIRFLOW_211", "")
LONGEST_SECONDS = 1_800.0
pytestmark = [
    pytest.mark.timeout(LONGEST_SECONDS + 300),
    pytest.mark.skipif(not (DATABASE and OLD_BINARIES), reason="`make test-airflow-full` runs it"),
]
PROGRAMS_THERE = [one for one in FIRST if one[0] not in REFUSED]
on_session = pytest.mark.xdist_group("airflow-full")


@pytest.fixture(scope="session")
def large_airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session whose database is PostgreSQL."""
    binaries = Path(os.environ["TEST_AIRFLOW"])
    made = Session(binaries, tmp_path_factory.mktemp("airflow-full"), database=DATABASE, workers=6)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def target(large_airflow: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a project file whose target is the session."""

    for file in large_airflow.dags.glob("*.py"):  # else they are all parsed again, every few seconds
        file.unlink()

    def write(store: Path, **options: str) -> None:
        given = {
            "engine": "airflow",
            "server": large_airflow.url,
            "username": USER,
            "password_env": "AIRFLOW_TEST_PASSWORD",
            "dags": str(large_airflow.dags),
            "store": str(store),
            "python": sys.executable,
            **options,
        }
        lines = [f"{name} = {json.dumps(value)}" for name, value in given.items()]
        (tmp_path / "drawloom.toml").write_text("\n".join(["[targets.air]", *lines, ""]))

    monkeypatch.setenv("AIRFLOW_TEST_PASSWORD", PASSWORD)
    monkeypatch.chdir(tmp_path)
    return write


@on_session
@pytest.mark.parametrize(("module", "name"), PROGRAMS_THERE)
def test_a_program_gives_the_same_on_a_session_with_postgresql(
    tmp_path: Path, target: Any, module: str, name: str
) -> None:
    case = Case(module, name)
    for folder in ("run", "oracle"):
        (tmp_path / folder).mkdir()
    target(tmp_path / "run" / "store", root=str(PROGRAMS), dag_id=f"{module}-{name}")
    run = deploy(case.pipeline, "air", case.arguments(tmp_path / "run")).wait(LONGEST_SECONDS)
    found = case.outcome(run, Catalog.open(str(tmp_path / "run" / "store")), tmp_path / "run")
    assert_same(found, expected(case, tmp_path / "oracle"))
    assert not effects_of(tmp_path / "run").exists()


@on_session
def test_a_dag_of_a_thousand_nodes_runs(tmp_path: Path, target: Any) -> None:
    target(tmp_path / "store")
    began = time.monotonic()
    run = deploy(many, "air").wait(LONGEST_SECONDS)
    print(f"1,000 nodes: {time.monotonic() - began:.0f} s")
    assert run.state == "succeeded"
    assert run.details.counts["succeeded"] == 1_000
    assert run.result == many.function()


@on_session
def test_a_map_of_five_thousand_items_goes_in_batches(tmp_path: Path, target: Any, large_airflow: Session) -> None:
    target(tmp_path / "store")
    began = time.monotonic()
    run = deploy(operated.wide, "air", {"count": 5_000}).wait(LONGEST_SECONDS)
    print(f"5,000 items: {time.monotonic() - began:.0f} s")
    assert run.result == sum(n * n for n in range(5_000))
    assert len(run.details.nodes["for_each/square"].instances) == 5_000


@on_session
def test_a_run_keeps_the_code_that_it_began_with(tmp_path: Path, target: Any) -> None:
    flow = tmp_path / "versions_at_once.py"
    code = (Path(operated.__file__).parent / "two_versions.py.txt").read_text()
    flow.write_text(code.replace("VERSION", "1"))
    sys.path.insert(0, str(tmp_path))
    try:
        target(tmp_path / "store", root=str(tmp_path))
        import versions_at_once

        first = deploy(versions_at_once.versioned, "air")
        storage = Catalog.open(str(tmp_path / "store")).storage
        until(lambda: read_run(storage, first.run) is not None)  # one that hasn't begun takes the newer code
        flow.write_text(code.replace("VERSION", "2"))
        _forget("versions_at_once")
        import versions_at_once as changed

        second = deploy(changed.versioned, "air")
        assert second.wait(LONGEST_SECONDS).result == [2, 2]
        assert first.wait(LONGEST_SECONDS).result == [1, 1]
    finally:
        sys.path.remove(str(tmp_path))
        _forget("versions_at_once")


def _forget(module: str) -> None:
    import importlib
    import linecache

    sys.modules.pop(module, None)
    importlib.invalidate_caches()
    linecache.clearcache()


# Airflow 2.11


@pytest.fixture(scope="session")
def old_dag_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagRuns]:
    """One process of Airflow 2.11 for all runs of a worker of pytest."""
    binaries = OLD_BINARIES
    database = migrated_database(binaries, tmp_path_factory.mktemp("airflow-211-db"))
    made = DagRuns(binaries, tmp_path_factory.mktemp("dag-runs-211"), database)
    yield made
    made.stop()


@pytest.mark.parametrize(("module", "name"), PROGRAMS_THERE)
def test_a_program_gives_the_same_on_airflow_2(tmp_path: Path, old_dag_runs: DagRuns, module: str, name: str) -> None:
    run_by_dag_test(Case(module, name), tmp_path, old_dag_runs, airflow="2.11")


@pytest.mark.parametrize(("module", "name"), [("branches", "short"), ("handled_items", "some")])
def test_a_forked_step_gives_the_same_on_airflow_2(
    tmp_path: Path, old_dag_runs: DagRuns, module: str, name: str
) -> None:
    run_by_dag_test(Case(module, name), tmp_path, old_dag_runs, airflow="2.11", runner="inprocess")


@pytest.mark.parametrize(
    ("flow", "params", "result"),
    [
        (operators.counted, {"text": "{{ dag }} $HOME ☃"}, 20),
        (operators.each, {"texts": ["a", "bb", "ccc"]}, 6),
        (operators.handled, {"code": 3}, 9),
        (operators.several, {"wanted": False}, 0),
        (operators.several, {"wanted": True}, 4),
    ],
)
def test_an_operator_gives_a_typed_result_on_airflow_2(
    tmp_path: Path, old_dag_runs: DagRuns, flow: Any, params: dict[str, Any], result: int
) -> None:
    flows, store = str(Path(operators.__file__).parent), str(tmp_path / "store")
    run, _ = run_flow(flow, params, tmp_path / "build", old_dag_runs, store, root=flows, airflow="2.11")
    assert run.result == result
