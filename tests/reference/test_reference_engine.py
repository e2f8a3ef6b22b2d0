"""The reference engine: separate processes, code from the bundle alone, faults that change the attempts and no more."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import step_samples as samples

from drawloom.catalog.records import AttemptStarted, EngineObservation, RunFinished, RunStarted
from drawloom.catalog.runlog import read_records
from drawloom.compilers.reference import compile_reference
from drawloom.dsl.tracing import trace
from drawloom.errors import RunFailed, RunRefused
from drawloom.ir.canonical import digest_bytes
from drawloom.ir.protocol import stub_text
from drawloom.runtimes.engine_faults import Faults
from drawloom.runtimes.local import RunInterrupted
from drawloom.runtimes.reference import run_bundle


@pytest.fixture
def run(tmp_path):
    """Compiles a pipeline and runs it in processes without any installed package."""

    def compile_and_run(pipeline, params=None, **options):
        compile_reference(trace(pipeline, {}).program).write(tmp_path / "build")
        environment = {"DRAWLOOM_CACHE": str(tmp_path.parent / "cache")} | options.pop("environment", {})
        options = {"bare": True, "environment": environment} | options
        return run_bundle(tmp_path / "build", params or {}, str(tmp_path / "store"), **options)

    return compile_and_run


def records_of(run, kind):
    return [record for record in read_records(run._storage, run.id) if isinstance(record, kind)]


def test_steps_run_the_drawloom_of_the_bundle_in_an_interpreter_without_it(run, tmp_path):
    drawloom, _, modules = run(samples.probing).result
    assert drawloom.startswith(str(tmp_path.parent / "cache"))
    loaded = set(modules.strip("[]").replace("'", "").split(", "))
    heavy = {
        "argparse",
        "asyncio",
        "inspect_",
        "logging",
        "pathlib",
        "pydantic",
        "numpy",
        "uuid",
        "urllib.request",
        "ssl",
    }
    assert not loaded & (
        heavy | {"drawloom.compilers", "drawloom.catalog.state", "drawloom.catalog.runlog", "drawloom.ir.serialize"}
    )


def test_the_run_is_catalogued_like_any_other(run):
    made = run(samples.deciding, {"numbers": [1, 2, 3], "limit": 9})
    assert made.result == ([2, 3, 4], 17)
    assert made.state == "succeeded"
    assert made.load("sums") == [2, 3, 4]
    assert made.load("sums/add", (1,)) == 3


def test_a_run_with_wrong_parameters_does_not_begin(run):
    with pytest.raises(RunRefused) as caught:
        run(samples.chain, {"start": "four"})
    assert str(caught.value) == (
        "error[E717] the run couldn't begin: the begin step ended with exit status 76; it said\n"
        "    error[E714] pipeline `chain` parameter `start`: expected int, got str\n"
        "      fix    give it a value of type int\n"
        "  fix    mend what the begin step said, and run it again"
    )


def test_a_begin_step_that_says_nothing_is_told_by_its_end(run, tmp_path):
    sha = digest_bytes(compile_reference(trace(samples.chain, {}).program)["bundle.zip"])
    broken = tmp_path / "broken" / "bundles" / sha / "drawloom" / "runtimes"
    broken.mkdir(parents=True)
    (broken / "begin.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    with pytest.raises(RunRefused) as caught:
        run(samples.chain, {"start": 4}, environment={"DRAWLOOM_CACHE": str(tmp_path / "broken")})
    assert str(caught.value) == (
        "error[E717] the run couldn't begin: the begin step was lost: it was killed by SIGKILL; it said nothing\n"
        "  fix    see that the Python it is run with starts, that there is memory left, and run the program again"
    )


def test_a_folder_without_a_program_is_refused(tmp_path):
    with pytest.raises(RunRefused) as caught:
        run_bundle(tmp_path, {}, str(tmp_path / "store"))
    path = tmp_path / "engine.json"
    assert str(caught.value) == (
        f"error[E716] {path} is no program of the reference engine: FileNotFoundError: [Errno 2] "
        f"No such file or directory: '{path}'\n"
        f"  where  {path}\n"
        '  fix    write one there: `drawloom.compile(pipeline, "reference").write(folder)`'
    )
    path.write_text(json.dumps({"engine": "argo"}))
    with pytest.raises(RunRefused, match=r"E716.*it is a program for 'argo'"):
        run_bundle(tmp_path, {}, str(tmp_path / "store"))


# one fault at a time, each at every start it can strike


@pytest.mark.parametrize(
    ("fault", "starts", "lost"),
    [
        ("double_start", None, 0),  # the double may come too late to begin an attempt
        ("kill_before_commit", 4, 3),
        ("kill_after_commit", 1, 1),
        ("lost_exit_code", 1, 3),
        ("failing_store", 1, 3),
        ("zombie", None, 3),
    ],
)
def test_a_fault_changes_the_attempts_and_not_the_outcome(run, tmp_path, fault, starts, lost):
    path = tmp_path / "lines"
    made = run(samples.writing, {"path": str(path)}, faults=Faults(**{fault: 1.0}, lost_retries=3))
    assert made.state == "succeeded"
    assert list(dict.fromkeys(path.read_text().split())) == ["one", "two"]
    attempts = [record for record in records_of(made, AttemptStarted) if record.node == "write"]
    assert starts is None or len(attempts) == starts
    seen = [record for record in records_of(made, EngineObservation) if record.node == "write"]
    assert [record.event for record in seen] == ["lost"] * lost


def test_a_slow_store_only_takes_longer(run):
    assert run(samples.chain, {"start": 1}, faults=Faults(slow_store_seconds=0.01)).result == 2


def test_faults_are_the_same_for_the_same_seed():
    faults = Faults(*[0.5] * 6, seed=3)
    fates = [faults.fate(step, "-", start, last=False) for step in "abc" for start in (1, 2)]
    assert fates == [faults.fate(step, "-", start, last=False) for step in "abc" for start in (1, 2)]
    assert len(set(fates)) > 2


def test_a_step_lost_too_often_fails_the_run_and_says_so(run):
    made = run(
        samples.chain, {"start": 1}, environment={"DRAWLOOM_FAULTS": "before-commit=kill"}
    )  # every start, so also the last
    assert made.state == "failed"
    assert made.details.failure.node == "first"
    assert made.details.failure.info.message == ("its step was lost, and no attempt is left: it was killed by SIGKILL")
    assert made.details.nodes["add"].state == "skipped"
    with pytest.raises(RunFailed, match="node `first`"):
        _ = made.result


def test_a_step_that_ends_its_process_is_told_with_its_exit_status(run):
    made = run(samples.leaving)
    assert made.details.failure.node == "leave"
    assert made.details.failure.info.message == (
        "its step was lost, and no attempt is left: it ended with exit status 5"
    )
    (seen,) = records_of(made, EngineObservation)
    assert seen.detail == "it ended with exit status 5\nout of here"


def test_a_run_keeps_the_bundle_it_was_begun_with(run):
    made = run(samples.chain, {"start": 1})
    (begun,) = records_of(made, RunStarted)
    assert begun.bundle == digest_bytes(compile_reference(trace(samples.chain, {}).program)["bundle.zip"])


@pytest.mark.parametrize(("number", "name"), [(0, "KeyboardInterrupt"), (1, "SystemExit")])
def test_what_a_task_raises_is_its_own_failure_whatever_it_is(run, number, name):
    made = run(samples.raising, {"number": number})
    assert made.details.failure.node == "raise_base"
    info = made.details.failure.info
    assert (info.type, info.message) == (f"builtins:{name}", "enough")
    assert made.logs("raise_base") == "about to\n"
    made = run(samples.raising_in_time, {"number": number})
    assert made.details.failure.info.type == f"builtins:{name}"


# Ctrl-C


def interrupted(run, pipeline, folder, began, **options):
    """The run a SIGINT to this process ended, once there are `began` files in `folder`."""

    def interrupt():
        deadline = time.monotonic() + 30
        while len(list(folder.iterdir())) < began and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(RunInterrupted) as caught:
            run(pipeline, {"folder": str(folder)}, **options)
    finally:
        thread.join()
    return caught.value.run


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:  # where there is one: a zombie is not alive
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not os.path.isdir("/proc/self")


@pytest.mark.parametrize("pipeline", [samples.slow, samples.slow_in_time])
def test_an_interrupt_ends_all_processes_and_cancels_the_run(run, tmp_path, pipeline):
    folder = tmp_path / "pids"
    folder.mkdir()
    made = interrupted(run, pipeline, folder, began=4, workers=2)
    assert made.state == "cancelled"
    assert list(run_states(made).values()) == ["cancelled"] * 3
    assert len(records_of(made, AttemptStarted)) == 2  # two at once: the third was not begun any more
    (finished,) = records_of(made, RunFinished)
    assert finished.outcome == "cancelled"
    pids = [int(path.name) for path in folder.iterdir()]
    deadline = time.monotonic() + 5  # those that init has to reap
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if is_alive(pid)] == []


def test_an_interrupt_while_a_retry_is_waited_for_does_not_wait(run, tmp_path):
    folder = tmp_path / "tries"
    folder.mkdir()
    began = time.monotonic()
    made = interrupted(run, samples.waiting, folder, began=1)
    assert time.monotonic() - began < 30
    assert run_states(made) == {"fail_slowly": "cancelled"}


def run_states(made):
    return {name: node.state for name, node in made.details.nodes.items()}


# the stub


def test_a_bundle_with_another_digest_is_not_run(tmp_path):
    (tmp_path / "bundle.zip").write_bytes(b"something else")
    found = "a67a3e2a1ae3e9fc1cd03a5ae5d8b9a5a0f0e7fb6a1e2a4c0b1e6dbe6a1fd1b2"
    command = [sys.executable, "-I", "-S", "-c", stub_text(), str(tmp_path / "bundle.zip"), found, "step"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={"DRAWLOOM_CACHE": str(tmp_path / "cache")}, check=False
    )
    assert done.returncode == 1
    assert f"error[E715] the bundle {tmp_path}/bundle.zip has the digest " in done.stderr
    assert done.stderr.endswith(f", expected {found}\n  fix    publish the program again\n")
    assert not (tmp_path / "cache").exists()


def test_stubs_that_unpack_the_same_bundle_at_once_do_not_harm_each_other(tmp_path):
    from drawloom.compilers.bundle import code_bundle
    from drawloom.ir.canonical import digest_bytes

    data = code_bundle(None)
    (tmp_path / "bundle.zip").write_bytes(data)
    command = [sys.executable, "-I", "-S", "-c", stub_text(), str(tmp_path / "bundle.zip"), digest_bytes(data), "step"]

    def start(_):
        return subprocess.run(
            command, capture_output=True, text=True, env={"DRAWLOOM_CACHE": str(tmp_path / "c")}, check=False
        )

    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(start, range(4)))
    assert all("error[E713]" in done.stderr for done in ended), ended[0].stderr  # each got as far as its command line
    assert [path.name for path in (tmp_path / "c" / "bundles").iterdir()] == [digest_bytes(data)]


def test_the_stub_is_small_and_needs_nothing_of_drawloom():
    assert len(stub_text()) < 7000
    assert "import drawloom" not in stub_text()
    assert "from drawloom" not in stub_text()
