"""The Workflows of all conformance programs: what Argo's schema, hera's models and our own rules say of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from harness import Case, case_names, programs
from hera.workflows.models import Workflow
from workflow_checks import SCHEMA, assert_golden, validator_of

from drawloom import check
from drawloom.compilers.argo.fields import field_problems
from drawloom.compilers.argo.rules import problems_of
from drawloom.compilers.emit.yaml import yaml_text

Make = Callable[..., dict[str, Any]]
GOLDENS = (
    "batches",
    "bounded_loops",
    "branches",
    "handlers",
    "map_in_branch",
    "nested_fan_out",
    "pods",
    "retries",
    "straight_line",
)
FIRST = {module: next(name for m, name in case_names() if m == module) for module in programs()}


def _cases() -> Iterator[tuple[str, str]]:
    seen = set()
    for module, name in case_names():
        pipeline = Case(module, name).pipeline
        if pipeline not in seen:
            seen.add(pipeline)
            yield module, name


CASES = list(_cases())


@pytest.mark.parametrize(("module", "name"), CASES)
def test_a_program_is_a_workflow_by_every_rule(workflow: Make, module: str, name: str) -> None:
    made = workflow(Case(module, name).trace.program)
    read = yaml.safe_load(yaml_text(made))
    assert read == json.loads(json.dumps(made))
    Workflow.model_validate(read, extra="forbid")
    assert list(field_problems(made)) == []
    assert problems_of(made) == []
    if SCHEMA.is_file():
        assert [(list(error.path), error.message) for error in validator_of("Workflow").iter_errors(read)] == []


@pytest.mark.skipif(not SCHEMA.is_file(), reason="Argo's published schema isn't beside the project")
def test_the_closed_schema_refuses_what_argo_would(workflow: Make) -> None:
    made = workflow(Case("straight_line", FIRST["straight_line"]).trace.program)
    made["spec"]["templates"][-1]["container"]["comand"] = ["python3"]
    (error,) = validator_of("Workflow").iter_errors(made)
    assert "comand" in error.message


@pytest.mark.parametrize("module", GOLDENS)
def test_the_text_is_the_reviewed_one(workflow: Make, module: str) -> None:
    assert_golden(module, yaml_text(workflow(Case(module, FIRST[module]).trace.program)))


def test_a_workflow_is_the_same_each_time(workflow: Make) -> None:
    one, two = (Case("map_in_branch", FIRST["map_in_branch"]).trace.program for _ in range(2))
    assert yaml_text(workflow(one)) == yaml_text(workflow(two))


@pytest.mark.parametrize("module", GOLDENS)
def test_a_program_that_argo_takes_is_checked_without_a_target(module: str) -> None:
    case = Case(module, FIRST[module])
    static = {name: case.given[name] for name in case.pipeline.signature().static if name in case.given}
    assert check(case.pipeline, "argo", static=static) == []
