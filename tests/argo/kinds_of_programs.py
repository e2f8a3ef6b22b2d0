"""The objects of a program, of every kind, with short texts where a build has the stub and digests."""

from __future__ import annotations

from typing import Any

from drawloom.compilers.argo.compile import workflow_of
from drawloom.compilers.argo.kinds import objects_of
from drawloom.compilers.argo.options import pods_of
from drawloom.compilers.argo.templates import Pods
from drawloom.compilers.passes.lower_steps import lower_steps
from drawloom.compilers.pods.options import PodOptions
from drawloom.compilers.pods.printed import container_part
from drawloom.compilers.pods.settings import PodSettings
from drawloom.ir.policies import TolerationPolicy
from drawloom.ir.program import Program, pipeline_digest

SPOT = (TolerationPolicy("cloud.example/spot"),)
SETTINGS = PodSettings("python:3.11-slim", "IfNotPresent")
WHERE = ("s3://lake/BUNDLE", "SHA"), ("--store", "s3://lake")


def every_object(program: Program, kind: str, asked: str | None = "RUN") -> dict[str, dict[str, Any]]:
    """File name -> object."""
    plan = lower_steps(program.pipeline)
    steps, spec = pods_of(program, plan.policies, PodOptions(SETTINGS, spot_tolerations=SPOT))
    pods = Pods(container_part(SETTINGS), "STUB", *WHERE, steps, spec)
    workflow, _ = workflow_of(program, pipeline_digest(program.pipeline), plan, pods, asked, scheduled=kind == "cron")
    return objects_of(workflow, kind, program.pipeline)
