"""mypy and pyright see a task's and a pipeline's own signature, without a plug-in."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = sorted([*HERE.glob("right_*.py"), *HERE.glob("wrong_*.py")])
RESULTS = HERE / "misused_results.py"


def _wanted(*paths: Path) -> set[tuple[str, int]]:
    return {
        (path.name, number)
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if line.rstrip().endswith("# error")
    }


WANTED = _wanted(*FILES)


def test_the_files_hold_mistakes_to_be_found() -> None:
    assert len(WANTED) >= 50
    assert {name for name, _ in WANTED} == {path.name for path in HERE.glob("wrong_*.py")}


def _mypy(*paths: Path) -> tuple[set[tuple[str, int]], str]:
    """Where mypy finds errors, and all that it says."""
    pytest.importorskip("mypy", reason="mypy is a development dependency")
    command = [
        sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context",
        "--follow-imports=silent", "--config-file", str(ROOT / "pyproject.toml"), *map(str, paths),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    found = re.findall(r"^(\S+\.py):(\d+): error: (.*)$", done.stdout, re.MULTILINE)
    return {(Path(path).name, int(line)) for path, line, _ in found}, done.stdout + done.stderr


def _pyright(*paths: Path) -> tuple[set[tuple[str, int]], str]:
    """Where pyright finds errors, and all that it says."""
    pyright = shutil.which("pyright", path=str(Path(sys.executable).parent)) or shutil.which("pyright")
    if pyright is None:
        pytest.skip("pyright is not installed")
    command = [pyright, "--outputjson", "--pythonpath", sys.executable, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    found = json.loads(done.stdout)["generalDiagnostics"]
    errors = {(Path(f["file"]).name, f["range"]["start"]["line"] + 1) for f in found if f["severity"] == "error"}
    return errors, json.dumps(found, indent=1)


CHECKERS = pytest.mark.parametrize("checker", [_mypy, _pyright], ids=["mypy", "pyright"])


@CHECKERS
def test_every_mistake_is_reported_and_nothing_else(checker: Callable[..., tuple[set[tuple[str, int]], str]]) -> None:
    found, told = checker(*FILES)
    assert found == WANTED, told


@pytest.mark.xfail(reason="`Run` isn't generic: `.result` is Any")
@CHECKERS
def test_a_misused_result_of_a_run_is_reported(checker: Callable[..., tuple[set[tuple[str, int]], str]]) -> None:
    found, told = checker(RESULTS)
    assert found == _wanted(RESULTS), told
