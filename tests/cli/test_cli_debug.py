"""`drawloom debug` on the command line: what it tells, the debugger, and the runs that are named by counting back."""

from __future__ import annotations

import json
import linecache
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Shell = Callable[..., Any]


@pytest.fixture
def failed(drawloom: Any) -> Any:
    assert drawloom("run", "flows_of_cli.py:failing", "--quiet").exit_code == 1
    return drawloom


def test_it_tells_code_inputs_outcome_and_what_the_run_had(failed: Any, folder: Path) -> None:
    result = failed("debug", "last", "second")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[:15] == [f"line {n}" for n in range(15)]
    told = {line.split()[0]: line[9:] for line in lines[15:]}
    assert told["node"].startswith("second of run ")
    assert told["task"] == f"flows_of_cli:refuse  {folder}/flows_of_cli.py:31"
    assert told["code"].startswith("that of the run (")
    assert told["input"] == "n = 6"
    assert told["now"].startswith("failed in ")
    assert told["now"].endswith(": ValueError: 6 is refused")
    assert told["the"] == "failed: the same exception"
    assert result.stderr.startswith("Traceback (most recent call last):")
    assert "drawloom/" not in result.stderr


def test_json_is_one_document_and_has_what_was_printed(failed: Any) -> None:
    result = failed("debug", "last", "first", "--json")
    made = json.loads(result.stdout)
    assert (result.exit_code, made["log"], made["value"], made["same"]) == (0, "doubling 3\n", 6, True)
    result = failed("debug", "last", "second", "--json")
    made = json.loads(result.stdout)
    assert (result.exit_code, made["failure"]["message"], made["earlier"]["outcome"]) == (1, "6 is refused", "failed")
    assert made["inputs"] == [{"name": "n", "text": "6", "value": 6}]


def test_the_debugger_stands_where_it_failed_and_at_the_first_line(failed: Any, shell: Shell) -> None:
    done = shell("printf 'p n * 7\\nq\\n' | $drawloom debug last second --pdb")
    assert ("-> raise ValueError" in done.stdout, "(Pdb) 42" in done.stdout) == (True, True), done.stderr
    assert (done.returncode, done.stderr.count("ValueError: 6 is refused")) == (1, 1)
    done = shell("printf 'p n * 7\\nq\\n' | $drawloom debug last first --break")
    assert ('-> print("doubling", n)' in done.stdout, "(Pdb) 21" in done.stdout) == (True, True), done.stderr
    assert (done.returncode, "left in the debugger" in done.stdout) == (130, True)
    done = shell("echo c | $drawloom debug last first --break")
    assert (done.returncode, "an equal value" in done.stdout) == (0, True), done.stdout


def test_p663_a_debugger_and_json(failed: Any) -> None:
    result = failed("debug", "last", "second", "--json", "--pdb")
    assert (result.exit_code, result.stdout, "error[P663]" in result.stderr) == (2, "", True)


@pytest.mark.parametrize("text", ["x", "", "1,", "-1", "1.5", "٣", "9" * 30])
def test_p661_an_index_that_is_none(text: str, failed: Any) -> None:
    result = failed("debug", "last", "second", f"--index={text}")
    assert (result.exit_code, "error[P661]" in result.stderr) == (2, True)


def test_an_index_may_be_written_as_it_is_shown(drawloom: Any) -> None:
    drawloom.ok("run", "flows_of_cli.py:each", "--numbers", "[1, 2]", "--quiet")
    for text in ("1", "[1]", " 1 "):
        assert drawloom.json("debug", "last", "for_each/double", "--index", text)["value"] == 4


def test_runs_are_named_by_counting_back(drawloom: Any) -> None:
    command = ("run", "flows_of_cli.py:each", "--quiet", "--numbers")
    ids = [drawloom.json(*command, f"[{n}]")["run"] for n in range(3)]
    for name, run in {"last": ids[2], "last~0": ids[2], "prev": ids[1], "last~1": ids[1], "last~2": ids[0]}.items():
        assert drawloom.json("show", name)["run"] == run
    result = drawloom("show", "last~3")
    assert (result.exit_code, "error[P662]" in result.stderr) == (2, True)
    for name in ("last~", "last~x", "last~-1", "previous"):
        assert "error[S451]" in drawloom("show", name).stderr


def test_p630_there_is_no_run_before_none(drawloom: Any, folder: Path) -> None:
    (folder / ".drawloom").mkdir()
    (folder / ".drawloom" / "store.json").write_text('{"format": 0}')
    assert "error[P630]" in drawloom("debug", "prev", "first").stderr


def test_a_mended_task_leads_to_resume(failed: Any, folder: Path) -> None:
    assert "drawloom resume" not in failed("debug", "last", "second").stdout
    assert "drawloom resume" not in failed("debug", "last", "first").stdout
    source = folder / "flows_of_cli.py"
    source.write_text(source.read_text().replace('raise ValueError(f"{n} is refused")', "return n"))
    sys.modules.pop("flows_of_cli")
    linecache.clearcache()
    run = failed.json("runs")["runs"][0]["run"]
    assert failed("debug", "last", "second").stdout.splitlines()[-1].split()[:4] == ["next", "drawloom", "resume", run]
