"""The reference engine: separate processes, code from the bundle alone, faults that change the attempts and no more."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import step_samples as samples

from drawloom.catalog.records import AttemptStarted, EngineObservation
from drawloom.catalog.runlog import read_records
from drawloom.compilers.reference import compile_reference
from drawloom.dsl.tracing import trace
from drawloom.errors import RunFailed, RunRefused
from drawloom.runtimes.engine_faults import Faults
from drawloom.runtimes.engine_process import stub_text
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
    said = str(caught.value).splitlines()
    assert said[0] == "error[E717] the run couldn't begin: exit code 76"
    assert "E714" in said[1]
    assert said[-1] == "  fix    mend what it says below, and run the program again"


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
    assert made.details.nodes["add"].state == "skipped"
    with pytest.raises(RunFailed, match="node `first`"):
        _ = made.result


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
    assert len(stub_text()) < 6000
    assert "import drawloom" not in stub_text()
    assert "from drawloom" not in stub_text()
