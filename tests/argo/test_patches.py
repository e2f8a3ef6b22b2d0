"""Patches of what the compiler makes: merged or operated, never past Argo's own fields, never for nothing."""

from __future__ import annotations

from typing import Any

import pytest
import schedule_samples as samples
from hera.workflows import models
from hypothesis import given
from hypothesis import strategies as st
from test_kinds import SCHEMA, compiled, refused

from drawloom.compilers.argo.fields import field_problems
from drawloom.compilers.argo.patches import Patch

CONTEXT = {"runAsNonRoot": True, "runAsUser": 1000}
PULL = {"op": "add", "path": "/spec/imagePullSecrets", "value": [{"name": "registry"}]}


def patched(*patches: Any, **options: Any) -> dict[str, Any]:
    return compiled(samples.nightly, patches=patches, **options)


def templates(files: dict[str, Any]) -> dict[str, Any]:
    spec = next(one["spec"] for path, one in files.items() if path in ("cronworkflow.yaml", "workflow.yaml"))
    return {one["name"]: one for one in spec.get("workflowSpec", spec)["templates"]}


def test_a_merge_patch_changes_each_template_that_fits() -> None:
    made = templates(patched(Patch("template", "step*", {"container": {"securityContext": CONTEXT}})))
    changed = [name for name, one in made.items() if "securityContext" in one.get("container", {})]
    assert changed == ["step", "step-2"]
    assert made["step"]["container"]["image"] == "python:3.11-slim"


def test_none_takes_a_field_away_and_a_list_replaces() -> None:
    merge = {
        "retryStrategy": None,
        "container": {"args": ["only"], "resources": {"limits": {"memory": "1Gi", "cpu": 2}}},
    }
    step = templates(patched({"on": "template", "name": "step", "merge": merge}))["step"]
    assert "retryStrategy" not in step
    assert step["container"]["args"] == ["only"]


@pytest.mark.parametrize(
    ("kind", "on"), [("cron", "CronWorkflow"), ("workflow", "Workflow"), ("template", "WorkflowTemplate")]
)
def test_an_object_is_patched_by_its_kind(kind: str, on: str) -> None:
    merge = {"metadata": {"labels": {"team": 'night {{=shift}} "🎉"\n'}}}
    files = patched(Patch(on, "night*", merge), kind=kind)
    (one,) = (one for path, one in files.items() if path.endswith(".yaml") and one["kind"] == on)
    assert one["metadata"]["labels"]["team"] == 'night {{=shift}} "🎉"\n'
    assert one["metadata"]["labels"]["drawloom/pipeline"] == "nightly"


def test_operations_come_after_the_merge_and_add_to_lists() -> None:
    operations = [
        {"op": "add", "path": "/container/env/-", "value": {"name": "B", "value": "{{workflow.labels.team}}"}}
    ]
    merge = {"container": {"env": [{"name": "A", "value": "1"}]}}
    made = templates(patched(Patch("template", "*", merge, ()), Patch("template", "step", {}, operations)))
    assert [one["name"] for one in made["step"]["container"]["env"]] == ["A", "B"]
    files = patched(Patch("Workflow", operations=[PULL]), kind="workflow")
    assert files["workflow.yaml"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_what_was_compiled_before_is_not_changed_by_a_patch() -> None:
    before = compiled(samples.nightly)
    patched(Patch("template", "step*", {"container": {"image": "other"}}))
    assert compiled(samples.nightly) == before


@pytest.mark.parametrize(
    ("patch", "code", "what"),
    [
        (Patch("template", "stop*", {"a": 1}), "E733", "Patch(on='template', name='stop*') fits nothing"),
        (Patch("Workflow", "*", {"a": 1}), "E733", "Patch(on='Workflow', name='*') fits nothing"),
        (Patch("pod", "*", {"a": 1}), "E733", "a patch is on 'pod'"),
        (Patch("template"), "E733", "Patch(on='template', name='*') changes nothing"),
        (Patch("template", 7, {"a": 1}), "E733", "Patch(on='template', name=7) needs a text as `name`"),
        ({"on": "template", "set": {}}, "E733", "a patch has no `set`"),
        ({"merge": {"a": 1}}, "E733", "a patch doesn't say what it is `on`"),
        ("template", "E733", "'template' is no patch"),
        (
            Patch("template", "step", {"container": {"securityContex": {}}}),
            "E734",
            "templates[4].container.securityContex` is no field of Argo's, did you mean `securityContext`?",
        ),
        (
            Patch("template", "step", {"container": {"image": 7}}),
            "E734",
            "after the patches `spec.workflowSpec.templates[4].container.image` must be string, got 7",
        ),
        (Patch("template", "step", {"metadata": {"labels": {"a": True}}}), "E734", "must be string, got true"),
        (Patch("template", "step", {"daemon": "yes"}), "E734", 'must be boolean, got "yes"'),
        (Patch("template", "step", {"tolerations": {"key": "spot"}}), "E734", "must be a list, got"),
        (
            Patch("template", "main", {"dag": {"tasks": []}}),
            "E734",
            "breaks a rule of Argo's: template `main`: its DAG has no",
        ),
        (Patch("template", "step", {"name": None}), "E734", "can't be read: KeyError('name')"),
        (Patch("template", "step", {"inputs": None}), "E734", "disagree on the input"),
        (
            Patch("template", "step", {"container": {"args": ["{{inputs.parameters.gone}}"]}}),
            "E734",
            "which nothing gives",
        ),
        (
            Patch("CronWorkflow", "*", {"spec": {"schedule": "* * * * *"}}),
            "E734",
            "`spec.schedule` is no field of Argo's",
        ),
        (Patch("template", operations=[{"op": "remove", "path": "/gone"}]), "E733", "can't be made"),
        (Patch("template", operations=[{"op": "mvoe", "path": "/gone"}]), "E733", "can't be made"),
        (Patch("template", operations=[{"op": "replace", "path": "", "value": 1}]), "E733", "leaves no mapping"),
        (Patch("template", operations=[7]), "E733", "can't be made"),
    ],
)
def test_a_patch_that_is_wrong_is_refused(patch: Any, code: str, what: str) -> None:
    ((found, told), *_) = refused(samples.nightly, patches=[patch])
    assert found == code
    assert what in told


def test_patches_that_are_no_list_are_refused() -> None:
    for given_ in ("abc", {"on": "template"}, 7):
        assert refused(samples.nightly, patches=given_)[0][0] == "E733"


KEYS = st.sampled_from(["container", "image", "env", "metadata", "labels", "retryStrategy", "limit", "x", "timeout"])
TREES = st.recursive(
    st.one_of(st.text(max_size=3), st.integers(-5, 5), st.booleans(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)


@given(st.dictionaries(KEYS, TREES, max_size=3))
def test_the_check_refuses_what_heras_models_refuse(change: dict[str, Any]) -> None:
    """What we accept, they do."""
    template = {"name": "step", **change}
    one = {"apiVersion": "a", "kind": "Workflow", "metadata": {}, "spec": {"templates": [template]}}
    if not list(field_problems(one)):
        models.Workflow.model_validate(one, extra="forbid")


def test_the_fields_are_those_of_the_published_schema() -> None:
    """Of a later one here: what the table knows is still there, and of the same type."""
    if not SCHEMA.is_file():
        pytest.skip("Argo's published schema isn't beside the project")
    import json

    from make_fields import fields

    from drawloom.compilers.argo.fields import _table

    later = fields(json.loads(SCHEMA.read_text("utf-8")))
    changed = [(name, field) for name, own in _table().items() for field in own if later[name].get(field) != own[field]]
    assert changed == []
    assert sum(map(len, _table().values())) > 800
