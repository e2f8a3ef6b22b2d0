"""Values of a user's own class with tables in them, and what lies in a map: as `show`, `why` and `catalog` tell them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

FLOWS = """
from typing import NamedTuple

import pandas as pd

from drawloom import for_each, pipeline, task


class Halves(NamedTuple):
    low: pd.DataFrame
    high: pd.DataFrame


class Size(NamedTuple):
    rows: int
    k: int


@task
def halves(n: int) -> Halves:
    frame = pd.DataFrame({"a": [number / 3 for number in range(n)]})
    return Halves(frame[: n // 2], frame[n // 2 :])


@task
def size(frame: pd.DataFrame, k: int) -> Size:
    if k == 3:
        raise ValueError("three")
    return Size(len(frame), k)


@task
def top(sizes: list[Size]) -> Size:
    return max(sizes)


@pipeline
def parted(ks: list[int], n: int = 6) -> Size:
    parts = halves(n)
    return top(for_each(ks, lambda k: size(parts.low, k)))
"""


@pytest.fixture
def parted(drawloom: Any, folder: Path) -> Any:
    (folder / "parts_of_cli.py").write_text(FLOWS, encoding="utf-8")
    drawloom.ok("run", "parts_of_cli.py:parted", "--ks", "[1, 2]", "-q")
    yield drawloom
    sys.modules.pop("parts_of_cli", None)


def test_show_tells_the_inputs_of_each_instance(parted: Any) -> None:
    lines = parted.ok("show", "last", "for_each/size").splitlines()
    assert [line.partition("DataFrame")[1] for line in lines if "frame" in line] == ["DataFrame"] * 2
    assert [line.split()[-1] for line in lines if " k " in line] == ["1", "2"]
    assert [line.split()[:3] for line in lines if "Size(rows=3" in line] == [
        ["[0]", "output", "result"],
        ["[1]", "output", "result"],
    ]


def test_why_tells_what_changed_in_a_part_without_the_class_of_the_whole(parted: Any) -> None:
    parted.ok("run", "parts_of_cli.py:parted", "--ks", "[1, 2]", "--n", "8", "-q")
    sys.modules.pop("parts_of_cli")
    text = parted.ok("why", "last", "for_each/size", "--index", "1")
    assert "input `frame` changed: rows 3 -> 4" in text or "DataFrame 3 x 1" in text, text
    assert "  parts_of_cli.py:" in text.splitlines()[0]  # from the working folder


def test_a_record_with_tables_is_shown_by_its_profile_and_loaded_in_python(parted: Any, folder: Path) -> None:
    result = parted("catalog", "load", "parted/parts")
    assert result.exit_code == 2
    assert "error[P632] 'parted/parts' version 1 is a Halves, which can't be printed" in result.stderr
    load = f"Catalog.open('{folder}/.drawloom').load('parted/parts', 1)"
    assert f"`{load}`; `drawloom catalog profile parted/parts` shows its tables" in result.stderr
    assert "low: 3 rows x 1 column" in parted.ok("catalog", "profile", "parted/parts")
    result = parted("catalog", "load", "parted/parts", "-o", "parts.csv")
    assert (result.exit_code, "error[P633]" in result.stderr, load in result.stderr) == (2, True, True)
    assert not (folder / "parts.csv").exists()


def test_a_record_is_written_without_importing_its_class(parted: Any, folder: Path) -> None:
    sys.modules.pop("parts_of_cli")
    parted.ok("catalog", "load", "parted/top", "-o", "top.json")
    assert json.loads((folder / "top.json").read_text()) == {"rows": 3, "k": 2}
    assert "parts_of_cli" not in sys.modules


@pytest.mark.parametrize("name", ["parted/for_each/size", "parted/for_each/size[1]", "parted/for_each/size[1]/x"])
def test_s453_a_node_in_a_map_is_no_artifact_and_says_where_it_is(name: str, parted: Any) -> None:
    result = parted("catalog", "load", name)
    assert (result.exit_code, "error[S453]" in result.stderr) == (3, True)
    assert "`drawloom show last for_each/size`" in result.stderr


@pytest.mark.parametrize("command", [("show", "last", "size"), ("logs", "last", "size"), ("why", "last", "size")])
def test_the_end_of_a_nodes_name_leads_to_it(command: tuple[str, ...], parted: Any) -> None:
    result = parted(*command)
    assert (result.exit_code, "did you mean `for_each/size`?" in result.stderr) == (3, True)


def test_a_failure_in_a_map_is_told_once(parted: Any) -> None:
    assert parted("run", "parts_of_cli.py:parted", "--ks", "[3, 1]", "-q").exit_code == 1
    assert parted.ok("show", "last").count("failed  for_each/size[0]: ValueError: three") == 1


def test_first_rows_have_readable_numbers_and_json_all_digits(parted: Any) -> None:
    assert "0.333333\n" in parted.ok("catalog", "profile", "parted/parts")
    assert "0.3333333333333333" in json.dumps(parted.json("catalog", "profile", "parted/parts"))


def test_one_instance_of_a_map_is_shown_by_its_index(parted: Any) -> None:
    assert parted("run", "parts_of_cli.py:parted", "--ks", "[3, 1, 3]", "-q", "--keep-going").exit_code == 1
    text = parted.ok("show", "last", "for_each/size", "--index", "1")
    assert [line[:3] for line in text.splitlines() if "put  " in line] == ["[1]"] * 3
    assert "ValueError" not in text
    assert "ValueError: three" in parted.ok("show", "last", "for_each/size", "--index", "[2]")
    assert "ValueError" not in parted.ok("logs", "last", "for_each/size", "--index", "1")
    assert parted.ok("logs", "last", "for_each/size", "--index", "2").startswith("Traceback")
    assert parted.ok("logs", "last", "for_each/size").startswith("--- for_each/size[0] failed\nTraceback")
    document = parted.json("show", "last", "for_each/size", "--index", "1")
    assert [commit["index"] for commit in document["commits"]] == [[1]]
    assert parted.json("logs", "last", "for_each/size", "--index", "2")["index"] == [2]


@pytest.mark.parametrize("command", ["show", "logs", "why", "debug"])
def test_p661_every_command_reads_an_index_alike(command: str, parted: Any) -> None:
    result = parted(command, "last", "for_each/size", "--index", "x")
    assert (result.exit_code, "error[P661]" in result.stderr) == (2, True)


def test_p640_an_index_needs_a_node(parted: Any) -> None:
    result = parted("show", "last", "--index", "1")
    assert (result.exit_code, "error[P640]" in result.stderr) == (2, True)
