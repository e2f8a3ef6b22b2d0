"""What tasks logged in `show`, and the times of a run on the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

FLOWS = """
import math
from datetime import datetime

from drawloom import for_each, log_artifact, log_figure, log_metric, pipeline, run_info, task
from drawloom.values.figure import Picture


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task
def measure(n: int) -> int:
    log_metric("loss", 0.123456789)
    log_metric("loss", n)
    log_metric("näme {{x}}", math.nan)
    log_artifact("it's <{{x}}>", {"rows": n})
    return n


@task
def draw(n: int) -> int:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 1))
    log_figure("dot", figure)
    return n


@task
def fail(n: int) -> int:
    log_metric("before", 1)
    raise ValueError("no")


@task
def when(time: datetime, start: datetime, end: datetime) -> list[str]:
    return [str(time), str(start), str(end)]


@pipeline
def measured(n: int = 2) -> list[int]:
    return for_each(numbers(n), measure)


@pipeline
def drawn(n: int = 2) -> int:
    return draw(n)


@pipeline
def failing(n: int = 2) -> int:
    return fail(n)


@pipeline
def timed() -> list[str]:
    return when(run_info.logical_time, run_info.interval_start, run_info.interval_end)
"""


@pytest.fixture
def flows(folder: Path) -> None:
    (folder / "logging_flows.py").write_text(FLOWS, encoding="utf-8")


def test_show_tells_metrics_and_artifacts(drawloom: Any, flows: None) -> None:
    drawloom.ok("run", "logging_flows.py:measured", "-q")
    text = drawloom.ok("show", "last")
    assert re.search(r"^for_each/measure\[0\]:loss +0$", text, re.MULTILINE)
    assert re.search(r"^for_each/measure\[1\]:loss +1$", text, re.MULTILINE)
    assert re.search(r"^for_each/measure\[1\]:näme {{x}} +nan$", text, re.MULTILINE)
    assert re.search(r"""^for_each/measure\[1\]:it's <{{x}}> +[0-9a-f]{12} +\d+ B +{'rows': 1}$""", text, re.MULTILINE)
    assert "numbers:" not in text
    assert "loss" not in drawloom.ok("show", "last", "numbers")
    assert drawloom.ok("show", "last", "for_each").count(":loss ") == 2


def test_show_as_json(drawloom: Any, flows: None) -> None:
    document = drawloom.json("run", "logging_flows.py:measured", "-q")
    metrics = [m for m in document["metrics"] if m["index"] == [1]]
    assert metrics == [
        {"node": "for_each/measure", "index": [1], "name": "loss", "value": 1.0},
        {"node": "for_each/measure", "index": [1], "name": "näme {{x}}", "value": "nan"},
    ]
    (first, second) = document["logged"]
    assert (first["name"], second["value"], first["path"]) == ("it's <{{x}}>", {"rows": 1}, None)
    node = drawloom.json("show", "last", "for_each/measure")
    assert (node["metrics"], node["logged"]) == (document["metrics"], document["logged"])


def test_a_long_list_is_cut(drawloom: Any, flows: None) -> None:
    drawloom.ok("run", "logging_flows.py:measured", "-q", "--n", "15")
    text = drawloom.ok("show", "last")
    assert "... 10 metrics more; --json shows all of them" in text
    assert len(drawloom.json("show", "last")["metrics"]) == 30


def test_pictures_are_shown_by_path(drawloom: Any, flows: None) -> None:
    drawloom.ok("run", "logging_flows.py:drawn", "-q")
    path = re.search(r"^picture +draw:dot  (/.*)$", drawloom.ok("show", "last", "draw"), re.MULTILINE)
    assert path is not None
    assert Path(path[1]).read_bytes().startswith(b"\x89PNG")
    assert drawloom.json("show", "last")["logged"][0]["path"] == path[1]


def test_a_failed_node_shows_what_it_logged(drawloom: Any, flows: None) -> None:
    assert drawloom("run", "logging_flows.py:failing", "-q").exit_code == 1
    assert re.search(r"^fail:before +1$", drawloom.ok("show", "last", "fail"), re.MULTILINE)


TIMES = ("--logical-time", "2026-01-31T00:00:00Z", "--interval", "2026-01-30T00:00:00+01:00/2026-01-31T00:00:00+01:00")
ISO = ["2026-01-31T00:00:00+00:00", "2026-01-30T00:00:00+01:00", "2026-01-31T00:00:00+01:00"]


@pytest.mark.parametrize("engine", [[], ["--engine", "reference"]], ids=["local", "reference"])
def test_the_times_of_a_run_reach_the_pipeline_and_are_shown(drawloom: Any, flows: None, engine: list[str]) -> None:
    document = drawloom.json("run", "logging_flows.py:timed", "-q", *TIMES, *engine)
    assert document["results"][0]["value"] == [time.replace("T", " ") for time in ISO]
    assert (document["logical_time"], document["interval"]) == (ISO[0], ISO[1:])
    text = drawloom.ok("show", "last")
    assert f"logical   {ISO[0]}\ninterval  {ISO[1]} to {ISO[2]}\n" in text


@pytest.mark.parametrize("engine", [[], ["--engine", "reference"]], ids=["local", "reference"])
def test_a_pipeline_that_asks_for_times_is_refused_without_them(drawloom: Any, flows: None, engine: list[str]) -> None:
    result = drawloom("run", "logging_flows.py:timed", *TIMES[:2], *engine)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("error[R557] `timed` asks for `run_info.interval_") == 2
    assert "logging_flows.py:" in result.stderr
    assert "logical" not in result.stderr


def test_a_run_without_times_shows_none(drawloom: Any) -> None:
    document = drawloom.json("run", "flows_of_cli.py:twice", "--n", "1", "-q")
    assert (document["logical_time"], document["interval"]) == (None, None)
    assert "logical" not in drawloom.ok("show", "last")


@pytest.mark.parametrize(
    ("option", "text", "code", "told"),
    [
        ("--logical-time", "2026-01-31", "R555", "has no zone"),
        ("--logical-time", "2026-01-31T00:00:00", "R555", "has no zone"),
        ("--logical-time", "yesterday 🎉", "R555", "is no time of ISO 8601"),
        ("--logical-time", "", "R555", "is no time of ISO 8601"),
        ("--interval", "2026-01-31T00:00:00Z", "R556", "isn't START/END"),
        ("--interval", "a/b/c", "R556", "isn't START/END"),
        ("--interval", "2026-01-31T00:00:00Z/", "R555", "is no time of ISO 8601"),
        ("--interval", "2026-01-31T00:00:00/2026-02-01T00:00:00Z", "R555", "has no zone"),
        ("--interval", "2026-01-31T00:00:00Z/2026-01-30T00:00:00Z", "R556", "before it begins"),
    ],
)
@pytest.mark.parametrize("engine", [[], ["--engine", "reference"]], ids=["local", "reference"])
def test_wrong_times_are_refused(
    drawloom: Any, option: str, text: str, code: str, told: str, engine: list[str]
) -> None:
    result = drawloom("run", "flows_of_cli.py:twice", "--n", "1", option, text, *engine)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error[{code}] ")
    assert told in result.stderr
