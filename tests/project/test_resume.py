"""`Run.resume`: what is left of a run that didn't succeed, as a new run; what was done is not done again."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import drawloom
from drawloom import Catalog, ProjectError, RunRefused, Static, for_each, pipeline, run_info, task
from drawloom.errors import CheckFailed

WHEN = datetime(2026, 1, 31, tzinfo=UTC)
SEEN: list[Any] = []


@task
def begin(n: int) -> int:
    SEEN.append("begin")
    return n


@task
def announce(n: int) -> None:
    SEEN.append(("announce", n))


@task
def finish(n: int, when: Any) -> str:
    SEEN.append("finish")
    if os.environ.get("TEST_BROKEN"):
        raise ValueError("broken")
    return f"{n} {when}"


@pipeline
def staged(n: int = 1, times: Static[int] = 1) -> str:
    for _ in range(times):
        n = begin(n)
        announce(n)
    return finish(n, run_info.logical_time)


@pipeline
def plain(n: int = 1) -> str:
    n = begin(n)
    announce(n)
    return finish(n, run_info.logical_time)


@task
def hostile(text: str) -> str:
    if os.environ.get("TEST_BROKEN"):
        raise ValueError(text)
    return text


@pipeline
def hostiles(texts: list[str]) -> list[str]:
    return for_each(texts, hostile)


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    SEEN.clear()
    monkeypatch.setenv("TEST_BROKEN", "1")
    return Catalog.open(tmp_path / "store")


def test_static_parameters_and_the_time_it_is_for_are_those_of_the_run(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = drawloom.run(staged, {"n": 7, "times": 2}, catalog=catalog, logical_time=WHEN)
    assert sorted(map(str, SEEN)) == ["('announce', 7)", "('announce', 7)", "begin", "finish"]  # equal calls
    SEEN.clear()
    monkeypatch.delenv("TEST_BROKEN")
    resumed = run.resume()
    assert (resumed.result, SEEN, resumed.record.static) == (f"7 {WHEN}", ["finish"], run.record.static)
    assert resumed.record.logical_time == run.record.logical_time


@pytest.mark.parametrize("executor", ["threads", "inline"])
def test_hostile_parameters_are_given_again(executor: str, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["", "'\"", "\n\x1b[31m", "{{ x }} ${y}", "🦜", "x" * 5000]
    run = drawloom.run(hostiles, {"texts": texts}, catalog=catalog)
    assert run.state == "failed"
    monkeypatch.delenv("TEST_BROKEN")
    assert drawloom.resume(run, executor=executor, pipeline=hostiles).result == texts


def test_r554_a_run_that_succeeded(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_BROKEN")
    run = drawloom.run(staged, catalog=catalog, logical_time=WHEN)
    with pytest.raises(RunRefused, match=r"R554.*succeeded: nothing of it is left"):
        drawloom.resume(run)


def test_r552_a_compile_time_parameter_that_is_gone(catalog: Catalog) -> None:
    run = drawloom.run(staged, {"times": 2}, catalog=catalog, logical_time=WHEN)

    @pipeline
    def other(n: int = 1) -> str:
        return finish(begin(n), run_info.logical_time)

    with pytest.raises(RunRefused, match=r"R552.*no compile-time parameter `times`"):
        drawloom.resume(run, pipeline=other)


def test_a_new_parameter_takes_its_default(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    run = drawloom.run(plain, catalog=catalog, logical_time=WHEN)
    monkeypatch.delenv("TEST_BROKEN")

    @pipeline
    def other(n: int = 1, more: int = 30) -> str:
        n = begin(n)
        announce(n)
        return finish(n + more, run_info.logical_time)

    SEEN.clear()
    assert drawloom.resume(run, pipeline=other).result == f"31 {WHEN}"
    assert SEEN == ["finish"]


def test_a_pipeline_that_is_wrong_now_is_refused_before_anything_runs(catalog: Catalog) -> None:
    run = drawloom.run(staged, catalog=catalog, logical_time=WHEN)

    @pipeline
    def wrong(n: int = 1, times: Static[int] = 1) -> str:
        return finish(hostile(n), times)  # type: ignore[arg-type]  # wrong on purpose

    SEEN.clear()
    with pytest.raises(CheckFailed):
        drawloom.resume(run, pipeline=wrong)
    assert SEEN == []


def test_p660_a_pipeline_made_in_a_function_has_to_be_given(catalog: Catalog) -> None:
    @pipeline
    def local(n: int = 1) -> str:
        return finish(n, None)

    run = drawloom.run(local, catalog=catalog)
    assert run.record.target == ""
    with pytest.raises(ProjectError, match=r"P660.*can't be found again"):
        drawloom.resume(run)
