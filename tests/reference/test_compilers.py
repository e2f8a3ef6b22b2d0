"""The compiler contract: names, declarations, refusals, files."""

from __future__ import annotations

import pytest
import step_samples as samples

import drawloom.api
from drawloom.compilers.base import (
    Bundle,
    Compiler,
    Lowered,
    Native,
    Refused,
    compiler_of,
    engine_names,
    refuse_unsupported,
)
from drawloom.compilers.features import FEATURES, features_used
from drawloom.compilers.passes.lower_steps import lower_steps
from drawloom.compilers.passes.plan import Each
from drawloom.compilers.reference import compile_reference
from drawloom.dsl.tracing import trace
from drawloom.errors import CompileError, Span
from drawloom.ir.nodes import Block, Call, Pipeline
from drawloom.ir.program import Program
from drawloom.ir.tasks import EngineSpec, FunctionRef, TaskSpec


def _owned(name: str, engine: str) -> TaskSpec:
    return TaskSpec(name, FunctionRef(*name.split(":")), engine=EngineSpec(engine, "{}"))


def test_a_compiler_says_something_of_every_feature():
    for name in engine_names():
        assert set(compiler_of(name).support) == set(FEATURES)
    with pytest.raises(TypeError, match=r"the compiler for half doesn't say how it supports .*control\.loop@1, "):
        Compiler("half", {"node.call@1": Native()}, compile_reference)


def test_an_unknown_engine_is_refused_with_the_nearest_name():
    with pytest.raises(CompileError) as caught:
        compiler_of("referense")
    assert str(caught.value) == (
        "error[E702] there is no engine 'referense', did you mean `reference`?\n  fix    name one of: airflow, argo, reference"
    )


def test_what_an_engine_cannot_express_is_refused_all_at_once_with_lines():
    tasks = (_owned("ml:train", "dagster"), _owned("ml:wait", "airflow"))
    pipeline = Pipeline("flow", tasks=tasks, body=Block((Call("train", "ml:train"), Call("wait", "ml:wait"))))
    program = Program(pipeline, {"train": Span("flow.py", 4, "flow"), "": Span("flow.py", 2, "flow")})
    with pytest.raises(CompileError) as caught:
        compile_reference(program)
    first, second = (str(diagnostic).splitlines() for diagnostic in caught.value.diagnostics)
    assert first == [
        (
            "error[E701] node `train` uses nodes that one engine alone has (node.engine@1), "
            "which reference can't express: the node is dagster's own"
        ),
        "  where  flow.py:4, flow",
        "  graph  train = ml:train() -> Any    <- here",
        "  fix    put a @task in its place; no installed engine accepts it",
    ]
    assert second == [
        (
            "error[E701] node `wait` uses nodes that one engine alone has (node.engine@1), "
            "which reference can't express: the node is airflow's own"
        ),
        "  graph  wait = ml:wait() -> Any    <- here",
        "  fix    compile for an engine that accepts it (airflow), or put a @task in its place",
    ]
    facts = [(diagnostic.feature, diagnostic.engines) for diagnostic in caught.value.diagnostics]
    assert facts == [("node.engine@1", ()), ("node.engine@1", ("airflow",))]


def test_an_engines_own_node_is_refused_by_every_other_engine():
    tasks = (_owned("ml:wait", "airflow"),)
    program = Program(Pipeline("flow", tasks=tasks, body=Block((Call("wait", "ml:wait"),))), {})
    everything = dict.fromkeys(FEATURES, Native())
    with pytest.raises(CompileError, match="the node is airflow's own"):
        refuse_unsupported(program, Compiler("tiny", everything, compile_reference))
    refuse_unsupported(program, Compiler("airflow", everything, compile_reference))


def test_the_refusal_names_the_engines_that_can(monkeypatch):
    support = dict.fromkeys(FEATURES, Native()) | {"control.map@1": Refused("it counts to one")}
    program = trace(samples.deciding, {}).program
    with pytest.raises(
        CompileError,
        match=r"compile for an engine that accepts it \(airflow, argo, reference\), or do it within a @task",
    ):
        refuse_unsupported(program, Compiler("tiny", support, compile_reference))


def test_a_task_that_a_step_cannot_import_is_refused_at_its_first_call():
    with pytest.raises(CompileError) as caught:
        compile_reference(trace(samples.made_by_a_factory, {}).program)
    source, line = samples.__file__, samples.made_by_a_factory.function.__code__.co_firstlineno + 2
    name = "step_samples:make.<locals>.scale"
    assert str(caught.value) == (
        f"error[E706] node `scale`: a step can't import task `{name}`: it is defined inside another function\n"
        f"  where  {source}:{line}, made_by_a_factory\n"
        f"  graph  scale = {name}(n=$n) -> int    <- here\n"
        "  fix    define it with `def` at the top level of a module, and import it from there where the pipeline is"
    )
    assert drawloom.api.check(samples.made_by_a_factory, "reference") == list(caught.value.diagnostics)


@pytest.mark.parametrize(
    ("module", "qualname", "problem"),
    [
        ("__main__", "scale", "it is defined in the script that was started, which has another name in a step"),
        ("step_samples", "gone", "module `step_samples` has no `gone`"),
        ("step_samples", "<lambda>", "it is a lambda"),
    ],
)
def test_a_name_that_means_nothing_in_a_step_is_refused(module, qualname, problem):
    task = TaskSpec("the-task", FunctionRef(module, qualname))
    program = Program(Pipeline("flow", tasks=(task,), body=Block((Call("scale", "the-task"),))), {})
    with pytest.raises(CompileError) as caught:
        compile_reference(program)
    (found,) = caught.value.diagnostics
    assert (found.code, found.what) == ("E706", f"node `scale`: a step can't import task `the-task`: {problem}")


def test_batches_over_control_nodes_are_another_feature_than_batches():
    def features(pipeline):
        return {use.feature for use in features_used(trace(pipeline, {}).program.pipeline)}

    assert features(samples.batched_over_control) == {
        *("control.map@1", "control.map.batch_control@1", "control.branch@1", "control.map.branch@1", "node.call@1"),
    }
    program = trace(samples.batched_over_control, {}).program
    support = dict.fromkeys(FEATURES, Native()) | {"control.map.batch_control@1": Refused("it takes one item")}
    with pytest.raises(CompileError, match="several items in one step where the fan-out's body has control nodes"):
        refuse_unsupported(program, Compiler("tiny", support, compile_reference))
    assert compiler_of("reference").support["control.map.batch_control@1"] == Lowered(
        "each item goes in steps of its own; the results are the same"
    )
    each = next(entry for entry in lower_steps(program.pipeline).body if isinstance(entry, Each))
    assert each.batch_size == 1


def test_compiling_twice_gives_the_same_bytes():
    program = trace(samples.deciding, {}).program
    assert dict(compile_reference(program)) == dict(compile_reference(program))


def test_a_bundle_writes_its_files(tmp_path):
    Bundle({"a/b.txt": "é", "c.bin": b"\x00"}).write(tmp_path)
    assert (tmp_path / "a" / "b.txt").read_bytes() == "é".encode()
    assert (tmp_path / "c.bin").read_bytes() == b"\x00"


def test_a_bundle_that_cannot_be_written_says_which_file(tmp_path):
    (tmp_path / "a").write_text("a file, not a folder")
    with pytest.raises(CompileError) as caught:
        Bundle({"a/b.txt": ""}).write(tmp_path)
    assert str(caught.value) == (
        f"error[E705] the compiled file {tmp_path}/a/b.txt can't be written: File exists\n"
        "  fix    choose another folder, or make room and give yourself the right to write there"
    )
