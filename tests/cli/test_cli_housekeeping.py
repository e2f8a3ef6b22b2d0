"""`catalog gc`, `export`, `import`, `profile` and `doctor`, as they are typed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drawloom.cli.housekeeping import seconds_of_age
from drawloom.errors import ProjectError

CommandLine = Any
Shell = Callable[..., subprocess.CompletedProcess[str]]

TABLES = """
import pandas as pd
from drawloom import pipeline, task


@task
def table(rows: int) -> pd.DataFrame:
    return pd.DataFrame({"n": range(rows), "kind\\n": ["a", "b"] * (rows // 2)})


@task
def both(one: pd.DataFrame) -> list[pd.DataFrame]:
    return [one, one.head(0)]


@pipeline
def tables(rows: int = 10) -> list[pd.DataFrame]:
    found = table(rows)
    return both(found)
"""


def make_old(folder: Path) -> None:
    at = time.time() - 3 * 86_400
    for path in folder.rglob("*"):
        os.utime(path, (at, at))


def test_gc_tells_and_removes(drawloom: CommandLine, folder: Path) -> None:
    for n in ("1", "5"):  # no value of the one run answers a call of the other
        drawloom.ok("run", "flows_of_cli.py:twice", "--n", n, "--quiet")
    make_old(folder / ".drawloom")
    arguments = ("catalog", "gc", "--keep-runs", "1", "--grace", "0s")
    told = drawloom.ok(*arguments, "--dry-run")
    assert "would go" in told
    assert "would be removed, 1 run kept" in told
    assert len(drawloom.json("runs")["runs"]) == 2
    done = drawloom.json(*arguments)
    assert (len(done["runs"]), done["kept_runs"], done["dry_run"]) == (1, 1, False)
    assert done["removed"]["runs"]["count"] == 1
    assert done["size_bytes"] == sum(kind["size_bytes"] for kind in done["removed"].values()) > 0
    assert done["runs"][0] in told
    assert len(drawloom.json("runs")["runs"]) == 1
    assert "all is well" in drawloom.ok("catalog", "verify")
    assert drawloom.ok("catalog", "gc").strip().endswith("0 B removed, 1 run kept")


@pytest.mark.parametrize("age", ["", "30", "d", "1y", "-3d", "1e3d", "३d", "1.5.5h", "5 d d"])
def test_what_is_no_age_is_refused(drawloom: CommandLine, age: str) -> None:
    result = drawloom("catalog", "gc", f"--older-than={age}")
    assert result.exit_code == 2
    assert "P651" in result.stderr


def test_ages() -> None:
    told = {"30d": 2_592_000, "12h": 43_200, " 2W ": 1_209_600, "1.5h": 5400, "0s": 0, "90 m": 5400}
    assert {text: seconds_of_age(text, "--grace") for text in told} == told
    with pytest.raises(ProjectError):
        seconds_of_age("soon", "--grace")


def test_gc_of_a_missing_catalog(drawloom: CommandLine) -> None:
    result = drawloom("catalog", "gc")
    assert (result.exit_code, "S411" in result.stderr) == (3, True)
    assert not Path(".drawloom").exists()


def test_export_and_import(drawloom: CommandLine, folder: Path) -> None:
    drawloom.ok("run", "flows_of_cli.py:twice", "--n", "3", "--quiet")
    run = drawloom.json("runs")["runs"][0]["run"]
    assert drawloom.ok("catalog", "export", "last", "-o", "run 1.zip").startswith(f"{run}\n1 run, ")
    brought = drawloom.json("catalog", "import", "run 1.zip", "--catalog", "other")
    assert (brought["runs"], brought["new_files"]) == ([run], brought["files"])
    assert drawloom.json("catalog", "import", "run 1.zip", "--catalog", "other")["new_files"] == 0
    assert drawloom.ok("catalog", "load", "twice", "--catalog", "other").strip() == "12"
    told = drawloom.json("catalog", "export", "twice@1", "twice", "-o", "b.zip")
    assert told["runs"] == [run]
    for arguments, code in (
        (("export", "nothing", "-o", "c.zip"), 3),
        (("export", "-o", "c.zip"), 2),
        (("import", "flows_of_cli.py"), 3),
        (("import", "missing.zip"), 3),
        (("import", "b.zip", "--limit-gb", "0"), 3),
    ):
        result = drawloom("catalog", *arguments)
        assert result.exit_code == code, result.output
        assert "error[" in result.stderr
    assert not Path("c.zip").exists()


def test_profile(drawloom: CommandLine, folder: Path) -> None:
    (folder / "tables_of_cli.py").write_text(TABLES)
    drawloom.ok("run", "tables_of_cli.py:tables", "--quiet")
    told = drawloom.ok("catalog", "profile", "tables/found")
    assert "10 rows x 2 columns" in told
    assert "0 .. 9, mean 4.5" in told
    assert "kind\\n" in told
    found = drawloom.json("catalog", "profile", "tables", "--version", "1")
    assert [(table["part"], table["rows"]) for table in found["tables"]] == [("[0]", 10), ("[1]", 0)]
    (number, text) = found["tables"][0]["columns"]
    assert (number["mean"], text["top"], "sketch" in number) == (4.5, [["a", 5], ["b", 5]], False)
    result = drawloom("catalog", "profile", "tables/params/rows")
    assert (result.exit_code, "P652" in result.stderr) == (2, True)
    assert drawloom.json("catalog", "profile", "tables/params/rows")["tables"] == []


def checks(drawloom: CommandLine, *arguments: str) -> tuple[int, dict[str, Any]]:
    result = drawloom("doctor", "--json", *arguments)
    document = json.loads(result.stdout)
    assert document["ok"] == (result.exit_code == 0)
    found: dict[str, Any] = {}
    for check in document["checks"]:
        found.setdefault(check["check"], []).append((check["state"], check["what"], check["fix"]))
    return result.exit_code, found


def test_a_healthy_place(drawloom: CommandLine, folder: Path) -> None:
    code, before = checks(drawloom)
    assert code == 0
    assert before["catalog"][0][0] == "note"
    assert not (folder / ".drawloom").exists(), "who only looks makes nothing"
    drawloom.ok("run", "flows_of_cli.py:twice", "--n", "3", "--quiet")
    files = sorted(path for path in (folder / ".drawloom").rglob("*") if path.is_file())
    code, found = checks(drawloom)
    assert code == 0
    for name in ("python", "packages", "catalog", "index", "clock", "permissions", "limits", "engine reference"):
        assert found[name][0][0] == "ok", found[name]
    assert found["index"][0][1].startswith("1 run, ")
    assert {"extra tables", "extra s3", "graphviz", "disk space", "project file"} <= set(found)
    assert sorted(path for path in (folder / ".drawloom").rglob("*") if path.is_file()) == files
    text = drawloom.ok("doctor")
    assert "0 problems" in text


def test_a_wrong_project_file(drawloom: CommandLine, folder: Path) -> None:
    (folder / "drawloom.toml").write_text("catalog = 3\n")
    code, found = checks(drawloom)
    assert code == 1
    ((state, what, fix),) = found["project file"]
    assert (state, "P60" in what, bool(fix)) == ("problem", True, True)
    result = drawloom("doctor")
    assert "1 problem" in result.stdout
    assert "fix" in result.stdout


def test_a_store_that_cant_be_opened(drawloom: CommandLine, folder: Path) -> None:
    (folder / "store").mkdir()
    (folder / "store" / "store.json").write_text('{"format": 99}')
    code, found = checks(drawloom, "--catalog", "store")
    assert (code, found["catalog"][0][0], "S405" in found["catalog"][0][1]) == (1, "problem", True)
    code, found = checks(drawloom, "--catalog", "gs://bucket/place")
    assert (code, "S410" in found["catalog"][0][1]) == (1, True)


def test_an_index_without_a_place(drawloom: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawloom.ok("run", "flows_of_cli.py:twice", "--n", "3", "--quiet")
    (folder / "file").write_text("")
    monkeypatch.setenv("DRAWLOOM_CACHE", str(folder / "file" / "below"))
    code, found = checks(drawloom)
    assert (code, found["index"][0][0]) == (1, "problem")
    assert "DRAWLOOM_CACHE" in found["index"][0][2]


def test_runs_that_cant_be_read(drawloom: CommandLine, folder: Path) -> None:
    drawloom.ok("run", "flows_of_cli.py:twice", "--n", "3", "--quiet")
    (segment,) = (folder / ".drawloom").rglob("*.seg")
    segment.chmod(0o644)
    segment.write_bytes(b"x" + segment.read_bytes())
    shutil.rmtree(folder.parent / "cache", ignore_errors=True)
    code, found = checks(drawloom)
    assert (code, found["runs"][0][0]) == (1, "problem")


def test_rights_and_scratch(drawloom: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawloom.ok("run", "flows_of_cli.py:twice", "--n", "3", "--quiet")
    monkeypatch.setenv("DRAWLOOM_SCRATCH", str(folder / "nowhere"))
    (folder / ".drawloom").chmod(0o777)
    kept = os.umask(0)
    try:
        code, found = checks(drawloom)
    finally:
        os.umask(kept)
    assert code == 1
    assert [state for state, _, _ in found["permissions"]] == ["problem", "problem"]
    assert found["temporary files"][0][0] == "problem"
    kept = os.umask(0o777)
    try:
        code, found = checks(drawloom)
    finally:
        os.umask(kept)
    assert "takes rights from the owner" in found["permissions"][0][1]


def test_a_dot_that_doesnt_run(drawloom: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = folder / "bin"
    programs.mkdir()
    dot = programs / "dot"
    dot.write_text("#!/bin/sh\nexit 3\n")
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    assert checks(drawloom)[1]["graphviz"][0][0] == "problem"
    dot.write_text("#!/bin/sh\necho 'dot - graphviz version 9' >&2\n")
    assert checks(drawloom)[1]["graphviz"][0][:2] == ("ok", f"dot - graphviz version 9, {dot}")


def test_few_open_files(shell: Shell) -> None:
    done = shell("ulimit -n 100; $drawloom doctor --json")
    assert done.returncode == 1
    (limits,) = [check for check in json.loads(done.stdout)["checks"] if check["check"] == "limits"]
    assert (limits["state"], "ulimit" in limits["fix"]) == ("problem", True)


def test_the_dot_of_the_extra_is_found(drawloom: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert [state for state, _, _ in checks(drawloom)[1]["graphviz"]] == ["ok"]
