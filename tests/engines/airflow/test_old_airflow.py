"""Pipelines deployed to a real Airflow 2.11, by its REST API v1, and operated there.

`make test-airflow-full` runs it; without its variables it is left out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import operated
import pytest
from expected import expected
from harness import PROGRAMS, Case, assert_same
from place import (
    LONGEST_SECONDS,
    Place,
    assert_changed_at_once,
    engine_run,
    kill_with_its_worker,
    probed,
    processes_with,
    refused,
    until,
)
from session import OldSession

from drawloom import deploy
from drawloom.errors import EngineError, RunRefused

DATABASE = os.environ.get("TEST_AIRFLOW_DATABASE", "")
BINARIES = os.environ.get("TEST_AIRFLOW_211", "")
pytestmark = [
    pytest.mark.timeout(LONGEST_SECONDS + 120, func_only=True),
    pytest.mark.xdist_group("airflow-2.11"),
    pytest.mark.skipif(not (DATABASE and BINARIES), reason="`make test-airflow-full` runs it"),
]


@pytest.fixture(scope="session")
def old_airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldSession]:
    """A session of Airflow 2.11; its database is PostgreSQL."""
    made = OldSession(Path(BINARIES), tmp_path_factory.mktemp("airflow-2.11"), database=f"{DATABASE}_2")
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def place(
    old_airflow: OldSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Place]:
    """A project with a DAG of its own."""
    dag_id = request.node.name.partition("[")[0]
    yield Place(old_airflow, tmp_path, monkeypatch, airflow="2.11", dag_id=dag_id)
    (old_airflow.dags / f"{dag_id}.py").unlink(missing_ok=True)


def test_a_program_gives_the_same_on_a_session_of_airflow_2(tmp_path: Path, place: Place) -> None:
    case = Case("nested_fan_out", "three")
    for folder in ("run", "oracle"):
        (tmp_path / folder).mkdir()
    place.store = str(tmp_path / "run" / "store")
    place.write(root=str(PROGRAMS))
    run = place.run(case.pipeline, case.arguments(tmp_path / "run"))
    found = case.outcome(run, place.catalog, tmp_path / "run")
    assert_same(found, expected(case, tmp_path / "oracle"))


def test_an_arm_that_was_not_chosen_is_skipped_there(place: Place) -> None:
    deployment = place.deploy(operated.chosen)
    assert deployment.wait(LONGEST_SECONDS).result == 22
    assert place.states(engine_run(deployment))["branch.half"] == ["skipped"]


def test_an_attempt_that_failed_is_made_again_there(place: Place) -> None:
    run = place.run(operated.flaky)
    assert run.result == 1
    assert sorted(run.facts.attempts["unsteady", ()]) == [1, 2]


def test_a_failure_is_told_by_airflow_2_and_by_the_catalog(place: Place) -> None:
    deployment = place.deploy(operated.flaky, {"fails": 9})
    run = deployment.wait(LONGEST_SECONDS)
    assert run.state == "failed"
    assert {node: found.state for node, found in run.details.nodes.items()} == {
        "unsteady": "failed",
        "square": "skipped",
    }
    states = place.states(engine_run(deployment))
    assert states["unsteady"] == ["failed"]
    assert states["square"] == ["upstream_failed"]
    assert "its tasks `unsteady` failed" in place.client().status(engine_run(deployment)).message


def test_every_value_comes_through_the_form_of_airflow_2(place: Place) -> None:
    nasty = "{{ dag }} {% raw %} ${HOME} `id` \"'\\ \n\t<b> \u2028 ünï 🦑"
    values: dict[str, Any] = {"text": nasty, "items": [nasty, ""], "table": {nasty: 0.5}, "flag": True}
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    run = place.run(operated.hostile, {**values, "moment": moment})
    assert run.result == repr((nasty, [nasty, ""], {nasty: 0.5}, True, moment))


# looking


def test_what_a_step_prints_is_told_without_what_airflow_says(place: Place) -> None:
    deployment = place.deploy(operated.squares)
    deployment.wait(LONGEST_SECONDS)
    assert deployment.deployed is not None
    assert list(deployment.deployed.logs("for_each/square", (2,))) == ["squaring 2\n"]
    assert sorted(deployment.deployed.logs("for_each/square"))[4:] == [f"squaring {n}\n" for n in range(4)]
    with pytest.raises(EngineError, match="E749"):
        list(deployment.deployed.logs("numbers"))


def test_what_a_step_prints_can_be_followed(place: Place) -> None:
    deployment = place.deploy(operated.slow, {"seconds": 5.0})
    assert deployment.deployed is not None
    assert list(deployment.deployed.logs("sleeps", follow=True)) == ["begins\n"]
    deployment.cancel()


# operating


def test_a_run_that_is_cancelled_ends_its_processes_there(place: Place) -> None:
    deployment = place.deploy(operated.slow, {"seconds": 120.0})
    reference = f"{deployment.run}.0"
    until(lambda: processes_with(reference, "sleeps"))
    ended = deployment.cancel()
    assert ended is not None
    assert ended.state == "cancelled"
    until(lambda: not processes_with(reference), 60)
    with pytest.raises(EngineError, match="E748"):
        deployment.cancel()


def test_what_is_left_of_a_failed_run_runs_there_anew(place: Place, tmp_path: Path) -> None:
    path, wanted = tmp_path / "effects", tmp_path / "wanted"
    deployment = place.deploy(operated.mended, {"path": str(path), "wanted": str(wanted)})
    assert deployment.wait(LONGEST_SECONDS).state == "failed"
    wanted.write_text("1")
    assert deployment.deployed is not None
    assert deployment.deployed.retry().watch(timeout_seconds=LONGEST_SECONDS).result == 4
    assert path.read_text().splitlines() == ["counted", "needs", "needs"]


def test_a_task_that_is_cleared_there_runs_again(place: Place, tmp_path: Path) -> None:
    path, wanted = tmp_path / "effects", tmp_path / "wanted"
    deployment = place.deploy(operated.mended, {"path": str(path), "wanted": str(wanted)})
    first = deployment.wait(LONGEST_SECONDS)
    assert first.state == "failed"
    wanted.write_text("41")
    place.clear(engine_run(deployment), "needs")
    run = until(lambda: (found := place.catalog.run(first.id)).state == "succeeded" and found)
    assert run.result == 42 * 42
    assert run.details.generation == 1
    assert path.read_text().splitlines() == ["counted", "needs", "needs"]


def test_a_task_that_is_marked_as_a_success_there_gives_nothing_to_others(place: Place, tmp_path: Path) -> None:
    deployment = place.deploy(operated.mended, {"path": str(tmp_path / "effects"), "wanted": str(tmp_path / "wanted")})
    first, run = deployment.wait(LONGEST_SECONDS), engine_run(deployment)
    path = ("dags", run.id("dag_id"), "dagRuns", run.id("run_id"), "taskInstances", "needs")
    place.client().access.ask("PATCH", *path, body={"new_state": "success", "dry_run": False})
    place.clear(run, "square")
    found = until(
        lambda: (now := place.catalog.run(first.id)).details.generation >= 1 and now.state != "running" and now
    )
    assert found.state == "failed"
    assert {name: node.state for name, node in found.details.nodes.items()} == {
        "counted": "succeeded",
        "needs": "failed",
        "square": "skipped",
    }


def test_a_task_whose_worker_was_killed_there_fails_and_says_so(place: Place) -> None:
    deployment = place.deploy(operated.slow, {"seconds": 60.0})
    for child in until(lambda: processes_with(f"{deployment.run}.0", "sleeps")):
        kill_with_its_worker(child)
    ended = deployment.wait(LONGEST_SECONDS)
    assert ended.state == "failed"
    assert ended.details.nodes["sleeps"].state == "failed"


# times


def test_a_backfill_runs_each_interval_for_its_own_time_there(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "times"
    deploy(operated.every_minute, "air", {"path": str(path)}, run=False)
    place.client().access.ask("PATCH", "dags", _dag(place), body={"is_paused": True})
    interval = ("--start-date", "2026-01-31T00:00:00+00:00", "--end-date", "2026-01-31T00:02:00+00:00")
    place.session.run("dags", "backfill", *interval, _dag(place))
    made = [line.split()[0] for line in path.read_text().splitlines() if line.startswith("2026-01-31")]
    assert sorted(made) == [f"2026-01-31T00:0{minute}:00+00:00" for minute in (1, 2, 3)]


def test_a_logical_date_that_is_taken_is_no_hindrance(place: Place, tmp_path: Path) -> None:
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    interval = (moment - timedelta(days=1), moment)
    for _ in range(2):
        run = place.run(operated.late, {"path": str(tmp_path / "times")}, logical_time=moment, interval=interval)
        assert run.result.split() == [one.isoformat() for one in (moment, *interval)]
    dates = [one["logical_date"] for one in place.client().access.pages("dag_runs", "dags", _dag(place), "dagRuns")]
    assert len(set(dates)) == 2
    assert moment.isoformat() in dates


def test_a_schedule_runs_for_its_intervals_there(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "times"
    deploy(operated.every_minute, "air", {"path": str(path)}, run=False)
    found = until(lambda: path.exists() and path.read_text().splitlines())
    at, start, end = map(datetime.fromisoformat, found[0].split())
    assert at == end == start + timedelta(minutes=1)
    assert at.second == 0
    place.client().access.ask("PATCH", "dags", _dag(place), body={"is_paused": True})


def test_a_time_that_was_missed_has_no_run_there(place: Place) -> None:
    deploy(operated.yearly, "air", run=False)
    access, path = place.client().access, ("dags", _dag(place), "dagRuns")
    found = until(lambda: [one for one in access.pages("dag_runs", *path) if one["state"] in ("success", "failed")])
    assert [(one["run_type"], one["state"]) for one in found] == [("scheduled", "success")]
    assert place.states(place.engine_run(_dag(place), found[0]["dag_run_id"]))["numbers"] == ["skipped"]
    assert list(place.catalog.runs()) == []


def _dag(place: Place) -> str:
    return str(place.options["dag_id"])


# deploying


def test_deploying_the_same_again_changes_nothing_there(place: Place) -> None:
    first = deploy(operated.squares, "air", run=False)
    again = deploy(operated.squares, "air", run=False)
    assert [one.done for one in first.objects] == ["created"]
    assert [one.done for one in again.objects] == ["unchanged"]


def test_a_file_that_was_removed_is_read_anew(place: Place) -> None:
    deploy(operated.squares, "air", run=False)
    (place.session.dags / f"{_dag(place)}.py").unlink()
    until(lambda: not place.client().access.get("dags", _dag(place))["is_active"])
    assert place.run(operated.squares).result == 14


def test_a_changed_pipeline_has_its_new_tasks_and_parameters_at_once(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_changed_at_once(place, tmp_path, monkeypatch)


def test_a_file_for_airflow_3_is_told_with_its_line(place: Place) -> None:
    place.write(airflow="3")
    with pytest.raises(EngineError) as caught:
        deploy(operated.squares, "air", run=False)
    found = caught.value.diagnostics[0]
    assert found.code == "E757"
    assert "No module named 'airflow.sdk'" in found.what
    assert "the option `airflow`" in (found.fix or "")


# what is wrong with a target


def test_a_wrong_password_is_told_there(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_TEST_PASSWORD", "wrong")
    with pytest.raises(EngineError) as caught:
        deploy(operated.squares, "air", run=False)
    (found,) = caught.value.diagnostics
    assert found.code == "E741"
    assert "doesn't take the password of admin" in found.what
    assert "auth_backends" in (found.fix or "")


def test_a_token_is_nothing_to_airflow_2(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_TEST_TOKEN", "a token")
    place.write(username=None, password_env=None, token_env="AIRFLOW_TEST_TOKEN")
    assert refused(place) == "E741"


def test_an_interpreter_that_is_not_there_ends_the_run_and_says_so_there(place: Place) -> None:
    place.write(python="/nowhere/python3")
    with pytest.raises(RunRefused, match="E717"):
        place.run(operated.squares)
    place.write(python="/nowhere/python3", dag_id=None)
    findings = {one.name: one for one in probed(place)}
    assert "No such file or directory: '/nowhere/python3'" in findings["airflow worker"].what


def test_the_doctor_finds_a_healthy_airflow_2(place: Place) -> None:
    findings = list(place.client().findings(place.target().options))
    assert [one.state for one in findings] == ["ok"] * len(findings)
    place.write(dag_id=None)
    assert [one.state for one in probed(place)] == ["ok"]
    place.write(airflow="3")
    found = {one.name: one for one in place.client().findings(place.target().options)}
    assert found["airflow files"].state == "problem"
