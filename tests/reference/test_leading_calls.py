"""A call whose result is all that a map or a branch after it asks: its step decides for these, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import leading
import pytest

from drawloom.compilers.base import compiler_of
from drawloom.compilers.passes.lower_steps import lower_steps
from drawloom.compilers.passes.plan import entry_json
from drawloom.dsl.tracing import trace
from drawloom.ir.protocol import DONE, FAILED_FINAL, SKIPPED
from drawloom.ir.slices import read_slice, slice_text
from drawloom.runtimes.reference import run_bundle

SAMPLES = Path(__file__).parent / "samples"


def plan_of(pipeline: Any) -> Any:
    return lower_steps(trace(pipeline, {}).program.pipeline)


def leads(pipeline: Any) -> dict[str, str]:
    return {step.id: step.then.id for step in plan_of(pipeline).steps if step.then is not None}


@pytest.mark.parametrize(
    ("pipeline", "found"),
    [
        (leading.mapped, {"rows": "for_each:decide"}),
        (leading.nested, {"rows": "for_each:decide", "for_each/rows": "for_each/for_each:decide"}),
        (leading.batched, {"rows": "for_each:decide"}),
        (leading.chosen, {"is_good": "branch:decide"}),
        (leading.one_sided, {"is_good": "branch:decide"}),
        (leading.caught, {"try/rows": "try/for_each:decide"}),
        (leading.twice, {"made": "for_each:decide"}),  # a step tells an engine of one count
        (leading.with_an_earlier, {"rows": "for_each:decide"}),
        # what another block has is over before one of its maps begins
        (leading.with_one_around, {"for_each/rows": "for_each/for_each:decide"}),
        (leading.of_a_part, {}),  # to take a part can fail, and that is the map's failure
        (leading.sized, {"made": "branch:decide"}),  # comparing numbers can't fail
        (leading.of_text, {"word": "branch:decide"}),
        (leading.of_truth, {"is_good": "branch:decide"}),
        (leading.of_text_and_number, {}),  # of what is a parameter, too
        (leading.computed, {}),  # a division can fail, and that is the branch's failure
        (leading.with_another, {}),  # the map is behind another call, too, which may have failed
        (leading.of_anything, {}),  # what has no items is the map's failure
        (leading.of_a_container, {}),  # the image's process ends before anything could decide
    ],
    ids=lambda made: getattr(made, "__name__", ""),
)
def test_which_calls_decide_for_what_comes_after_them(pipeline: Any, found: dict[str, str]) -> None:
    assert leads(pipeline) == found


def test_the_engine_follows_the_step_of_the_call() -> None:
    assert entry_json(plan_of(leading.mapped).body) == [
        {"do": "run", "id": "rows"},
        {
            "do": "each",
            "id": "for_each:each",
            "step": "rows",
            "after": ["rows"],
            "body": [{"do": "run", "id": "for_each/double"}],
        },
        {"do": "run", "id": "total", "after": ["for_each:each"]},
    ]


def test_a_slice_that_holds_another_comes_back_as_it_was() -> None:
    for step in plan_of(leading.nested).steps:
        assert read_slice(slice_text(step).encode()) == step


def test_a_call_tells_the_count(publish: Any) -> None:
    flow = publish(leading.mapped)
    flow.begin({"number": 3})
    assert flow.step("rows") == DONE
    assert flow.texts("rows") == {"count": "3"}
    assert [flow.step("for_each/double", "0;1;2"), flow.step("total"), flow.step(":end")] == [DONE] * 3
    assert flow.run.result == 6


def test_a_call_tells_the_arm(publish: Any) -> None:
    flow = publish(leading.chosen)
    flow.begin({"number": 3})
    assert flow.step("is_good") == DONE
    assert flow.texts("is_good") == {"arm-0": "true", "arm-1": "false"}
    assert [flow.step("branch/double"), flow.step(":end")] == [DONE] * 2
    assert flow.run.result == 6


def test_several_calls_of_one_start_tell_each_its_own(publish: Any) -> None:
    flow = publish(leading.nested)
    flow.begin({"number": 3})
    assert flow.step("rows") == DONE
    assert flow.step("for_each/rows", "0;1;2") == DONE
    counts = {path.name: (path / "count").read_text() for path in flow.out("for_each/rows").iterdir()}
    assert counts == {"0": "0", "1": "1", "2": "2"}


def test_a_call_that_failed_decides_nothing(publish: Any) -> None:
    flow = publish(leading.mapped)
    flow.begin({"number": -1})
    assert flow.step("rows") == FAILED_FINAL
    assert flow.texts("rows") == {}
    assert flow.step(":end") == FAILED_FINAL
    states = {name: node.state for name, node in flow.run.details.nodes.items()}
    assert states == {"rows": "failed", "for_each": "skipped", "for_each/double": "skipped", "total": "skipped"}


def test_a_call_that_failed_in_a_try_tells_of_no_items(publish: Any) -> None:
    flow = publish(leading.caught)
    flow.begin({"number": -1})
    assert flow.step("try/rows") == DONE
    assert flow.texts("try/rows") == {"count": "0"}
    assert flow.step("try:decide") == DONE
    assert flow.texts("try:decide") == {"arm-1": "true"}
    steps = [flow.step("try/double"), flow.step("try:settle"), flow.step(":end")]
    assert steps == [DONE] * 3
    assert flow.run.result == 200


def test_a_start_that_was_lost_after_its_commit_decides_when_it_is_started_again(
    publish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drawloom.runtimes import call

    flow = publish(leading.mapped)
    flow.begin({"number": 2})

    def die(point: str) -> None:
        if point == "after-commit":
            raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(call, "_fault", die)
        with pytest.raises(MemoryError):
            flow.step("rows")
    assert flow.texts("rows") == {}
    assert flow.step("rows", attempt=2) == DONE
    assert flow.texts("rows") == {"count": "2"}


def test_an_answer_from_the_cache_decides_as_well(publish: Any) -> None:
    flow = publish(leading.mapped)
    for identity in ("1", "2"):
        flow.begin({"number": 2}, identity)
        assert flow.step("rows") == DONE
        assert flow.texts("rows") == {"count": "2"}
    assert flow.run.details.nodes["rows"].state == "cached"


def test_a_call_that_is_cleared_decides_anew(publish: Any) -> None:
    flow = publish(leading.mapped)
    flow.begin({"number": 2})
    flow.step("rows")
    flow.begin({"number": 4}, generation=1)
    assert flow.step("rows") == DONE
    assert flow.texts("rows") == {"count": "4"}


def test_what_an_arm_was_decided_for_is_forgotten_when_its_call_is_cleared(publish: Any, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted"
    wanted.write_text("yes")
    flow = publish(leading.armed)
    flow.begin({"wanted": str(wanted)})
    ended = [flow.step(name, after="ended") for name in ("try/checked", "try/branch/double")]
    assert ended == [DONE, DONE]
    wanted.unlink()
    flow.reference = flow.reference.replace(".0", ".1")
    assert flow.step("try/checked", after="ended") == FAILED_FINAL
    assert flow.step("try/branch/double", after="ended") == SKIPPED


def test_a_call_that_left_without_a_word_fails_its_run(tmp_path: Path) -> None:
    compiler_of("reference").compile(trace(leading.left, {}).program, root=str(SAMPLES)).write(tmp_path / "build")
    run = run_bundle(str(tmp_path / "build"), {"number": 3}, str(tmp_path / "store"))
    assert run.state == "failed"
    assert run.details.failure.node == "leave"
