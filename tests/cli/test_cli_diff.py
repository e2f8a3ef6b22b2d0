"""`drawloom diff`: what differs between two runs, as a user reads it and as JSON."""

from __future__ import annotations

import json
import linecache
import sys
from pathlib import Path
from typing import Any

import pytest

SOURCE = """
import os
from drawloom import External, File, for_each, pipeline, task
import pandas as pd

def helper(k: int) -> int:
    return k * k

@task
def numbers(n: int, csv: File) -> list[int]:
    return list(range(n))

@task
def table(n: int) -> pd.DataFrame:
    return pd.DataFrame({"a": range(n), "odd name\\n\\x1b[31m": ["{{ x }}"] * n})

@task
def square(k: int) -> int:
    return helper(k)

@task
def total(ks: list[int]) -> int:
    return sum(ks)

@pipeline
def flow(csv: File, n: int = 4, note: str = "") -> int:
    values = numbers(n, csv)
    table(n)
    squares = for_each(values, square)
    return total(squares)
"""


class Flow:
    """`flow.py` in the working folder, run anew after each change."""

    def __init__(self, folder: Path, drawloom: Any) -> None:
        self.folder = folder
        self.drawloom = drawloom
        self.source = SOURCE
        (folder / "d.csv").write_text("a\n1\n")

    def run(self, *options: str, name: str = "flow", changes: dict[str, str] | None = None) -> str:
        for old, new in (changes or {}).items():
            assert old in self.source
            self.source = self.source.replace(old, new)
        (self.folder / "flow.py").write_text(self.source)
        sys.modules.pop("flow", None)
        linecache.clearcache()
        done = self.drawloom("run", f"flow.py:{name}", "--csv", "d.csv", "--quiet", "--json", *options)
        run: str = json.loads(done.stdout)["run"]
        return run

    def diff(self, *options: str) -> str:
        text: str = self.drawloom.ok("diff", "prev", "last", *options)
        return text


@pytest.fixture
def flow(folder: Path, drawloom: Any, monkeypatch: pytest.MonkeyPatch) -> Flow:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Flow(folder, drawloom)


def _section(text: str, title: str) -> list[str]:
    _, _, rest = text.partition(f"\n{title}\n")
    return [line.strip() for line in rest.partition("\n\n")[0].splitlines()]


def test_two_equal_runs_have_no_difference(flow: Flow) -> None:
    flow.run("--no-cache")
    flow.run("--no-cache")
    text = flow.diff()
    assert "no difference in code, graph, parameters, inputs" in text
    assert "data, metrics, results, states" in text
    document = flow.drawloom.json("diff", "prev", "last")
    assert (document["different"], document["same_pipeline"]) == (False, True)


def test_everything_that_differs_is_told_under_its_heading(flow: Flow, folder: Path) -> None:
    flow.run("--no-cache")
    (folder / "d.csv").write_text("a\n2\n3\n")
    changes = {
        "return k * k": "return k ** 2 + (k == 3)",
        '["{{ x }}"] * n': '["${y}"] * n',
        "return total(squares)": "return total(squares) + 1",
    }
    flow.run("--no-cache", "--n", "6", changes=changes)
    text = flow.diff()
    assert _section(text, "code") == [
        "flow:square (squares/square): helper changed",
        "flow:table (table): table changed",
    ]
    assert _section(text, "graph")[0] == "~ results of the pipeline: result=total"
    assert _section(text, "parameters") == ["n: 4 -> 6"]
    assert _section(text, "inputs")[0].startswith("csv: file d.csv ")
    data = _section(text, "data")
    assert "squares/square (1 of 4 instances differ, 2 only after): other code" in data
    assert "[3] 9 -> 10" in data
    assert "rows 4 -> 6 (+50.0 %)" in data
    assert _section(text, "results") == ["result: 14 -> 57"]
    assert "\x1b" not in text


def test_code_shows_the_lines(flow: Flow) -> None:
    flow.run()
    flow.run(changes={"return k * k": "return k * k + 1"})
    text = flow.diff("--code")
    assert "    -    return k * k\n" in text
    assert "    +    return k * k + 1\n" in text
    [change] = flow.drawloom.json("diff", "prev", "last")["code"][0]["changes"]
    assert (change["part"], change["change"]) == ("flow:helper", "changed")


def test_a_node_alone(flow: Flow) -> None:
    flow.run()
    flow.run(changes={"return k * k": "return k * k + 1"})
    text = flow.diff("--node", "squares")
    assert [line.partition(" ")[0] for line in _section(text, "data")][::2] == ["squares/square"]
    assert "total" not in text
    result = flow.drawloom("diff", "prev", "last", "--node", "sqares")
    assert (result.exit_code, "error[S498]" in result.stderr, "did you mean `squares`" in result.stderr) == (
        3,
        True,
        True,
    )


def test_states_of_a_run_that_failed(flow: Flow) -> None:
    flow.run()
    flow.run(changes={"return sum(ks)": "raise ValueError('\\x1b[31m')"})
    text = flow.diff()
    rows = {line.split()[0]: line.split()[1:3] for line in _section(text, "states and times")}
    assert rows["total"] == ["succeeded", "failed"]
    assert _section(text, "results") == ["result: 14 -> not given"]


def test_a_changed_comment_is_no_difference_of_the_code(flow: Flow) -> None:
    flow.run()
    flow.run(changes={"return k * k": "return k*k  # squared"})
    assert "no difference in code" in flow.diff()


def test_a_task_that_gives_another_value_for_no_reason_is_told(flow: Flow, folder: Path) -> None:
    (folder / "weather.txt").write_text("1")
    flow.run("--no-cache", changes={"return sum(ks)": "return sum(ks) + os.path.getsize('weather.txt')"})
    (folder / "weather.txt").write_text("22")
    flow.run("--no-cache")
    assert "total: the same code and equal inputs gave another value" in _section(flow.diff(), "data")


def test_runs_of_different_pipelines_and_hostile_parameters(flow: Flow) -> None:
    flow.run("--note", "{{ 'x' }}\n\x1b[31m" + "y" * 300)
    other = flow.source + flow.source[flow.source.index("@pipeline") :].replace("def flow", "def other").replace(
        "squares = for_each(values, square)", "squares = [*range(3)]"
    )
    flow.run("--note", "{{ 'x' }}\n\x1b[31m" + "y" * 301, name="other", changes={flow.source: other})
    text = flow.diff()
    assert "the runs are of different pipelines" in text
    graph = _section(text, "graph")
    assert [line.partition(" = ")[0] for line in graph[:2]] == ["- squares", "- squares/square"]
    assert graph[2].startswith("~ total: flow:total(ks=squares)")
    [told] = _section(text, "parameters")
    assert "{{ \\'x\\' }}\\n\\x1b[31my" in told or "{{ 'x' }}\\n\\x1b[31my" in told
    assert told.partition(" -> ")[0] != told.partition(" -> ")[2]


@pytest.mark.parametrize("columns", ["80", "200"])
def test_it_fits_the_terminal(columns: str, flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    flow.run()
    flow.run("--n", "5", changes={"return k * k": "return k * k + 1"})
    monkeypatch.setenv("COLUMNS", columns)
    assert max(map(len, flow.diff().splitlines())) <= 120


METRICS = """
from drawloom import File, for_each, log_metric, pipeline, task

@task
def score(k: int, n: int) -> int:
    log_metric("odd {{ }}", float("nan"))
    log_metric("accuracy", (0.5, 1.0, 0.0, float("inf"))[k] * n)
    if n > 1 and k == 0:
        log_metric("late", 3)
    return k

@pipeline
def flow(csv: File, n: int = 1, ks: list[int] = [0, 1, 2, 3]) -> list[int]:
    return for_each(ks, lambda k: score(k, n))
"""


def test_metrics_are_compared_by_their_last_values(flow: Flow) -> None:
    flow.source = METRICS
    flow.run()
    flow.run("--n", "3")
    lines = _section(flow.diff(), "metrics")
    assert lines == [
        "for_each/score[0]:accuracy: 0.5 -> 1.5 (+1, +200.0 %)",
        "for_each/score[0]:late: not logged -> 3",
        "for_each/score[1]:accuracy: 1 -> 3 (+2, +200.0 %)",
    ]
    flow.run()
    assert _section(flow.diff(), "metrics")[-1] == "for_each/score[0]:late: 3 -> not logged"
    document = flow.drawloom.json("diff", "prev", "last")["metrics"]
    assert document[0] == {"node": "for_each/score", "index": [0], "name": "accuracy", "before": 1.5, "after": 0.5}
    assert (document[-1]["name"], document[-1]["before"], document[-1]["after"]) == ("late", 3, None)
    flow.run()
    assert "no difference in code, graph, parameters, inputs, environment, data, metrics" in flow.diff()
    assert flow.drawloom.json("diff", "prev", "last")["metrics"] == []
