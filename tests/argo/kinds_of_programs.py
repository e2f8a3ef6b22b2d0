"""The objects of a program, of every kind, with short texts where a build has the stub and digests."""

from __future__ import annotations

from typing import Any

from drawloom.compilers.argo.compile import workflow_of
from drawloom.compilers.argo.kinds import objects_of
from drawloom.compilers.argo.templates import Pods
from drawloom.compilers.passes.lower_steps import lower_steps
from drawloom.ir.program import Program

PODS = Pods("python:3.11-slim", "IfNotPresent", "STUB", ("s3://lake/BUNDLE", "SHA"), ("--store", "s3://lake"))


def every_object(program: Program, kind: str, asked: str | None = "RUN") -> dict[str, dict[str, Any]]:
    """File name -> object."""
    plan = lower_steps(program.pipeline)
    workflow, _ = workflow_of(program, plan, PODS, asked, scheduled=kind == "cron")
    return objects_of(workflow, kind, program.pipeline)
