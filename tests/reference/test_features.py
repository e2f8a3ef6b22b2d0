"""Features are found in the IR: for each a pipeline that uses it, with all that it uses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import step_samples as samples

from drawloom.compilers.base import Refused, compiler_of, engine_names, refuse_unsupported
from drawloom.compilers.features import FEATURES, LONG_LOOP, features_used
from drawloom.compilers.passes.lower_steps import lower_steps
from drawloom.dsl.tracing import trace
from drawloom.errors import CompileError
from drawloom.ir.check import check_pipeline
from drawloom.ir.nodes import (
    Block,
    Branch,
    Call,
    Carry,
    Case,
    Handler,
    Loop,
    Map,
    Node,
    Pipeline,
    PipelineCall,
    Port,
    Try,
)
from drawloom.ir.operands import Carried, Const, Operand, Param, RunInfo
from drawloom.ir.policies import (
    CachePolicy,
    Parallelism,
    PipelinePolicies,
    PodPolicy,
    Policies,
    ResourcesPolicy,
    RetryPolicy,
    SchedulePolicy,
    VolumePolicy,
)
from drawloom.ir.program import Program
from drawloom.ir.tasks import Container, EngineSpec, FunctionRef, TaskSpec
from drawloom.ir.types import BOOL, INT, Type

CALL = ("a", "node.call@1")
TASK = TaskSpec("step_samples:one", FunctionRef("step_samples", "one"), result=INT)
BOX = TaskSpec("step_samples:box", FunctionRef("step_samples", "box"), result=INT, container=Container("image:1"))
OWN = TaskSpec("step_samples:wait", FunctionRef("step_samples", "wait"), engine=EngineSpec("airflow", "{}"))
NUMBERS, FLAG = Param("numbers"), Param("flag")


def flow(*nodes: Node, results: Sequence[Operand] = (), params: Sequence[Port] = (), **policies: Any) -> Pipeline:
    names = [f"r{place}" for place in range(len(results))]
    return Pipeline(
        "flow",
        params=(Port("numbers", Type("list", (INT,))), Port("flag", BOOL), *params),
        tasks=(BOX, TASK, OWN),
        body=Block(nodes, tuple(zip(names, results, strict=True))),
        results=tuple(Port(name, Type("datetime")) for name in names),
        policies=PipelinePolicies(**policies),
    )


def call(name: str = "a", after: tuple[str, ...] = (), **policies: Any) -> Call:
    return Call(name, TASK.name, after=after, policies=Policies(**policies) if policies else None)


def each(*nodes: Node, **options: Any) -> Map:
    return Map("each", NUMBERS, Block(nodes), item=INT, **options)


def scheduled(refined: str = "", **options: Any) -> tuple[Pipeline, list[tuple[str, str]]]:
    schedule = SchedulePolicy("0 6 * * *", "UTC", **{"overlap": "allow", **options})
    uses = ["policy.schedule@1", *([f"policy.schedule.{refined}@1"] if refined else [])]
    return flow(call(), schedule=schedule), [CALL, *(("", feature) for feature in uses)]


def choose(*nodes: Node) -> Branch:
    return Branch("choose", (Case(FLAG, Block(nodes)),))


def loop(*nodes: Node, name: str = "loop", limit: int = 3, on_limit: str = "fail") -> Loop:
    carry = Carry("go", FLAG, BOOL)
    test = Block(results=(("test", Carried(name, "go")),))
    return Loop(name, (carry,), test, Block(nodes, (("go", Const("false")),)), limit, on_limit)


def guard(*nodes: Node, handled: bool = True, final: bool = False) -> Try:
    handlers = (Handler(("builtins:ValueError",), Block()),) if handled else ()
    return Try("guard", Block(nodes), handlers, Block((call("closed"),)) if final else None)


def retried(*uses: str, timeout: float | None = None, **retry: Any) -> tuple[Pipeline, list[tuple[str, str]]]:
    found = ["policy.retry@1", *uses, *(["policy.timeout.attempt@1"] if timeout else [])]
    made = flow(call(retry=RetryPolicy(**retry), attempt_timeout_seconds=timeout))
    return made, [CALL, *(("a", feature) for feature in found)]


def with_pod(feature: str, **pod: Any) -> tuple[Pipeline, list[tuple[str, str]]]:
    return flow(call(pod=PodPolicy(**pod))), [CALL, ("a", feature)]


EACH, LOOP = ("each", "control.map@1"), ("loop", "control.loop@1")
GUARD, HANDLED = ("guard", "control.try@1"), ("guard", "control.try.handlers@1")
LIMIT = Parallelism(2)
INFRA, BY_CLASS = "policy.retry.infra@1", "policy.retry.by_class@1"

# feature -> (a pipeline that uses it, every use in it)
USES: dict[str, tuple[Pipeline, list[tuple[str, str]]]] = {
    "node.call@1": (flow(call()), [CALL]),
    "node.container@1": (
        flow(Call("box", BOX.name, policies=Policies(attempt_timeout_seconds=5))),
        [("box", "node.container@1"), ("box", "policy.timeout.attempt@1")],
    ),
    "node.engine@1": (flow(Call("wait", OWN.name)), [("wait", "node.engine@1")]),
    "node.pipeline@1": (flow(PipelineCall("sub", "other", Block((call(),)))), [("sub", "node.pipeline@1"), CALL]),
    "control.map@1": (flow(each(call())), [EACH, CALL]),
    "control.map.nested@1": (
        flow(each(PipelineCall("sub", "other", Block((Map("inner", NUMBERS, Block((call(),)), item=INT),))))),
        [EACH, ("sub", "node.pipeline@1"), ("inner", "control.map@1"), ("inner", "control.map.nested@1"), CALL],
    ),
    "control.map.branch@1": (
        flow(each(choose(call()))),
        [EACH, ("choose", "control.branch@1"), ("choose", "control.map.branch@1"), CALL],
    ),
    "control.map.try@1": (flow(each(guard(call()))), [EACH, GUARD, ("guard", "control.map.try@1"), HANDLED, CALL]),
    "control.map.batch@1": (
        flow(each(call(), call("b"), batch_size=2)),
        [EACH, ("each", "control.map.batch@1"), CALL, ("b", "node.call@1")],
    ),
    "control.map.batch_control@1": (
        flow(each(loop(), batch_size=2)),
        [EACH, ("each", "control.map.batch_control@1"), LOOP, ("loop", "control.loop.nested@1")],
    ),
    "control.map.parallelism@1": (
        flow(each(call(), parallelism=LIMIT)),
        [EACH, ("each", "control.map.parallelism@1"), CALL],
    ),
    "control.map.parallelism_steps@1": (
        flow(each(call(), call("b"), parallelism=LIMIT)),
        [
            *(EACH, ("each", "control.map.parallelism@1"), ("each", "control.map.parallelism_steps@1")),
            *(CALL, ("b", "node.call@1")),
        ],
    ),
    "control.branch@1": (flow(choose(call())), [("choose", "control.branch@1"), CALL]),
    "control.loop@1": (flow(loop(call(), limit=LONG_LOOP)), [LOOP, CALL]),
    "control.loop.nested@1": (
        flow(loop(loop(name="inner"))),
        [LOOP, ("inner", "control.loop@1"), ("inner", "control.loop.nested@1")],
    ),
    "control.loop.long@1": (flow(loop(limit=LONG_LOOP + 1)), [LOOP, ("loop", "control.loop.long@1")]),
    "control.loop.stop@1": (flow(loop(on_limit="stop")), [LOOP, ("loop", "control.loop.stop@1")]),
    "control.try@1": (flow(guard(call(), handled=False)), [GUARD, CALL]),
    "control.try.handlers@1": (flow(guard(call())), [GUARD, HANDLED, CALL]),
    "control.try.final@1": (
        flow(guard(call(), handled=False, final=True)),
        [GUARD, ("guard", "control.try.final@1"), CALL, ("closed", "node.call@1")],
    ),
    "order.after@1": (flow(call(), call("b", ("a",))), [CALL, ("b", "node.call@1"), ("b", "order.after@1")]),
    "policy.retry@1": retried(BY_CLASS, max_attempts=2, on=("timeout",)),
    "policy.retry.delay@1": retried("policy.retry.delay@1", INFRA, max_attempts=2, delay_seconds=1.0, factor=2.0),
    "policy.retry.backoff@1": retried(
        *("policy.retry.delay@1", "policy.retry.backoff@1", INFRA), max_attempts=3, delay_seconds=1.0, factor=2.0
    ),
    "policy.retry.by_class@1": retried(BY_CLASS, max_attempts=2, on=("builtins:ValueError",)),
    "policy.retry.infra@1": retried(BY_CLASS, INFRA, max_attempts=2, on=("builtins:ValueError", "infra")),
    "policy.retry.timeout@1": retried(INFRA, "policy.retry.timeout@1", max_attempts=2, timeout=5.0),
    "policy.timeout.attempt@1": (flow(call(attempt_timeout_seconds=5.0)), [CALL, ("a", "policy.timeout.attempt@1")]),
    "policy.timeout.node@1": (flow(call(node_timeout_seconds=5.0)), [CALL, ("a", "policy.timeout.node@1")]),
    "policy.timeout.run@1": (flow(call(), run_timeout_seconds=5.0), [CALL, ("", "policy.timeout.run@1")]),
    "policy.schedule@1": scheduled(),
    "policy.schedule.catch_up@1": scheduled("catch_up", catch_up="all"),
    "policy.schedule.catch_up_latest@1": scheduled("catch_up_latest", catch_up="latest"),
    "policy.schedule.overlap_skip@1": scheduled("overlap_skip", overlap="skip"),
    "policy.schedule.overlap_replace@1": scheduled("overlap_replace", overlap="replace"),
    "policy.cache@1": (flow(call(cache=CachePolicy(True))), [CALL, ("a", "policy.cache@1")]),
    "policy.packages@1": (flow(each(call(packages=("pandas",)))), [EACH, CALL, ("a", "policy.packages@1")]),
    "policy.resources@1": (flow(call(resources=ResourcesPolicy("1"))), [CALL, ("a", "policy.resources@1")]),
    "policy.resources.gpu@1": (
        flow(call(resources=ResourcesPolicy(disk="1Gi", gpu=1))),
        [CALL, ("a", "policy.resources@1"), ("a", "policy.resources.gpu@1")],
    ),
    "policy.image@1": (flow(call(image="x:1")), [CALL, ("a", "policy.image@1")]),
    "policy.env@1": (flow(call(env=(("A", "1"),))), [CALL, ("a", "policy.env@1")]),
    "policy.placement@1": with_pod("policy.placement@1", spot=True, node_selector=(("a", "b"),)),
    "policy.volumes@1": with_pod("policy.volumes@1", volumes=(VolumePolicy("/a", "claim", "a"),)),
    "policy.secrets@1": with_pod("policy.secrets@1", secret_env=(("A", "b", "c"),)),
    "policy.pod@1": with_pod("policy.pod@1", labels=(("a", "b"),)),
    "value.logical_time@1": (
        flow(results=[RunInfo("logical_time"), RunInfo("logical_time")]),
        [("", "value.logical_time@1")],
    ),
    "value.interval@1": (
        flow(results=[RunInfo("interval_start"), RunInfo("interval_end")]),
        [("", "value.interval@1")],
    ),
    "value.file@1": (
        flow(call(), params=[Port("tables", Type("list", (Type("directory"),)))]),
        [CALL, ("", "value.file@1")],
    ),
}


def uses(pipeline: Pipeline) -> list[tuple[str, str]]:
    return [(use.node, use.feature) for use in features_used(pipeline)]


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_is_found_where_it_is_used(feature: str) -> None:
    pipeline, expected = USES[feature]
    assert check_pipeline(Program(pipeline, {})) == []
    assert uses(pipeline) == expected
    assert feature in {name for _, name in expected}


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("engine", engine_names())
def test_a_feature_is_refused_where_the_engine_declares_so(engine: str, feature: str) -> None:
    compiler = compiler_of(engine)
    pipeline = USES[feature][0]
    if feature == "node.engine@1" and engine != "reference":  # what another engine has of its own is refused anyway
        own = replace(OWN, engine=EngineSpec(engine, "{}"))
        pipeline = replace(pipeline, tasks=tuple(own if task == OWN else task for task in pipeline.tasks))
    program = Program(pipeline, {})
    if not isinstance(compiler.support[feature], Refused):
        refuse_unsupported(program, compiler)
        return
    with pytest.raises(CompileError) as caught:
        refuse_unsupported(program, compiler)
    assert [d.feature for d in caught.value.diagnostics if d.code == "E701"] == [feature]


@pytest.mark.parametrize("feature", FEATURES)
def test_what_the_reference_engine_declares_it_lowers_to_steps(feature: str) -> None:
    if not isinstance(compiler_of("reference").support[feature], Refused):
        assert lower_steps(USES[feature][0]).steps


def test_an_id_is_a_family_a_name_and_a_version() -> None:
    families = ("node", "control", "order", "policy", "value")
    for feature, what in FEATURES.items():
        assert re.fullmatch(rf"({'|'.join(families)})(\.[a-z_]+)+@[1-9]\d*", feature), feature
        assert what[0].islower() or what.startswith("Python"), what
        assert not what.endswith("."), what
    found = [feature.partition(".")[0] for feature in FEATURES]
    assert found == sorted(found, key=families.index), "a family stands together"
    assert len(set(FEATURES.values())) == len(FEATURES) == len(USES)


def test_a_call_that_is_traced_uses_what_its_task_declares() -> None:
    assert uses(trace(samples.out_of_time, {}).program.pipeline) == [
        ("never_done", feature)
        for feature in ("node.call@1", "policy.retry@1", "policy.retry.infra@1", "policy.timeout.node@1")
    ]
    assert {feature for _, feature in uses(trace(samples.deciding, {}).program.pipeline)} == {
        *("node.call@1", "control.map@1", "control.loop@1", "control.branch@1"),
    }
