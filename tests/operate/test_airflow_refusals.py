"""What a target's Airflow, or what isn't one, is told of before anything is published."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import drawloom
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.deployments import write_deployment
from drawloom.catalog.programs import save_program
from drawloom.catalog.records import Deployment
from drawloom.dsl.tracing import trace
from drawloom.errors import EngineError
from drawloom.runtimes import airflow
from drawloom.runtimes.airflow import AirflowClient, connect
from drawloom.runtimes.airflow_dags import DagsPlace
from drawloom.runtimes.airflow_logs import printed_lines
from drawloom.runtimes.engines import Connection, EngineRun

RUN = EngineRun("airflow-1", (("dag_id", "flow"), ("run_id", "manual")), "flow", "air")


@pytest.fixture
def answering() -> Iterator[Callable[[dict[str, Any]], str]]:
    """Starts a server that answers paths with JSON, that a call returns, too, or with a status and JSON; its URL.

    A path is of GET, or has its method before it; others are answered with 404.
    """
    started: list[ThreadingHTTPServer] = []

    def start(answers: dict[str, Any]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self, method: str = "") -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                found = answers.get(method + self.path.partition("?")[0])
                if callable(found):
                    found = found()
                status = 200
                if not isinstance(found, dict):
                    status, found = found or (404, {"detail": "Not Found"})
                data = json.dumps(found).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def __getattr__(self, name: str) -> Any:
                if not name.startswith("do_"):
                    raise AttributeError(name)
                return lambda: self.do_GET(f"{name.removeprefix('do_')} ")

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def _client(url: str, dags: Path | None = None) -> AirflowClient:
    return connect(Connection("air", server=url, token="t", dags=str(dags) if dags is not None else ""))


def _refused(work: Callable[[], object]) -> Any:
    with pytest.raises(EngineError) as caught:
        work()
    return caught.value.diagnostics[0]


@pytest.mark.parametrize(("path", "version"), [("/api/v1/version", "2.7.3"), ("/api/v1/version", "2.10.5")])
def test_e754_an_airflow_that_is_too_old(answering: Any, path: str, version: str) -> None:
    found = _refused(_client(answering({path: {"version": version}})).preflight)
    assert found.code == "E754"
    assert f"is Airflow {version}: it is too old" in found.what


def test_e741_airflow_2_answers_a_wrong_password_as_it_does_the_public(answering: Any) -> None:
    url = answering({"/api/v1/version": {"version": "2.11.2"}, "/api/v1/dags": (403, {"detail": None, "title": "No"})})
    found = _refused(_client(url).preflight)
    assert found.code == "E741"
    assert found.what.endswith("to list DAGs: it is wrong or expired: No")
    assert "`auth_backends`" in found.fix


def test_what_is_no_airflow_is_told(answering: Any) -> None:
    found = _refused(_client(answering({})).preflight)
    assert found.code == "E742"
    assert "neither /api/v2/version nor /api/v1/version" in found.what


def test_e745_a_target_without_an_address() -> None:
    assert _refused(lambda: connect(Connection("air"))).code == "E745"


def test_e756_a_dag_file_that_nobody_reads(answering: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow, "_PROCESSOR_SECONDS", 0.0)
    url = answering({"/api/v2/version": {"version": "3.3.2"}, "/api/v2/importErrors": {"import_errors": []}})
    found = _refused(lambda: _client(url, tmp_path)._put("flow", "the file", "flow"))
    assert found.code == "E756"
    assert "hasn't read flow.py" in found.what
    assert (tmp_path / "flow.py").read_text() == "the file"


def test_tasks_of_a_file_that_was_put_there_before_are_waited_for(answering: Any, tmp_path: Path) -> None:
    text = '"""flow"""\n    begin.doc_md = "Tasks new"\n'
    (tmp_path / "flow.py").write_text(text)
    known = ["Tasks old", "Tasks old", "Tasks new"]  # each time it is asked

    def begin() -> Any:
        return {"doc_md": known.pop(0)}

    url = answering(
        {
            "/api/v2/version": {"version": "3.3.2"},
            "/api/v2/importErrors": {"import_errors": []},
            "/api/v2/dags/flow": {"is_stale": False, "file_token": "t"},
            "/api/v2/dagSources/flow": {"content": text},
            "/api/v2/dags/flow/tasks/begin": begin,
            "/api/v2/dags/flow/dagRuns": {"dag_runs": []},
            "PATCH /api/v2/dags/flow": {},
        }
    )
    _client(url, tmp_path)._put("flow", text, "flow")
    assert known == []


def test_e757_an_import_error_has_airflows_own_traceback(
    answering: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = 'Traceback:\n  File "flow.py", line 3\nModuleNotFoundError: No module named x'
    errors: dict[str, Any] = {"import_errors": []}
    url = answering({"/api/v2/version": {"version": "3.3.2"}, "/api/v2/importErrors": errors})
    write = DagsPlace.write

    def written(place: DagsPlace, *given: str) -> None:
        write(place, *given)
        found = {"filename": "/dags/flow.py", "stack_trace": trace, "import_error_id": 2, "timestamp": "now"}
        errors["import_errors"].append(found)

    monkeypatch.setattr(DagsPlace, "write", written)
    found = _refused(lambda: _client(url, tmp_path)._put("flow", "the file", "flow"))
    assert found.code == "E757"
    assert found.what.splitlines()[0].endswith("can't import flow.py: ModuleNotFoundError: No module named x")
    assert 'File "flow.py", line 3' in found.what


def test_an_import_error_of_the_file_before_is_not_ours(
    answering: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airflow, "_PROCESSOR_SECONDS", 0.0)
    old = {"filename": "/dags/flow.py", "stack_trace": "old", "import_error_id": 1, "timestamp": "before"}
    url = answering({"/api/v2/version": {"version": "3.3.2"}, "/api/v2/importErrors": {"import_errors": [old]}})
    assert _refused(lambda: _client(url, tmp_path)._put("flow", "the file", "flow")).code == "E756"


def _unbegun(answering: Any, states: list[str]) -> str:
    """An Airflow whose run is in one of these states after the other, and stays in the last; `begin` failed in it."""
    run = "/api/v2/dags/flow/dagRuns/manual"
    begin = {"task_id": "begin", "map_index": -1, "try_number": 1, "state": "failed", "rendered_fields": {}}
    load = begin | {"task_id": "load", "try_number": 0, "state": "upstream_failed", "rendered_fields": {"step": "load"}}
    left = list(states)
    url: str = answering(
        {
            "/api/v2/version": {"version": "3.3.2"},
            "/api/v2/dags/flow": {"fileloc": "/dags/flow.py"},
            run: lambda: {"state": left.pop(0) if len(left) > 1 else left[0]},
            f"{run}/taskInstances": {"task_instances": [begin, load], "total_entries": 2},
            f"{run}/taskInstances/begin/logs/1": {"content": [{"event": "no such interpreter", "logger": "Begin"}]},
        }
    )
    return url


@drawloom.task
def load() -> int:
    return 1


@drawloom.pipeline
def flow() -> int:
    return load()


def _deployed(project: Any, url: str) -> None:
    """A project whose target is an Airflow, to which `flow` was deployed."""
    project(f'[targets.air]\nengine = "airflow"\nstore = "s"\ncatalog = "s"\nserver = "{url}"\ntoken_env = "PATH"')
    storage = Catalog.open("s", "p").storage
    program = save_program(storage, trace(flow).program)
    write_deployment(storage, Deployment("air", "flow", program, 5.0, "airflow", RUN.run, RUN.ids))


def test_s454_output_of_a_node_that_a_run_to_come_does_not_have_is_not_waited_for(
    answering: Any, project: Any, drawloom_command: Any
) -> None:
    _deployed(project, _unbegun(answering, ["running"]))
    code, out, told = drawloom_command("logs", RUN.run, "lode", "--follow", "--target", "air")
    assert (code, out) == (3, ""), told
    assert "error[S454] `flow` has no node `lode`, did you mean `load`?" in told


@pytest.mark.parametrize("states", [["failed"], ["running", "running", "failed"]])
def test_e717_output_of_a_run_that_ended_before_it_began_is_not_waited_for(
    answering: Any, project: Any, drawloom_command: Any, states: list[str]
) -> None:
    _deployed(project, _unbegun(answering, states))
    code, out, told = drawloom_command("logs", RUN.run, "load", "--follow", "--target", "air")
    assert (code, out) == (3, ""), told
    assert "error[E717] DAG run flow/manual ended as failed before the run began: " in told
    assert told.count("`load` hasn't begun: it is waited for") == (len(states) > 1)


def test_output_of_a_run_that_has_ended_is_not_waited_for(answering: Any) -> None:
    client = _client(_unbegun(answering, ["running", "failed"]))
    found = _refused(lambda: list(client.logs(RUN, "load", None, follow=True, settled=lambda: False)))
    logs, watch = "drawloom logs airflow-1 load --target air", "drawloom watch airflow-1 --target air"
    assert (found.code, found.fix) == ("E749", f"`{logs}` prints what the catalog has; `{watch}` tells more")


def test_what_a_task_prints_after_its_outcome_is_followed_to_its_end(answering: Any) -> None:
    run = "/api/v2/dags/flow/dagRuns/manual"
    load = {"task_id": "load", "map_index": -1, "try_number": 1, "rendered_fields": {"step": "load"}}
    states, printed = ["running", "running", "success"], ["first"]

    def instances() -> dict[str, Any]:
        if len(states) == 2:
            printed.append("last")
        found = {"task_instances": [{**load, "state": states[0]}], "total_entries": 1}
        del states[: len(states) > 1]
        return found

    url = answering(
        {
            "/api/v2/version": {"version": "3.3.2"},
            "/api/v2/dags/flow": {"fileloc": "/dags/flow.py"},
            run: {"state": "running"},
            f"{run}/taskInstances": instances,
            f"{run}/taskInstances/load/logs/1": lambda: {
                "content": [{"event": one, "logger": "Step"} for one in printed]
            },
        }
    )
    assert list(_client(url).logs(RUN, "load", None, follow=True, settled=lambda: True)) == ["first\n", "last\n"]


def test_a_trigger_that_a_busy_airflow_answers_with_an_error_is_asked_again(answering: Any) -> None:
    busy: list[Any] = [(500, {"detail": "database is locked"}), (503, {})]
    url = answering(
        {
            "/api/v2/version": {"version": "3.3.2"},
            "/api/v2/dags/flow/details": {"params": {}},
            "POST /api/v2/dags/flow/dagRuns": lambda: busy.pop(0) if busy else {"dag_run_id": "made"},
        }
    )
    assert _client(url)._trigger("flow", "flow", {"params": {}}).id("run_id").startswith("drawloom__")
    assert busy == []


def test_a_run_that_was_made_although_airflow_answered_with_an_error_is_not_made_twice(answering: Any) -> None:
    asked: list[int] = []

    def locked() -> Any:
        asked.append(1)
        return 500, {"detail": "database is locked"}

    url = answering({"/api/v2/version": {"version": "3.3.2"}, "POST /api/v2/dags/flow/dagRuns": locked})
    _client(url).access.make("dags", "flow", "dagRuns", body={}, is_there=lambda: True)
    assert len(asked) == 1


@pytest.mark.parametrize("stale", ["is_stale", "is_active"])
def test_a_dag_is_deleted_once_airflow_knows_that_its_file_is_gone(answering: Any, stale: str) -> None:
    known: list[bool] = [False, True]  # whether it knows, each time it is asked
    deleted: list[bool] = []

    def dag() -> Any:
        return None if deleted else {stale: known[0] if stale == "is_stale" else not known[0]}

    def delete() -> Any:
        deleted.append(known[0])
        return {}

    def look() -> Any:
        found = dag()
        del known[: len(known) > 1]
        return found

    url = answering(
        {"/api/v2/version": {"version": "3.3.2"}, "/api/v2/dags/flow": look, "DELETE /api/v2/dags/flow": delete}
    )
    _client(url).forget("flow")
    assert deleted == [True]


def test_a_dag_that_airflow_still_reads_is_not_deleted(answering: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow, "_STALE_SECONDS", 0.0)
    url = answering({"/api/v2/version": {"version": "3.3.2"}, "/api/v2/dags/flow": {"is_stale": False}})
    _client(url).forget("flow")  # it would answer a DELETE with 404


def test_e758_one_run_can_not_be_suspended(answering: Any) -> None:
    client = _client(answering({}))
    assert _refused(lambda: client.suspend(RUN)).code == "E758"
    assert _refused(lambda: client.unsuspend(RUN)).code == "E758"


def test_e755_a_target_without_a_place_for_dag_files(answering: Any) -> None:
    found = _refused(lambda: _client(answering({}))._put("flow", "text", "flow"))
    assert found.code == "E755"
    assert "doesn't say where its Airflow finds DAG files" in found.what


# where DAG files go


def _git(*command: str) -> str:
    import subprocess

    done = subprocess.run(["git", *command], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of a repository that can be pushed to."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Dag Writer")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "dags@example.com")
    _git("init", "--quiet", "--bare", "--initial-branch=main", str(tmp_path / "origin"))
    _git("clone", "--quiet", str(tmp_path / "origin"), str(tmp_path / "dags"))
    _git("-C", str(tmp_path / "dags"), "checkout", "--quiet", "-b", "main")
    _git("-C", str(tmp_path / "dags"), "commit", "--quiet", "--allow-empty", "--message", "first")
    _git("-C", str(tmp_path / "dags"), "push", "--quiet", "--set-upstream", "origin", "main")
    return tmp_path / "dags"


def test_in_git_a_dag_file_is_committed_and_pushed_alone(checkout: Path, tmp_path: Path) -> None:
    place = DagsPlace(str(checkout), "air", git=True)
    (checkout / "other.txt").write_text("not ours")
    _git("-C", str(checkout), "add", "other.txt")
    place.write("flow.py", "one", "drawloom: deploy flow")
    place.write("flow.py", "one", "drawloom: deploy flow")  # nothing has changed: no commit
    place.write("flow.py", "two", "drawloom: deploy flow")
    log = _git("-C", str(tmp_path / "origin"), "log", "--format=%s", "--name-only", "main").split("\n")
    assert [line for line in log if line] == ["drawloom: deploy flow", "flow.py"] * 2 + ["first"]
    place.remove("flow.py", "drawloom: take flow back")
    assert "flow.py" not in _git("-C", str(tmp_path / "origin"), "ls-tree", "--name-only", "main")


def test_e755_a_checkout_that_can_not_be_pushed(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "origin").rename(tmp_path / "gone")
    found = _refused(lambda: DagsPlace(str(checkout), "air", git=True).write("flow.py", "one", "why"))
    assert found.code == "E755"
    assert found.what.startswith(f"`git push` fails in {checkout}")


def test_dag_files_go_to_an_object_store_too() -> None:
    place = DagsPlace("memory://bucket/dags", "air")
    assert place.read("flow.py") is None
    place.write("flow.py", "text", "why")
    assert place.read("flow.py") == "text"
    place.remove("flow.py", "why")
    assert place.read("flow.py") is None


def test_a_log_is_what_the_steps_of_the_dag_file_printed() -> None:
    text = (
        "[2026-01-31T00:00:00.000+0000] {taskinstance.py:2632} INFO - Dependencies all met\n"
        "[2026-01-31T00:00:00.000+0000] {flow.py:91} INFO - squaring\u20283\n"
        "[2026-01-31T00:00:00.000+0000] {flow.py:91} INFO - [2026] {flow.py:1} INFO - x\n"
    )
    printed = ["squaring\u20283\n", "[2026] {flow.py:1} INFO - x\n"]
    assert printed_lines({"content": text}, "flow.py") == printed
    assert printed_lines({"content": str([("host", text)])}, "flow.py") == printed  # as Airflow 2 answers
    events = [
        {"logger": "airflow.task.operators.unusual_prefix_1.Step", "event": "a"},
        {"logger": "task", "event": "b"},
    ]
    assert printed_lines({"content": events}, "flow.py") == ["a\n"]
