"""What a warm run of plain tasks and `drawloom --help` load: nothing that takes long to import and isn't used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FLOW = """
from drawloom import for_each, pipeline, task


@task
def source(n: int) -> list[int]:
    return list(range(n))


@task
def inc(x: int) -> int:
    return x + 1


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@pipeline
def fan_out(n: int) -> int:
    return total(for_each(source(n), inc))
"""
TELL = """
import atexit
import os
import sys


def tell() -> None:
    with open(os.environ["TOLD"], "w") as file:
        file.write("\\n".join(sorted(sys.modules)))


atexit.register(tell)
"""
FROM_PYTHON = """
import start_up_flow
from drawloom import api

run = api.run(start_up_flow.fan_out, {"n": 20})
print(run.result, dict(run.counts))
"""
COMMAND = "from drawloom.cli.main import main; main()"

# what no run of plain tasks needs, and what takes over a millisecond to import
HEAVY = {
    "IPython", "concurrent.futures", "decimal", "email", "fsspec", "http.client", "importlib.metadata", "logging",
    "multiprocessing", "networkx", "numpy", "packaging", "pandas", "pathlib", "pyarrow", "pydantic", "rich", "s3fs",
    "sqlalchemy", "ssl", "subprocess", "sysconfig", "tempfile", "tomllib", "urllib.parse", "zipfile",
    "drawloom.catalog.verify", "drawloom.cli.catalog", "drawloom.cli.runs", "drawloom.compilers", "drawloom.ir.schema",
    "drawloom.project.schema", "drawloom.runtimes.reference", "drawloom.storage.remote",
}  # fmt: skip
CLICKS_OWN = {"dataclasses", "inspect", "uuid", "shutil"}  # of which drawloom itself needs none


class Project:
    """A folder with a pipeline; Python runs in it with nothing of drawloom's settings around."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.told = folder, folder / "told"
        (folder / "start_up_flow.py").write_text(FLOW)
        (folder / "start_up_tell.py").write_text(TELL)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DRAWLOOM_", "COV"))}
        path = os.pathsep.join([str(folder), *filter(None, [kept.get("PYTHONPATH")])])
        mine = {"TOLD": str(self.told), "DRAWLOOM_CACHE": str(folder / "cache"), "PYTHONPATH": path}
        self.environment = kept | mine

    def python(self, script: str, *arguments: str) -> str:
        """Runs a script in a new interpreter; returns what it printed, its modules are in `loaded` then."""
        command = [sys.executable, "-c", f"import start_up_tell\n{script}", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def loaded(self) -> set[str]:
        return set(self.told.read_text().splitlines())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_warm_run_from_python_loads_nothing_heavy(project: Project) -> None:
    assert project.python(FROM_PYTHON) == "210 {'succeeded': 4}\n"
    assert project.python(FROM_PYTHON) == "210 {'cached': 4}\n"
    assert project.loaded() & (HEAVY | CLICKS_OWN | {"click", "drawloom.cli"}) == set()
    assert {"drawloom.runtimes.local", "drawloom.dsl.tracing"} <= project.loaded()


def test_a_warm_run_of_the_command_line_loads_nothing_heavy(project: Project) -> None:
    command = ("run", "start_up_flow.py:fan_out", "--n", "20", "--quiet")
    assert "4 succeeded" in project.python(COMMAND, *command)
    assert "4 cached" in project.python(COMMAND, *command)
    assert project.loaded() & HEAVY == set()
    assert "drawloom.runtimes.local" in project.loaded()


def test_a_right_project_file_is_read_without_pydantic(project: Project) -> None:
    text = 'project = "quick"\n[profiles.ci]\nworkers = 2\n[pipelines]\nflow = "start_up_flow.py:fan_out"\n'
    (project.folder / "drawloom.toml").write_text(text)
    command = ("run", "flow", "--profile", "ci", "--n", "20", "--quiet")
    assert "4 succeeded" in project.python(COMMAND, *command)
    assert project.loaded() & (HEAVY - {"tomllib"}) == set()
    assert "tomllib" in project.loaded()


def test_a_dependency_on_drawloom_in_a_pyproject_is_not_parsed(project: Project) -> None:
    (project.folder / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["drawloom>=0.1", "rich"]\n')
    project.python(FROM_PYTHON)
    assert "tomllib" not in project.loaded()


def test_help_loads_click_and_little_else(project: Project) -> None:
    assert project.python(COMMAND, "--help").startswith("Usage: ")
    loaded = project.loaded()
    assert loaded & (HEAVY | {"json", "hashlib", "sqlite3", "traceback"}) == set()
    ours = {name for name in loaded if name.startswith("drawloom")}
    assert ours <= {"drawloom", "drawloom.cli", "drawloom.cli.main", "drawloom.cli.streams"}
