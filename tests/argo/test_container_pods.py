"""Pods of containers: staged in and out, nothing of a command in the Workflow; held to Argo's schema, hera and the rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import boxes
import pytest
import yaml
from harness import Case
from hera.workflows.models import Workflow
from workflow_checks import SCHEMA, assert_golden, validator_of

from drawloom import Pod, Resources, container, pipeline, run_image
from drawloom.compilers.argo.rules import problems_of
from drawloom.compilers.base import compiler_of
from drawloom.compilers.emit.yaml import yaml_text
from drawloom.dsl.tracing import trace
from drawloom.errors import CompileError

Make = Callable[..., dict[str, Any]]


@container
def braces(n: int) -> None:
    return run_image("registry.example/{{workflow.name}}:1", ["x", n])


@pipeline
def braced(n: int) -> None:
    braces(n)


@pytest.mark.parametrize("name", boxes.CASES)
def test_a_containers_workflow_keeps_every_rule(workflow: Make, name: str) -> None:
    made = workflow(Case("boxes", name).trace.program)
    text = yaml_text(made)
    Workflow.model_validate(yaml.safe_load(text), extra="forbid")
    assert problems_of(made) == []
    if SCHEMA.is_file():
        assert [error.message for error in validator_of("Workflow").iter_errors(yaml.safe_load(text))] == []


def test_the_text_is_the_reviewed_one(workflow: Make) -> None:
    assert_golden("containers", yaml_text(workflow(Case("boxes", "again").trace.program)))


def test_containers_of_one_image_share_a_template(workflow: Make) -> None:
    made = workflow(Case("boxes", "kinds").trace.program)
    pods = [template for template in made["spec"]["templates"] if "initContainers" in template]
    assert [[one["name"] for one in pod["initContainers"]] for pod in pods] == [["stage-in", "run"]]


def test_nothing_of_a_command_stands_in_the_workflow(workflow: Make) -> None:
    text = yaml_text(workflow(Case("boxes", "kinds").trace.program))
    assert "printf" not in text
    assert "it's" not in text


def test_a_map_of_containers_is_not_batched(workflow: Make) -> None:
    (task,) = [
        task
        for template in workflow(Case("boxes", "hostile").trace.program)["spec"]["templates"]
        for task in template.get("dag", {}).get("tasks", ())
        if "withSequence" in task
    ]
    assert "withParam" not in task


def test_an_image_with_braces_is_refused() -> None:
    program = trace(braced, {}).program
    with pytest.raises(CompileError, match=r"E736.*node `braces` runs the image") as caught:
        compiler_of("argo").compile(program, store="s3://lake/x", root=str(Path(boxes.__file__).parent))
    assert [d.code for d in caught.value.diagnostics] == ["E736"]


def test_the_image_gets_none_of_what_opens_the_store() -> None:
    program = Case("boxes", "twice").trace.program
    files = compiler_of("argo").compile(
        program,
        store="s3://lake/x",
        env={"AWS_SECRET_ACCESS_KEY": "hush"},
        env_from_secrets=("lake-keys",),
        root=str(Path(boxes.__file__).parent),
    )
    made = yaml.safe_load(str(files["workflow.yaml"]))
    (pod,) = [template for template in made["spec"]["templates"] if "initContainers" in template]
    stage, run = pod["initContainers"]
    assert {"env", "envFrom"} <= stage.keys()
    assert {"env", "envFrom"} <= pod["container"].keys()
    assert not {"env", "envFrom"} & run.keys()


@container(resources=Resources(memory="64Mi"), pod=Pod(secret_env={"TOKEN": ("api", "token")}, labels={"a": "b"}))
def boxed(n: int) -> None:
    run_image("tool:1", ["tool", n])


@pipeline
def asking(n: int = 1) -> None:
    boxed(n)


def test_the_image_gets_what_its_task_asks_for_and_nothing_of_the_targets() -> None:
    options = {"store": "s3://lake/x", "env": {"AWS_SECRET_ACCESS_KEY": "hush"}, "root": str(Path(__file__).parent)}
    files = compiler_of("argo").compile(trace(asking).program, **options)
    made = yaml.safe_load(str(files["workflow.yaml"]))
    (pod,) = [template for template in made["spec"]["templates"] if "initContainers" in template]
    _, run = pod["initContainers"]
    assert [one["name"] for one in run["env"]] == ["TOKEN"]
    assert run["resources"]["limits"] == {"memory": "64Mi"}
    assert pod["metadata"]["labels"]["a"] == "b"
