"""What the lowering to steps makes of each kind of node, and what a step can read of it."""

from __future__ import annotations

import pytest
import step_samples as samples

from drawloom.compilers.passes.lower_steps import lower_steps
from drawloom.compilers.passes.plan import entry_json
from drawloom.dsl.tracing import trace
from drawloom.ir.slices import BrokenSeal, layout_text, read_layout, read_slice, slice_text


def plan_of(pipeline):
    return lower_steps(trace(pipeline, {}).program.pipeline)


def test_calls_keep_the_order_of_their_data_and_effects():
    assert entry_json(plan_of(samples.chain).body) == [
        {"do": "run", "id": "first"},
        {"do": "run", "id": "add", "after": ["first"]},
    ]
    assert entry_json(plan_of(samples.writing).body) == [
        {"do": "run", "id": "write"},
        {"do": "run", "id": "write-2", "after": ["write"]},
    ]


def test_a_map_is_a_count_a_branch_a_boolean_per_arm_a_loop_a_test_before_each_iteration():
    assert entry_json(plan_of(samples.deciding).body) == [
        {"do": "run", "id": "sums:decide", "lost_retries": 2},
        {
            "do": "each",
            "id": "sums:each",
            "step": "sums:decide",
            "after": ["sums:decide"],
            "body": [{"do": "run", "id": "sums/add"}],
        },
        {
            "do": "while",
            "id": "grown:while",
            "test": [{"do": "run", "id": "grown:decide", "lost_retries": 2}],
            "step": "grown:decide",
            "body": [{"do": "run", "id": "grown/add"}],
        },
        {"do": "run", "id": "branch:decide", "lost_retries": 2, "after": ["grown:while"]},
        {
            "do": "when",
            "id": "branch:arm-0",
            "step": "branch:decide",
            "output": "arm-0",
            "after": ["branch:decide"],
            "body": [{"do": "run", "id": "branch/add"}],
        },
    ]


def test_steps_in_a_try_are_contained_and_guarded_and_the_try_is_settled():
    plan = plan_of(samples.contained)
    by_id = {step.id: step for step in plan.steps}
    assert [step.id for step in plan.steps] == [
        *(":begin", "try/bad", "try/add", "try:decide", "try/add-2", "try:settle", ":end"),
    ]
    assert by_id["try/bad"].contained
    assert by_id["try/add"].guards == ("try/bad",)
    assert not by_id["try:settle"].contained
    assert by_id["try:decide"].handlers == (("builtins:ValueError",),)
    decide = next(entry for entry in plan.body if entry.id == "try:decide")
    assert decide.finished  # whatever became of the body


def test_attempts_become_retries_one_less():
    (entry,) = plan_of(samples.failing_twice).body
    assert (entry.retries, entry.lost_retries) == (1, 1)


def test_slices_and_the_layout_come_back_as_they_were():
    plan = plan_of(samples.deciding)
    assert [read_slice(slice_text(step).encode()) for step in plan.steps] == list(plan.steps)
    assert list(read_layout(layout_text(plan.places).encode()).values()) == list(plan.places)


def test_a_slice_has_the_sources_its_operands_lead_to_and_no_others():
    by_id = {step.id: step for step in plan_of(samples.deciding).steps}
    assert [source.id for source in by_id["branch/add"].sources] == ["grown", "grown/add"]
    assert by_id["sums:decide"].sources == ()


@pytest.mark.parametrize("change", [(b"first", b"thirst"), (b'"format":0', b'"format":9')])
def test_a_changed_slice_has_a_broken_seal(change):
    text = slice_text(plan_of(samples.chain).steps[1]).encode()
    assert change[0] in text
    with pytest.raises(BrokenSeal, match="its bytes don't have the digest it carries"):
        read_slice(text.replace(*change))


def test_the_same_pipeline_gives_the_same_plan():
    assert plan_of(samples.deciding) == plan_of(samples.deciding)
