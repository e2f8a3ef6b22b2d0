"""mypy and pyright see a task's and a pipeline's own signature, without a plug-in."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = [HERE / "right_pipelines.py", HERE / "wrong_pipelines.py"]
WANTED = {
    (path.name, number)
    for path in FILES
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    if line.rstrip().endswith("# error")
}


def test_the_files_hold_mistakes_to_be_found() -> None:
    assert len(WANTED) >= 18
    assert {name for name, _ in WANTED} == {"wrong_pipelines.py"}


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


def test_mypy_reports_every_mistake_and_nothing_else() -> None:
    found, said = mypy(FILES)
    assert found == WANTED, said


def test_mypy_finds_nothing_in_the_programs_of_the_conformance_suite() -> None:
    found, said = mypy(sorted((ROOT / "tests" / "conformance" / "programs").glob("*.py")))
    assert found == set(), said


def test_pyright_reports_every_mistake_and_nothing_else() -> None:
    pyright = shutil.which("pyright", path=str(Path(sys.executable).parent)) or shutil.which("pyright")
    if pyright is None:
        pytest.skip("pyright is not installed")
    command = [pyright, "--outputjson", "--pythonpath", sys.executable, *map(str, FILES)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    found = json.loads(done.stdout)["generalDiagnostics"]
    errors = {(Path(f["file"]).name, f["range"]["start"]["line"] + 1) for f in found if f["severity"] == "error"}
    assert errors == WANTED, json.dumps(found, indent=1)
