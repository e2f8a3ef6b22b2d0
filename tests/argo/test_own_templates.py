"""Templates of a WorkflowTemplate's as tasks: their Workflow held to Argo's schema, hera and the rules; wrong names refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import owned
import pytest
import yaml
from hera.workflows.models import Workflow
from workflow_checks import SCHEMA, assert_golden, validator_of

from drawloom import Pipeline, engine_node, pipeline, run_on_engine
from drawloom.compilers.argo.rules import problems_of
from drawloom.compilers.base import compiler_of
from drawloom.compilers.emit.yaml import yaml_text
from drawloom.dsl.tracing import trace
from drawloom.errors import CompileError
from drawloom.runtimes.argo_nodes import node_pods

Make = Callable[..., dict[str, Any]]
FLOWS = [name for name, value in vars(owned).items() if isinstance(value, Pipeline)]


@pytest.mark.parametrize("name", FLOWS)
def test_its_workflow_keeps_every_rule(workflow: Make, name: str) -> None:
    made = workflow(trace(getattr(owned, name), {}).program)
    text = yaml_text(made)
    Workflow.model_validate(yaml.safe_load(text), extra="forbid")
    assert problems_of(made) == []
    if SCHEMA.is_file():
        assert [error.message for error in validator_of("Workflow").iter_errors(yaml.safe_load(text))] == []


def test_the_text_is_the_reviewed_one(workflow: Make) -> None:
    assert_golden("own_templates", yaml_text(workflow(trace(owned.kinds, {}).program)))
    assert_golden("owned", yaml_text(owned.templates("python:3.11-slim")))  # for Argo's validators, which look into it


def test_a_rule_is_broken_by_an_output_that_nothing_gives(workflow: Make) -> None:
    made = workflow(trace(owned.kinds, {}).program)
    (own,) = [template for template in made["spec"]["templates"] if "steps" in template]
    own["outputs"]["parameters"][0]["valueFrom"]["parameter"] = "{{steps.other.status}}"
    assert problems_of(made) == [
        f"template `{own['name']}`: it reads `steps.other.status`, which nothing gives",
    ]


def declared(spec: dict[str, Any], parameter: str = "text") -> Any:
    """A pipeline with a node that is so described."""
    lines = [f"def node({parameter}: str) -> str:", f"    return run_on_engine('argo', **{spec!r})", ""]
    names: dict[str, Any] = {"run_on_engine": run_on_engine, "__name__": __name__}
    exec(compile("\n".join(lines), __file__, "exec"), names)  # a function for each description
    node = engine_node(names["node"])

    @pipeline
    def flow(text: str) -> str:
        return node(text)

    return flow


WHOLE = {"name": "mail", "template": "send"}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"template": "mail/send"}, "it has `template`, and a node takes `templateRef` alone"),
        ({"templateRef": "mail/send"}, "it has no `templateRef` with `name` and `template`"),
        ({"templateRef": {"name": "mail"}}, "its `templateRef` has no `template`"),
        ({"templateRef": WHOLE | {"name": 3}}, "`templateRef` has `name`: 3, and takes"),
        ({"templateRef": WHOLE | {"scope": "x"}}, "`templateRef` has `scope`: 'x', and takes"),
        ({"templateRef": WHOLE | {"name": ""}}, "`name` of its `templateRef` is ''"),
        ({"templateRef": WHOLE | {"template": "{{x}}"}}, "`template` of its `templateRef` is '{{x}}'"),
        ({"templateRef": WHOLE, "when": "1"}, "it has `when`, and a node takes `templateRef` alone"),
    ],
)
def test_what_names_no_template_is_refused(spec: dict[str, Any], told: str) -> None:
    program = trace(declared(spec), {}).program
    with pytest.raises(CompileError) as refused:
        compiler_of("argo").compile(program, store="s3://lake")
    found = refused.value.diagnostics[0]
    assert (found.code, f"node `node` names no template of Argo's: {told}" in found.what) == ("E737", True)
    assert found.where is not None


def test_a_parameter_that_argo_has_no_name_for_is_refused() -> None:
    program = trace(declared({"templateRef": WHOLE}, "größe"), {}).program
    with pytest.raises(CompileError, match=r"E737.*no parameter of a template can be named 'größe'"):
        compiler_of("argo").compile(program, store="s3://lake")


def test_the_pods_of_a_template_are_shown_with_the_node() -> None:
    def pod(name: str, around: str, step: str = "", index: str = "0") -> dict[str, Any]:
        given = [{"name": "step", "value": step}, {"name": "index", "value": index}] if step else []
        inputs = {"parameters": given}
        return {"id": name, "name": name, "displayName": name, "type": "Pod", "boundaryID": around, "inputs": inputs}

    nodes = {one["id"]: one for one in (pod("give", "dag", "send:give"), pod("take", "dag", "send"))}
    nodes |= {"steps": {"id": "steps", "type": "Steps", "boundaryID": "dag"}}
    nodes |= {"inner": {"id": "inner", "type": "DAG", "boundaryID": "steps"}}
    nodes |= {one["id"]: one for one in (pod("theirs", "inner"), pod("other", "elsewhere"))}
    nodes["theirs"]["templateRef"] = {"name": "mail", "template": "letter"}
    found = node_pods(nodes, "flow", "send", (0,))
    assert [title for title, _, _ in found] == ["give", "take", "theirs"]
    assert found[2][1].startswith("flow-letter-")  # a pod is named after its template, whatever object that lies in
    assert node_pods(nodes, "flow", "send", (1,)) == []


def test_engines_beside_argo_refuse_it() -> None:
    with pytest.raises(CompileError, match=r"E701.*the node is argo's own"):
        compiler_of("reference").compile(trace(owned.kinds, {}).program)
