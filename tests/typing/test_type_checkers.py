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


def mypy(files: list[Path]) -> tuple[set[tuple[str, int]], str]:
    """(file, line) of each mistake mypy finds, and all it says."""
    pytest.importorskip("mypy", reason="mypy is a development dependency")
    command = [
        sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context",
        "--follow-imports=silent", "--config-file", str(ROOT / "pyproject.toml"), *map(str, files),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    found = re.findall(r"^(\S+\.py):(\d+): error: (.*)$", done.stdout, re.MULTILINE)
    return {(Path(path).name, int(line)) for path, line, _ in found}, done.stdout + done.stderr


def pyright(files: list[Path]) -> tuple[set[tuple[str, int]], str]:
    """(file, line) of each mistake pyright finds, and all it says."""
    program = shutil.which("pyright", path=str(Path(sys.executable).parent)) or shutil.which("pyright")
    if program is None:
        pytest.skip("pyright is not installed")
    command = [program, "--outputjson", "--pythonpath", sys.executable, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    found = json.loads(done.stdout)["generalDiagnostics"]
    errors = {(Path(f["file"]).name, f["range"]["start"]["line"] + 1) for f in found if f["severity"] == "error"}
    return errors, json.dumps(found, indent=1)


Checker = Callable[[list[Path]], tuple[set[tuple[str, int]], str]]
CHECKERS = pytest.mark.parametrize("checker", [mypy, pyright])


@CHECKERS
def test_every_mistake_is_reported_and_nothing_else(checker: Checker) -> None:
    found, said = checker(FILES)
    assert found == WANTED, said


@CHECKERS
def test_a_misused_result_of_a_run_is_reported(checker: Checker) -> None:
    found, said = checker([RESULTS])
    assert found == _wanted(RESULTS), said


def test_mypy_finds_nothing_in_the_programs_of_the_conformance_suite() -> None:
    found, said = mypy(sorted((ROOT / "tests" / "conformance" / "programs").glob("*.py")))
    assert found == set(), said
