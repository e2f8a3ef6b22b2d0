"""The conformance programs, importable by name, and what makes their Workflows."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CONFORMANCE = Path(__file__).parents[1] / "conformance"
CONTAINERS = Path(__file__).parents[1] / "engines" / "containers" / "programs"
PLACES = (Path(__file__).parent, CONFORMANCE, CONFORMANCE / "programs", CONTAINERS)
sys.path[:0] = [str(place) for place in PLACES if str(place) not in sys.path]

from drawloom.compilers.argo.compile import workflow_of  # noqa: E402  # the conformance programs come first
from drawloom.compilers.argo.templates import Pods  # noqa: E402
from drawloom.compilers.passes.lower_steps import lower_steps  # noqa: E402
from drawloom.ir.program import Program  # noqa: E402

PODS = Pods("python:3.11-slim", "IfNotPresent", "STUB", ("s3://lake/BUNDLE", "SHA"), ("--store", "s3://lake"))


@pytest.fixture(scope="session")
def workflow() -> Callable[..., dict[str, Any]]:
    """Makes the Workflow of a program, with short texts where a build has the stub and digests."""

    def make(program: Program, asked: str | None = "RUN") -> dict[str, Any]:
        return workflow_of(program, lower_steps(program.pipeline), PODS, asked)[0]

    return make
