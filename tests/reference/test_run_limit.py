"""The limit of a run: a compiled run that takes too long is what a local one is; and the times a schedule gives a run."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from datetime import UTC, datetime

import limit_samples as samples
import pytest

from drawloom import RunRefused
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.keys import run_key
from drawloom.catalog.records import AttemptFinished, RunFinished
from drawloom.catalog.runlog import read_records
from drawloom.compilers.reference import compile_reference
from drawloom.dsl.tracing import trace
from drawloom.ir.canonical import canonical_json
from drawloom.ir.program import pipeline_digest
from drawloom.runtimes.begin import begin_run, main
from drawloom.runtimes.close import main as close
from drawloom.runtimes.local import run_local
from drawloom.runtimes.publish import begin_text, publish_program
from drawloom.runtimes.reference import run_bundle
from drawloom.runtimes.step import main as step_main

LATE = "`over_time` took longer than run_timeout_seconds=..."


def _told(run):
    """What is compared: every state, the failure that counts, and how attempts ended."""
    records = read_records(run._storage, run.id)
    ended = sorted((r.node, r.index, r.outcome) for r in records if isinstance(r, AttemptFinished))
    ended = [one for one in ended if one[2] != "succeeded"]  # a local run tells of these by their commits alone
    (finished,) = (r for r in records if isinstance(r, RunFinished))
    states = {node.id: dict(node.instances) for node in run.details.nodes.values()}
    failure = run.details.failure
    last = re.sub(r"\d+\Z", "...", finished.failure.message)  # the limits differ
    return run.state, states, (failure.node, failure.info.type, failure.info.message), ended, last


@pytest.fixture
def compiled(tmp_path):
    """Runs a pipeline on the reference engine."""

    def run(pipeline, params, **options):
        compile_reference(trace(pipeline, {}).program).write(tmp_path / "build")
        environment = {"DRAWLOOM_CACHE": str(tmp_path.parent / "cache")}
        return run_bundle(tmp_path / "build", params, str(tmp_path / "store"), environment=environment, **options)

    return run


def test_a_compiled_run_that_takes_too_long_is_what_a_local_one_is(compiled, tmp_path):
    made = compiled(samples.late, {"numbers": [1, 2]}, workers=8)
    found = trace(samples.late_here, {})
    local = run_local(
        found.program,
        found.functions,
        {"numbers": [1, 2]},
        Catalog.open(str(tmp_path / "local")),
        executor="processes",
        workers=8,
        fail_fast=False,
    )
    assert _told(made) == _told(local)
    state, states, failure, _, last = _told(made)
    assert (state, failure[0], last) == ("failed", "again", LATE)  # its attempt had failed before
    assert states["quickly"] == {(): "succeeded"}
    assert states["many/slow"] == {(0,): "cancelled", (1,): "cancelled"}
    assert {states[name][()] for name in states if name.endswith("note")} == {"cancelled"}


def test_a_run_that_ends_in_time_succeeds(compiled):
    assert compiled(samples.in_time, {"number": 4}).result == 4


# runs whose last step was never run


def _closed(tmp_path, flow, status, *, late=False, ran=()):
    """What a run is after its exit handler, which had begun and of which some steps ran."""
    catalog = Catalog.open(str(tmp_path))
    program = trace(flow, {}).program
    digest = pipeline_digest(program.pipeline)
    publish_program(catalog.storage, compile_reference(program), digest)
    ids = [["workflow", "flow-x7"], ["uid", "17"]]
    params = {port.name: 3 for port in program.pipeline.params}
    started = begin_run(catalog.storage, digest, json.loads(b64decode(begin_text(catalog, params, "argo", ids))))
    where = ["--store", str(tmp_path), "--project", "default"]
    for step in ran:
        own = ["--run", f"{started.run}.0", "--step", step, "--index", "-", "--attempt", "1", "--out", str(tmp_path)]
        assert step_main([*where, *own]) == 0
    if late:
        key = run_key(started.run)
        written = json.loads(catalog.storage.read(key))
        catalog.storage.write(key, json.dumps({**written, "at": written["at"] - 4000}).encode())
    exit_handler = [*where, "--engine", "argo", "--ids", "workflow=flow-x7,uid=17", "--status", status]
    assert close([*exit_handler]) == 0
    first = catalog.run(started.run).details
    assert close([*exit_handler]) == 0
    assert catalog.run(started.run).details == first
    return first


def test_a_run_that_was_stopped_is_cancelled(tmp_path):
    found = _closed(tmp_path, samples.in_time, "Failed", ran=["quick"])
    assert found.state == "cancelled"
    assert {node.id: node.state for node in found.nodes.values()} == {"quick": "succeeded", "quick-2": "cancelled"}


def test_a_run_whose_steps_waited_beyond_its_limit_failed_by_it(tmp_path):
    found = _closed(tmp_path, samples.in_time, "Failed", late=True)
    assert (found.state, found.failure.info.type) == ("failed", "timeout")
    assert {node.state for node in found.nodes.values()} == {"cancelled"}


def test_a_run_whose_engine_failed_has_failed(tmp_path):
    found = _closed(tmp_path, samples.in_time, "Error", ran=["quick"])
    assert (found.state, found.failure.node, found.failure.info.type) == ("failed", "quick-2", "infra")


def test_a_run_of_which_only_the_last_step_was_lost_is_what_that_would_have_written(tmp_path):
    assert _closed(tmp_path, samples.in_time, "Failed", ran=["quick", "quick-2"]).state == "succeeded"


def test_a_run_that_never_began_needs_no_end(tmp_path):
    where = ["--store", str(tmp_path), "--project", "default"]
    assert close([*where, "--engine", "argo", "--ids", "workflow=gone,uid=1", "--status", "Failed"]) == 0
    assert close([*where, "--ids", "workflow=gone,uid=1"]) == 1


# times


def _begun(catalog, pipeline, scheduled, **given):
    program = trace(pipeline, {}).program
    files = compile_reference(program)
    digest = pipeline_digest(program.pipeline)
    publish_program(catalog.storage, files, digest)
    asked = json.loads(
        b64decode(begin_text(catalog, {}, "argo", [["uid", canonical_json([scheduled, given])]], **given))
    )
    return begin_run(catalog.storage, digest, {**asked, "scheduled": scheduled})


@pytest.mark.parametrize(
    ("scheduled", "start", "end"),
    [
        ("2026-07-02T04:00:00Z", "2026-07-01T06:00:00+02:00", "2026-07-02T06:00:00+02:00"),
        ("2026-03-29T06:00:00+02:00", "2026-03-28T06:00:00+01:00", "2026-03-29T06:00:00+02:00"),  # 23 hours
        ("2026-10-25T05:00:00Z", "2026-10-24T06:00:00+02:00", "2026-10-25T06:00:00+01:00"),  # 25 hours
        ("2026-07-02T12:34:56.789Z", "2026-07-01T06:00:00+02:00", "2026-07-02T06:00:00+02:00"),  # by hand
    ],
)
def test_a_scheduled_run_is_for_the_time_since_the_one_before(tmp_path, scheduled, start, end):
    begun = _begun(Catalog.open(str(tmp_path)), samples.daily, scheduled)
    assert (begun.logical_time, begun.interval) == (end, (start, end))


def test_times_that_a_run_is_given_come_before_the_schedules(tmp_path):
    given = {"logical_time": "2020-01-02T00:00:00+00:00", "interval": ("2020-01-01T00:00:00+00:00",) * 2}
    begun = _begun(Catalog.open(str(tmp_path)), samples.daily, "2026-07-02T04:00:00Z", **given)
    assert (begun.logical_time, begun.interval) == (given["logical_time"], given["interval"])


@pytest.mark.parametrize("scheduled", ["", "{{workflow.scheduledTime}}"])
def test_a_run_without_the_times_that_are_asked_for_does_not_begin(tmp_path, scheduled):
    with pytest.raises(RunRefused) as caught:
        _begun(Catalog.open(str(tmp_path)), samples.daily, scheduled)
    assert [(d.code, d.what) for d in caught.value.diagnostics] == [
        ("R557", f"`daily` asks for `run_info.{field}`, and the run has none")
        for field in ("interval_start", "interval_end", "logical_time")
    ]


def test_without_data_on_the_zone_the_begin_step_says_what_is_missing(tmp_path, monkeypatch, capsys):
    catalog = Catalog.open(str(tmp_path))
    program = trace(samples.elsewhere, {}).program
    digest = pipeline_digest(program.pipeline)
    publish_program(catalog.storage, compile_reference(program), digest)
    monkeypatch.setattr("zoneinfo.TZPATH", ())
    monkeypatch.setitem(__import__("sys").modules, "tzdata", None)
    from zoneinfo import ZoneInfo

    ZoneInfo.clear_cache(only_keys=["Indian/Mahe"])  # of a zone that no other test has
    asked = begin_text(catalog, {}, "argo", [["uid", "1"]])
    where = [
        "--store",
        str(tmp_path),
        "--project",
        "default",
        "--program",
        digest,
        "--run",
        asked,
        "--out",
        str(tmp_path),
    ]
    monkeypatch.setenv("PYTHONTZPATH", "")
    import zoneinfo

    zoneinfo.reset_tzpath(())
    try:
        assert main([*where, "--scheduled", "2026-07-02T04:00:00Z"]) == 76
    finally:
        monkeypatch.undo()
        zoneinfo.reset_tzpath()
    assert "error[E735] the schedule of `elsewhere` is in Indian/Mahe" in capsys.readouterr().err


def test_the_times_reach_the_tasks(compiled):
    made = compiled(
        samples.daily,
        {},
        logical_time=datetime(2026, 7, 2, 4, tzinfo=UTC).isoformat(),
        interval=("2026-07-01T04:00:00+00:00", "2026-07-02T04:00:00+00:00"),
    )
    assert made.result == ["2026-07-01 04:00:00+00:00", "2026-07-02 04:00:00+00:00", "2026-07-02 04:00:00+00:00"]
