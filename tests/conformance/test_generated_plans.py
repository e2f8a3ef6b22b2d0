"""A plan agrees with the run that follows it, for generated programs: first runs, reruns, and runs of which a part is lost.

What is planned `cached` is never executed and what is planned `run` never answered by an earlier run, except behind a
failure; and a plan leaves no trace. `TEST_EXAMPLES` multiplies the number of examples (`make torture`).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

TESTS = Path(__file__).parents[1]
sys.path[:0] = [
    path
    for path in (str(TESTS / "strategies"), str(TESTS / "conformance"), str(TESTS / "conformance" / "generated"))
    if path not in sys.path
]
from ir_program_tasks import FUNCTIONS  # noqa: E402  # found beside these tests, imported by path
from ir_programs import Generated, programs  # noqa: E402
from lost_answers import forget_answers  # noqa: E402
from test_generated_programs import TIME, TIMES, Bench, bench, some  # noqa: E402

from drawloom.catalog.records import Commit  # noqa: E402
from drawloom.catalog.runlog import read_records  # noqa: E402
from drawloom.runtimes.local import run_local  # noqa: E402
from drawloom.runtimes.plan import plan_local  # noqa: E402
from drawloom.runtimes.planned import Plan  # noqa: E402
from drawloom.storage.objects import Objects  # noqa: E402
from drawloom.storage.overlay import Overlay  # noqa: E402
from drawloom.values.store import Values  # noqa: E402

pytestmark = pytest.mark.timeout(300 * TIMES)


def planned(at: Bench, params: dict[str, Any], *, cache: bool = True) -> Plan:
    before = {key: at.catalog.storage.size_bytes(key) for key in at.catalog.storage.keys("")}
    storage = Overlay(at.catalog.storage)
    values = Values(Objects(storage))
    info = {"logical_time": at.catalog.values.encode(TIME)}
    found = plan_local(at.program, params, storage, values, cache=cache, info=info)
    assert {key: at.catalog.storage.size_bytes(key) for key in at.catalog.storage.keys("")} == before
    return found


def assert_agrees(at: Bench, name: str, change: dict[str, Any], *, cache: bool = True) -> None:
    params = at.params(name) | {key: at.catalog.values.encode(value) for key, value in change.items()}
    plan = planned(at, params, cache=cache)
    run = run_local(
        at.program,
        FUNCTIONS,
        params,
        at.catalog,
        executor="inline",
        info={"logical_time": at.catalog.values.encode(TIME)},
        fail_fast=False,
        cache=cache,
    )
    commits = {(r.node, r.index): r for r in read_records(at.catalog.storage, run.id) if isinstance(r, Commit)}
    commits |= run.commits()  # those of items of maps that were answered as a whole, too
    failed = any(commit.outcome == "failed" for commit in commits.values())
    for node in plan:
        if node.kind != "call":
            continue
        for index, state in node.instances.items():
            commit = commits.get((node.id, index))
            told = f"{node.id}{list(index)} planned {state}: {node.reasons}, was {commit}"
            if state in ("run", "cached") and commit is None:
                assert failed, told
                continue
            if commit is None or commit.outcome == "skipped":
                assert failed or state in ("skipped", "perhaps"), told
            elif state == "cached":
                assert commit.outcome == "cached", told
            elif state == "run":
                # one whose input wasn't known may fail by that: nothing is assumed to fail that isn't known to
                assert commit.outcome in ("succeeded", "failed") or commit.source[0] == run.id, told
            elif state == "fails":
                assert commit.outcome == "failed", told
                assert commit.attempt == 0, told
            elif state == "skipped":
                assert failed, told
    unplanned = {
        place: commit.outcome
        for place, commit in commits.items()
        if place[0] in at.calls and commit.outcome in ("succeeded", "cached") and not covered(plan, *place)
    }
    assert not unplanned, unplanned


def covered(plan: Plan, node: str, index: tuple[int, ...]) -> bool:
    """Whether a plan says anything of an instance: of itself, or of each item or iteration it is one of."""
    found = plan.node(node).instances
    if index in found or "perhaps" in found.values():
        return True
    places = [(known, known.index(-1)) for known in found if -1 in known]
    return any(known[:at] == index[:at] for known, at in places)


@given(
    generated=programs(), numbers=st.lists(st.integers(0, 5), max_size=4), n=st.integers(0, 6), lost=st.integers(1, 4)
)
@some(12)
def test_a_plan_agrees_with_the_run_that_follows(generated: Generated, numbers: list[int], n: int, lost: int) -> None:
    with bench(generated) as at:
        assert_agrees(at, "first", {})
        assert_agrees(at, "again", {})
        assert_agrees(at, "changed", {"numbers": numbers, "n": n})
        forget_answers(at.catalog, lambda commit: int(commit.cache_key[:8], 16) % lost == 0)
        assert_agrees(at, "lost", {})
        assert_agrees(at, "anew", {}, cache=False)
