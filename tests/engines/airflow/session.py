"""A real Airflow for tests: its own environment, a folder, free ports, and every process stopped by its pid."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import ClassVar

ROOT = Path(__file__).parents[3]
USER, PASSWORD = "admin", "admin"
SECRET = "0123456789abcdef" * 4
STARTED_SECONDS = 180.0


def quick_database(name: str) -> Path:
    """Where a SQLite of a test lies: in memory, where that can be had; it waits for the disk with each task else."""
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() and os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
    return place / f"drawloom-test-{os.getpid()}-{name}.db"


def environment_of(home: Path, dags: Path, *, database: str = "") -> dict[str, str]:
    """The variables that an Airflow in a folder is told by; nothing of the ones around."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
    made = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    if database:
        made["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = database
    return {**kept, **made}


class Session:
    """An Airflow 3 with a LocalExecutor, on this machine.

    Args:
        binaries: the folder of its environment's programs.
        folder: an empty folder of its own.
        database: its URL; "" for SQLite.
        workers: how many tasks at once.
    """

    components: ClassVar = ("api-server", "dag-processor", "scheduler", "triggerer")
    stopping: ClassVar = ("scheduler", "triggerer", "dag-processor", "api-server")  # else the scheduler hangs
    health = "api/v2/monitor/health"
    healthy: ClassVar = ("metadatabase", "scheduler", "triggerer", "dag_processor")

    def __init__(self, binaries: Path, folder: Path, *, database: str = "", workers: int = 4) -> None:
        self.binaries = binaries
        self.folder = folder
        self._sqlite = None if database else quick_database(f"session-{id(self)}")
        database = database or f"sqlite:///{self._sqlite}"
        self.dags = folder / "dags"
        self.dags.mkdir(parents=True)
        ports = _free_ports(4)
        self.url = f"http://127.0.0.1:{ports[0]}"
        self.environment = environment_of(folder / "home", self.dags, database=database) | {
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(workers),
            "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(workers),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(ports[1]),
            "AIRFLOW__TRIGGERER__TRIGGERER_LOG_SERVER_PORT": str(ports[2]),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(ports[2]),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(ports[3]),
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
            **self.options(str(ports[0])),
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._left: list[int] = []  # groups whose first process is gone

    def options(self, port: str) -> dict[str, str]:
        """The variables that this version of Airflow alone is told by."""
        return {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.folder / "passwords.json"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API_AUTH__JWT_SECRET": SECRET,
            "AIRFLOW__API__SECRET_KEY": SECRET,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": port,
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "5",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "2",
            "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
        }

    def start(self) -> None:
        """Makes the database and who may log in, starts the components, waits until all are healthy."""
        self.run("db", "migrate")
        self.make_user()
        for component in self.components:
            self.start_component(component)
        self.wait_until_healthy()

    def make_user(self) -> None:
        """Lets USER log in."""
        (self.folder / "passwords.json").write_text(json.dumps({USER: PASSWORD}))

    def run(self, *command: str) -> str:
        """What a command of Airflow's prints."""
        done = subprocess.run(
            [self.binaries / "airflow", *command], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def start_component(self, component: str) -> None:
        """Starts one of the processes, in a session of its own."""
        with (self.folder / f"{component}.log").open("ab") as log:
            self._processes[component] = subprocess.Popen(
                [self.binaries / "airflow", component],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill_component(self, component: str) -> None:
        """Ends a process at once; what it has started goes on by itself."""
        process = self._processes.pop(component)
        process.kill()
        process.wait()
        self._left.append(process.pid)

    def wait_until_healthy(self) -> None:
        """Waits until every component has told that it lives."""
        deadline = time.monotonic() + STARTED_SECONDS
        while time.monotonic() < deadline:
            for component, process in list(self._processes.items()):
                if process.poll() is not None:  # two that begin at once on one SQLite: its log tells
                    self.start_component(component)
            try:
                with urllib.request.urlopen(f"{self.url}/{self.health}", timeout=5) as answer:
                    found = json.load(answer)
            except (OSError, urllib.error.URLError):
                found = {}
            if all((found.get(part) or {}).get("status") == "healthy" for part in self.healthy):
                return
            time.sleep(0.5)
        logs = "\n".join(f"--- {one}\n{(self.folder / f'{one}.log').read_text()[-1500:]}" for one in self.components)
        raise AssertionError(f"Airflow isn't healthy: {found}\n{logs}")

    def stop(self) -> None:
        """Stops every process, in an order in which none waits for another."""
        for component in self.stopping:
            process = self._processes.get(component)
            if process is None:
                continue
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
        for group in [*self._left, *(process.pid for process in self._processes.values())]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        for process in self._processes.values():
            process.wait()
        self._processes.clear()
        if self._sqlite is not None:
            for file in self._sqlite.parent.glob(f"{self._sqlite.name}*"):
                file.unlink()


class OldSession(Session):
    """An Airflow 2.11 with a LocalExecutor, for which its database can't be SQLite; its scheduler reads the DAG files."""

    components: ClassVar = ("webserver", "scheduler", "triggerer")
    stopping: ClassVar = ("scheduler", "triggerer", "webserver")
    health = "api/v1/health"
    healthy: ClassVar = ("metadatabase", "scheduler", "triggerer")

    def options(self, port: str) -> dict[str, str]:
        """The variables that this version of Airflow alone is told by."""
        return {
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth",
            "AIRFLOW__WEBSERVER__SECRET_KEY": SECRET,
            "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": port,
            "AIRFLOW__WEBSERVER__BASE_URL": self.url,
            "AIRFLOW__WEBSERVER__WORKERS": "2",  # each has its own view of a DAG for a while
            "AIRFLOW__WEBSERVER__WORKER_REFRESH_INTERVAL": "0",
            "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "2",
            "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "5",
        }

    def make_user(self) -> None:
        """Lets USER log in."""
        names = ("--firstname", "Ann", "--lastname", "Other", "--email", "ann@example.com")
        self.run("users", "create", "--role", "Admin", "--username", USER, "--password", PASSWORD, *names)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
