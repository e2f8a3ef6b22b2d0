"""Argo's own validator, built from its Go module, accepts the Workflow of every program: `make test-argo-lint`.

`TEST_ARGOLINT` is the path of what `tests/engines/argo/build-argolint` has built; without it there is nothing to run.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boxes
import pytest
from harness import Case, case_names

from drawloom.compilers.emit.yaml import yaml_text

Make = Callable[..., dict[str, Any]]
ARGOLINT = os.environ.get("TEST_ARGOLINT", "")
pytestmark = pytest.mark.skipif(not ARGOLINT, reason="`make test-argo-lint` builds Argo's validator first")


def _linted(paths: list[Path]) -> tuple[int, list[str]]:
    done = subprocess.run([ARGOLINT, *map(str, paths)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines() + done.stderr.splitlines()


def test_every_programs_workflow_is_accepted(workflow: Make, tmp_path: Path) -> None:
    paths, seen = [], set()
    for module, name in case_names():
        case = Case(module, name)
        if case.pipeline not in seen:
            seen.add(case.pipeline)
            paths.append(tmp_path / f"{module}-{name}.yaml")
            paths[-1].write_text(yaml_text(workflow(case.trace.program)), "utf-8")
    assert len(paths) > 100
    assert _linted(paths) == (0, [])


def test_containers_are_accepted(workflow: Make, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.yaml" for name in boxes.CASES]
    for path in paths:
        path.write_text(yaml_text(workflow(Case("boxes", path.stem).trace.program)), "utf-8")
    assert _linted(paths) == (0, [])


def test_the_goldens_are_accepted() -> None:
    assert _linted(sorted((Path(__file__).parent / "golden").glob("*.yaml"))) == (0, [])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('depends: "begin"', 'depends: "gone"', "gone"),
        ("{{tasks.begin.outputs.parameters.run}}", "{{tasks.begin.outputs.parameters.ran}}", "ran"),
        ('entrypoint: "main"', 'entrypoint: "many"', "many"),
        ("failFast: false", "failsFast: false", "failsFast"),
    ],
)
def test_a_mistake_is_found(workflow: Make, tmp_path: Path, old: str, new: str, told: str) -> None:
    text = yaml_text(workflow(Case("mixture", next(n for m, n in case_names() if m == "mixture")).trace.program))
    path = tmp_path / "wrong.yaml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    code, lines = _linted([path])
    assert code == 1
    assert told in "\n".join(lines)
