"""From a checked program to the text of its Argo Workflow, without the files its steps read."""

from __future__ import annotations

from drawloom.compilers.argo.compile import workflow_of
from drawloom.compilers.argo.rules import problems_of
from drawloom.compilers.argo.templates import Pods
from drawloom.compilers.emit.yaml import yaml_text
from drawloom.compilers.passes.lower_steps import lower_steps
from drawloom.compilers.pods.printed import container_part
from drawloom.compilers.pods.settings import PodSettings
from drawloom.ir.program import Program, pipeline_digest
from drawloom.ir.protocol import stub_text

__all__ = ["workflow_text"]

_SETTINGS = PodSettings("python:3.11-slim", "IfNotPresent")


def workflow_text(program: Program) -> str:
    """The Workflow of a program, lowered, printed and checked against Argo's rules."""
    bundle = ("s3://lake/bundles/code.zip", "0" * 64)
    pods = Pods(container_part(_SETTINGS), stub_text(), bundle, ("--store", "s3://lake"))
    workflow, _ = workflow_of(program, pipeline_digest(program.pipeline), lower_steps(program.pipeline), pods, None)
    assert not problems_of(workflow), "it keeps Argo's rules"
    return yaml_text(workflow)
