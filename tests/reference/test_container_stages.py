"""A container between two stages of one pod: what Kubernetes would run in order is run in order here, by the shell of
this machine in the place of the image's. The outcome is what a local run of the same command would give.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parents[1] / "engines" / "containers" / "programs"
sys.path[:0] = [path for path in (str(PROGRAMS),) if path not in sys.path]

import boxes  # noqa: E402  # found by the path above

from drawloom.catalog.outcomes import read_commit  # noqa: E402
from drawloom.ir.protocol import DONE, FAILED_FINAL, FAILED_RETRY  # noqa: E402
from drawloom.runtimes import stage_in, stage_out  # noqa: E402


class Pod:
    """The pod of one node instance and attempt."""

    def __init__(self, published, node, folder, index="-", attempt=1):
        self.root = folder / f"pod-{node.replace('/', '-')}-{index}-{attempt}"
        self.root.mkdir()
        options = {"run": published.reference, "step": node, "index": index, "attempt": f"1+{attempt - 1}"}
        options["root"] = str(self.root)
        given = [part for name, text in options.items() for part in (f"--{name}", text)]
        self.arguments = ["--store", published.store, "--project", "default", *given]

    def enter(self):
        return stage_in.main(self.arguments)

    def run(self):
        return subprocess.run(["/bin/sh", str(self.root / "run.sh")], check=False, timeout=60).returncode

    def leave(self):
        return stage_out.main(self.arguments)

    def all(self):
        assert [self.enter(), self.run()] == [DONE, DONE]
        return self.leave()


def commit_of(published, node, index=()):
    run, _, generation = published.reference.rpartition(".")
    return read_commit(published.catalog.storage, run, int(generation), node, index)


def result(published):
    assert published.step(":end") == DONE
    return published.run.result


@pytest.fixture
def begun(publish):
    def begin(pipeline, **params):
        found = publish(pipeline)
        assert found.begin(params) == DONE
        return found

    return begin


@pytest.mark.parametrize("text", boxes.HOSTILE)
def test_a_hostile_text_arrives_unchanged(begun, tmp_path, text):
    flow = begun(boxes.hostile, texts=[text])
    codes = [Pod(flow, node, tmp_path, "0").all() for node in names(flow)]
    assert codes == [DONE, DONE]
    assert [commit_of(flow, node, (0,)).outcome for node in names(flow)] == ["succeeded", "succeeded"]
    trees = [flow.catalog.values.tree(dict(commit_of(flow, node, (0,)).outputs)["result"]) for node in names(flow)]
    assert [flow.catalog.values.decode(tree) for tree in trees] == [text, text]


def names(flow):
    from drawloom.ir.nodes import Call
    from drawloom.ir.walk import walk

    return [node.id for node in walk(flow.program.pipeline.body) if isinstance(node, Call)]


def test_files_and_scalars_go_in_and_come_out(begun, tmp_path):
    flow = begun(boxes.files, text="one {{x}}\ntwo\n")
    assert flow.step("written") == DONE
    assert Pod(flow, "found", tmp_path).all() == DONE
    assert [flow.step("content"), flow.step("folder_of")] == [DONE, DONE]
    assert Pod(flow, "unpacked", tmp_path).all() == DONE
    assert flow.step("names") == DONE
    assert result(flow) == ("one {{x}}\n", 2, 0.25, True, ["a", "☃"], ["inner", "new-a.txt"])


def test_numbers_json_and_variables(begun, tmp_path):
    flow = begun(boxes.kinds, number=-3, ratio=1e-7, flag=True, text="{{x}} 'q'\n")
    codes = [Pod(flow, node, tmp_path).all() for node in names(flow)]
    assert codes == [DONE] * 3
    described, named, spoken = result(flow)
    assert described == "number=-3|1e-07|true|{{x}} 'q'"
    assert named == boxes.Named("[-3, 2]null", {"a": -3})
    assert spoken == "it's {{x}} r"


def test_a_failure_is_committed_with_the_end_of_the_output(begun, tmp_path):
    flow = begun(boxes.failing, code=3)
    pod = Pod(flow, "ending", tmp_path)
    assert pod.all() == FAILED_FINAL
    found = commit_of(flow, "ending")
    assert found.outcome == "failed"
    assert "R560" in found.failure.message
    assert "exit code 3, having written:\n    ends with 3" in found.failure.message
    flow.step(":end")
    assert flow.run.state == "failed"
    assert flow.run.logs("ending") == "ends with 3\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the result isn't there: no file /drawloom/out/result"),
        (
            "4 or 5",
            "R561] the container of task `boxes:leaving` ended well, but the result in /drawloom/out/result: '4 or 5' is no int",
        ),
    ],
)
def test_a_bad_result_is_a_failure(begun, tmp_path, text, told):
    flow = begun(boxes.left, text=text)
    assert Pod(flow, "leaving", tmp_path).all() == FAILED_FINAL
    assert told in commit_of(flow, "leaving").failure.message


def test_another_attempt_is_asked_for_as_long_as_the_policy_has_some(begun, tmp_path):
    flow = begun(boxes.again, code=9)
    codes = [Pod(flow, "flaky", tmp_path, attempt=number).all() for number in (1, 2, 3)]
    assert codes == [FAILED_RETRY, FAILED_RETRY, FAILED_FINAL]
    assert commit_of(flow, "flaky").attempt == 3


def test_a_known_outcome_runs_nothing_and_is_told_again(begun, tmp_path):
    flow = begun(boxes.failing, code=3)
    Pod(flow, "ending", tmp_path).all()
    again = Pod(flow, "ending", tmp_path, attempt=2)
    assert again.all() == FAILED_FINAL
    assert "exec" not in (again.root / "run.sh").read_text()


def test_a_cached_call_runs_nothing(publish, tmp_path):
    flow = publish(boxes.twice)
    flow.begin({"text": "a"})
    assert Pod(flow, "kept", tmp_path).all() == DONE
    flow.begin({"text": "a"}, identity="2")
    (tmp_path / "second").mkdir()
    pod = Pod(flow, "kept", tmp_path / "second")
    assert pod.all() == DONE
    assert commit_of(flow, "kept").outcome == "cached"
    assert "exec" not in (pod.root / "run.sh").read_text()
    assert result(flow) == "a"


def test_a_time_limit_ends_the_command(begun, tmp_path):
    flow = begun(boxes.late, seconds=60)
    assert Pod(flow, "sleeping", tmp_path).all() == FAILED_FINAL
    found = commit_of(flow, "sleeping")
    assert found.failure.type == "timeout"
    assert "attempt_timeout_seconds=2" in found.failure.message


def test_an_input_that_no_argument_can_be_is_a_failure_that_runs_nothing(begun, tmp_path):
    flow = begun(boxes.hostile, texts=["a\0b"])
    pod = Pod(flow, names(flow)[0], tmp_path, "0")
    assert pod.all() == FAILED_FINAL
    assert "R563" in commit_of(flow, names(flow)[0], (0,)).failure.message


def test_a_program_that_is_not_in_the_image_is_told(begun, tmp_path):
    flow = begun(boxes.not_there)
    assert Pod(flow, "missing", tmp_path).all() == FAILED_FINAL
    assert "exit code 127: its program isn't there" in commit_of(flow, "missing").failure.message


def test_a_script_that_was_ended_is_a_lost_step(begun, tmp_path):
    flow = begun(boxes.failing, code=3)
    pod = Pod(flow, "ending", tmp_path)
    assert pod.enter() == DONE
    assert pod.leave() == 1
    assert commit_of(flow, "ending") is None


def test_a_failure_in_a_try_is_contained(begun, tmp_path):
    flow = begun(boxes.handled, codes=[1])
    (node,) = names(flow)
    assert Pod(flow, node, tmp_path, "0").all() == DONE
    assert commit_of(flow, node, (0,)).outcome == "failed"


def test_a_run_without_time_runs_no_command_and_ends_by_its_limit(begun, tmp_path):
    flow = begun(boxes.hurried, seconds=0)
    time.sleep(0.4)
    pod = Pod(flow, "waiting", tmp_path)
    assert pod.all() == FAILED_FINAL
    assert commit_of(flow, "waiting") is None
    assert flow.step(":end") == FAILED_FINAL
    assert flow.run.state == "failed"


def test_a_command_is_ended_with_its_runs_time_and_is_no_failure_of_its_own(begun, tmp_path):
    flow = begun(boxes.unhurried, seconds=30)
    assert Pod(flow, "waiting", tmp_path).all() == FAILED_FINAL
    assert commit_of(flow, "waiting") is None
    (ended,) = flow.run.facts.attempts["waiting", ()].values()
    assert ended.outcome == "cancelled"


def test_a_run_that_has_ended_starts_no_command(begun, tmp_path, capsys):
    flow = begun(boxes.failing, code=0)
    assert Pod(flow, "ending", tmp_path).all() == DONE
    flow.step(":end")
    capsys.readouterr()
    assert Pod(flow, "ending", tmp_path, attempt=2).all() == FAILED_FINAL
    assert "error[E743]" in capsys.readouterr().err
