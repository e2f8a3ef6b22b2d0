"""Shell completion: the scripts, and what they are answered."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import drawloom as package
from drawloom.cli.main import COMMANDS, cli


@pytest.fixture
def ask(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is offered for the last of the words, in bash; in this process."""

    def asked(*words: str, shell: str = "bash") -> list[str]:
        environment = {
            "_DRAWLOOM_COMPLETE": f"{shell}_complete",
            "COMP_WORDS": ("\n" if shell == "bash" else " ").join(["drawloom", *words]),
            "COMP_CWORD": words[-1] if shell == "fish" else str(len(words)),
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        result = CliRunner().invoke(cli, [], prog_name="drawloom")
        monkeypatch.delenv("_DRAWLOOM_COMPLETE")
        assert (result.exit_code, result.stderr) == (0, "")
        lines = list(filter(None, result.stdout.splitlines()))
        return [line.partition(",")[2] for line in lines] if shell == "bash" else lines

    return asked


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_clicks(drawloom: Any, shell: str) -> None:
    text = drawloom.ok("completion", shell)
    assert f"_DRAWLOOM_COMPLETE={shell}_complete" in text
    assert drawloom("completion", "tcsh").exit_code == 2


def test_commands_and_options(ask: Any) -> None:
    assert ask("") == list(COMMANDS)
    assert ask("ru") == ["run", "runs"]
    assert set(ask("catalog", "l")) >= {"ls", "load"}
    assert "--state" in ask("runs", "--")
    assert ask("runs", "--state", "f") == ["failed"]
    assert ask("run", "x.py:p", "--executor", "") == ["threads", "processes", "inline"]
    assert ask("check", "x.py:p", "--engine", "") == ["airflow", "argo", "reference"]


def test_targets_are_read_from_files_and_the_project(ask: Any, folder: Path) -> None:
    (folder / "drawloom.toml").write_text(
        '[pipelines]\nnightly = "flows_of_cli.py:twice"\n[profiles.laptop]\nworkers = 1\n'
    )
    (folder / "broken.py").write_text("from drawloom import pipeline\n@pipeline\ndef (\n")
    (folder / "raises.py").write_text("raise SystemExit(3)  # pipeline\n")
    found = ask("run", "")
    assert found[0] == "nightly"
    assert {"flows_of_cli.py:twice", "flows_of_cli.py:each"} <= set(found)
    assert "flows_of_cli.py:plain" not in found
    assert ask("run", "flows_of_cli.py", ":", "tw") == ["twice"]
    assert ask("run", "flows_of_cli.py", ":") == [f"{name}" for name in ask("run", "flows_of_cli.py", ":", "")]
    assert ask("run", "nightly", "--profile", "") == ["laptop"]
    assert {"--n", "--times"} <= set(ask("run", "nightly", "--"))
    assert {"--loud", "--no-loud"} <= set(ask("run", "flows_of_cli.py", ":", "described", "--"))
    assert "flows_of_cli" not in sys.modules


def test_runs_nodes_artifacts_and_versions(ask: Any, drawloom: Any) -> None:
    drawloom("run", "flows_of_cli.py:failing", "-q")
    drawloom.ok("run", "flows_of_cli.py:each", "--numbers", "1", "-q")
    [later, earlier] = [run["run"] for run in drawloom.json("runs")["runs"]]
    assert ask("show", "") == ["last", later, earlier]
    assert ask("show", earlier[:-2]) == [earlier]
    assert ask("logs", earlier, "") == ["first", "second", "add"]
    assert ask("logs", "last", "for_each/") == ["for_each/double"]
    assert "failing/first" in ask("catalog", "show", "fail")
    assert ask("catalog", "load", "each", "--version", "") == ["latest", "1"]
    assert ask("runs", "--pipeline", "") == ["each", "failing"]
    assert ask("graph", "la") == ["last"]


def test_zsh_and_fish_are_answered(ask: Any) -> None:
    assert "run" in ask("ru", shell="zsh")
    assert any(line.startswith("plain,run") for line in ask("ru", shell="fish"))


def test_a_question_without_an_answer_disturbs_nobody(ask: Any, folder: Path) -> None:
    assert ask("show", "") == []
    assert ask("logs", "nope", "") == []
    assert (
        ask("catalog", "load", "nope", "--version", "") == ["latest"]
        or ask("catalog", "load", "nope", "--version", "") == []
    )
    (folder / "drawloom.toml").write_text("this is = no toml [")
    assert ask("show", "") == []
    assert sorted(path.name for path in folder.iterdir()) == ["drawloom.toml", "flows_of_cli.py"]


def test_bash_itself_completes(folder: Path, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "drawloom"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m drawloom "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(drawloom completion bash)"\n'
        "COMP_WORDS=(drawloom run flows_of_cli.py : tw); COMP_CWORD=4; COMPREPLY=()\n"
        "_drawloom_completion drawloom 2>/dev/null\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    root = str(Path(package.__file__).parents[1])
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": root}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["twice"], done.stderr


def test_places_to_deploy_to_are_those_of_the_project_file(ask: Any, folder: Path) -> None:
    places = '[targets.{}]\nengine = "argo"\nstore = "s"\n'
    (folder / "drawloom.toml").write_text(places.format("prod") + places.format("test"))
    commands = [("cancel", "last"), ("runs",), ("resume", "last"), ("debug", "last", "n"), ("why", "last", "n")]
    for words in (*commands, ("deploy", "x.py:p"), ("compile", "x.py:p"), ("doctor",)):
        assert ask(*words, "--target", "") == ["prod", "test"]
