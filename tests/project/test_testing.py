"""`drawloom.testing` and the pytest fixtures, as a user's tests would use them."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from unittest.mock import Mock

import pytest

from drawloom import (
    Cache,
    DefinitionError,
    RunFailed,
    RunRefused,
    for_each,
    log_artifact,
    log_metric,
    pipeline,
    run_info,
    task,
)
from drawloom.testing import recording, run, temporary_catalog


@task(packages=["a-package-that-nobody-has"])
def load(csv: str, limit: int = 10) -> list[int]:
    return [len(csv)] * limit


@task
def double(n: int) -> int:
    return 2 * n


@task(attempt_timeout_seconds=30, cache=Cache(version="1"))
def total(numbers: list[int]) -> int:
    log_metric("numbers", len(numbers))
    log_artifact("numbers", numbers)
    return sum(numbers)


@task
def thread_name(n: int) -> str:
    return threading.current_thread().name


@pipeline
def flow(csv: str = "abc") -> int:
    return total(for_each(load(csv), double))


@pipeline
def named(n: int) -> str:
    return thread_name.with_options(node_timeout_seconds=9)(n)


@pipeline
def timed() -> str:
    return text(run_info.logical_time)


@task
def text(time: object) -> str:
    return str(time)


def test_a_task_is_substituted_and_so_are_its_packages(drawloom_run):
    done = drawloom_run(flow, substitute={load: lambda csv, limit: [1, 2]})
    assert done.result == 6
    assert done.executed == ["load", "for_each/double", "total"]
    assert (done.cached, done.skipped, done.failed) == ([], [], [])
    assert done.metrics("total") == {"numbers": 2.0}
    with pytest.raises(RunRefused, match="R522"):
        drawloom_run(flow)


def test_a_substitute_has_a_version_of_its_own(drawloom_run):
    first = {double: lambda n: 10 * n}
    second = {double: lambda n: 100 * n}
    source = {load: lambda csv, limit: [1]}
    assert drawloom_run(flow, substitute=source).result == 2
    assert drawloom_run(flow, substitute=source | first).result == 10
    assert drawloom_run(flow, substitute=source | second).result == 100
    again = drawloom_run(flow, substitute=source | first)
    assert (again.result, again.cached) == (10, ["load", "for_each/double", "total"])
    real = drawloom_run(flow, substitute=source)
    assert (real.result, real.executed) == (2, [])


def test_a_substitute_that_holds_a_value_of_the_test_is_called_each_time(drawloom_run):
    for value in ([3], [4]):
        done = drawloom_run(flow, substitute={load: lambda csv, limit: value})  # noqa: B023  # called at once
        assert done.result == 2 * value[0]
        assert "load" in done.executed
    again = drawloom_run(flow, substitute={load: lambda csv, limit: value})
    assert again.executed == ["load"]  # what is behind it got an equal value


def test_a_mock_and_other_names_of_parameters_will_do(drawloom_run):
    mock = Mock(return_value=[5])
    assert drawloom_run(flow, {"csv": "x"}, substitute={load: mock}).result == 10
    mock.assert_called_once_with(csv="x", limit=10)
    assert drawloom_run(flow, substitute={load: lambda a, b: [len(a), b]}).result == 26


@pytest.mark.parametrize("substitute", [lambda: [1], lambda csv: [1], lambda csv, limit, more: [1], len])
def test_a_substitute_with_other_parameters_is_refused(drawloom_run, substitute):
    with pytest.raises(DefinitionError, match=r"D137.*csv, limit"):
        drawloom_run(flow, substitute={load: substitute})


def test_a_substitute_for_a_task_that_isnt_called_is_refused():
    with pytest.raises(DefinitionError, match=r"D137.*thread_name"):
        run(flow, substitute={thread_name: lambda n: "x"})


def test_a_substitute_is_held_to_the_declared_type(drawloom_run):
    done = drawloom_run(flow, substitute={load: lambda csv, limit: "no list"})
    assert (done.failed, done.skipped) == (["load"], ["for_each/double", "total"])
    with pytest.raises(RunFailed, match="S470") as caught:
        assert done.result
    assert "R520" in str(caught.value.__cause__)


def test_the_live_exception_of_a_failed_run_is_the_cause(drawloom_run):
    raised = ValueError("by the test")
    done = drawloom_run(flow, substitute={load: Mock(side_effect=raised)})
    with pytest.raises(RunFailed) as caught:
        assert done.result
    assert caught.value.__cause__ is raised


def test_tasks_run_in_the_thread_of_the_test_whatever_their_limits(drawloom_run):
    assert drawloom_run(named, {"n": 1}).result == threading.current_thread().name


def test_other_executors_and_times(tmp_path):
    from datetime import UTC, datetime

    time = datetime(2026, 1, 31, tzinfo=UTC)
    done = run(timed, catalog=str(tmp_path / "c"), executor="threads", logical_time=time, interval=(time, time))
    assert done.result == str(time)
    assert done.record.interval == (time.isoformat(),) * 2


def test_without_a_catalog_each_run_has_one_of_its_own():
    assert run(named, {"n": 1}).executed == ["thread_name"]
    assert run(named, {"n": 1}).executed == ["thread_name"]


def test_what_plain_calls_log_is_recorded_from_any_thread(drawloom_recorder):
    total([1, 2])
    thread = threading.Thread(target=total, args=([3],))
    thread.start()
    thread.join()
    assert drawloom_recorder.metrics == {"numbers": 1.0}
    assert drawloom_recorder.series == {"numbers": [(0, 2.0), (1, 1.0)]}
    assert drawloom_recorder.artifacts == {"numbers": [3]}
    with recording() as inner:
        total([])
    assert inner.metrics == {"numbers": 0.0}
    run(flow, substitute={load: lambda csv, limit: [1]})  # a run keeps its own
    assert drawloom_recorder.series["numbers"][-1] == (2, 0.0)


def test_a_catalog_of_a_test_is_in_its_folder(drawloom_catalog, tmp_path, monkeypatch):
    assert drawloom_catalog.url.startswith(str(tmp_path))
    assert drawloom_catalog.runs() == []
    assert str(temporary_catalog().url) != str(temporary_catalog().url)


def test_the_plugin_is_found_and_loads_nothing_of_drawloom_but_fixtures(tmp_path: Path):
    (tmp_path / "test_x.py").write_text(
        "import sys\n"
        "def test_x():\n"
        "    assert {m for m in sys.modules if m.startswith('drawloom.')} <= {'drawloom.pytest_plugin'}\n"
        "def test_y(drawloom_catalog, drawloom_run, drawloom_recorder):\n"
        "    pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_x.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout
