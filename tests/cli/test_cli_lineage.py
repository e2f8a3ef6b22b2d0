"""`drawloom catalog show|lineage|tag|functions` and the filters of `runs`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drawloom.cli.moments import parse_moment

PICTURES = """
from matplotlib.figure import Figure

from drawloom import File, pipeline, task


@task
def draw(n: int) -> Figure:
    return Figure(figsize=(n, 1))


@task
def write(n: int) -> File:
    with open("made.csv", "w") as file:
        file.write("a,b\\n" * n)
    return File("made.csv")


@pipeline
def pictures(n: int = 1) -> File:
    drawn = draw(n)
    return write(n)
"""


@pytest.fixture
def twice(drawloom: Any) -> list[str]:
    """Two runs of one pipeline with different parameters."""
    return [drawloom.json("run", "flows_of_cli.py:twice", "--n", n)["run"] for n in ("1", "10")]


def test_an_artifact_shows_what_made_a_version_and_what_read_it(drawloom: Any, twice: list[str]) -> None:
    text = drawloom.ok("catalog", "show", "twice/n")
    lines = text.splitlines()
    at = lines.index("")
    assert [line.split()[0] for line in lines[:at]] == ["twice/n", "version", "1", "2"]
    assert lines[at + 1].startswith("version   2  ")
    assert lines[at + 2].startswith("made by   flows_of_cli:double @")
    assert lines[at + 2].endswith(f", node n, in run {twice[1]}")
    assert lines[at + 3] == "made from twice/params/n version 2"
    assert lines[at + 4] == f"read by   n-2.n, in run {twice[1]}"
    document = drawloom.json("catalog", "show", "twice/n", "--version", "1")
    assert (document["version"], document["made_by"]) == (1, [f"{twice[0]}/n"])
    assert document["made_from"] == [{"name": "twice/params/n", "version": 1}]
    assert document["versions"][0]["media_type"] == "application/json"


def test_a_picture_shows_where_it_lies(drawloom: Any, folder: Path) -> None:
    (folder / "pictures_of_cli.py").write_text(PICTURES)
    drawloom.ok("run", "pictures_of_cli.py:pictures", "-q")
    [line] = [line for line in drawloom.ok("catalog", "show", "pictures/drawn").splitlines() if "picture " in line]
    path = Path(line.split()[-1])
    assert path.read_bytes()[1:4] == b"PNG"
    [one] = drawloom.json("catalog", "show", "pictures")["objects"]
    assert (one["media_type"], one["name"], Path(one["path"]).read_text()) == ("text/csv", "made.csv", "a,b\n")
    listed = drawloom.ok("catalog", "ls", "pictures/*")
    assert "Figure (image/png)" in listed
    assert "File (text/csv)" in drawloom.ok("catalog", "ls", "pictures")


def test_lineage_is_told_as_trees_json_and_mermaid(drawloom: Any, twice: list[str]) -> None:
    text = drawloom.ok("catalog", "lineage", "twice", "--up")
    assert text.startswith("twice version 2  int\n\nmade from\n└─ returned by twice  in run ")
    assert "n: twice/params/n version 2  int" in text
    assert "went into" not in text
    assert "went into\nnothing that the catalog knows of" in drawloom.ok("catalog", "lineage", "twice", "--down")
    document = drawloom.json("catalog", "lineage", "twice/params/n", "--version", "1", "--depth", "1")
    assert {node["id"] for node in document["nodes"] if node["kind"] == "version"} == {"twice/params/n@1", "twice/n@1"}
    assert document["truncated"] is True
    assert drawloom.ok("catalog", "lineage", "twice", "--mermaid").startswith("flowchart LR\n")
    assert drawloom("catalog", "lineage", "twice", "--mermaid", "--json").exit_code == 2


def test_a_tag_is_given_shown_and_taken_away(drawloom: Any, twice: list[str]) -> None:
    assert drawloom.ok("catalog", "tag", "twice", "prod", "--version", "1").startswith("twice version 1 (")
    assert drawloom.ok("catalog", "load", "twice", "--version", "prod") == "4\n"
    assert "prod (1)" in drawloom.ok("catalog", "ls", "twice")
    assert "\nversion   1 (prod)  " in drawloom.ok("catalog", "show", "twice", "--version", "prod")
    document = drawloom.json("catalog", "tag", "twice", "prod", "--delete")
    assert (document["deleted"], document["version"]["tags"]) == (True, [])
    assert drawloom("catalog", "tag", "twice", "prod", "--delete").exit_code == 3
    result = drawloom("catalog", "tag", "twice", "latest")
    assert (result.exit_code, result.stderr.splitlines()[0]) == (
        3,
        "error[S474] 'latest' can't be a tag: `latest` is always the version that was committed last",
    )
    assert drawloom("catalog", "tag", "twice", "prod", "--delete", "--version", "1").exit_code == 2


def test_functions_are_listed_by_version(drawloom: Any, twice: list[str]) -> None:
    [found] = drawloom.json("catalog", "functions", "*double")["functions"]
    assert (found["name"], found["version"], found["runs"], found["first_run"]) == (
        "flows_of_cli:double",
        1,
        2,
        twice[0],
    )
    assert drawloom.ok("catalog", "functions").splitlines()[1].startswith("flows_of_cli:double")
    assert drawloom.ok("catalog", "functions", "none*").startswith("no functions like that in ")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--param", "n=1"], [0]),
        (["--param", "n=10", "--param", "n=1"], []),
        (["--since", "1h"], [1, 0]),
        (["--until", "2020-01-31"], []),
        (["--since", "2020-01-31T12:00", "--limit", "1"], [1]),
    ],
)
def test_runs_are_chosen_by_time_and_parameters(
    drawloom: Any, twice: list[str], options: list[str], expected: list[int]
) -> None:
    assert [run["run"] for run in drawloom.json("runs", *options)["runs"]] == [twice[n] for n in expected]


def test_parameters_of_any_type_are_found_by_what_was_typed(drawloom: Any) -> None:
    given = ["--when", "2026-01-31", "--window", '{"size": 3}', "--mode", "FAST"]
    drawloom.ok("run", "flows_of_cli.py:described", *given)
    for param in ("when=2026-01-31", "mode=FAST", 'window={"label": "w", "size": 3}'):
        assert len(drawloom.json("runs", "--param", param)["runs"]) == 1, param
    for param in ("when=2026-01-30", "mode=SLOW", "window={}"):
        assert drawloom.json("runs", "--param", param)["runs"] == [], param


def test_p640_a_filter_that_means_nothing_is_refused(drawloom: Any, twice: list[str]) -> None:
    result = drawloom("runs", "--since", "soon")
    assert (result.exit_code, "is no moment: give a date (2026-01-31)" in result.stderr) == (2, True)
    result = drawloom("runs", "--param", "m=1")
    assert (result.exit_code, "no run was given a parameter 'm'" in result.stderr) == (2, True)
    assert drawloom("runs", "--param", "n").exit_code == 2


@pytest.mark.parametrize("text", ["", "yesterday", "1y", "-2h", "2026-13-01", "h", "9" * 400 + "d"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="is no moment"):
        parse_moment(text, 0.0)


def test_moments(drawloom: Any) -> None:
    assert [parse_moment(text, 1e9) for text in ("30s", "1.5 min", "1w")] == [1e9 - 30, 1e9 - 90, 1e9 - 604_800]
    assert parse_moment("2026-01-31T12:00:00+00:00", 0.0) == 1769860800.0


def test_the_list_of_runs_reads_no_run_that_is_over(drawloom: Any, twice: list[str], folder: Path) -> None:
    before = json.loads(drawloom("runs", "--json").stdout)
    for segment in (folder / ".drawloom").rglob("*.seg"):
        segment.chmod(0o644)
        segment.write_bytes(b"x" * segment.stat().st_size)
    assert drawloom.json("runs") == before
