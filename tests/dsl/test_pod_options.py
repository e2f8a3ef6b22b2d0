"""`Resources`, `Pod`, `Volume`, `Toleration`, `image` and `env`: what they stand for, and what is refused where it stands."""

from __future__ import annotations

from typing import Any

import pytest

from drawloom import DefinitionError, Pod, Resources, Toleration, Volume, call_options, pipeline, task
from drawloom.compilers.features import features_used
from drawloom.dsl.tracing import trace
from drawloom.errors import Span
from drawloom.ir.nodes import Call
from drawloom.ir.policies import PodPolicy, Policies, ResourcesPolicy, TolerationPolicy, VolumePolicy
from drawloom.ir.program import load_pipeline, pipeline_json
from drawloom.ir.slices import StepSlice, read_slice, slice_text
from drawloom.ir.text import format_pipeline
from drawloom.ir.walk import walk

NEEDS = Resources(cpu=0.5, memory="4Gi", gpu=1)
PLACED = Pod(
    node_selector={"pool": "gpu", "a": ""},
    tolerations=["dedicated=gpu:NoSchedule", "spot", Toleration("x", "", "NoExecute", 3), ":NoExecute"],
    priority_class="urgent",
    spot=True,
    labels={"example.com/a": "B_1"},
    annotations={"note": "'\" {\n🧵"},
    service_account="trainer",
    volumes=[Volume("/data/", claim="team", read_only=True, sub_path="a/b")],
    env_from_secrets=["lake", "lake"],
    secret_env={"TOKEN": ("api", "to_ken")},
    image_pull_secrets=["registry"],
)


@task
def plain(n: int) -> int:
    return n


@task(resources=NEEDS, image="registry.example:5000/a/b@sha256:0f", env={"B": "2", "A": "{{x}} é\n"}, pod=PLACED)
def full(n: int) -> int:
    return n


@pipeline
def flow(n: int) -> int:
    with call_options(resources=Resources(2), env={"A": "1"}):
        one = plain(n)
    return full.with_options(pod=Pod(), image="x")(full(one))


def test_options_are_policies() -> None:
    assert full.policies == Policies(
        resources=ResourcesPolicy("500m", "4Gi", "", 1),
        image="registry.example:5000/a/b@sha256:0f",
        env=(("A", "{{x}} é\n"), ("B", "2")),
        pod=PodPolicy(
            node_selector=(("a", ""), ("pool", "gpu")),
            tolerations=(
                TolerationPolicy("dedicated", "gpu", "NoSchedule"),
                TolerationPolicy("spot"),
                TolerationPolicy("x", "", "NoExecute", 3),
                TolerationPolicy("", None, "NoExecute"),
            ),
            priority_class="urgent",
            spot=True,
            labels=(("example.com/a", "B_1"),),
            annotations=(("note", "'\" {\n🧵"),),
            service_account="trainer",
            volumes=(VolumePolicy("/data", "claim", "team", True, "a/b"),),
            env_from_secrets=("lake",),
            secret_env=(("TOKEN", "api", "to_ken"),),
            image_pull_secrets=("registry",),
        ),
    )
    assert plain.policies == Policies()
    assert repr(NEEDS) == "Resources(cpu='500m', memory='4Gi', gpu=1)"
    assert repr(Pod()) == "Pod()"


def test_they_go_with_calls_as_other_options_do() -> None:
    calls = {node.id: node.policies for node in walk(trace(flow).program.pipeline.body) if isinstance(node, Call)}
    scoped, declared, own = calls["one"], calls["full"], calls["full-2"]
    assert scoped is not None
    assert (scoped.resources.cpu, scoped.env) == ("2", (("A", "1"),))
    assert declared is None
    assert own is not None
    assert (own.pod, own.image, own.resources) == (PodPolicy(), "x", full.policies.resources)


def test_changing_what_was_given_changes_nothing() -> None:
    variables = {"A": "1"}
    made = plain.with_options(env=variables)
    variables["A"] = "2"
    assert made.policies.env == (("A", "1"),)


def test_they_are_read_as_they_are_written() -> None:
    made = trace(flow).program.pipeline
    assert load_pipeline(pipeline_json(made)) == made
    step = StepSlice("a", "call", task=made.tasks[0])
    assert read_slice(slice_text(StepSlice("a", "call")).encode()) == StepSlice("a", "call")
    assert step.task is not None
    text = format_pipeline(made)
    assert 'resources=(cpu="500m", memory="4Gi", gpu=1)' in text
    assert 'image="registry.example:5000/a/b@sha256:0f"' in text
    assert 'env=[["A", "1"]]' in text


def test_a_program_without_them_is_written_as_before() -> None:
    @pipeline
    def small(n: int) -> int:
        return plain(n)

    (spec,) = pipeline_json(trace(small).program.pipeline)["tasks"]
    assert "policies" not in spec


def test_their_features() -> None:
    used = {use.feature for use in features_used(trace(flow).program.pipeline) if use.node == "full"}
    assert used == {
        "node.call@1",
        "policy.resources@1",
        "policy.resources.gpu@1",
        "policy.image@1",
        "policy.env@1",
        "policy.placement@1",
        "policy.volumes@1",
        "policy.secrets@1",
        "policy.pod@1",
    }


@pytest.mark.parametrize(
    ("given", "text"),
    [
        *((cpu, str(cpu)) for cpu in ("2", "0.5", "1.125", "500m")),
        *((2, "2"), (0.5, "500m"), (1.5, "1500m"), (0.001, "1m"), (1e3, "1000"), (None, "")),
    ],
)
def test_processors(given: Any, text: str) -> None:
    assert Resources(cpu=given).policy.cpu == text


def wrong(option: str, value: Any) -> Any:
    return lambda: task(**{option: value})


NAN = float("nan")
BAD: list[tuple[str, Any, str]] = [
    *(
        ("D160", lambda cpu=cpu: Resources(cpu=cpu), "Resources(...): cpu=")
        for cpu in (0, -1, NAN, float("inf"), 0.0001, "2x", "", "0", "0.5m", "1e3", "1.2345", "٣", True, [1], "9" * 400)
        if cpu != ""
    ),
    *(
        ("D160", lambda memory=memory: Resources(memory=memory), "Resources(...): memory=")
        for memory in ("4", "400m", "4GB", "4gi", "4 Gi", "-4Gi", "Gi", "1e9", "1023Ki", 4, ".5Gi", "5.Gi", "4Gi\n")
    ),
    ("D160", lambda: Resources(disk="10"), "Resources(...): disk='10' must be at least \"1Mi\""),
    ("D160", lambda: Resources(gpu=-1), "gpu=-1 must be a whole number of devices"),
    ("D160", lambda: Resources(gpu=True), "gpu=True must be"),
    ("D160", lambda: Resources(gpu=1, gpu_type="nvidia"), "gpu_type='nvidia' must be"),
    ("D160", lambda: Resources(gpu=1, gpu_type="a b/gpu"), "gpu_type='a b/gpu' must be"),
    *(("D161", wrong("image", image), "task(...): image=") for image in ("", "a b", "{{image}}", "é", "x\n", 3, ["a"])),
    *(
        ("D161", wrong("env", env), "task(...): env")
        for env in (
            "A=b",
            ["A=b"],
            {"A": 1},
            {1: "a"},
            {"": "a"},
            {"1A": "a"},
            {"A-B": "a"},
            {"É": "a"},
            {"A=": "a"},
            {"A": "\0"},
            {"A": "\ud800"},
            {"PYTHONPATH": "a"},
            {"LD_PRELOAD": "a"},
            {"DRAWLOOM_SECRET_A": "a"},
        )
    ),
    ("D161", lambda: plain.with_options(image="a b"), "with_options(...): image='a b' must be"),
    ("D161", lambda: call_options(env={"A-B": "a"}), "call_options(...): env='A-B' must be"),
    *(
        ("D162", lambda pod=pod: Pod(**pod), f"Pod(...): {next(iter(pod))}")
        for pod in (
            {"labels": {"a": "b" * 64}},
            {"labels": {"a": "-b"}},
            {"labels": {"a": "{{b}}"}},
            {"labels": {"a": 1}},
            {"labels": {"": "a"}},
            {"labels": {"a" * 64: "a"}},
            {"labels": {"/a": "a"}},
            {"labels": {"Example.com/a": "a"}},
            {"labels": ["a"]},
            {"node_selector": {"a": "b c"}},
            {"annotations": {"a b": "c"}},
            {"annotations": {"a": 1}},
            {"annotations": {"a": "x" * (256 * 1024)}},
            {"annotations": {"a": "\ud800"}},
            {"priority_class": "Urgent"},
            {"service_account": "a_b"},
            {"service_account": 3},
            {"spot": "yes"},
            {"tolerations": "spot"},
            {"tolerations": [3]},
            {"tolerations": ["a:b"]},
            {"tolerations": ["=b"]},
            {"tolerations": ["a=b c"]},
            {"env_from_secrets": "lake"},
            {"env_from_secrets": ["A"]},
            {"image_pull_secrets": [""]},
            {"secret_env": {"A": ("b",)}},
            {"secret_env": {"A": "b"}},
            {"secret_env": {"A B": ("b", "c")}},
            {"secret_env": {"A": ("b", "c d")}},
            {"secret_env": {"A": ("B", "c")}},
            {"secret_env": {1: ("b", "c")}},
            {"secret_env": ["A"]},
        )
    ),
    ("D162", lambda: Toleration("a b"), "Toleration(...): tolerations="),
    ("D162", lambda: Toleration("a", "b", "Never"), "an effect of NoSchedule"),
    ("D162", lambda: Toleration("a", "b", "NoSchedule", 3), "beside the effect NoExecute"),
    ("D162", lambda: Toleration("", "b"), "a taint's value beside its key"),
    ("D163", lambda: Volume("/a"), "Volume(...): volumes={'mount_path': '/a'} must be a volume with one source"),
    ("D163", lambda: Volume("/a", claim="a", secret="b"), "a volume with one source"),
    ("D163", lambda: Volume("/a", claim="A"), "claim='A' must be the name of an object"),
    ("D163", lambda: Volume("/a", claim="a", size="1Gi"), "they are for an `empty_dir`"),
    ("D163", lambda: Volume("/a", empty_dir=True, size="1"), "size='1' must be"),
    ("D163", lambda: Volume("/a", empty_dir="yes"), "empty_dir='yes' must be"),  # type: ignore[arg-type]
    ("D163", lambda: Volume("/a", claim="a", read_only=1), "read_only=1 must be"),  # type: ignore[arg-type]
    *(
        ("D163", lambda path=path: Volume(path, claim="a"), "Volume(...): mount_path=")
        for path in ("", "/", "a", "/a/../b", "/a:b", "/a\n", "/\ud800", 3)
    ),
    ("D163", lambda: Volume("/a", claim="a", sub_path="/b"), "sub_path='/b' must be a relative path"),
    (
        "D163",
        lambda: Pod(volumes=[Volume("/a", claim="a"), Volume("/a/", secret="b")]),
        "volumes at paths of their own",
    ),
    ("D163", lambda: Pod(volumes="/a"), "Pod(...): volumes='/a' must be a list"),  # type: ignore[arg-type]
    ("D108", wrong("resources", "4Gi"), "task(resources='4Gi') must be a Resources(...)"),
    ("D108", wrong("pod", {"spot": True}), "task(pod={'spot': True}) must be a Pod(...)"),
]


@pytest.mark.parametrize(("code", "make", "told"), BAD, ids=[f"{code}-{n}" for n, (code, _, _) in enumerate(BAD)])
def test_what_cannot_be_is_refused_where_it_stands(code: str, make: Any, told: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        make()
    (found,) = caught.value.diagnostics
    assert (found.code, told in found.what) == (code, True), found.what
    assert isinstance(found.where, Span)
    assert found.where.file == __file__
    assert found.fix
