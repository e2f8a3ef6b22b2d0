"""The conformance programs, importable by name, and what makes their Workflows."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CONFORMANCE = Path(__file__).parents[1] / "conformance"
FOLDERS = (str(Path(__file__).parent), str(CONFORMANCE), str(CONFORMANCE / "programs"))
sys.path[:0] = [path for path in FOLDERS if path not in sys.path]

from drawloom.compilers.argo.compile import workflow_of  # noqa: E402  # the conformance programs come first
from drawloom.compilers.argo.options import PodOptions, pods_of  # noqa: E402
from drawloom.compilers.argo.pods import PodSettings, container_part  # noqa: E402
from drawloom.compilers.argo.templates import Pods  # noqa: E402
from drawloom.compilers.passes.lower_steps import lower_steps  # noqa: E402
from drawloom.ir.policies import TolerationPolicy  # noqa: E402
from drawloom.ir.program import Program  # noqa: E402

SPOT = (TolerationPolicy("cloud.example/spot"),)
SETTINGS = PodSettings("python:3.11-slim", "IfNotPresent")


@pytest.fixture(scope="session")
def workflow() -> Callable[..., dict[str, Any]]:
    """Makes the Workflow of a program, with short texts where a build has the stub and digests."""

    def make(program: Program, asked: str | None = "RUN") -> dict[str, Any]:
        plan = lower_steps(program.pipeline)
        steps, spec = pods_of(program, plan.policies, PodOptions(SETTINGS, spot_tolerations=SPOT))
        where = ("s3://lake/BUNDLE", "SHA"), ("--store", "s3://lake")
        pods = Pods(container_part(SETTINGS), "STUB", *where, steps, spec)
        return workflow_of(program, plan, pods, asked)[0]

    return make
