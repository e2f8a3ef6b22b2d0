"""What a first reader meets: a failed item told once with its line, values written as files, who draws pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from drawloom.cli.doctor_checks import _graphviz
from drawloom.display.dot import has_renderer
from drawloom.display.failure import raised_at

FLOWS = """
import json
from typing import NamedTuple
from drawloom import for_each, pipeline, task

class Pair(NamedTuple):
    name: str
    count: int

@task
def read(text: str) -> int:
    print("reading", text)
    return json.loads(text)

@task
def paired(name: str) -> Pair:
    return Pair(name, len(name))

@pipeline
def numbers(texts: list[str]) -> list[int]:
    return for_each(texts, read)

@pipeline
def pair(name: str = 'it"s {{ 🌧 }}') -> Pair:
    return paired(name)
"""


@pytest.fixture
def flows(folder: Path) -> None:
    (folder / "flows_of_items.py").write_text(FLOWS)


def test_a_failed_item_is_told_once_with_the_users_line(drawloom: Any, flows: None) -> None:
    drawloom("run", "flows_of_items.py:numbers", "--texts", '["1", "3", "{{"]', "-q")
    text = drawloom.ok("show", "last")
    line = FLOWS.splitlines().index("    return json.loads(text)") + 1
    assert text.count("failed  for_each/read[2]: ") == 1
    assert f"flows_of_items.py:{line}, in read (called at " in text


def test_the_traceback_of_an_item_stands_under_its_name(drawloom: Any, flows: None) -> None:
    drawloom("run", "flows_of_items.py:numbers", "--texts", '["1", "3", "{{"]', "-q")
    text = drawloom.ok("logs", "last", "for_each/read")
    assert text.index("reading {{\n") < text.index("--- for_each/read[2] failed\nTraceback (most recent call last):\n")


def test_a_value_is_written_as_json_without_its_class(drawloom: Any, flows: None, folder: Path) -> None:
    drawloom.ok("run", "flows_of_items.py:pair", "-q")
    (folder / "flows_of_items.py").unlink()
    sys.modules.pop("flows_of_items", None)
    drawloom.ok("catalog", "load", "pair", "-o", "pair.json")
    assert json.loads((folder / "pair.json").read_text(encoding="utf-8")) == {"name": 'it"s {{ 🌧 }}', "count": 12}


@pytest.mark.parametrize("suffix", [".csv", ".PARQUET", ".png", ".npy"])
def test_p633_json_is_no_table_and_no_picture(drawloom: Any, flows: None, folder: Path, suffix: str) -> None:
    drawloom.ok("run", "flows_of_items.py:numbers", "--texts", '["1", "3"]', "-q")
    refused = drawloom("catalog", "load", "numbers", "-o", f"numbers{suffix}")
    assert refused.exit_code == 2
    assert refused.stderr.startswith(
        f"error[P633] 'numbers' is a value of JSON, which can't be written as 'numbers{suffix}'\n"
    )
    assert not (folder / f"numbers{suffix}").exists()


def test_p640_a_missing_choice_is_told_on_one_line(drawloom: Any) -> None:
    told = drawloom("completion").stderr.splitlines()
    assert [line.split()[0] for line in told] == ["error[P640]", "fix"]
    assert "bash, fish, zsh" in told[0]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["/u/flow.py", "/usr/lib/python3.12/json/decoder.py"], "/u/flow.py:1, in f0"),
        (["/u/flow.py", "/u/.venv/lib/python3.11/site-packages/pandas/io.py", "/u/again.py"], "/u/again.py:3, in f2"),
        (["<frozen importlib._bootstrap>"], "<frozen importlib._bootstrap>:1, in f0"),
        ([], ""),
    ],
)
def test_a_failure_is_where_the_users_code_was(files: list[str], expected: str) -> None:
    frames = (f'  File "{file}", line {number + 1}, in f{number}\n    pass\n' for number, file in enumerate(files))
    assert raised_at(f"Traceback (most recent call last):\n{''.join(frames)}ValueError: no\n") == expected


def test_doctor_and_graph_agree_on_who_draws() -> None:
    [check] = _graphviz()
    assert (check.state == "ok") == has_renderer()
