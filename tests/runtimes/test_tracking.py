"""What tasks log: on every executor and on the reference engine, in good runs and bad, and outside of runs."""

from __future__ import annotations

import json
import logging
import math
import threading
import tracemalloc

import numpy as np
import pytest
import tracking_samples as samples

import drawloom
from drawloom import Catalog, DefinitionError, StoreError, ValueRefused, log_artifact, log_figure, log_metric
from drawloom.api import run_compiled
from drawloom.catalog.records import AttemptFinished, Commit, record_from_json, record_to_json
from drawloom.catalog.runlog import read_records
from drawloom.catalog.series import SeriesWriter, read_series
from drawloom.ir.canonical import canonical_json
from drawloom.runtimes import tracking
from drawloom.runtimes.tracking import Recorder
from drawloom.storage.local import LocalStorage
from drawloom.storage.objects import Objects, object_key
from drawloom.testing import recording
from drawloom.values.figure import Picture
from drawloom.values.store import Values

PLACES = ["inline", "threads", "processes", "reference"]


def run(pipeline, catalog, place, **params):
    if place == "reference":
        return run_compiled(pipeline, params, catalog=catalog)
    return drawloom.run(pipeline, params, catalog=catalog, executor=place)


@pytest.mark.parametrize("place", PLACES)
def test_what_a_task_logs_is_kept_with_its_node(catalog, place):
    done = run(samples.tracked, catalog, place)
    assert done.state == "succeeded", done.logs("train")
    found = done.metrics("train")
    assert math.isnan(found.pop("score"))
    assert found == {
        "loss": 1 / 3,
        "helped": 3.0,
        "threaded": 7.0,
        "worst": -math.inf,
        "scalar": 0.5,
        "exact": 0.25,
        "yes": 1.0,
        "large": 2.0**60,
        samples.HOSTILE: 1.0,
    }
    assert done.series("train", "loss") == [(0, 1.0), (10, 1 / 2), (20, 1 / 3)]
    assert [(step, repr(value)) for step, value in done.series("train", "score")] == [(0, "0.1"), (1, "nan")]
    assert done.series("train", "helped") == [(0, 3.0)]
    assert list(done.logged("train")) == [samples.HOSTILE, "report", "dot"]
    kept = done.load("train", port=f":{samples.HOSTILE}")
    assert kept["rows"] == [1, 2]
    assert math.isnan(kept["nan"])
    assert done.load("train", port=":report").read_text() == "second"
    assert done.load("train", port=":dot") == Picture(samples.PNG)
    assert done.metrics()["train:helped"] == 3.0
    assert catalog.verify() == []


@pytest.mark.parametrize("place", PLACES)
def test_instances_of_a_map_have_metrics_of_their_own(catalog, place):
    done = run(samples.each, catalog, place)
    node = next(n.id for n in done.nodes() if n.task.endswith(":measure"))
    assert done.metrics(node, (2,)) == {"n": 2.0}
    assert done.metrics() == {f"{node}[{k}]:n": float(k) for k in range(3)}
    assert done.metrics(node) == done.metrics(node.rpartition("/")[0]) == done.metrics()
    assert list(done.logged()) == [f"{node}[1]:odd"]
    assert done.load(node, (1,), port=":odd") == 1
    with pytest.raises(StoreError, match="S455"):
        done.series(node, "n")


@pytest.mark.parametrize("place", PLACES)
def test_a_failed_attempt_keeps_what_it_logged_and_the_node_shows_the_last_one(catalog, place):
    done = run(samples.diverging, catalog, place)
    assert done.state == "failed"
    ended = [r for r in read_records(catalog.storage, done.id) if isinstance(r, AttemptFinished)]
    assert [dict(r.metrics) for r in ended] == [{"loss": math.inf}] * 2
    assert done.metrics("diverge") == {"loss": math.inf}
    assert done.series("diverge", "loss") == [(0, 3.0), (1, math.inf)]
    assert done.load("diverge", port=":weights") == [3]
    assert catalog.verify() == []


@pytest.mark.parametrize("place", ["threads", "reference"])  # a worker process, and a child of the step
def test_a_task_with_a_time_limit_logs_too(catalog, place):
    done = run(samples.limiting, catalog, place)
    assert done.state == "succeeded", done.logs("limited")
    assert done.series("limited", "n") == [(0, 3.0), (1, 4.0)]
    assert done.load("limited", port=":n") == 3
    assert list(catalog.storage.keys("checkpoints/")) == []


@pytest.mark.parametrize("place", PLACES)
def test_a_cached_node_shows_what_the_executed_one_logged(catalog, place):
    first = run(samples.tracked, catalog, "reference" if place == "reference" else "inline")
    again = run(samples.tracked, catalog, place)
    assert again.counts == {"cached": 1}
    assert again.logged("train") == first.logged("train")
    assert again.series("train", "loss") == first.series("train", "loss")
    assert repr(again.metrics()) == repr(first.metrics())


@pytest.mark.parametrize("lost", ["series", "artifact"])
def test_a_result_whose_log_lost_an_object_is_made_anew(catalog, lost):
    first = run(samples.tracked, catalog, "inline")
    commit = next(r for r in read_records(catalog.storage, first.id) if isinstance(r, Commit) and r.node == "train")
    sha = commit.series if lost == "series" else dict(commit.logged)["dot"].tree["object"]
    catalog.storage.delete(object_key(sha))
    assert {d.code for d in catalog.verify()} == {"S461"}
    again = run(samples.tracked, Catalog.open(catalog.store_url), "inline")
    assert again.counts == {"succeeded": 1}
    assert catalog.verify() == []


def test_an_attempt_that_logs_nothing_makes_nothing(catalog):
    done = run(samples.silence, catalog, "inline")
    for record in read_records(catalog.storage, done.id):
        assert not {"metrics", "series", "logged"} & set(record_to_json(record))
    assert done.metrics() == done.logged() == {}
    with pytest.raises(StoreError, match="S456"):
        done.load("silent", port=":x")
    with pytest.raises(StoreError, match="S456"):
        done.series("silent", "x")
    with pytest.raises(StoreError, match="S454"):
        done.metrics("silnt")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.1, 1e300])
def test_records_keep_every_float(value):
    commit = Commit("r", "n", metrics=(("m", value),))
    text = canonical_json(record_to_json(commit))
    assert repr(record_from_json(json.loads(text)).metrics) == repr(commit.metrics)


BAD_NAMES = ["", " ", " x", "x\n", "a\nb", "a\tb", "a\x00b", "\ud800", "x" * 251, 3, None, b"x"]


@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
def test_a_name_that_cant_be_one_is_refused(catalog, name):
    recorder = Recorder(catalog.values)
    for log in (lambda: recorder.metric(name, 1.0, None), lambda: log_metric(name, 1), lambda: log_artifact(name, 1)):
        with pytest.raises(ValueRefused, match="D131"):
            log()


@pytest.mark.parametrize(
    "value", ["0.5", b"1", None, [1], 1j, object(), 10**400, np.array([1.0, 2.0]), {}], ids=lambda v: repr(v)[:20]
)
def test_a_metric_that_is_no_number_is_refused(value):
    with pytest.raises(ValueRefused, match="D132"):
        log_metric("x", value)


@pytest.mark.parametrize("step", ["1", 1.0, b"", 2**63, -(2**63) - 1])
def test_a_step_that_is_no_whole_number_is_refused(catalog, step):
    with recording() as recorded:
        if isinstance(step, int):
            with pytest.raises(ValueRefused, match="D133"):
                Recorder(catalog.values).metric("x", 1.0, step)
        else:
            with pytest.raises(ValueRefused, match="D133"):
                log_metric("x", 1, step=step)
    assert recorded.metrics == {}


@pytest.mark.parametrize("figure", [None, "plot.png", 3, [1]])
def test_a_figure_that_is_none_is_refused(figure):
    with pytest.raises(ValueRefused, match="D134"):
        log_figure("x", figure)
    with pytest.raises(ValueRefused, match="V312"):
        log_figure("x", b"GIF89a")


def test_figures_of_matplotlib_and_what_belongs_to_them(catalog):
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    with recording() as recorded:
        log_figure("figure", figure)
        log_figure("axes", axes)
        log_figure("png", samples.PNG)
    assert recorded.artifacts == {"figure": figure, "axes": figure, "png": Picture(samples.PNG)}
    recorder = Recorder(catalog.values)
    recorder.artifact("figure", figure)
    (_, ref) = recorder.finish("").logged[0]
    assert isinstance(catalog.values.decode(ref.tree), Picture)
    assert ref.type == "matplotlib.Figure"


def test_too_many_names_are_refused(catalog):
    recorder = Recorder(catalog.values)
    for k in range(10_000):
        recorder.metric(f"m{k}", 1.0, None)
    recorder.metric("m0", 2.0, None)
    with pytest.raises(ValueRefused, match="D135"):
        recorder.metric("one more", 1.0, None)


def test_a_value_no_codec_knows_is_refused_where_it_is_logged(catalog):
    with pytest.raises(ValueRefused, match=r"V301.*artifact 'x'"):
        Recorder(catalog.values).artifact("x", threading.Lock())


def test_a_million_values_take_little_memory(tmp_path):
    writer = SeriesWriter()
    tracemalloc.start()
    try:
        for k in range(100_000):
            writer.add("loss", k / 7, None)
            if k % 2:
                writer.add("other", math.nan, k)
        sha = writer.finish(objects := Objects(LocalStorage(str(tmp_path / "store"))))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16_000_000
    found = read_series(objects.get(sha))
    assert found["loss"] == [(k, k / 7) for k in range(100_000)]
    assert [step for step, _ in found["other"]] == list(range(1, 100_000, 2))


def test_a_forked_child_of_a_task_is_told_that_nobody_would_keep_it(catalog):
    done = run(samples.forking, catalog, "processes")
    assert done.result == 9
    assert done.metrics() == {}


def test_after_the_attempt_nothing_is_kept():
    from drawloom.runtimes.capture import Log, capturing

    log = Log()
    log.ended = True
    with capturing(log), pytest.raises(ValueRefused, match="D136"):
        log_metric("n", 1)


def test_in_a_pipeline_it_is_refused():
    @drawloom.pipeline
    def wrong(n: int) -> int:
        log_metric("n", 1)
        return samples.silent(n)

    with pytest.raises(DefinitionError, match="D130"):
        assert wrong.graph


def test_outside_a_run_it_is_told_to_the_log(caplog, monkeypatch):
    monkeypatch.setattr(tracking, "_told", False)
    with caplog.at_level(logging.INFO, "drawloom.tracking"):
        log_metric("loss", 0.5, step=3)
        log_artifact("rows", [1])
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", "log_metric is called outside a task: nothing is kept (told once; what is logged follows at INFO)"),
        ("INFO", "metric loss = 0.5 at step 3"),
        ("INFO", "artifact rows: list"),
    ]


def test_a_store_that_cant_keep_what_was_logged_fails_the_attempt(tmp_path):
    store = LocalStorage(str(tmp_path / "store"))
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "objects").write_text("no folder")
    from drawloom.ir.tasks import FunctionRef, TaskSpec
    from drawloom.runtimes.attempt import run_attempt

    def logs():
        log_metric("x", 1)
        log_metric("x", 2)

    result = run_attempt(logs, TaskSpec("t", FunctionRef("m", "t"), effect=True), {}, Values(Objects(store)))
    assert result.outcome == "failed"
    assert result.failure.type == "drawloom.errors:StoreError"
    assert b"can't be kept" in result.log


def test_a_map_that_is_answered_as_a_whole_shows_what_its_items_logged(catalog):
    first = run(samples.each, catalog, "threads")
    again = run(samples.each, Catalog.open(catalog.store_url), "threads")
    node = next(n.id for n in again.nodes() if n.task.endswith(":measure"))
    assert "succeeded" not in {n.state for n in again.nodes() if n.id.startswith("for_each")}
    assert again.metrics() == first.metrics() != {}
    assert again.logged() == first.logged() != {}
    assert again.metrics(node, (2,)) == {"n": 2.0}
    assert again.series(node, "n", (2,)) == [(0, 2.0)]
    assert again.load(node, (1,), port=":odd") == 1
