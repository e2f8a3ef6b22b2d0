"""How the pods of tasks are printed, from the task's options and the target's; and what is refused on the way."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import owned
import pytest
import yaml
from hera.workflows.models import Workflow
from workflow_checks import SCHEMA, validator_of

from drawloom.compilers.argo.pod_rules import pod_rules
from drawloom.compilers.argo.rules import problems_of
from drawloom.compilers.base import compiler_of
from drawloom.compilers.emit.yaml import yaml_text
from drawloom.dsl.tracing import trace
from drawloom.errors import CompileError, Diagnostic
from drawloom.ir.program import Program
from drawloom.ir.slices import step_file

FLOW = """
import os

from drawloom import Pod, Resources, Volume, pipeline, task


@task
def load(n: int) -> list[int]:
    return list(range(n))


@task(
    resources=Resources(cpu=2, memory="4Gi", gpu=1, disk="10Gi"),
    image="registry.example/train:1",
    env={"MODE": "{{fast}}"},
    pod=Pod(
        node_selector={"pool": "gpu"},
        tolerations=["nvidia.com/gpu:NoSchedule"],
        labels={"team": "looms"},
        annotations={"example.com/note": "yes: \\"no\\" 🧵"},
        service_account="trainer",
        priority_class="urgent",
        volumes=[
            Volume("/data", claim="team.data", read_only=True),
            Volume("/dev/shm", empty_dir=True, in_memory=True, size="1Gi"),
            Volume("/etc/keys", secret="keys", sub_path="one/two"),
        ],
        env_from_secrets=["lake"],
        secret_env={"TOKEN": ("api", "token")},
        image_pull_secrets=["registry"],
    ),
)
def train(x: int) -> int:
    return x


@task(pod=Pod(spot=True))
def score(x: int) -> int:
    return x


@pipeline
def trained(n: int = 3) -> list[int]:
    return [train(x) for x in load(n)]


@pipeline
def scored(n: int = 3) -> int:
    return score(n)


@pipeline
def by_call(n: int = 3) -> int:
    return train.with_options(resources=Resources(memory="1Gi"), pod=Pod())(n) + train(n)
"""
GOLDEN = Path(__file__).parent / "golden" / "pod_options.yaml"
OPTIONS: dict[str, Any] = {  # as a target's section in TOML gives them
    "store": "s3://lake/teams",
    "image": "registry.example/base:1",
    "image_pull_secrets": ["common"],
    "service_account": "workflow",
    "env": {"REGION": "$(HOME) eu"},
    "cpu": "100m",
    "memory": "256Mi",
    "node_selector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "dedicated", "value": "looms", "effect": "NoExecute", "seconds": 60}],
    "priority_class": "low",
    "labels": {"stage": "test"},
    "annotations": {"example.com/owner": "looms"},
    "volumes": ["shared:/mnt/shared:ro"],
    "tasks": {"train": {"memory": "8Gi", "gpu": 2, "node_selector": {"zone": "b"}, "env": {"REGION": "us"}}},
}


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Program]:
    """Traces a pipeline of `FLOW`."""
    (tmp_path / "flow_with_pods.py").write_text(FLOW)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("flow_with_pods", None)
    module = importlib.import_module("flow_with_pods")
    return lambda name: trace(getattr(module, name)).program


def _compiled(program: Program, **options: Any) -> dict[str, Any]:
    text = compiler_of("argo").compile(program, **{"store": "s3://lake", **options})["workflow.yaml"]
    assert isinstance(text, str)
    made: dict[str, Any] = yaml.safe_load(text)
    Workflow.model_validate(made, extra="forbid")
    assert problems_of(made) == []
    if SCHEMA.is_file():
        assert [(list(error.path), error.message) for error in validator_of("Workflow").iter_errors(made)] == []
    return made


def _refused(program: Program, **options: Any) -> list[Diagnostic]:
    with pytest.raises(CompileError) as caught:
        compiler_of("argo").compile(program, **{"store": "s3://lake", **options})
    return list(caught.value.diagnostics)


def _template(made: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in made["spec"]["templates"] if one["name"] == name)
    return found


def test_a_task_has_pods_of_its_own(flow: Any) -> None:
    made = _compiled(flow("trained"))
    train, others = _template(made, "step-train"), [_template(made, name) for name in ("begin", "step", "step-count")]
    container = train["container"]
    assert container["image"] == "registry.example/train:1"
    assert container["resources"] == {
        "requests": {"cpu": "2", "memory": "4Gi", "ephemeral-storage": "10Gi"},
        "limits": {"memory": "4Gi", "ephemeral-storage": "10Gi", "nvidia.com/gpu": "1"},
    }
    assert container["env"] == [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "token"}}}]
    assert container["envFrom"] == [{"secretRef": {"name": "lake"}}]
    assert container["volumeMounts"][0]["mountPath"] == "/data"
    assert container["volumeMounts"][0]["readOnly"] is True
    assert container["volumeMounts"][2]["subPath"] == "one/two"
    sources = [{key: value for key, value in volume.items() if key != "name"} for volume in train["volumes"]]
    assert sources == [
        {"persistentVolumeClaim": {"claimName": "team.data"}},
        {"emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
        {"secret": {"secretName": "keys"}},
    ]
    assert [volume["name"] for volume in train["volumes"]] == [m["name"] for m in container["volumeMounts"]]
    assert train["nodeSelector"] == {"pool": "gpu"}
    assert train["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert train["metadata"] == {
        "labels": {"team": "looms"},
        "annotations": {"example.com/note": 'yes: "no" 🧵'},
    }
    assert (train["serviceAccountName"], train["priorityClassName"]) == ("trainer", "urgent")
    assert made["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    for other in others:
        assert other["container"].keys() == {"image", "imagePullPolicy", "command", "args"}
        assert other.keys() <= {"name", "inputs", "outputs", "retryStrategy", "container"}


def test_variables_of_a_task_do_not_go_through_argo(flow: Any) -> None:
    files = compiler_of("argo").compile(flow("trained"), store="s3://lake")
    assert "{{fast}}" not in str(files["workflow.yaml"])
    step = files[f"steps/{step_file('for_each/train')}"]
    assert '"env":[["MODE","{{fast}}"]]' in str(step)
    assert "4Gi" not in str(step)  # another machine is no reason for another slice


def test_what_a_target_says_is_refined_by_tasks_and_by_the_target_for_a_task(flow: Any) -> None:
    made = _compiled(flow("trained"), **OPTIONS)
    spec, train, step = made["spec"], _template(made, "step-train"), _template(made, "step")
    assert spec["imagePullSecrets"] == [{"name": "common"}, {"name": "registry"}]
    assert (spec["serviceAccountName"], spec["podPriorityClassName"]) == ("workflow", "low")
    assert spec["podMetadata"] == {"labels": {"stage": "test"}, "annotations": {"example.com/owner": "looms"}}
    dedicated = {"key": "dedicated", "operator": "Equal", "value": "looms", "effect": "NoExecute"}
    assert spec["tolerations"] == [{**dedicated, "tolerationSeconds": 60}]
    assert train["tolerations"][0] == spec["tolerations"][0]
    assert len(train["tolerations"]) == 2
    assert train["nodeSelector"] == {"kubernetes.io/os": "linux", "pool": "gpu", "zone": "b"}
    assert train["container"]["resources"]["limits"] == {
        "memory": "8Gi",
        "ephemeral-storage": "10Gi",
        "nvidia.com/gpu": "2",
    }
    assert train["container"]["env"][0] == {"name": "REGION", "value": "us"}
    assert "shared" not in str(train["volumes"])
    assert "nodeSelector" not in step
    assert step["container"]["resources"] == {
        "requests": {"cpu": "100m", "memory": "256Mi"},
        "limits": {"memory": "256Mi"},
    }
    assert step["container"]["env"] == [{"name": "REGION", "value": "$$(HOME) eu"}]  # nothing is put in its place
    assert step["container"]["volumeMounts"] == [{"name": "claim-shared", "mountPath": "/mnt/shared", "readOnly": True}]


def test_the_text_with_all_options_is_the_reviewed_one(flow: Any) -> None:
    """`UPDATE_GOLDEN=1` writes it anew; Argo's own validator looks at it in `make test-argo-lint`."""
    files = compiler_of("argo").compile(flow("trained"), **OPTIONS)
    made = yaml.safe_load(str(files["workflow.yaml"]))
    for template in made["spec"]["templates"]:
        if "container" in template:
            template["container"]["command"][-1], template["container"]["args"] = "STUB", ["ARGS"]
    made["metadata"]["annotations"]["drawloom/program"] = "DIGEST"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(yaml_text(made), "utf-8")
    assert GOLDEN.read_text("utf-8") == yaml_text(made)


def test_calls_of_one_task_may_have_pods_of_their_own(flow: Any) -> None:
    made = _compiled(flow("by_call"))
    names = [template["name"] for template in made["spec"]["templates"] if template["name"].startswith("step-train")]
    memory = {name: _template(made, name)["container"]["resources"]["limits"]["memory"] for name in names}
    assert sorted(memory.values()) == ["1Gi", "4Gi"]


def test_spot_is_what_the_target_says(flow: Any) -> None:
    made = _compiled(
        flow("scored"), spot_selector={"cloud.example/spot": "true"}, spot_tolerations=["cloud.example/spot"]
    )
    step = _template(made, "step-score")
    assert step["nodeSelector"] == {"cloud.example/spot": "true"}
    assert step["tolerations"] == [{"key": "cloud.example/spot", "operator": "Exists"}]
    plain = _compiled(flow("scored"), tasks={"flow_with_pods:score": {"spot": False}})
    assert "cloud" not in json.dumps(plain)


def test_spot_that_nobody_defines_is_refused_with_its_line(flow: Any) -> None:
    (found,) = _refused(flow("scored"))
    assert (found.code, found.what) == (
        "E724",
        "node `score` is to run on spot machines (spot=True), and nothing says which these are",
    )
    assert found.where is not None
    assert found.where.symbol == "scored"


@pytest.mark.parametrize(
    ("pod", "code", "told"),
    [
        ('annotations={"a": "{{workflow.name}}"}', "E725", "node `t`: its pod has '{{workflow.name}}'"),
        ('volumes=[Volume("/data/{{x}}", claim="c")]', "E725", "its pod has '/data/{{x}}'"),
        ('volumes=[Volume("/tmp", claim="c")]', "E727", "a volume is mounted at /tmp, which Argo and the step use"),
        ('volumes=[Volume("/var/run/argo/x", empty_dir=True)]', "E727", "at /var/run/argo/x, which Argo"),
        ('labels={"workflows.argoproj.io/completed": "true"}', "E727", "is one of Argo's own"),
    ],
)
def test_a_pod_that_argo_cannot_make_is_refused_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pod: str, code: str, told: str
) -> None:
    (tmp_path / "flow_bad_pod.py").write_text(
        "from drawloom import Pod, Volume, pipeline, task\n\n"
        f"@task(pod=Pod({pod}))\ndef t(n: int) -> int:\n    return n\n\n"
        "@pipeline\ndef f(n: int = 1) -> int:\n    return t(t(n))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("flow_bad_pod", None)
    found = _refused(trace(importlib.import_module("flow_bad_pod").f).program)
    assert found[0].code == code
    assert told in found[0].what
    assert found[0].where is not None
    assert found[0].where.line == 9


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"cpu": "2x"}, "the option `cpu` of the argo compiler is '2x'"),
        ({"memory": "400m"}, "the option `memory` of the argo compiler is '400m'"),
        ({"labels": {"a": "b" * 64}}, "the option `labels['a']` of the argo compiler is 'bbb"),
        ({"labels": "a=b"}, "the option `labels` of the argo compiler is 'a=b'"),
        ({"tolerations": "spot"}, "the option `tolerations` of the argo compiler is 'spot'"),
        ({"tolerations": ["a:Never"]}, "the option `tolerations` of the argo compiler is 'a:Never'"),
        ({"volumes": ["claim"]}, "the option `mount_path` of the argo compiler is ''"),
        ({"volumes": [{"claim": "c", "mount": "/a"}]}, "the option `volumes` of the argo compiler is 'mount'"),
        ({"volumes": ["a:/x", "b:/x/"]}, "the option `volumes` of the argo compiler is '/x'"),
        ({"volumes": ["a:/tmp/x"]}, "an option of the argo compiler: a volume is mounted at /tmp/x"),
        ({"annotations": {"a": "{{b}}"}}, "the option `annotations.a` of the argo compiler is '{{b}}'"),
        ({"env": {"1A": "b"}}, "the option `env` of the argo compiler is '1A'"),
        ({"env": {"A": 1}}, "the option `env` of the argo compiler is {'A': 1}"),
        ({"spot_selector": {"a b": "c"}}, "the option `spot_selector` of the argo compiler is 'a b'"),
        ({"service_account": "Me!"}, "the option `service_account` of the argo compiler is 'Me!'"),
        ({"env_from_secrets": "lake"}, "the option `env_from_secrets` of the argo compiler is 'lake'"),
        ({"secret_env": {"A": "b"}}, "the option `secret_env` of the argo compiler is {'A': 'b'}"),
        ({"tasks": ["train"]}, "the option `tasks` of the argo compiler is ['train']"),
        ({"tasks": {"trian": {}}}, "names `trian`, which `trained` doesn't call, did you mean `train`?"),
        ({"tasks": {"train": {"memroy": "1Gi"}}}, "no option `tasks.train.memroy`, did you mean `memory`?"),
        ({"tasks": {"train": {"memory": "1"}}}, "the option `tasks.train.memory` of the argo compiler is '1'"),
        ({"tasks": {"train": "1Gi"}}, "the option `tasks.train` of the argo compiler is '1Gi'"),
        ({"tasks": {"train": {"gpu": "many"}}}, "the option `tasks.train.gpu` of the argo compiler is 'many'"),
        ({"tasks": {"train": {"image": "{{a}}"}}}, "the option `tasks.train.image` of the argo compiler is '{{a}}'"),
    ],
)
def test_a_wrong_option_is_refused(flow: Any, options: dict[str, Any], told: str) -> None:
    found = _refused(flow("trained"), **options)
    assert {one.code for one in found} == {"E720"}
    assert told in found[0].what


@pytest.mark.parametrize("name", ["score", "{module}:score"])
def test_a_target_may_name_a_task_that_another_pipeline_calls(flow: Any, name: str) -> None:
    program = flow("trained")
    named = name.format(module=program.pipeline.tasks[0].function.module)
    assert _compiled(program, tasks={named: {"memory": "1Gi"}}) == _compiled(program)
    found = _refused(program, tasks={named: {"memory": "1"}})
    assert [one.code for one in found] == ["E720"]


@pytest.mark.parametrize("name", ["os:path", "nowhere:train", "trained", "os:"])
def test_what_is_no_task_is_refused(flow: Any, name: str) -> None:
    found = _refused(flow("trained"), tasks={name: {"memory": "1Gi"}})
    assert [one.code for one in found] == ["E720"]


def test_options_of_what_argo_has_of_its_own_are_refused() -> None:
    program = trace(owned.kinds, {}).program
    (found,) = _refused(program, tasks={"measure": {"memory": "1Gi"}})
    assert (found.code, "`tasks.measure`" in found.what) == ("E720", True)


def test_options_may_have_been_typed(flow: Any) -> None:
    tasks = {"train": {"gpu": "3", "spot": "true", "volumes": ["own:/data"]}}
    made = _compiled(flow("trained"), tasks=tasks, spot_tolerations=("spot",))
    train = _template(made, "step-train")
    assert train["container"]["resources"]["limits"]["nvidia.com/gpu"] == "3"
    assert train["tolerations"][-1] == {"key": "spot", "operator": "Exists"}
    assert train["volumes"][0]["persistentVolumeClaim"] == {"claimName": "own"}  # in the place of the task's own


CONTAINER = {"env": [], "resources": {}, "volumeMounts": []}


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ({"metadata": {"labels": {"a": "b" * 64}}}, "can't be a label"),
        ({"metadata": {"annotations": {"a b": ""}}}, "'a b' can't be an annotation's key"),
        ({"nodeSelector": {"a": "b c"}}, "can't be a node selector"),
        ({"tolerations": [{"key": "a", "operator": "Equal"}]}, "Equal without one"),
        ({"tolerations": [{"key": "a", "operator": "Exists", "effect": "No"}]}, "has an unknown effect"),
        ({"volumes": [{"name": "a"}, {"name": "a"}]}, "two volumes are named `a`"),
        ({"volumes": [{"name": "A_"}]}, "`A_` can't be a volume's name"),
        (
            {"container": {"volumeMounts": [{"name": "a", "mountPath": "/a"}]}},
            "`a` is mounted at `/a`, and is no volume",
        ),
        ({"container": {"volumeMounts": [{"name": "v", "mountPath": "/a"}] * 2}}, "two volumes are mounted at `/a`"),
        ({"container": {"env": [{"name": "A"}, {"name": "A"}]}}, "the variable `A` is there twice"),
        ({"container": {"env": [{"name": "A-B"}]}}, "'A-B' can't be a variable's name"),
        ({"container": {"resources": {"limits": {"cpu": "2x"}}}}, "limits of cpu are '2x', which is no quantity"),
    ],
)
def test_our_own_rules_find_what_kubernetes_would_refuse(template: dict[str, Any], told: str) -> None:
    (found,) = pod_rules(template, {"volumes": [{"name": "v"}]})
    assert told in found
