"""`drawloom runs`, `show`, `logs`, `catalog`: what was run, and every version of every value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drawloom.catalog.catalog import Catalog


@pytest.fixture
def ran(drawloom: Any) -> list[str]:
    """The ids of two runs, the older one first."""
    first = drawloom.json("run", "flows_of_cli.py:twice", "--n", "4")["run"]
    second = json.loads(drawloom("run", "flows_of_cli.py:failing", "--json", "-q").stdout)["run"]
    return [first, second]


def test_runs_are_listed_the_latest_first(drawloom: Any, ran: list[str]) -> None:
    lines = drawloom.ok("runs").splitlines()
    assert lines[0].split() == ["run", "pipeline", "state", "started", "took", "nodes"]
    assert {line.split()[0] for line in lines[1:]} == set(ran)
    assert not any(line != line.rstrip() or "\x1b" in line for line in lines)
    document = drawloom.json("runs")
    assert {run["run"]: run["state"] for run in document["runs"]} == dict(
        zip(ran, ("succeeded", "failed"), strict=True)
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--pipeline", "twice"], ["twice"]),
        (["--state", "failed"], ["failing"]),
        (["--pipeline", "other"], []),
    ],
)
def test_runs_are_chosen(drawloom: Any, ran: list[str], options: list[str], expected: list[str]) -> None:
    assert [run["pipeline"] for run in drawloom.json("runs", *options)["runs"]] == expected


def test_the_number_of_runs_is_limited(drawloom: Any, ran: list[str]) -> None:
    assert len(drawloom.json("runs", "--limit", "1")["runs"]) == 1


def test_a_run_is_shown_by_the_start_of_its_id(drawloom: Any, ran: list[str]) -> None:
    text = drawloom.ok("show", ran[0][:-2])
    assert f"run       {ran[0]}\npipeline  twice\nstate     succeeded in " in text
    assert "param     n = 4\nresult    16\n" in text
    assert drawloom.json("show", ran[0])["run"] == ran[0]


def test_a_failed_run_shows_the_failure(drawloom: Any, ran: list[str]) -> None:
    assert "failed  second: ValueError: 6 is refused" in drawloom.ok("show", ran[1])


def test_last_is_the_latest_run(drawloom: Any, folder: Path) -> None:
    run = drawloom.json("run", "flows_of_cli.py:twice", "--n", "4")["run"]
    assert drawloom.json("show", "last")["run"] == run


def test_a_node_is_shown_with_what_went_in_and_came_out(drawloom: Any, ran: list[str]) -> None:
    document = drawloom.json("show", ran[0], "n-2")
    [commit] = document["commits"]
    assert [i["name"] for i in commit["inputs"]] == ["n"]
    assert [o["value"] for o in commit["outputs"]] == [16]
    assert document["log"] == "doubling 8\n"
    text = drawloom.ok("show", ran[0], "n-2")
    assert "node      n-2    flows_of_cli:double\nstate     succeeded (1 succeeded)\n" in text
    assert text.endswith("log\ndoubling 8\n")


def test_a_failed_node_shows_its_traceback(drawloom: Any, ran: list[str]) -> None:
    text = drawloom.ok("show", ran[1], "second")
    assert 'raise ValueError(f"{n} is refused")' in text
    assert "drawloom/runtimes" not in text


def test_logs_are_what_the_node_printed(drawloom: Any, ran: list[str]) -> None:
    assert drawloom.ok("logs", ran[0], "n") == "doubling 4\n"
    assert drawloom.json("logs", ran[0], "n") == {"run": ran[0], "node": "n", "log": "doubling 4\n"}


def test_a_map_shows_its_instances(drawloom: Any) -> None:
    drawloom.ok("run", "flows_of_cli.py:each", "--numbers", "[1, 2, 3]")
    nodes = {node["node"]: node for node in drawloom.json("show", "last")["nodes"]}
    inner = next(node for name, node in nodes.items() if "/" in name)
    assert inner["instances"] == {"succeeded": 3}
    commits = drawloom.json("show", "last", inner["node"])["commits"]
    assert [(c["index"], c["outputs"][0]["value"]) for c in commits] == [([0], 2), ([1], 4), ([2], 6)]


def test_artifacts_are_listed_and_chosen(drawloom: Any, ran: list[str]) -> None:
    names = [a["name"] for a in drawloom.json("catalog", "ls")["artifacts"]]
    assert {"twice", "twice/n", "twice/n-2", "twice/params/n", "failing/first"} <= set(names)
    assert [a["name"] for a in drawloom.json("catalog", "ls", "twice/params/*")["artifacts"]] == ["twice/params/n"]
    assert drawloom.ok("catalog", "ls", "none*").startswith("no artifacts like that in ")


def test_versions_of_an_artifact(drawloom: Any) -> None:
    runs = [drawloom.json("run", "flows_of_cli.py:twice", "--n", n)["run"] for n in ("1", "10")]
    document = drawloom.json("catalog", "show", "twice/n")
    assert [(v["version"], v["run"]) for v in document["versions"]] == [(1, runs[0]), (2, runs[1])]
    assert document["versions"][0]["read_by"] == [{"run": runs[0], "node": "n-2", "port": "n"}]
    lines = drawloom.ok("catalog", "show", "twice/n").splitlines()
    assert lines[0] == "twice/n  int"
    assert lines[2].split()[0] == "1"
    assert lines[2].endswith(" 2")
    assert (drawloom.ok("catalog", "load", "twice/n"), drawloom.ok("catalog", "load", "twice/n", "--version", "1")) == (
        "20\n",
        "2\n",
    )


def test_values_with_parts_are_printed_as_json(drawloom: Any) -> None:
    drawloom.ok("run", "flows_of_cli.py:described", "--when", "2026-01-31", "--window", '{"size": 3}')
    assert json.loads(drawloom.ok("catalog", "load", "described/params/window")) == {"size": 3, "label": "w"}
    assert drawloom.ok("catalog", "load", "described/params/when") == '"2026-01-31"\n'
    assert drawloom.ok("catalog", "load", "described").startswith("2026-01-31 FAST")


def test_p632_what_is_no_text_needs_a_file(drawloom: Any, folder: Path) -> None:
    (folder / "data.txt").write_text("12345")
    drawloom.ok("run", "flows_of_cli.py:measured", "--source", "data.txt")
    result = drawloom("catalog", "load", "measured/params/source")
    assert (result.exit_code, result.stderr) == (
        2,
        (
            "error[P632] 'measured/params/source' version 1 is a File, which can't be printed\n"
            "  fix    give a file: `-o data.txt`\n"
        ),
    )
    drawloom.ok("catalog", "load", "measured/params/source", "-o", "copy.txt")
    assert (folder / "copy.txt").read_text() == "12345"


def test_p631_a_file_that_can_not_be_written(drawloom: Any, folder: Path) -> None:
    drawloom.ok("run", "flows_of_cli.py:raw")
    result = drawloom("catalog", "load", "raw", "-o", "nowhere/x.bin")
    assert (result.exit_code, result.stderr) == (
        2,
        (
            "error[P631] 'nowhere/x.bin' can't be written: No such file or directory\n"
            "  where  nowhere/x.bin\n"
            "  fix    give another file after -o\n"
        ),
    )


def test_tables_arrays_and_pictures_are_written_as_their_name_says(drawloom: Any, folder: Path) -> None:
    (folder / "tables_of_cli.py").write_text(
        "import numpy as np\nimport pandas as pd\nfrom matplotlib.figure import Figure\n"
        "from drawloom import pipeline, task\n\n"
        "@task\ndef table() -> pd.DataFrame:\n    return pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})\n\n"
        "@task\ndef array() -> np.ndarray:\n    return np.arange(3)\n\n"
        "@task\ndef picture() -> Figure:\n    return Figure(figsize=(1, 1))\n\n"
        "@pipeline\ndef tables() -> pd.DataFrame:\n    array()\n    picture()\n    return table()\n"
    )
    drawloom.ok("run", "tables_of_cli.py:tables")
    drawloom.ok("catalog", "load", "tables/table", "-o", "t.csv")
    assert (folder / "t.csv").read_text() == "a,b\n1,x\n2,y\n"
    drawloom.ok("catalog", "load", "tables/table", "-o", "t.parquet")
    drawloom.ok("catalog", "load", "tables/picture", "-o", "p.png")
    drawloom.ok("catalog", "load", "tables/array", "-o", "a.npy")
    assert (folder / "t.parquet").read_bytes()[:4] == b"PAR1"
    assert (folder / "p.png").read_bytes()[1:4] == b"PNG"
    import numpy as np

    assert np.load(folder / "a.npy").tolist() == [0, 1, 2]
    result = drawloom("catalog", "load", "tables/table", "-o", "t.docx")
    assert (result.exit_code, result.stderr) == (
        2,
        (
            "error[P633] 'tables/table' is a dataframe, which can't be written as 't.docx'\n"
            "  where  t.docx\n"
            "  fix    end the name with .csv or .parquet\n"
        ),
    )


def test_a_whole_store_verifies_and_a_damaged_one_ends_with_3(drawloom: Any, folder: Path) -> None:
    (folder / "data.txt").write_text("12345" * 2000)
    drawloom.ok("run", "flows_of_cli.py:measured", "--source", "data.txt")
    assert drawloom.ok("catalog", "verify").endswith(": all is well\n")
    damaged = max((folder / ".drawloom").rglob("objects/*/*"), key=lambda path: path.stat().st_size)
    damaged.chmod(0o644)
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    result = drawloom("catalog", "verify", "--no-quarantine")
    assert result.exit_code == 3
    assert "error[S4" in result.stderr
    assert " in " in result.stderr.splitlines()[-1]
    document = json.loads(drawloom("catalog", "verify", "--json").stdout)
    assert document["problems"][0]["code"].startswith("S4")


def test_the_index_is_made_anew(drawloom: Any, ran: list[str], folder: Path) -> None:
    document = drawloom.json("catalog", "rebuild")
    assert document == {
        "catalog": Catalog.open(str(folder / ".drawloom")).url,
        "runs": 2,
        "artifacts": len(drawloom.json("catalog", "ls")["artifacts"]),
    }


def test_who_only_looks_makes_no_store(drawloom: Any, folder: Path) -> None:
    for command in (["runs"], ["show", "last"], ["logs", "last", "n"], ["catalog", "ls"], ["catalog", "verify"]):
        result = drawloom(*command)
        assert result.exit_code == 3, command
        assert result.stderr.startswith("error[S4")
    assert not (folder / ".drawloom").exists()


def test_p630_there_is_no_last_run(drawloom: Any, folder: Path) -> None:
    Catalog.open(str(folder / ".drawloom"))
    result = drawloom("show", "last")
    assert (result.exit_code, result.stderr) == (
        2,
        (
            f"error[P630] there is no last run: {folder}/.drawloom/projects/default has no runs\n"
            "  fix    run a pipeline first, or name another catalog with --catalog\n"
        ),
    )


@pytest.mark.parametrize(
    "command", [["show", "nonesuch"], ["logs", "last", "nonesuch"], ["catalog", "load", "nonesuch"]]
)
def test_what_the_catalog_does_not_have_ends_with_3(drawloom: Any, ran: list[str], command: list[str]) -> None:
    result = drawloom(*command)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("error[S45")


def test_a_run_that_can_not_be_read_is_left_out_with_a_word(drawloom: Any, ran: list[str], folder: Path) -> None:
    record = folder / ".drawloom" / "projects" / "default" / "runs" / ran[0] / "run.json"
    record.chmod(0o644)
    record.write_bytes(b"{")
    result = drawloom("runs", "--json")
    assert (result.exit_code, [run["run"] for run in json.loads(result.stdout)["runs"]]) == (0, [ran[1]])
    assert result.stderr.startswith(f"warning: run {ran[0]} is left out: ")
