"""`drawloom run`: parameters, the summary, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def test_a_run_prints_its_summary_and_ends_with_0(drawloom: Any) -> None:
    result = drawloom("run", "flows_of_cli.py:twice", "--n", "4", "--quiet")
    assert result.exit_code == 0, result.output
    first, value, place = result.stdout.splitlines()
    assert first.startswith("twice succeeded in ")
    assert first.endswith(": 2 succeeded")
    assert value == "result  16"
    run = place.split()[1]
    assert place == f"run     {run}    drawloom show {run}"
    assert result.stderr == ""


def test_a_second_run_is_answered_from_the_cache_unless_told_not_to(drawloom: Any) -> None:
    drawloom.ok("run", "flows_of_cli.py:twice", "--n", "4")
    assert drawloom.ok("run", "flows_of_cli.py:twice", "--n", "4").splitlines()[0].endswith(": 2 cached")
    again = drawloom.ok("run", "flows_of_cli.py:twice", "--n", "4", "--no-cache")
    assert again.splitlines()[0].endswith(": 2 succeeded")


def test_progress_goes_to_stderr(drawloom: Any) -> None:
    result = drawloom("run", "flows_of_cli.py:twice", "--n", "4")
    assert "n | doubling 4" in result.stderr
    assert "doubling" not in result.stdout


def test_a_failed_run_tells_where_and_ends_with_1(drawloom: Any, folder: Path) -> None:
    result = drawloom("run", "flows_of_cli.py:failing", "-q")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    run = lines[-1].split()[1]
    assert lines[0].startswith("failing failed in ")
    assert lines[0].endswith(": 1 succeeded, 1 skipped, 1 failed")
    file = folder / "flows_of_cli.py"
    text = file.read_text().splitlines()
    raised = next(i for i, line in enumerate(text, 1) if "is refused" in line)
    called = next(i for i, line in enumerate(text, 1) if "refuse(first)" in line)
    assert lines[1:-1] == [
        "failed  second: ValueError: 6 is refused",
        f"  where   {file}:{raised}, in refuse (called at {file}:{called}, failing)",
        "  log     ... 5 lines before",
        *[f"          line {n}" for n in range(5, 15)],
        f"  next    drawloom logs {run} second    all its output and its traceback",
        f"          drawloom debug {run} second    that node again, here, with the same inputs",
        f"          drawloom resume {run}    what is left, once the cause is gone",
    ]


def test_json_is_one_document_with_stable_fields(drawloom: Any) -> None:
    document = drawloom.json("run", "flows_of_cli.py:twice", "--n", "4")
    assert list(document) == [
        "run", "pipeline", "state", "started_at", "finished_at", "seconds", "engine", "executor", "counts",
        "program", "resumed", "params", "nodes", "failures", "results", "metrics", "logged", "logical_time", "interval",
        "deployed_to", "engine_ids", "observations", "catalog",
    ]  # fmt: skip
    assert (document["pipeline"], document["state"], document["counts"]) == ("twice", "succeeded", {"succeeded": 2})
    assert [(p["name"], p["type"], p["value"]) for p in document["params"]] == [("n", "int", 4)]
    assert [(r["port"], r["type"], r["value"], r["text"]) for r in document["results"]] == [("result", "int", 16, "16")]
    assert [(n["node"], n["task"], n["state"]) for n in document["nodes"]] == [
        ("n", "flows_of_cli:double", "succeeded"),
        ("n-2", "flows_of_cli:double", "succeeded"),
    ]


def test_json_of_a_failed_run_has_the_failures(drawloom: Any) -> None:
    result = drawloom("run", "flows_of_cli.py:failing", "--json", "-q")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["state"] == "failed"
    [failure] = [f for f in document["failures"] if f["node"] == "second"]
    assert (failure["type"], failure["message"]) == ("builtins:ValueError", "6 is refused")
    assert document["results"] == []


def test_options_come_from_the_signature(drawloom: Any) -> None:
    text = drawloom.ok(
        "run", "flows_of_cli.py:described", "-q",
        "--when", "2026-01-31", "--mode", "SLOW", "--window", '{"size": 3}', "--names", "a", "--names", "b", "--loud",
        "--param", "catalog=mine",
    )  # fmt: skip
    assert text.splitlines()[1] == "result  \"2026-01-31 SLOW 3 w ['a', 'b'] True mine\""


def test_defaults_and_no_flags(drawloom: Any) -> None:
    text = drawloom.ok("run", "flows_of_cli.py:described", "--when", "2026-01-31", "--no-loud")
    assert text.splitlines()[1] == "result  '2026-01-31 FAST 1 w [] False none'"


def test_a_value_from_a_json_file(drawloom: Any, folder: Path) -> None:
    (folder / "window.json").write_text('{"size": 9, "label": "from file"}')
    text = drawloom.ok("run", "flows_of_cli.py:described", "--when", "2026-01-31", "--window", "@window.json")
    assert "9 from file" in text


def test_a_value_as_json_by_name(drawloom: Any) -> None:
    assert "result  [2, 4, 6]" in drawloom.ok("run", "flows_of_cli.py:each", "--param", "numbers:=[1, 2, 3]")


def test_a_static_parameter_shapes_the_graph(drawloom: Any) -> None:
    assert drawloom.ok("run", "flows_of_cli.py:twice", "--n", "1", "--times", "5").splitlines()[1] == "result  32"


def test_a_file_is_given_by_its_path(drawloom: Any, folder: Path) -> None:
    (folder / "data.txt").write_text("12345")
    assert "result  5" in drawloom.ok("run", "flows_of_cli.py:measured", "--source", "data.txt")


def test_help_shows_the_parameters_with_types_and_defaults(drawloom: Any) -> None:
    text = drawloom.ok("run", "flows_of_cli.py:described", "--help")
    section = text.partition("Parameters of described:\n")[2].partition("\n\n")[0]
    assert [" ".join(line.split()) for line in section.splitlines()] == [
        "--when DATE date; required",
        "--mode VALUE Mode (FAST | SLOW); default FAST",
        "--window WINDOW Window; default Window(size=1, label='w')",
        "--names VALUE list[str]; give it once for each item, or as JSON;",
        "default []",
        "--loud / --no-loud bool; default False",
        "--param catalog=STR str; default 'none'",
    ]


def test_a_name_with_underscores_may_be_written_either_way(drawloom: Any, folder: Path) -> None:
    (folder / "named_of_cli.py").write_text(
        "from drawloom import pipeline, task\n\n@task\ndef same(n: int) -> int:\n    return n\n\n"
        "@pipeline\ndef named(max_depth: int) -> int:\n    return same(max_depth)\n"
    )
    for option in ("--max-depth", "--max_depth"):
        assert "result  7" in drawloom.ok("run", "named_of_cli.py:named", option, "7")


@pytest.mark.parametrize(
    ("arguments", "what", "fix"),
    [
        (["--n", "x"], "error[P620] `--n` needs int, got 'x'", "give a value of that type: int"),
        (["--n", "1.0"], "error[P620] `--n` needs int, got '1.0'", "give a value of that type: int"),
        (["--n", "1", "--n", "2"], "error[P620] `--n` needs int, got 2 values: '1', '2'", "give it once"),
        (
            ["--param", "n:=[1"],
            "error[P620] `--param n` needs JSON, got '[1' (Expecting ',' delimiter: line 1 column 3 (char 2))",
            "texts stand in double quotes",
        ),
        (
            ["--n", "1", "--param", "tims=3"],
            "error[P621] there is no parameter `tims`, did you mean `times`?",
            "it has n, times",
        ),
        (
            [],
            "error[R541] parameter `n` (int) is missing",
            "give it a value, or give it a default in the pipeline (on the command line: --n)",
        ),
    ],
)
def test_a_wrong_parameter_is_told_with_its_place(
    drawloom: Any, folder: Path, arguments: list[str], what: str, fix: str
) -> None:
    file = folder / "flows_of_cli.py"
    line = next(i for i, text in enumerate(file.read_text().splitlines(), 1) if "def twice" in text) - 1
    result = drawloom("run", "flows_of_cli.py:twice", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"{what}\n  where  {file}:{line}, twice\n  fix    {fix}\n"


@pytest.mark.parametrize(
    ("arguments", "what", "fix"),
    [
        (
            ["--n", "1", "--param", "n=2"],
            "error[P622] parameter `n` is given twice: --n and --param n",
            "give it in one way",
        ),
        (
            ["--param", "n"],
            "error[P622] `--param n` gives no parameter a value",
            "write `--param name=text`, or `--param name:=json`",
        ),
        (
            ["--m", "1"],
            "error[P640] there is no option `--m`, did you mean `--n`?",
            "see `drawloom run flows_of_cli.py:twice --help`",
        ),
    ],
)
def test_a_wrong_use_of_options(drawloom: Any, arguments: list[str], what: str, fix: str) -> None:
    result = drawloom("run", "flows_of_cli.py:twice", *arguments)
    assert (result.exit_code, result.stderr) == (2, f"{what}\n  fix    {fix}\n")


def test_every_wrong_parameter_is_told_at_once(drawloom: Any) -> None:
    result = drawloom("run", "flows_of_cli.py:described", "--when", "today", "--mode", "MEDIUM", "--window", "{}")
    assert result.exit_code == 2
    told = [line for line in result.stderr.splitlines() if not line.startswith(("  where", "  fix"))]
    assert told == [
        "error[P620] `--when` needs date (2026-01-31), got 'today'",
        "error[P620] `--mode` needs Mode (FAST | SLOW), got 'MEDIUM'",
        "error[P620] `--window` needs Window, got missing 1 required positional argument: 'size'",
        "3 problems",
    ]


def test_a_parameter_before_target_is_refused(drawloom: Any) -> None:
    result = drawloom("run", "--n", "3", "flows_of_cli.py:twice")
    assert (result.exit_code, result.stderr) == (
        2,
        (
            "error[P640] `--n` stands before TARGET: name the pipeline first, then its parameters\n"
            "  fix    see `drawloom run --help`\n"
        ),
    )


def test_a_profile_of_the_project_file_counts(drawloom: Any, folder: Path) -> None:
    (folder / "drawloom.toml").write_text(
        'catalog = "kept"\n[profiles.careful]\nexecutor = "inline"\ncache = false\n'
        '[pipelines]\nquick = "flows_of_cli.py:twice"\n'
    )
    document = drawloom.json("run", "quick", "--n", "1", "--profile", "careful")
    assert (document["executor"], document["catalog"]) == ("inline", f"{folder}/kept/projects/default")
    assert drawloom.json("run", "quick", "--n", "1", "--profile", "careful")["counts"] == {"succeeded": 2}
    assert drawloom.json("run", "quick", "--n", "1", "--profile", "careful", "--cache")["counts"] == {"cached": 2}


def test_projects_of_one_catalog_are_apart(drawloom: Any) -> None:
    drawloom.ok("run", "flows_of_cli.py:twice", "--n", "1", "--project", "a")
    assert len(drawloom.json("runs", "--project", "a")["runs"]) == 1
    assert drawloom.json("runs", "--project", "b")["runs"] == []


def test_the_place_of_an_exception_group_is_where_it_was_raised(drawloom: Any, folder: Path) -> None:
    (folder / "grouped.py").write_text(
        "from drawloom import pipeline, task\n"
        "@task\n"
        "def several(n: int) -> int:\n"
        "    try:\n"
        "        raise ValueError('inner')\n"
        "    except ValueError as inner:\n"
        "        found = inner\n"
        "    raise ExceptionGroup('several', [found])\n"
        "@pipeline\n"
        "def p(n: int = 1) -> int:\n"
        "    return several(n)\n"
    )
    place = folder / "grouped.py"
    result = drawloom("run", "grouped.py:p", "-q")
    assert result.stdout.splitlines()[1:3] == [
        "failed  several: ExceptionGroup: several (1 sub-exception)",
        f"  where   {place}:8, in several (called at {place}:11, p)",
    ]


def test_the_place_in_an_unpacked_bundle_is_told_as_the_projects_file(drawloom: Any, folder: Path) -> None:
    place = folder / "flows_of_cli.py"
    raised = next(i for i, line in enumerate(place.read_text().splitlines(), 1) if "is refused" in line)
    called = next(i for i, line in enumerate(place.read_text().splitlines(), 1) if "refuse(first)" in line)
    result = drawloom("run", "flows_of_cli.py:failing", "-q", "--engine", "reference")
    assert result.stdout.splitlines()[2] == (
        f"  where   flows_of_cli.py:{raised}, in refuse (called at {place}:{called}, failing)"
    )


def test_what_a_module_prints_when_it_is_imported_is_kept_out_of_the_output(drawloom: Any, folder: Path) -> None:
    file = folder / "flows_of_cli.py"
    file.write_text("print('hello')\n" + file.read_text())
    result = drawloom("run", "flows_of_cli.py:twice", "--n", "4", "--json", "-q")
    assert json.loads(result.stdout)["results"][0]["value"] == 16
    assert result.stderr == "hello\n"
