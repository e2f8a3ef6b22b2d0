"""The conformance programs, importable by name, and what makes their Workflows."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CONFORMANCE = Path(__file__).parents[1] / "conformance"
HERE = Path(__file__).parent
CONTAINERS = HERE.parent / "engines" / "containers" / "programs"
OWNED = HERE.parent / "engines" / "argo" / "flows"
FOLDERS = (CONFORMANCE, CONFORMANCE / "programs", HERE, HERE / "samples", CONTAINERS, OWNED)
sys.path[:0] = [str(path) for path in FOLDERS if str(path) not in sys.path]

from kinds_of_programs import every_object  # noqa: E402  # the folders come first

from drawloom.ir.program import Program  # noqa: E402


@pytest.fixture(scope="session")
def workflow() -> Callable[..., dict[str, Any]]:
    """Makes the Workflow of a program, with short texts where a build has the stub and digests."""

    def make(program: Program, asked: str | None = "RUN") -> dict[str, Any]:
        return every_object(program, "workflow", asked)["workflow.yaml"]

    return make
