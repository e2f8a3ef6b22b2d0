"""What holds for each pass on every program: clean, same meaning, done at once, and the form it removes is gone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from dense_programs import dense_programs
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from ir_programs import Generated, programs
from pass_meaning import meaning, with_nested_maps, without_places

from drawloom.compilers.passes.flatten_maps import flatten_maps
from drawloom.compilers.passes.fuse_nodes import FUSED, fuse_nodes
from drawloom.compilers.passes.inline_pipelines import inline_pipelines
from drawloom.compilers.passes.made_nodes import holds_calls, is_computing
from drawloom.compilers.passes.order import PASSES, Pass, run_passes
from drawloom.compilers.passes.unroll_loops import unroll_loops
from drawloom.ir.check import check_pipeline
from drawloom.ir.nodes import Branch, Call, Loop, Map, Node, Pipeline, PipelineCall, Try
from drawloom.ir.operands import Apply, Const, Item, Operand, Output
from drawloom.ir.program import Program
from drawloom.ir.walk import walk

TIMES = int(os.environ.get("TEST_EXAMPLES", "1"))
pytestmark = pytest.mark.timeout(300 * TIMES)
each_pass = pytest.mark.parametrize("one", PASSES, ids=lambda one: one.__name__)
# passes that leave every failure in the node where it was
SAME_PLACES = ("lift_cleanup", "inline_pipelines", "batch_maps", "fuse_nodes")
EITHER = st.one_of(dense_programs(), dense_programs(), dense_programs(), programs())
MOST = 3_000  # nodes of an unrolled program that are still worth running


def some(examples: int) -> Any:
    return settings(
        max_examples=examples * TIMES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


def problems(pipeline: Pipeline) -> list[str]:
    return [str(d) for d in check_pipeline(Program(pipeline))]


def size(pipeline: Pipeline) -> int:
    return sum(1 for _ in walk(pipeline.body))


def prepared(generated: Generated, nested: bool, places: bool) -> Pipeline:
    pipeline = generated.pipeline if places else without_places(generated.pipeline)
    return with_nested_maps(pipeline) if nested else pipeline


@each_pass
@some(150)
@given(program=EITHER, nested=st.booleans())
def test_a_pass_keeps_the_meaning(one: Pass, program: Generated, nested: bool) -> None:
    pipeline = prepared(program, nested, one.__name__ in SAME_PLACES)
    expected = meaning(pipeline)
    made = one(pipeline)
    assume(size(made) <= MOST)
    assert problems(made) == []
    assert meaning(made, at_most=20 * MOST) == expected


@some(150)
@given(program=EITHER, nested=st.booleans())
def test_all_passes_keep_the_meaning(program: Generated, nested: bool) -> None:
    pipeline = prepared(program, nested, places=False)
    expected = meaning(pipeline)
    made = run_passes(pipeline)
    assume(size(made) <= MOST)
    assert problems(made) == []
    assert meaning(made, at_most=20 * MOST) == expected


@some(50)
@given(program=st.one_of(dense_programs(), programs(most=10, per_block=3)))
def test_a_loop_of_any_bound_can_be_unrolled(program: Generated) -> None:
    pipeline = without_places(program.pipeline)
    expected = meaning(pipeline)
    made = unroll_loops(pipeline, max_iterations=5)
    assume(size(made) <= MOST)
    assert problems(made) == []
    assert not any(isinstance(node, Loop) and holds_calls(node) for node in walk(made.body))
    assert meaning(made, at_most=20 * MOST) == expected


@each_pass
@some(50)
@given(program=EITHER, nested=st.booleans())
def test_a_pass_has_nothing_to_do_after_itself(one: Pass, program: Generated, nested: bool) -> None:
    once = one(prepared(program, nested, places=True))
    assert one(once) == once


# the form a pass removes


def whole(operand: Operand) -> bool:
    return isinstance(operand, Output) and not operand.path


def decides_itself(node: Node) -> bool:
    match node:
        case Branch():
            return not all(whole(case.test) for case in node.cases)
        case Loop():
            return not whole(node.test.results[0][1])
        case Map():
            return not whole(node.items)
    return False


def is_only_a_map(node: Node) -> bool:
    if not isinstance(node, Map) or len(node.body.nodes) != 1:
        return False
    inner = node.body.nodes[0]
    if not isinstance(inner, Map) or inner.parallelism or node.parallelism or not holds_calls(inner):
        return False
    items = inner.items
    of_item = isinstance(items, Item) and items.map == node.id and (not items.path or node.item.name == "tuple")
    return of_item and all(whole(operand) for _, operand in node.body.results)


def starts_each_item(node: Node) -> bool:
    calls = isinstance(node, Map) and node.body.nodes and all(isinstance(inner, Call) for inner in node.body.nodes)
    return isinstance(node, Map) and bool(calls) and node.batch_size == 1 and not is_guard(node)


def is_guard(node: Map) -> bool:
    """Whether a map is over one item or none: a constant, or an arm that is chosen or not."""
    if isinstance(node.items, Const):
        return len(json.loads(node.items.json)) < 2
    is_arm, is_list = "~arm-" in node.id, isinstance(node.items, Apply) and node.items.op == "list"
    return is_arm or (is_list and len(node.items.args) < 2)


def decided_in_place(pipeline: Pipeline) -> list[Node]:
    """The nodes, each map with what it runs over written out again."""
    groups = {node.id: dict(node.body.results) for node in walk(pipeline.body) if is_computing(node)}

    def items(one: Operand) -> Operand:
        return groups[one.node][one.port] if isinstance(one, Output) and one.node in groups and whole(one) else one

    return [replace(node, items=items(node.items)) if isinstance(node, Map) else node for node in walk(pipeline.body)]


FORMS: dict[str, Callable[[Node], bool]] = {
    "lift_cleanup": lambda node: isinstance(node, Try) and bool(node.handlers) and node.final is not None,
    "unroll_loops": lambda node: isinstance(node, Loop) and node.max_iterations <= 3 and holds_calls(node),
    "inline_pipelines": lambda node: isinstance(node, PipelineCall) and bool(node.body.nodes),
    "guard_branches": lambda node: isinstance(node, Branch),
    "flatten_maps": is_only_a_map,
    "separate_decisions": decides_itself,
    "batch_maps": starts_each_item,
}


@pytest.mark.parametrize("one", [one for one in PASSES if one.__name__ != "fuse_nodes"], ids=lambda one: one.__name__)
@some(50)
@given(program=EITHER, nested=st.booleans())
def test_the_form_a_pass_removes_is_gone(one: Pass, program: Generated, nested: bool) -> None:
    made = one(prepared(program, nested, places=True))
    assert [node.id for node in walk(made.body) if FORMS[one.__name__](node)] == []


@some(50)
@given(program=EITHER, nested=st.booleans())
def test_the_forms_that_passes_remove_are_gone_after_all_of_them(program: Generated, nested: bool) -> None:
    made = run_passes(prepared(program, nested, places=True))
    for name, form in FORMS.items():
        nodes = decided_in_place(made) if name == "batch_maps" else walk(made.body)
        left = [node for node in nodes if form(node)]
        assert [node.id for node in left if not (isinstance(node, PipelineCall) and node.pipeline == FUSED)] == [], name


def test_the_programs_have_the_forms_that_passes_remove() -> None:
    seen = dict.fromkeys((one.__name__ for one in PASSES), 0)

    @settings(some(200), derandomize=True)
    @given(program=EITHER, nested=st.booleans())
    def count(program: Generated, nested: bool) -> None:
        pipeline = prepared(program, nested, places=True)
        for one in PASSES:
            seen[one.__name__] += one(pipeline) != pipeline

    count()
    assert min(seen.values()) >= 5, seen


# fused chains


@some(50)
@given(program=EITHER)
def test_a_fused_chain_is_calls_and_expressions_one_behind_the_other(program: Generated) -> None:
    made = run_passes(program.pipeline)
    for node in walk(made.body):
        if isinstance(node, PipelineCall) and node.pipeline == FUSED:
            assert len(node.body.nodes) > 1
            assert all(isinstance(one, (Call, PipelineCall)) and not holds_calls(one) for one in node.body.nodes)


@some(30)
@given(program=EITHER)
def test_fused_chains_come_apart_when_pipelines_are_inlined(program: Generated) -> None:
    inlined = inline_pipelines(program.pipeline)
    assert meaning(inline_pipelines(fuse_nodes(inlined))) == meaning(inlined)


@some(40)
@given(program=EITHER)
def test_maps_in_maps_are_flat_afterwards(program: Generated) -> None:
    nested = with_nested_maps(without_places(program.pipeline), levels=2)
    assume(size(nested) <= 200)
    expected = meaning(nested)
    made = flatten_maps(nested)
    assert problems(made) == []
    assert not any(is_only_a_map(node) for node in walk(made.body))
    assert meaning(made, at_most=20 * MOST) == expected
