"""What a Workflow is deployed as: itself, a template, a CronWorkflow; and the times its runs are for."""

from __future__ import annotations

import json
import os
import re
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import schedule_samples as samples
import yaml
from harness import PROGRAMS
from hera.workflows import models
from kinds_of_programs import every_object
from workflow_checks import SCHEMA, validator_of

from drawloom import DefinitionError, Schedule, pipeline
from drawloom.compilers.argo.fields import field_problems
from drawloom.compilers.argo.rules import problems_of
from drawloom.compilers.base import compiler_of
from drawloom.compilers.emit.yaml import yaml_text
from drawloom.dsl.tracing import trace
from drawloom.errors import CompileError
from drawloom.ir.check import check_pipeline

Make = Callable[..., dict[str, Any]]
GOLDEN = Path(__file__).parent / "golden"
OBJECTS = {
    "workflow": ["workflow.yaml"],
    "template": ["workflowtemplate.yaml", "workflow.yaml"],
    "cron": ["cronworkflow.yaml"],
}


def compiled(flow: Any, **options: Any) -> dict[str, Any]:
    """The files of a pipeline, what is YAML or JSON read."""
    options = {"store": "s3://lake", "root": str(PROGRAMS), **options}
    files = compiler_of("argo").compile(trace(flow, {}).program, **options)
    read: dict[str, Any] = {path: yaml.safe_load(text) for path, text in files.items() if path.endswith(".yaml")}
    return read | {"engine.json": json.loads(files["engine.json"])}


def refused(flow: Any, **options: Any) -> list[tuple[str, str]]:
    with pytest.raises(CompileError) as caught:
        compiled(flow, **options)
    return [(one.code, one.what) for one in caught.value.diagnostics]


def asked(files: dict[str, Any]) -> Any:
    """What the begin step of the first object is given."""
    spec = files[files["engine.json"]["objects"][0]]["spec"]
    (run,) = spec.get("workflowSpec", spec)["arguments"]["parameters"]
    return json.loads(b64decode(run["value"])) if "value" in run else None


@pytest.mark.parametrize(("kind", "files"), OBJECTS.items())
def test_each_kind_is_the_objects_it_says(kind: str, files: list[str]) -> None:
    made = compiled(samples.nightly, kind=kind)
    assert made["engine.json"]["objects"] == files
    assert sorted(path for path in made if path.endswith(".yaml")) == sorted(files)
    for file in files:
        one = made[file]
        getattr(models, one["kind"]).model_validate(one, extra="forbid")
        assert problems_of(one) == []
        assert list(field_problems(one)) == []
        if SCHEMA.is_file():
            assert [error.message for error in validator_of(one["kind"]).iter_errors(one)] == []


def test_a_pipeline_with_a_schedule_is_a_cronworkflow_unless_it_is_said_otherwise() -> None:
    assert compiled(samples.nightly)["engine.json"]["objects"] == ["cronworkflow.yaml"]
    assert compiled(samples.plain, params={"number": 1})["engine.json"]["objects"] == ["workflow.yaml"]


def test_a_schedule_is_printed_in_full() -> None:
    cron = compiled(samples.nightly)["cronworkflow.yaml"]
    spec = cron["spec"]
    assert cron["metadata"]["name"] == "nightly"
    assert spec["schedules"] == ["30 6 * * MON-FRI"]
    assert spec["timezone"] == "Europe/Berlin"
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["startingDeadlineSeconds"] == 0
    assert spec["workflowMetadata"]["annotations"] == cron["metadata"]["annotations"]
    (begin,) = (one for one in spec["workflowSpec"]["templates"] if one["name"] == "begin")
    assert begin["container"]["args"][-2:] == ["--scheduled", "{{workflow.scheduledTime}}"]


@pytest.mark.parametrize(
    ("options", "policy", "deadline"),
    [
        ({"overlap": "allow"}, "Allow", 0),
        ({"overlap": "replace"}, "Replace", 0),
        ({"catch_up": "latest"}, "Forbid", 316_224_000),
    ],
)
def test_overlap_and_catch_up_are_argos(options: dict[str, Any], policy: str, deadline: int) -> None:
    flow = pipeline(schedule=Schedule("0 0 * * *", zone="UTC", **options))(samples.plain_function)
    spec = compiled(flow)["cronworkflow.yaml"]["spec"]
    assert (spec["concurrencyPolicy"], spec["startingDeadlineSeconds"]) == (policy, deadline)


def test_a_run_for_each_missed_time_is_refused() -> None:
    flow = pipeline(schedule=Schedule("0 0 * * *", zone="UTC", catch_up=True))(samples.plain_function)
    ((code, what),) = refused(flow)
    assert code == "E701"
    assert "policy.schedule.catch_up@1" in what


def test_the_run_of_a_template_refers_to_it() -> None:
    files = compiled(samples.nightly, kind="template", namespace="night", logical_time="2026-01-01T00:00Z")
    template, workflow = files["workflowtemplate.yaml"], files["workflow.yaml"]
    assert workflow["spec"]["workflowTemplateRef"] == {"name": template["metadata"]["name"]}
    assert workflow["metadata"]["generateName"] == "nightly-"
    assert {one["metadata"]["namespace"] for one in (template, workflow)} == {"night"}
    assert "--scheduled" not in str(template)


def test_names_of_kubernetes_are_short_enough_whatever_a_pipeline_is_called() -> None:
    for name in ("x" * 300, "Ünïcode_🎉", "a.b c/d", "_", "y"):
        flow = pipeline(schedule=Schedule("0 0 * * *", zone="UTC"))(samples.plain_function)
        flow.name = name
        made = compiled(flow)["cronworkflow.yaml"]["metadata"]
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", made["name"])
        assert len(made["name"]) <= 52
        assert made["annotations"]["drawloom/pipeline"] == name


@pytest.mark.parametrize("name", ["cron", "template"])
def test_the_text_is_the_reviewed_one(name: str) -> None:
    """`UPDATE_GOLDEN=1` writes the texts anew, to be read before they are committed."""
    objects = every_object(trace(samples.nightly, {}).program, name)
    text = "---\n".join(yaml_text(one) for one in objects.values())
    text = re.sub(r'"[0-9a-f]{64}"', '"DIGEST"', text)
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text


# times


def test_a_run_can_be_compiled_for_a_time() -> None:
    time = datetime(2026, 1, 2, tzinfo=UTC)
    given = asked(compiled(samples.nightly, kind="workflow", logical_time=time, interval=(time, time)))
    assert given["logical_time"] == "2026-01-02T00:00:00+00:00"
    assert given["interval"] == ["2026-01-02T00:00:00+00:00"] * 2
    text = asked(
        compiled(
            samples.nightly,
            kind="workflow",
            logical_time="2026-01-02T00:00:00Z",
            interval="2026-01-02T00:00Z/2026-01-02T00:00Z",
        )
    )
    assert text == given


def test_a_time_that_is_asked_for_and_is_not_there_is_for_who_submits_it() -> None:
    assert asked(compiled(samples.timed, kind="workflow")) is None
    assert asked(compiled(samples.timed, kind="workflow", interval="2026-01-02T00:00Z/2026-01-03T00:00Z")) is None
    whole = {"logical_time": "2026-01-03T00:00Z", "interval": "2026-01-02T00:00Z/2026-01-03T00:00Z"}
    assert asked(compiled(samples.timed, kind="workflow", **whole)) is not None
    assert asked(compiled(samples.timed)) is not None  # the schedule gives them


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (
            {"logical_time": "2026-01-01"},
            "`logical_time` of the argo compiler is 2026-01-01, which is no time with a zone",
        ),
        ({"logical_time": "{{x}}"}, "`logical_time` of the argo compiler is {{x}}, which is no time with a zone"),
        ({"logical_time": 7}, "`logical_time` of the argo compiler is 7, which is no time with a zone"),
        ({"interval": "2026"}, "`interval` of the argo compiler is 2026, which is no interval"),
        ({"interval": "a/b"}, "`interval` of the argo compiler is a, which is no time with a zone"),
        (
            {"interval": ("", "2026-01-01T00:00Z")},
            "`interval` of the argo compiler goes from nowhere to 2026-01-01T00:00:00+00:00",
        ),
        (
            {"interval": "2026-01-02T00:00Z/2026-01-01T00:00Z"},
            "`interval` of the argo compiler goes from 2026-01-02T00:00:00+00:00 to 2026-01-01T00:00:00+00:00",
        ),
    ],
)
def test_a_time_that_is_none_is_refused(options: dict[str, Any], what: str) -> None:
    assert refused(samples.plain, params={"number": 1}, **options) == [("E732", f"the option {what}")]


@pytest.mark.parametrize("options", [{"logical_time": "2026-01-01T00:00Z"}, {"interval": ("2026-01-01T00:00Z",) * 2}])
def test_one_time_for_all_runs_of_a_schedule_is_refused(options: dict[str, Any]) -> None:
    ((code, what),) = refused(samples.nightly, **options)
    assert (code, "get their times of its schedule" in what) == ("E732", True)


# what is refused


def test_a_kind_that_is_not_there_is_refused() -> None:
    assert refused(samples.plain, kind="crone") == [
        ("E730", "the argo compiler makes no 'crone', did you mean `cron`?")
    ]
    assert refused(samples.plain, kind="cron") == [("E730", "`plain` has no schedule, and a CronWorkflow is wanted")]


def test_a_parameter_that_nobody_could_give_is_refused() -> None:
    flow = pipeline(schedule=Schedule("0 0 * * *", zone="UTC"))(samples.plain_function_of)
    assert [code for code, _ in refused(flow)] == ["E731"]
    assert asked(compiled(flow, params={"number": 3}))["params"] == {"number": {"tree": 3}}
    assert asked(compiled(flow, kind="workflow")) is None


@pytest.mark.parametrize("cron", ["@daily", "* * * * * *", "61 * * * *", "0 0 * * 7", "{{x}} * * * *", "\n"])
def test_a_schedule_that_is_none_is_refused_where_it_is_written(cron: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Schedule(cron, zone="UTC")
    (found,) = caught.value.diagnostics
    assert (found.code, found.where.file if found.where else "") == ("D165", __file__)


@pytest.mark.parametrize(
    "options", [{"zone": 1}, {"zone": ""}, {"overlap": "Forbid"}, {"catch_up": 1}, {"catch_up": "all"}]
)
def test_a_wrong_argument_of_a_schedule_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError, match="D108"):
        Schedule("0 0 * * *", **{"zone": "UTC", **options})


def test_what_is_no_schedule_is_refused() -> None:
    with pytest.raises(DefinitionError, match="D108"):
        pipeline(schedule="0 0 * * *")(samples.plain_function)  # type: ignore[call-overload]  # the mistake


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "../../etc/passwd", "{{x}}", "Europe", "é" * 300])
def test_a_zone_that_is_not_there_is_told_with_the_pipeline(zone: str) -> None:
    flow = pipeline(schedule=Schedule("0 0 * * *", zone=zone))(samples.plain_function)
    (found,) = check_pipeline(trace(flow, {}).program)
    assert found.code == "G235"
    assert found.where is not None
