"""A live Airflow: puts DAG files where it finds them, triggers runs, tells how they are, and ends them
(`runtimes.engines.EngineClient`)."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from drawloom.catalog.commands import command
from drawloom.catalog.records import Index
from drawloom.errors import Diagnostic, EngineError
from drawloom.ir.protocol import index_text, parse_indices
from drawloom.runtimes.airflow_access import AirflowAccess, airflow_access
from drawloom.runtimes.airflow_conf import conf_of
from drawloom.runtimes.airflow_dags import DagsPlace
from drawloom.runtimes.airflow_import_errors import node_of_error
from drawloom.runtimes.airflow_logs import printed_lines, told_error
from drawloom.runtimes.api_problems import Api, ApiProblem, ended_already, gone
from drawloom.runtimes.begin import run_name
from drawloom.runtimes.engines import SETTLED_LOOKS, Applied, Connection, EngineRun, Finding, Status, Submission
from drawloom.runtimes.publish import read_engine

if TYPE_CHECKING:
    from drawloom.catalog.catalog import Catalog

__all__ = ["AirflowClient", "connect"]

# Any: Airflow's objects as JSON trees

_ENGINE: Final = "airflow"
_OLDEST: Final = {3: (3, 0), 2: (2, 11)}  # the oldest of each that the files are for
_ENDED: Final = ("success", "failed")
_GOING: Final = ("queued", "running")
_POLL_SECONDS: Final = 1.0
_STALE_SECONDS: Final = 30.0
_PROCESSOR_SECONDS: Final = 900.0  # Airflow looks for new files every 5 minutes, if nobody has said otherwise
_WAITING: Final = (  # after so many seconds this is told
    (3.0, "{file} is in {place}: waiting until Airflow has read it"),
    (60.0, "still waiting: Airflow looks for new files every 5 minutes, unless its `refresh_interval` says otherwise"),
)
_CANCELLED: Final = "cancelled by drawloom"
_OLD_TASKS_SECONDS: Final = 10.0  # how long the processes of an Airflow 2 may take tasks for those of a DAG that were
_VERSION: Final = re.compile(r'begin\.doc_md = "(\w+ \w+)"')
_BODY_BEGINS, _BODY_ENDS = ") as dag:\n", "\n    # by this it can be seen"


def connect(connection: Connection) -> AirflowClient:
    """A client of the Airflow that a target names."""
    return AirflowClient(airflow_access(connection), connection)


class AirflowClient:
    """`EngineClient`, for Airflow.

    Args:
        access: how it is reached.
        connection: what the target says.
    """

    def __init__(self, access: AirflowAccess, connection: Connection) -> None:
        self.access = access
        self.target = connection.target
        self._login = f"the password of {connection.username}" if connection.username else "your token"
        self._note = connection.note or (lambda _: None)
        self.place = DagsPlace(connection.dags, connection.target, git=connection.dags_git) if connection.dags else None

    def preflight(self) -> None:
        """Refuses what can't be reached, an Airflow that is too old, a token that isn't taken."""
        with self.asking("list DAGs"):
            self.access.connect()
            oldest = _OLDEST.get(self.access.version[0], (3, 0))
            if self.access.version < oldest:
                version = ".".join(map(str, self.access.version))
                what = f"{self.access.place} is Airflow {version}: it is too old"
                raise EngineError(Diagnostic("E754", what, None, "DAG files are for Airflow 3, and for 2.11"))
            self.access.check_login()

    # giving

    def submit(self, folder: str | os.PathLike[str], asked: Mapping[str, Any], *, run: bool) -> Submission:
        """Puts the DAG file there, waits until Airflow has read it, and triggers a run."""
        engine = read_engine(folder, _ENGINE)
        with open(os.path.join(folder, "dag.py"), encoding="utf-8") as file:
            text = file.read()
        done = self._put(engine["dag_id"], text, engine["pipeline"])
        dag = Applied("DAG", engine["dag_id"], self.access.place, done)
        if not run:
            return Submission(None, (dag,))
        made = self._trigger(engine["dag_id"], engine["pipeline"], asked)
        return Submission(made, (dag, Applied("DAG run", made.id("run_id"), engine["dag_id"], "created")))

    def again(self, run: EngineRun, asked: Mapping[str, Any]) -> Submission:
        """A run of the DAG as it is now, with the parameters there were."""
        dag_id = run.id("dag_id")
        self._dag(run)
        made = self._trigger(dag_id, run.pipeline, asked)
        return Submission(made, (Applied("DAG run", made.id("run_id"), dag_id, "created"),))

    def _put(self, dag_id: str, text: str, pipeline: str) -> str:
        """What was done to the DAG file: `created`, `replaced`, or `unchanged`."""
        if self.place is None:
            what = f"target `{self.target}` doesn't say where its Airflow finds DAG files"
            raise EngineError(
                Diagnostic("E755", what, None, 'add `dags = "/opt/airflow/dags"`, as it is reached from here')
            )
        name = f"{dag_id}.py"
        there = self._source(dag_id)
        kept = self.place.read(name)
        self._refuse_taken(dag_id, there if there is not None else kept, text)
        if kept == there == text and self._has_read(dag_id, text):  # who deployed it may not have waited for that
            done = "unchanged"
        else:
            if there is not None:
                self._refuse_changed(dag_id, there, text)
            before = self._import_errors(name)
            if kept != text:
                self.place.write(name, text, f"drawloom: deploy {pipeline}")
            self._wait_for(dag_id, name, text, before)
            if self._is_old and there is not None and _version(there) != _version(text):
                time.sleep(_OLD_TASKS_SECONDS)
            done = "created" if kept is None else "replaced"
        with self.asking(f"unpause the DAG {dag_id}", giving=True):
            self.access.ask("PATCH", "dags", dag_id, body={"is_paused": False})
        return done

    def _source(self, dag_id: str) -> str | None:
        """The text of the file of a DAG, as Airflow has read it; None if it has none."""
        with self.asking(f"read the DAG {dag_id}"):
            dag = self.access.get("dags", dag_id)
            if dag is None:
                return None
            if self._is_old and not dag["is_active"]:  # its file is gone, and what was in it
                return None
            if self._is_old:
                found = self.access.get("dagSources", dag["file_token"])
            else:
                found = self.access.get("dagSources", dag_id)
        return found["content"] if found is not None else None

    def _refuse_taken(self, dag_id: str, there: str | None, text: str) -> None:
        """Refuses to take the place of a DAG that was written by hand, or for another pipeline."""
        if there is None or _owner(there) == _owner(text):
            return
        whose = "another pipeline of drawloom's" if _owner(there) else "not drawloom's"
        what = f"{self.access.place} has a DAG {dag_id} already, or a file {dag_id}.py, and it is {whose}"
        fix = 'name yours otherwise: `dag_id = "..."` of the target'
        raise EngineError(Diagnostic("E752", what, None, fix))

    def _refuse_changed(self, dag_id: str, there: str, text: str) -> None:
        """Refuses to change the tasks of runs that go on, where Airflow would start the new ones in them."""
        assert self.place is not None, "it was looked at"
        if self.place.is_versioned or _body(there) == _body(text):
            return
        with self.asking(f"list the runs of the DAG {dag_id}"):
            going = list(self.access.pages("dag_runs", "dags", dag_id, "dagRuns", state=list(_GOING)))
        if going:
            names = ", ".join(one["dag_run_id"] for one in going[:3]) + (", ..." if len(going) > 3 else "")
            runs = "1 run of it goes on" if len(going) == 1 else f"{len(going)} runs of it go on"
            what = f"the DAG {dag_id} has other tasks now, and {runs}: {names}"
            fix = "wait for them or cancel them; or keep DAG files in git (`dags_git`): there a run keeps its own"
            raise EngineError(Diagnostic("E753", what, None, fix))

    def _wait_for(self, dag_id: str, name: str, text: str, before: Mapping[object, str]) -> None:
        """Waits until Airflow has read a file; import errors that there were before are those of an older one."""
        began, told, asked = time.monotonic(), 0, False
        while not self._has_read(dag_id, text):
            self._refuse_broken(name, before)
            if not asked:  # Airflow 2 passes over what was changed a moment ago
                asked = self._hurry(dag_id) and not self._is_old
            seconds = time.monotonic() - began
            if told < len(_WAITING) and seconds > _WAITING[told][0]:
                self._note(_WAITING[told][1].format(file=name, place=self.place.place if self.place else ""))
                told += 1
            if seconds > _PROCESSOR_SECONDS:
                what = f"{self.access.place} hasn't read {name} for {_PROCESSOR_SECONDS:.0f} s"
                fix = f"see that its DAG processor runs, and reads the folder `dags` of the target, where {name} stays"
                raise EngineError(Diagnostic("E756", what, None, fix))
            time.sleep(_POLL_SECONDS)

    def _has_read(self, dag_id: str, text: str) -> bool:
        """Whether Airflow has a file, and has its tasks."""
        if self._source(dag_id) != text:
            return False
        with self.asking(f"read the DAG {dag_id}"):
            dag = self.access.get("dags", dag_id) or {}
            if dag.get("is_stale"):  # it still has the file that was removed
                return False
            # tasks are kept apart from the file, and aren't changed for 30 s after a change: by Airflow's
            # `min_serialized_dag_update_interval`
            begin = self.access.get("dags", dag_id, "tasks", "begin") or {}
        return begin.get("doc_md") == _version(text)

    def _hurry(self, dag_id: str) -> bool:
        """Asks Airflow to read a file that it knows; whether that could be done."""
        try:
            dag = self.access.get("dags", dag_id)
            if dag is not None:
                self.access.ask("PUT", "parseDagFile", dag["file_token"])
        except ApiProblem as problem:
            if problem.status not in (403, 404, 405, 409):
                raise self.api.problem(problem, f"let the DAG {dag_id} be read") from problem
        else:
            return dag is not None
        return True

    def _import_errors(self, name: str) -> dict[object, str]:
        """The tracebacks of a file's import errors, each with what it is known by."""
        with self.asking("list import errors"):
            errors = list(self.access.pages("import_errors", "importErrors"))
        found = [one for one in errors if os.path.basename(one["filename"]) == name]
        return {(one.get("import_error_id"), one.get("timestamp")): one["stack_trace"].strip() for one in found}

    def _refuse_broken(self, name: str, before: Mapping[object, str]) -> None:
        found = [trace for known, trace in self._import_errors(name).items() if known not in before]
        if found:
            trace = found[0]
            node = node_of_error(trace, name, (self.place.read(name) if self.place else None) or "")
            where = f" (task `{node}`)" if node else ""
            what = f"{self.access.place} can't import {name}{where}: {trace.splitlines()[-1]}\n{_indented(trace)}"
            fix = "see that the file is for its Airflow (the option `airflow`), and that it has what `on_failure` names"
            raise EngineError(Diagnostic("E757", what, None, fix))

    def _trigger(self, dag_id: str, pipeline: str, asked: Mapping[str, Any]) -> EngineRun:
        with self.asking(f"read the form of the DAG {dag_id}"):
            params = (self.access.get("dags", dag_id, "details") or {}).get("params") or {}
        forms = {name: param.get("schema") or {} for name, param in params.items()}
        run_id = f"drawloom__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}_{secrets.token_hex(4)}"
        body: dict[str, Any] = {"dag_run_id": run_id, "conf": conf_of(asked, forms)}
        # Airflow 2 has no run without a date: it takes the moment where none is given
        undated: dict[str, Any] = {} if self._is_old else {"logical_date": None}
        dated = {"logical_date": asked["logical_time"]} if asked.get("logical_time") else undated
        path = ("dags", dag_id, "dagRuns")

        def is_there() -> bool:
            return self.access.get(*path, run_id) is not None

        with self.asking(f"trigger the DAG {dag_id}", giving=True):
            try:
                self.access.make(*path, body=body | dated, is_there=is_there)
            except ApiProblem as problem:
                if problem.status != 409 or dated is undated:
                    raise
                # there is a run for that time: Airflow takes one alone under it, and ours needn't be
                self.access.make(*path, body=body | undated, is_there=is_there)
        ids = (("dag_id", dag_id), ("run_id", run_id))
        return EngineRun(run_name(_ENGINE, ids), ids, pipeline, self.target)

    def remove(self, submission: Submission) -> None:
        """Deletes the run that was triggered, and a DAG file that wasn't there before."""
        for one in submission.objects:
            if one.kind == "DAG run":
                with self.asking(f"delete the DAG run {one.name}"):
                    self.access.ask("DELETE", "dags", one.namespace, "dagRuns", one.name)
            elif one.done == "created" and self.place is not None:
                self.place.remove(f"{one.name}.py", f"drawloom: take {one.name} back")

    def forget(self, dag_id: str) -> None:
        """Deletes what Airflow keeps of a DAG, once it knows that its file is gone.

        If it doesn't within 30 s, the DAG stays, and Airflow shows it no more when it knows. A DAG processor may die of
        a DAG that is deleted while it reads its file (Airflow 3.3, on SQLite).
        """
        deadline = time.monotonic() + _STALE_SECONDS
        with self.asking(f"delete the DAG {dag_id}"):
            while (dag := self.access.get("dags", dag_id)) is not None:
                if dag["is_stale"] if "is_stale" in dag else not dag["is_active"]:
                    self.access.ask("DELETE", "dags", dag_id)
                elif time.monotonic() < deadline:
                    time.sleep(_POLL_SECONDS)
                else:
                    return

    # looking

    def status(self, run: EngineRun) -> Status:
        """How a DAG run is."""
        found = self._run(run)
        state = str(found["state"])
        note = str(found.get("note") or "")
        message = ""
        if state == "failed":
            message = self._failed_tasks(run) or "Airflow says no more"
        return Status(phase=state, ended=state in _ENDED, stopped=note.startswith(_CANCELLED), message=message)

    def _failed_tasks(self, run: EngineRun) -> str:
        failed = [one for one in self._instances(run) if one["state"] == "failed" and one["task_id"] != "end"]
        first = next((one for one in failed if one["task_id"] == "begin"), None)
        if first is not None:  # the catalog has nothing of it
            return f"`begin` failed: {self._told_error(run, first)}"
        names = ", ".join(f"`{one['task_id']}`" for one in failed[:3])
        return f"its tasks {names} failed" if names else ""

    def _instances(self, run: EngineRun) -> list[dict[str, Any]]:
        path = ("dags", run.id("dag_id"), "dagRuns", run.id("run_id"), "taskInstances")
        with self.asking(f"list the tasks of {self.name_of(run)}"):
            return list(self.access.pages("task_instances", *path))

    def logs(
        self, run: EngineRun, node: str, index: Index | None, *, follow: bool, settled: Callable[[], bool]
    ) -> Iterator[str]:
        """What the tasks of a node print; with `follow` until it is settled, or the run has ended."""
        printed: dict[tuple[str, int, int], int] = {}
        file = os.path.basename(str(self._dag(run).get("fileloc")))
        looks = SETTLED_LOOKS if follow else 0  # a task may still print after its node has its outcome
        while True:
            # first: what is written after it is asked for is read below
            over = settled() or not follow or self._run(run)["state"] in _ENDED
            looks -= over
            known = [one for one in self._instances(run) if _is_of(one, node, index)]
            for one in sorted(known, key=lambda one: (one["task_id"], one["map_index"])):
                for number in range(1, one["try_number"] + 1):
                    key = (one["task_id"], one["map_index"], number)
                    lines = self._log(run, file, *key)
                    if lines and key not in printed and len(known) + one["try_number"] > 2:
                        yield f"--- {_title(one)}, try {number}\n"
                    yield from lines[printed.get(key, 0) :]
                    printed[key] = max(len(lines), printed.get(key, 0))
            if over and (looks <= 0 or all(one["state"] != "running" for one in known)):
                break
            time.sleep(_POLL_SECONDS)
        if not any(printed.values()):
            what = f"Airflow has no output of `{node}` that could be read"
            inside, state = command("logs", run.address, node), command("watch", run.address)
            fix = f"`{inside}` prints what the catalog has; `{state}` tells more"
            raise EngineError(Diagnostic("E749", what, None, fix))

    def _log(self, run: EngineRun, file: str, task: str, map_index: int, number: int) -> list[str]:
        found = self._whole_log(run, task, map_index, number)
        return printed_lines(found, file) if found is not None else []

    def _told_error(self, run: EngineRun, instance: Mapping[str, Any]) -> str:
        found = self._whole_log(run, instance["task_id"], instance["map_index"], instance["try_number"])
        return told_error(found, f"{run.id('dag_id')}.py") if found is not None else "its log isn't there"

    def _whole_log(self, run: EngineRun, task: str, map_index: int, number: int) -> Any:
        path = ("dags", run.id("dag_id"), "dagRuns", run.id("run_id"), "taskInstances", task, "logs", number)
        with self.asking(f"read the log of {task}"):
            return self.access.get(*path, map_index=map_index, full_content="true")

    def name_of(self, run: EngineRun) -> str:
        """`DAG run churn/drawloom__2026-01-31T00:00:00_1f2e3d4c`."""
        return f"DAG run {run.id('dag_id')}/{run.id('run_id')}"

    # telling

    def cancel(self, run: EngineRun, *, now: bool) -> None:  # noqa: ARG002  # Airflow ends tasks in one way
        """Marks the DAG run as failed, which ends its tasks; a note says that it was cancelled."""
        if str(self._run(run)["state"]) in _ENDED:
            raise ended_already(run, self.name_of(run), "stop")
        path = ("dags", run.id("dag_id"), "dagRuns", run.id("run_id"))
        with self.asking(f"end the {self.name_of(run)}"):
            if self._is_old:
                self.access.ask("PATCH", *path, "setNote", body={"note": _CANCELLED})
                self.access.ask("PATCH", *path, body={"state": "failed"})
            else:
                self.access.ask("PATCH", *path, body={"state": "failed", "note": _CANCELLED})

    def suspend(self, run: EngineRun) -> None:
        """Refused: Airflow pauses a DAG, never one run of it."""
        self._refuse_suspending(run, "suspend")

    def unsuspend(self, run: EngineRun) -> None:
        """Refused, as `suspend`."""
        self._refuse_suspending(run, "let go on")

    def _refuse_suspending(self, run: EngineRun, what: str) -> None:
        told = f"Airflow can't {what} one run of a DAG: {self.name_of(run)}"
        fix = f"pause the DAG {run.id('dag_id')} there, with all its runs; or cancel the run"
        raise EngineError(Diagnostic("E758", told, None, fix))

    # doctor

    def findings(self, options: Mapping[str, Any]) -> Iterator[Finding]:
        """See `runtimes.airflow_findings`."""
        from drawloom.runtimes.airflow_findings import findings

        return findings(self, options)

    def probe(self, folder: str | os.PathLike[str], catalog: Catalog) -> Iterator[Finding]:
        """See `runtimes.airflow_findings`."""
        from drawloom.runtimes.airflow_findings import probe

        return probe(self, folder, catalog)

    # asking

    @property
    def _is_old(self) -> bool:
        """Whether it is an Airflow 2."""
        return self.access.version[:1] == (2,)

    def _dag(self, run: EngineRun) -> dict[str, Any]:
        with self.asking(f"read the DAG {run.id('dag_id')}"):
            found: dict[str, Any] | None = self.access.get("dags", run.id("dag_id"))
        if found is None:
            raise gone(run, f"the DAG {run.id('dag_id')}")
        return found

    def _run(self, run: EngineRun) -> dict[str, Any]:
        with self.asking(f"read the {self.name_of(run)}"):
            found: dict[str, Any] | None = self.access.get("dags", run.id("dag_id"), "dagRuns", run.id("run_id"))
        if found is None:
            raise gone(run, self.name_of(run))
        return found

    @property
    def api(self) -> Api:
        """Where requests go to."""
        return Api(
            place=self.access.place,
            target=self.target,
            certificate="name the authority of its certificate: `ca_file` of the target",
            login=self._login,
            anew="see the name and the password, or get a new token (`POST /auth/token`); an Airflow 2 must have "
            "`airflow.api.auth.backend.basic_auth` among the `auth_backends` of its `[api]`",
            rights="see that it is an Airflow, and your rights there: `drawloom doctor --target NAME` looks",
            looked_at="DAG",
        )

    def asking(self, doing: str, *, giving: bool = False) -> AbstractContextManager[None]:
        """Tells a request that fails as what it means (`Api.asking`)."""
        return self.api.asking(doing, giving=giving)


def _owner(text: str) -> str:
    """Whose DAG file a text is: the pipeline, its store and its project; "" if it isn't drawloom's."""
    if "\nWritten by drawloom: " not in text:
        return ""
    where = next((line for line in text.splitlines() if line.startswith("WHERE = ")), "")
    return f"{text.partition(chr(10))[0]} {where}"


def _body(text: str) -> str:
    """The part of a DAG file that says which tasks there are."""
    return text.partition(_BODY_BEGINS)[2].partition(_BODY_ENDS)[0]


def _version(text: str) -> str:
    """What a DAG file says of its first task, by which it can be known from an older one."""
    found = _VERSION.search(text)
    return found[1] if found is not None else ""


def _is_of(instance: Mapping[str, Any], node: str, index: Index | None) -> bool:
    given = instance.get("rendered_fields") or {}
    if str(given.get("step", "")).partition(":")[0] != node:
        return False
    return index is None or index in parse_indices(str(given.get("index", "-")))


def _title(instance: Mapping[str, Any]) -> str:
    index = str((instance.get("rendered_fields") or {}).get("index", "-"))
    return str(instance["task_id"]) + (f" [{index}]" if index != index_text(()) else "")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
