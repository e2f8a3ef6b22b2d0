"""Pipelines deployed to a real Airflow and operated there: the results are the oracle's, whatever befalls them."""

from __future__ import annotations

import os
import re
import sys
import time
import tomllib
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
from readme_commands import copied_example, local_versions, run_section, versions_of, with_own
from session import PASSWORD, USER, Session

from drawloom import deploy
from drawloom.errors import EngineError, RunRefused
from drawloom.runtimes.airflow_access import AirflowAccess
from drawloom.runtimes.api_problems import ApiProblem

pytestmark = [pytest.mark.timeout(LONGEST_SECONDS + 120, func_only=True), pytest.mark.xdist_group("airflow")]


@pytest.fixture
def place(airflow: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for file in airflow.dags.glob("*.py"):
        file.unlink()
    made = Place(airflow, tmp_path, monkeypatch)
    access = made.client().access
    for dag in list(access.pages("dags", "dags", exclude_stale="false")):  # tests are alone there
        until(lambda dag_id=dag["dag_id"]: _forgotten(access, dag_id))
    return made


def _forgotten(access: AirflowAccess, dag_id: str) -> bool:
    """Whether a DAG is gone; what runs of it is ended first."""
    dag = access.get("dags", dag_id)
    if dag is None:
        return True
    if not dag["is_stale"]:  # its file is gone, and the DAG processor dies of a DAG that goes while it looks at it
        return False
    for run in list(access.pages("dag_runs", "dags", dag_id, "dagRuns", state=["queued", "running"])):
        access.ask("PATCH", "dags", dag_id, "dagRuns", run["dag_run_id"], body={"state": "failed"})
    try:
        access.ask("DELETE", "dags", dag_id)
    except ApiProblem as problem:
        if problem.status not in (404, 409):  # tasks of it still run
            raise
    return access.get("dags", dag_id) is None


# programs


@pytest.mark.parametrize(("module", "name"), [("nested_fan_out", "three")])
def test_a_program_gives_the_same_on_a_real_session(tmp_path: Path, place: Place, module: str, name: str) -> None:
    case = Case(module, name)
    for folder in ("run", "oracle"):
        (tmp_path / folder).mkdir()
    place.store = str(tmp_path / "run" / "store")
    place.write(root=str(PROGRAMS))
    run = place.run(case.pipeline, case.arguments(tmp_path / "run"))
    found = case.outcome(run, place.catalog, tmp_path / "run")
    assert_same(found, expected(case, tmp_path / "oracle"))


def test_a_map_a_branch_and_a_retry_do_what_they_do_here(place: Place) -> None:
    deployments = [place.deploy(operated.squares), place.deploy(operated.chosen), place.deploy(operated.flaky)]
    mapped, chosen, flaky = [one.wait(LONGEST_SECONDS) for one in deployments]
    assert (mapped.result, chosen.result, flaky.result) == (14, 22, 1)
    assert sorted(flaky.facts.attempts["unsteady", ()]) == [1, 2]
    states = place.states(engine_run(deployments[1]))
    assert states["branch.half"] == ["skipped"]
    assert place.states(engine_run(deployments[0]))["for_each.square"] == ["success"] * 4


def test_a_failure_is_told_by_airflow_and_by_the_catalog(place: Place) -> None:
    deployment = place.deploy(operated.flaky, {"fails": 9})
    run = deployment.wait(LONGEST_SECONDS)
    assert run.state == "failed"
    assert run.details.nodes["unsteady"].state == "failed"
    assert run.details.nodes["square"].state == "skipped"
    states = place.states(engine_run(deployment))
    assert states["unsteady"] == ["failed"]
    assert states["square"] == ["upstream_failed"]


def test_every_value_comes_through_the_form_unchanged(place: Place) -> None:
    nasty = "{{ dag }} {% raw %} ${HOME} `id` \"'\\ \n\t<b> \u2028 ünï 🦑"
    values: dict[str, Any] = {"text": nasty, "items": [nasty, ""], "table": {nasty: 0.5}, "flag": True}
    place.run(operated.hostile, {**values, "moment": datetime(2026, 1, 31, 12, tzinfo=UTC)})
    conf = {**values, "moment": "2026-01-31T12:00:00+00:00"}
    assert place.wait(place.triggered("hostile", conf=conf)).result == repr(
        (nasty, [nasty, ""], {nasty: 0.5}, True, datetime(2026, 1, 31, 12, tzinfo=UTC))
    )


def test_a_parameter_that_nobody_knows_ends_the_run_before_it_begins(place: Place) -> None:
    place.run(operated.squares)
    with pytest.raises(RunRefused) as caught:
        place.wait(place.triggered("squares", conf={"cuont": 3}))
    assert caught.value.diagnostics[0].code == "E717"


# times


def test_a_run_has_the_times_that_airflow_has_and_none_else(place: Place, tmp_path: Path) -> None:
    path = str(tmp_path / "times")
    deployment = deploy(operated.every_minute, "air", {"path": path}, run=False)
    assert deployment.run == ""
    found = until(lambda: Path(path).exists() and Path(path).read_text().splitlines())
    at, start, end = map(datetime.fromisoformat, found[0].split())
    assert at == end == start + timedelta(minutes=1)
    assert at.second == 0
    place.client().access.ask("PATCH", "dags", "every_minute", body={"is_paused": True})


def test_a_time_that_was_missed_has_no_run(place: Place) -> None:
    deploy(operated.yearly, "air", run=False)
    access = place.client().access
    path = ("dags", "yearly", "dagRuns")
    found = until(lambda: [one for one in access.pages("dag_runs", *path) if one["state"] in ("success", "failed")])
    assert [(one["run_type"], one["state"]) for one in found] == [("scheduled", "success")]
    states = place.states(place.engine_run("yearly", found[0]["dag_run_id"]))
    assert {state for some in states.values() for state in some} <= {"skipped", "success"}
    assert states["numbers"] == ["skipped"]
    assert list(place.catalog.runs()) == []


def test_a_backfill_runs_each_interval_for_its_own_time(place: Place, tmp_path: Path) -> None:
    path = str(tmp_path / "times")
    deploy(operated.every_minute, "air", {"path": path}, run=False)
    access = place.client().access
    body: dict[str, Any] = {
        "dag_id": "every_minute",
        "from_date": "2026-01-31T00:00:00Z",
        "to_date": "2026-01-31T00:02:00Z",
    }
    body |= {"run_backwards": False, "dag_run_conf": {}, "max_active_runs": 3}
    place.session.kill_component("scheduler")  # SQLite can't take a backfill while it works

    def is_made() -> bool:
        try:
            access.ask("POST", "backfills", body=body)
        except ApiProblem as problem:
            if problem.status != 503:  # the database was locked
                return problem.status == 409  # there it is
            return False
        return True

    until(is_made)
    place.session.start_component("scheduler")

    def backfilled() -> set[str]:
        lines = Path(path).read_text().splitlines() if Path(path).exists() else []
        return {line.split()[0] for line in lines if line.startswith("2026-01-31")}

    wanted = {f"2026-01-31T00:0{minute}:00+00:00" for minute in (1, 2, 3)}
    assert until(lambda: backfilled() >= wanted and backfilled()) == wanted
    access.ask("PATCH", "dags", "every_minute", body={"is_paused": True})


# clearing, and what else people do in Airflow's page


def test_a_cleared_task_runs_again_and_what_was_not_cleared_is_kept(place: Place, tmp_path: Path) -> None:
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
    assert {node: found.state for node, found in run.details.nodes.items()} == {
        "counted": "succeeded",
        "needs": "succeeded",
        "square": "succeeded",
    }
    place.clear(engine_run(deployment), "counted")  # what succeeded is done again, too
    run = until(
        lambda: (found := place.catalog.run(first.id)).details.generation == 2 and found.state != "running" and found
    )
    assert run.state == "succeeded"
    assert run.result == (4 + 41) ** 2
    assert path.read_text().splitlines() == ["counted", "needs", "needs", "counted", "needs"]


def test_a_task_that_is_marked_as_a_success_gives_nothing_to_others(place: Place, tmp_path: Path) -> None:
    path, wanted = tmp_path / "effects", tmp_path / "wanted"
    deployment = place.deploy(operated.mended, {"path": str(path), "wanted": str(wanted)})
    first = deployment.wait(LONGEST_SECONDS)
    run = engine_run(deployment)
    place.client().access.ask(
        "PATCH", "dags", "mended", "dagRuns", run.id("run_id"), "taskInstances", "needs", body={"new_state": "success"}
    )
    place.clear(run, "square")
    found = until(
        lambda: (now := place.catalog.run(first.id)).details.generation >= 1 and now.state != "running" and now
    )
    assert found.state == "failed"  # nobody has made the value
    assert found.details.nodes["needs"].state == "failed"
    assert found.details.nodes["square"].state == "skipped"
    assert until(lambda: place.client()._run(run)["state"] == "failed")


@pytest.mark.timeout(900, func_only=True)  # a run in five generations
def test_a_list_that_nobody_has_made_has_no_items_and_once_it_is_made_it_has(place: Place, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted"
    deployment = place.deploy(operated.collected, {"wanted": str(wanted)})
    first = deployment.wait(LONGEST_SECONDS)
    run = engine_run(deployment)

    def later(before: Any, state: str) -> Any:
        """The run once it has this state in a later generation: Airflow counts one for a mark, too."""
        return until(
            lambda: (
                (now := place.catalog.run(first.id)).details.generation > before.details.generation
                and now.state == state
                and now
            )
        )

    place.client().access.ask(
        *("PATCH", "dags", "collected", "dagRuns", run.id("run_id"), "taskInstances", "listed"),
        body={"new_state": "success"},
    )
    place.clear(run, "for_each.square")
    marked = later(first, "failed")
    assert {name: node.state for name, node in marked.details.nodes.items()} == {
        "listed": "failed",
        "for_each": "skipped",
        "for_each/square": "skipped",
        "total": "skipped",
    }
    wanted.write_text("2 3 4")
    place.clear(run, "listed")
    made = later(marked, "succeeded")
    assert made.result == 29
    wanted.write_text("5")
    place.clear(run, "for_each.square")  # the list is kept, and with it how many items it has
    kept = later(made, "succeeded")
    assert kept.result == 29
    place.clear(run, "listed")
    assert later(kept, "succeeded").result == 25


def test_a_run_that_was_deleted_and_triggered_again_is_a_new_generation(place: Place, tmp_path: Path) -> None:
    path, wanted = tmp_path / "effects", tmp_path / "wanted"
    wanted.write_text("1")
    deployment = place.deploy(operated.mended, {"path": str(path), "wanted": str(wanted)})
    first = deployment.wait(LONGEST_SECONDS)
    run = engine_run(deployment)
    access = place.client().access
    conf = place.client()._run(run)["conf"]
    # Airflow takes what its executor says late of an old task, up to 5 s, for news of the new one of that name
    ended = re.compile(rf"Received executor event with state success .*run_id='{re.escape(run.id('run_id'))}'")
    until(lambda: len(ended.findall((place.session.folder / "scheduler.log").read_text())) >= len(place.states(run)))
    access.ask("DELETE", "dags", "mended", "dagRuns", run.id("run_id"))
    body = {"dag_run_id": run.id("run_id"), "logical_date": None, "conf": conf}
    runs = ("dags", "mended", "dagRuns")
    access.make(*runs, body=body, is_there=lambda: access.get(*runs, run.id("run_id")) is not None)
    found = until(
        lambda: (now := place.catalog.run(first.id)).details.generation == 1 and now.state != "running" and now
    )
    assert found.state == "succeeded"
    assert found.details.nodes["needs"].state == "succeeded"
    assert path.read_text().splitlines().count("needs") == 2


# what breaks


def test_a_step_whose_process_was_killed_is_made_again(place: Place) -> None:
    run = place.run(operated.crashed)
    assert run.result == 9
    assert sorted(run.facts.attempts["crashes", ()]) == [1, 2]


def test_a_task_whose_worker_was_killed_fails_and_says_so(place: Place) -> None:
    deployment = place.deploy(operated.slow, {"seconds": 60.0})
    run = engine_run(deployment)
    until(lambda: "sleeps" in place.states(run) and place.states(run)["sleeps"] == ["running"])
    children = until(lambda: processes_with(f"{deployment.run}.0", "sleeps"))
    for child in children:
        kill_with_its_worker(child)
    ended = deployment.wait(LONGEST_SECONDS)
    assert ended.state == "failed"
    assert ended.details.nodes["sleeps"].state == "failed"


def test_a_scheduler_that_was_killed_and_started_again_goes_on(place: Place) -> None:
    deployment = place.deploy(operated.slow, {"seconds": 4.0})
    run = engine_run(deployment)
    until(lambda: place.states(run).get("sleeps") in (["running"], ["success"]))
    place.session.kill_component("scheduler")
    place.session.start_component("scheduler")
    assert deployment.wait(LONGEST_SECONDS).result == 4
    assert place.run(operated.squares).result == 14


# deploying


def test_deploying_the_same_again_changes_nothing(place: Place) -> None:
    first = deploy(operated.squares, "air", run=False)
    again = deploy(operated.squares, "air", run=False)
    assert [one.done for one in first.objects] == ["created"]
    assert [one.done for one in again.objects] == ["unchanged"]


def test_a_file_that_was_removed_is_read_anew(place: Place) -> None:
    deploy(operated.squares, "air", run=False)
    (place.session.dags / "squares.py").unlink()
    until(lambda: place.client().access.get("dags", "squares")["is_stale"])
    assert place.run(operated.squares).result == 14


def test_a_changed_pipeline_has_its_new_tasks_and_parameters_at_once(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_changed_at_once(place, tmp_path, monkeypatch)


def test_a_run_that_is_cancelled_ends_its_processes(place: Place) -> None:
    deployment = place.deploy(operated.slow, {"seconds": 120.0})
    reference = f"{deployment.run}.0"
    until(lambda: processes_with(reference, "sleeps"))
    ended = deployment.cancel()
    assert ended is not None
    assert ended.state == "cancelled"
    until(lambda: not processes_with(reference), 60)
    with pytest.raises(EngineError) as caught:
        deployment.cancel()
    assert caught.value.diagnostics[0].code == "E748"


def test_a_process_that_does_not_end_when_it_is_asked_to_is_killed(place: Place) -> None:
    deployment = place.deploy(operated.stubborn)
    reference = f"{deployment.run}.0"
    until(lambda: processes_with(reference, "deaf"))
    time.sleep(1)  # until it has stopped listening
    deployment.cancel()
    until(lambda: not processes_with(reference), 60)


def test_what_is_left_of_a_failed_run_runs_there_as_a_new_one(place: Place, tmp_path: Path) -> None:
    path, wanted = tmp_path / "effects", tmp_path / "wanted"
    deployment = place.deploy(operated.mended, {"path": str(path), "wanted": str(wanted)})
    assert deployment.wait(LONGEST_SECONDS).state == "failed"
    wanted.write_text("1")
    assert deployment.deployed is not None
    again = deployment.deployed.retry()
    run = again.watch(timeout_seconds=LONGEST_SECONDS)
    assert run.result == 4
    assert path.read_text().splitlines() == ["counted", "needs", "needs"]


def test_a_pipeline_with_other_tasks_waits_for_the_runs_that_go_on(place: Place) -> None:
    deployment = place.deploy(operated.slow, {"seconds": 30.0})
    file = place.session.dags / "slow.py"
    text = file.read_text()
    changed = text.replace("    end = End(", "    more = Step(task_id='more', step='more')\n    end = End(")
    assert changed != text
    with pytest.raises(EngineError) as caught:
        place.client()._put("slow", changed, "slow")
    (found,) = caught.value.diagnostics
    assert found.code == "E753"
    assert "1 run of it goes on" in found.what
    assert file.read_text() == text
    deployment.cancel()


def test_a_file_that_airflow_can_not_import_is_told_with_its_line(place: Place) -> None:
    place.write(on_failure=[{"class": "nowhere.notifiers.Notifier", "text": "x"}])
    with pytest.raises(EngineError) as caught:
        deploy(operated.squares, "air", run=False)
    found = caught.value.diagnostics[0]
    assert found.code == "E757"
    assert "squares.py" in found.what
    assert "No module named 'nowhere'" in found.what


def test_a_dag_that_is_not_ours_is_left_alone(place: Place) -> None:
    mine = "from airflow.sdk import DAG\n\nwith DAG(dag_id='squares'):\n    pass\n"
    (place.session.dags / "by_hand.py").write_text(mine)
    until(lambda: place.client().access.get("dags", "squares"))
    with pytest.raises(EngineError) as caught:
        deploy(operated.squares, "air", run=False)
    found = caught.value.diagnostics[0]
    assert found.code == "E752"
    assert "not drawloom's" in found.what
    assert not (place.session.dags / "squares.py").exists()


# what is wrong with a target


def test_a_wrong_password_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_TEST_PASSWORD", "wrong")
    assert refused(place) == "E741"


def test_a_wrong_token_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_TEST_TOKEN", "wrong")
    place.write(username=None, password_env=None, token_env="AIRFLOW_TEST_TOKEN")
    assert refused(place) == "E741"


def test_an_airflow_that_is_not_there_is_told(place: Place) -> None:
    place.write(server="http://127.0.0.1:9")
    assert refused(place) == "E740"


def test_a_folder_for_dags_that_is_not_there_is_told(place: Place) -> None:
    place.write(dags=str(place.folder / "gone"))
    assert refused(place) == "E755"


def test_an_interpreter_that_is_not_there_ends_the_run_and_says_so(place: Place) -> None:
    place.write(python="/nowhere/python3")
    with pytest.raises(RunRefused) as caught:
        place.run(operated.squares)
    (found,) = caught.value.diagnostics
    assert found.code == "E717"
    assert "before the run began" in found.what
    findings = {one.name: one for one in probed(place)}
    assert "/nowhere/python3" in findings["airflow worker"].what


def test_a_store_that_a_worker_can_not_reach_is_found_by_the_doctor(place: Place) -> None:
    place.write(catalog=str(place.folder / "here"), store="/proc/nowhere")
    findings = {one.name: one for one in probed(place)}
    assert findings["airflow worker"].state == "problem"


def test_the_doctor_finds_a_healthy_airflow(place: Place) -> None:
    findings = list(place.client().findings(place.target().options))
    assert [one.state for one in findings] == ["ok"] * len(findings)
    place.write(pool="gone", airflow="2.11")
    found = {one.name: one.state for one in place.client().findings(place.target().options)}
    assert found["airflow pool"] == "problem"
    assert found["airflow files"] == "problem"


# README


@pytest.mark.timeout(900, func_only=True)
def test_the_readmes_deployment_gives_what_a_local_run_gives(tmp_path: Path, airflow: Session) -> None:
    project = copied_example(tmp_path / "project")
    file = project / "drawloom.toml"
    written = tomllib.loads(file.read_text("utf-8"))["targets"]["airflow"]
    store = str(tmp_path / "store")
    own = {
        written["server"]: airflow.url,
        f'username = "{written["username"]}"': f'username = "{USER}"',
        written["dags"]: str(airflow.dags),
        written["python"]: sys.executable,
    }
    with_own(file, own)
    head, _, tail = file.read_text("utf-8").partition("[targets.airflow]")
    file.write_text(head + "[targets.airflow]" + tail.replace(written["store"], store), "utf-8")
    run_section("On an Airflow of yours", project, {**os.environ, written["password_env"]: PASSWORD}, 600)
    assert versions_of(store) == local_versions(project)
