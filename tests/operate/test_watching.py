"""Watching a run to its end: what is told, what is written, and what happens when the engine can't be asked."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from drawloom.catalog.outcomes import read_run
from drawloom.errors import ConnectionLost, Diagnostic, EngineError, RunRefused
from drawloom.runtimes import watching
from drawloom.runtimes.engines import EngineRun, Observed, Status
from drawloom.runtimes.progress_lines import LinesProgress
from drawloom.runtimes.watching import watch

REFERENCE = Path(__file__).parents[1] / "reference"
sys.path[:0] = [path for path in (str(REFERENCE / "samples"),) if path not in sys.path]

import step_samples as samples  # noqa: E402  # of the step protocol

LOST = ConnectionLost(Diagnostic("E740", "the engine can't be reached", None, "wait"))
ENDED = Status("Succeeded", ended=True)
STOPPED = Status("Failed", ended=True, stopped=True, message="stopped by hand")


class Scripted:
    """An engine that does a step each time it is asked, and then says what the script says.

    The steps are real ones, in a real store: what is scripted is only when the engine answers, and what.
    """

    def __init__(self, script: list[tuple[Any, Status | Exception]]) -> None:
        self.script = script

    def status(self, run: EngineRun) -> Status:
        act, answer = self.script.pop(0)
        if act is not None:
            act()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def name_of(self, run: EngineRun) -> str:
        return "Workflow flows/w"


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: Any) -> Any:
    from importlib.util import module_from_spec, spec_from_file_location

    monkeypatch.setattr(watching, "_POLL_SECONDS", 0.01)
    spec = spec_from_file_location("reference_conftest", REFERENCE / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "reference_conftest", module)
    spec.loader.exec_module(module)

    def publish(pipeline: Any, params: dict[str, Any], **more: Any) -> Any:
        made = module.Published(pipeline, tmp_path)
        made.begin(params, **more)
        made.known = EngineRun(made.run.id, (("workflow", "w"), ("namespace", "flows")), "p", "prod")
        return made

    return publish


def _watched(made: Any, script: list[Any], **more: Any) -> tuple[Any, str, list[str]]:
    stream, notes = io.StringIO(), []
    progress = LinesProgress(stream, summary=False)
    done = watch(Scripted(script), made.known, made.catalog, progress=progress, note=notes.append, **more)  # type: ignore[arg-type]
    return done, stream.getvalue(), notes


def test_a_run_elsewhere_is_told_as_a_local_one_is(flow: Any) -> None:
    made = flow(samples.chain, {"start": 4})
    script = [
        (None, Status("Running")),
        (lambda: made.step("first"), Status("Running")),
        (lambda: (made.step("add"), made.step(":end")), ENDED),
    ]
    done, told, notes = _watched(made, script)
    assert (done.state, done.result) == ("succeeded", 5)
    lines = told.splitlines()
    assert lines[0] == f"run {done.id} of chain: 2 nodes"
    assert "Workflow flows/w: Running" in lines
    assert [line.partition(" in ")[0] for line in lines if "succeeded" in line] == [
        "first: succeeded",
        "add: succeeded",
    ]
    assert notes == []


def test_failures_and_attempts_are_told(flow: Any) -> None:
    made = flow(samples.failing_twice, {"number": 3})
    steps = [lambda: made.step("bad_twice"), lambda: made.step("bad_twice", attempt=2), lambda: made.step(":end")]
    script = [*((step, Status("Running")) for step in steps), (None, Status("Failed", ended=True))]
    done, told, _ = _watched(made, script)
    assert done.state == "failed"
    assert "bad_twice: attempt 1 failed, trying again: ValueError" in told
    assert "bad_twice: failed: ValueError" in told


def test_items_and_branches_are_told(flow: Any) -> None:
    made = flow(samples.deciding, {"numbers": [5, 6], "limit": 1})
    names = [("sums:decide", "-"), ("sums/add", "0;1"), ("grown:decide", "0"), ("branch:decide", "-"), (":end", "-")]
    script = [(lambda n=name, i=index: made.step(n, i), Status("Running")) for name, index in names]
    _, told, _ = _watched(made, [*script, (None, Status("Failed", ended=True))])
    assert "sums/add: succeeded in" in told
    assert "(2 succeeded)" in told


def test_a_lost_connection_is_asked_for_again_and_told(flow: Any) -> None:
    made = flow(samples.single, {"start": 1})
    script = [
        (None, Status("Running")),
        (None, LOST),
        (None, LOST),
        (lambda: (made.step("add"), made.step(":end")), Status("Running")),
        (None, ENDED),
    ]
    done, told, _ = _watched(made, script)
    assert done.result == 2
    assert told.count("the engine can't be reached; trying again for") == 2
    assert "the connection is there again" in told


def test_e740_a_connection_that_stays_lost_is_given_up_and_the_run_goes_on(flow: Any) -> None:
    made = flow(samples.single, {"start": 1})
    with pytest.raises(EngineError) as caught:
        _watched(made, [(None, LOST)] * 9, lost_seconds=0.03)
    told = str(caught.value)
    assert "error[E740] the connection was lost for 0 s: the engine can't be reached" in told
    assert f"the run goes on; `drawloom watch {made.run.id} --target prod` watches it again" in told
    assert made.run.state == "running"


def test_e741_what_asking_again_does_not_mend_is_raised_at_once(flow: Any) -> None:
    made = flow(samples.single, {"start": 1})
    expired = EngineError(Diagnostic("E741", "the token has expired", None, "get a new one"))
    with pytest.raises(EngineError, match="E741"):
        _watched(made, [(None, Status("Running")), (None, expired)])


def test_e744_pods_that_can_not_start_are_told_and_not_waited_for_for_ever(flow: Any) -> None:
    made = flow(samples.single, {"start": 1})
    held = Status("Running", held=('ImagePullBackOff: Back-off pulling image "{{gone}}"',), hopeless=True)
    with pytest.raises(RunRefused) as caught:
        _watched(made, [(None, held)] * 50, held_seconds=0.05)
    told = str(caught.value)
    assert "error[E744] no pod of Workflow flows/w can start" in told
    assert 'Back-off pulling image "{{gone}}"' in told
    assert f"drawloom cancel {made.run.id} --target prod" in told


def test_a_machine_that_is_too_small_is_told_and_waited_for(flow: Any) -> None:
    made = flow(samples.single, {"start": 1})
    held = Status("Running", held=("Unschedulable: 0/1 nodes are available",))
    script = [(None, held)] * 5 + [(lambda: (made.step("add"), made.step(":end")), ENDED)]
    done, told, _ = _watched(made, script, held_seconds=0.0)
    assert done.state == "succeeded"
    assert told.count("a pod can't start: Unschedulable: 0/1 nodes are available") == 1


def test_what_the_engine_tells_of_nodes_is_written_but_not_over_an_outcome(flow: Any, tmp_path: Path) -> None:
    made = flow(samples.effect_then_failure, {"path": str(tmp_path / "lines"), "flag": ""})
    seen = (
        Observed("write", (), 1, "lost", "after it had committed"),
        Observed("add", (), 1, "out_of_memory", "OOMKilled (exit code 137)"),
        Observed("stop_at", (), 1, "skipped", "omitted"),
    )
    made.step("write")
    done, _, _ = _watched(made, [(None, Status("Failed", ended=True, observed=seen, message="add: OOMKilled"))])
    states = {name: node.state for name, node in done.details.nodes.items()}
    assert states == {"write": "succeeded", "add": "failed", "stop_at": "skipped", "add-2": "skipped"}
    assert done.details.failure.node == "add"
    assert done.details.failure.info.message == "the engine reported: out of memory"
    assert sorted(one.event for one in done.facts.observations) == ["out_of_memory", "skipped"]


def test_why_a_step_was_lost_is_written_after_the_end_step_has_missed_it(flow: Any) -> None:
    made = flow(samples.single, {"start": 1})
    assert made.step(":end") == 76  # `add` was killed, and nobody has told
    assert made.run.details.failure.info.type == "infra"
    seen = (Observed("add", (), 1, "out_of_memory", "OOMKilled (exit code 137)"),)
    done, _, _ = _watched(made, [(None, Status("Failed", ended=True, observed=seen))])
    assert [(one.event, one.detail) for one in done.facts.observations] == [
        ("out_of_memory", "OOMKilled (exit code 137)")
    ]
    assert done.details.nodes["add"].state == "failed"


def _failed(flow: Any, tmp_path: Path) -> Any:
    """A run whose second call failed, that is over, and would succeed if it were cleared."""
    made = flow(samples.effect_then_failure, {"path": str(tmp_path / "lines"), "flag": str(tmp_path / "flag")})
    for name in ("write", "add", "stop_at", "add-2", ":end"):
        made.step(name)
    assert made.run.state == "failed"
    (tmp_path / "flag").touch()
    return made


def _clear(made: Any, *names: str) -> None:
    """What an engine does where steps were cleared in it: they come again, with the next generation."""
    made.reference = f"{made.run.id}.1"
    for name in names:
        made.step(name)


def _node_lines(told: str) -> list[str]:
    names = ("write", "first", "add", "stop_at", "add-2")
    return [line.partition(" in ")[0] for line in told.splitlines() if line.partition(":")[0] in names]


def test_a_run_that_was_cleared_is_told_as_it_is_now(flow: Any, tmp_path: Path) -> None:
    made = _failed(flow, tmp_path)
    _clear(made, "stop_at", "add-2", ":end")
    done, told, _ = _watched(made, [(None, ENDED)])
    assert (done.state, done.details.generation) == ("succeeded", 1)
    assert set(_node_lines(told)) == {f"{name}: succeeded" for name in ("add", "add-2", "stop_at", "write")}


def test_a_run_of_which_all_but_the_end_was_cleared_is_what_its_steps_are(flow: Any, tmp_path: Path) -> None:
    made = _failed(flow, tmp_path)
    _clear(made, "stop_at", "add-2")
    done, _, _ = _watched(made, [(None, ENDED)])
    assert (done.state, done.details.generation) == ("succeeded", 1)
    assert {name: node.state for name, node in done.details.nodes.items()} == dict.fromkeys(
        ("write", "add", "stop_at", "add-2"), "succeeded"
    )


def test_of_a_run_without_its_end_the_engine_tells_of_a_failure(flow: Any, tmp_path: Path) -> None:
    made = _failed(flow, tmp_path)
    _clear(made, "stop_at")
    seen = (Observed("add-2", (), 1, "out_of_memory", "OOMKilled"),)  # before it could say that it had begun
    status = Status("Failed", ended=True, observed=seen, message="its tasks `add-2` failed")
    done, _, _ = _watched(made, [(None, status)])
    assert (done.state, done.details.generation) == ("failed", 1)
    assert (done.details.failure.node, done.details.failure.info.message) == (
        "add-2",
        "the engine reported: out of memory",
    )
    assert [(one.generation, one.event) for one in done.facts.observations] == [(1, "out_of_memory")]


def test_of_a_run_without_its_end_that_its_engine_failed_no_success_is_told(flow: Any, tmp_path: Path) -> None:
    made = _failed(flow, tmp_path)
    _clear(made, "stop_at", "add-2")
    done, _, _ = _watched(made, [(None, Status("failed", ended=True, message="its tasks `other` failed"))])
    assert (done.state, done.details.generation) == ("failed", 1)
    assert done.details.failure.info.message == "its tasks `other` failed; the last step wasn't cleared"


def test_a_run_that_was_cleared_and_stopped_is_cancelled(flow: Any, tmp_path: Path) -> None:
    made = _failed(flow, tmp_path)
    _clear(made, "stop_at")
    done, _, _ = _watched(made, [(None, STOPPED)])
    assert (done.state, done.details.generation) == ("cancelled", 1)


def test_a_run_that_is_cleared_while_it_is_watched_is_told_anew(flow: Any, tmp_path: Path) -> None:
    made = _failed(flow, tmp_path)
    script = [
        (None, Status("Running")),
        (lambda: _clear(made, "stop_at"), Status("Running")),
        (lambda: _clear(made, "add-2", ":end"), ENDED),
    ]
    done, told, notes = _watched(made, script)
    assert (done.state, notes) == ("succeeded", [])
    after = told.partition("the run was cleared, and goes on anew\n")[2]
    assert set(_node_lines(after)) == {f"{name}: succeeded" for name in ("add", "add-2", "stop_at", "write")}


def test_a_cleared_run_of_another_program_is_told_by_that_one(flow: Any, tmp_path: Path) -> None:
    made = _failed(flow, tmp_path)
    script = [
        (None, Status("Running")),
        (lambda: flow(samples.chain, {"start": 4}, first=False, clears=1), Status("Running")),
        (lambda: _clear(made, "first", "add", ":end"), ENDED),
    ]
    done, told, _ = _watched(made, script, program=made.digest)
    assert (done.state, done.result, done.details.generation) == ("succeeded", 5, 1)
    after = told.partition("the run was cleared, and goes on anew\n")[2]
    assert _node_lines(after) == ["first: succeeded", "add: succeeded"]


def test_a_run_that_was_stopped_is_closed_as_cancelled(flow: Any) -> None:
    made = flow(samples.single, {"start": 1})
    done, _, _ = _watched(made, [(None, STOPPED)])
    assert done.state == "cancelled"
    assert done.details.nodes["add"].state == "cancelled"


def test_e717_a_run_that_never_began(flow: Any) -> None:
    made = flow(samples.single, {"start": 1})
    unknown = EngineRun("argo-none", (("workflow", "w"), ("namespace", "flows")))
    with pytest.raises(RunRefused, match=r"E717.*Workflow flows/w was stopped before the run began: stopped by hand"):
        watch(Scripted([(None, STOPPED)]), unknown, made.catalog)  # type: ignore[arg-type]
    assert read_run(made.catalog.storage, "argo-none") is None


def test_a_time_limit_ends_the_watching_alone(flow: Any) -> None:
    made = flow(samples.single, {"start": 1})
    with pytest.raises(TimeoutError, match="Workflow flows/w is Running after its time"):
        _watched(made, [(None, Status("Running"))] * 50, timeout_seconds=0.05)
    assert made.run.state == "running"


def test_a_suspended_run_is_told_once(flow: Any) -> None:
    made = flow(samples.single, {"start": 1})
    script = [(None, Status("Running")), *[(None, Status("Running", suspended=True))] * 3, (None, Status("Running"))]
    script.append((lambda: (made.step("add"), made.step(":end")), ENDED))
    _, told, _ = _watched(made, script)
    assert told.count("it is suspended: nothing more is started") == 1
    assert told.count("it goes on") == 1
