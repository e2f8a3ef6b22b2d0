"""A working folder with pipelines in it, and the command line in this process."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from drawloom.cli.main import cli

ROOT = Path(__file__).parents[2]

FLOWS = """
from dataclasses import dataclass
from datetime import date
from enum import Enum

from drawloom import File, Static, for_each, pipeline, task


class Mode(Enum):
    FAST = 1
    SLOW = 2


@dataclass
class Window:
    size: int
    label: str = "w"


@task
def double(n: int) -> int:
    print("doubling", n)
    return 2 * n


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def refuse(n: int) -> int:
    for line in range(15):
        print("line", line)
    raise ValueError(f"{n} is refused")


@task
def length(source: File) -> int:
    with open(source.path) as file:
        return len(file.read())


@task
def describe(when: date, mode: Mode, window: Window, names: list[str], loud: bool, catalog: str) -> str:
    return f"{when} {mode.name} {window.size} {window.label} {names} {loud} {catalog}"


@task
def content() -> bytes:
    return b"bytes"


@pipeline
def twice(n: int, times: Static[int] = 2) -> int:
    for _ in range(times):
        n = double(n)
    return n


@pipeline
def failing(n: int = 3) -> int:
    first = double(n)
    second = refuse(first)
    return add(first, second)


@pipeline
def measured(source: File) -> int:
    return length(source)


@pipeline
def described(
    when: date,
    mode: Mode = Mode.FAST,
    window: Window = Window(1),
    names: list[str] = [],
    loud: bool = False,
    catalog: str = "none",
) -> str:
    return describe(when, mode, window, names, loud, catalog)


@pipeline
def each(numbers: list[int]) -> list[int]:
    return for_each(numbers, double)


@pipeline
def raw() -> bytes:
    return content()


def plain(n: int) -> int:
    return n
"""


class CommandLine:
    """Runs commands in the working folder."""

    def __call__(self, *args: str) -> Result:
        importlib.invalidate_caches()
        return CliRunner().invoke(cli, list(args), prog_name="drawloom")

    def ok(self, *args: str) -> str:
        result = self(*args)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *args: str) -> Any:
        return json.loads(self.ok(*args, "--json"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with `flows_of_cli.py`; what is imported from it is forgotten afterwards."""
    for name in [name for name in os.environ if name.startswith("DRAWLOOM_")]:
        monkeypatch.delenv(name)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])))
    monkeypatch.chdir(work)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (work / "flows_of_cli.py").write_text(FLOWS, encoding="utf-8")
    yield work
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def drawloom(folder: Path) -> CommandLine:
    return CommandLine()


@pytest.fixture
def shell(folder: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a shell line in which `$drawloom` is the command, in a process of its own."""

    def run(line: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"drawloom": f"{sys.executable} -m drawloom"}
        command = ["bash", "-c", line]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)

    return run
