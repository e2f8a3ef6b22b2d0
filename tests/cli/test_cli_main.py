"""The command line as a whole: help, versions, pipes, signals, faults."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import pytest

import drawloom as package
from drawloom.cli.catalog import catalog
from drawloom.cli.main import COMMANDS, cli
from drawloom.cli.problems import exit_code_for


def test_the_lines_of_the_help_are_the_commands_own(drawloom: Any) -> None:
    context = click.Context(cli)
    for name, (_, line) in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert (command.help or "").splitlines()[0] == line


def test_help_lists_the_commands(drawloom: Any) -> None:
    text = drawloom.ok("--help")
    assert [line.split()[0] for line in text.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()] == list(
        COMMANDS
    )


def test_the_version_is_the_packages(drawloom: Any) -> None:
    assert drawloom.ok("--version") == f"drawloom {package.__version__}\n"


def test_help_loads_click_and_nothing_else(folder: Path) -> None:
    code = (
        "import sys\nfrom drawloom.cli.main import cli\ntry:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(*sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {"pydantic", "rich", "fsspec", "asyncio", "sqlite3", "drawloom.dsl", "drawloom.catalog"}


def test_p640_a_command_that_is_not_there(drawloom: Any) -> None:
    result = drawloom("rnu")
    assert (result.exit_code, result.stdout, result.stderr) == (
        2,
        "",
        "error[P640] there is no command `rnu`, did you mean `run`?\n  fix    see `drawloom --help`\n",
    )


def test_p640_a_missing_argument(drawloom: Any) -> None:
    assert drawloom("run").stderr == "error[P640] missing argument 'TARGET'\n  fix    see `drawloom run --help`\n"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(drawloom: Any, name: str) -> None:
    assert drawloom.ok(name, "--help").startswith(f"Usage: drawloom {name} ")


@pytest.mark.parametrize("name", sorted(catalog.commands))
def test_every_command_of_the_catalog_has_json(drawloom: Any, name: str) -> None:
    assert "--json" in drawloom.ok("catalog", name, "--help")


def test_a_bad_key_of_the_project_file_ends_every_command_with_its_line(drawloom: Any, folder: Path) -> None:
    (folder / "drawloom.toml").write_text('project = "x"\ncatalgo = "y"\n')
    result = drawloom("runs")
    assert (result.exit_code, result.stderr) == (
        2,
        (
            "error[P602] unknown key `catalgo`, did you mean `catalog`?\n"
            f"  where  {folder}/drawloom.toml:2, catalgo\n"
            "  fix    remove it, or use one of allow_pickle, catalog, default_profile, pipelines, profiles, project, "
            "targets\n"
        ),
    )


def test_check_tells_what_is_wrong_and_ends_with_2(drawloom: Any, folder: Path) -> None:
    (folder / "wrong_edge_of_cli.py").write_text(
        "from drawloom import pipeline, task\n\n@task\ndef text() -> str:\n    return 'x'\n\n"
        "@task\ndef double(n: int) -> int:\n    return 2 * n\n\n"
        "@pipeline\ndef wrong() -> int:\n    return double(text())\n"
    )
    result = drawloom("check", "wrong_edge_of_cli.py:wrong")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error[G")
    assert f"{folder}/wrong_edge_of_cli.py:13" in result.stderr
    assert result.stderr.endswith("1 problem in wrong\n")
    document = json.loads(drawloom("check", "wrong_edge_of_cli.py:wrong", "--json").stdout)
    assert [problem["where"]["line"] for problem in document["problems"]] == [13]


def test_check_for_an_engine(drawloom: Any) -> None:
    assert (
        drawloom.ok("check", "flows_of_cli.py:twice", "--engine", "reference") == "twice: no problems for reference\n"
    )
    assert drawloom("check", "flows_of_cli.py:twice", "--engine", "argot").stderr.startswith("error[E702]")


def test_compile_writes_a_folder(drawloom: Any, folder: Path) -> None:
    text = drawloom.ok("compile", "flows_of_cli.py:twice", "--engine", "reference", "-o", "build")
    assert text.startswith("twice for reference: ")
    assert json.loads((folder / "build" / "engine.json").read_text())["pipeline"] == "twice"
    document = drawloom.json("compile", "flows_of_cli.py:twice", "--engine", "reference", "-o", "build", "--times", "4")
    assert {file["path"] for file in document["files"]} >= {"engine.json", "pipeline.json", "bundle.zip"}
    body = json.loads((folder / "build" / "pipeline.json").read_text())["body"]
    assert len(body["nodes"]) == 4


def test_a_reader_that_goes_away_is_no_error(shell: Any) -> None:
    done = shell(
        "$drawloom run flows_of_cli.py:twice --n 1 -q; "
        "for i in 1 2 3; do $drawloom runs | true; echo ${PIPESTATUS[0]}; done"
    )
    assert done.stdout.splitlines()[-3:] == ["0", "0", "0"]
    assert done.stderr == ""


def test_closed_streams_are_no_error(shell: Any) -> None:
    done = shell("$drawloom run flows_of_cli.py:failing >&- 2>&-; echo $?; $drawloom runs >&-; echo $?")
    assert done.stdout.splitlines() == ["1", "0"]
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_p634_a_full_disk_behind_stdout_is_told(shell: Any) -> None:
    done = shell("$drawloom run flows_of_cli.py:twice --n 1 -q > /dev/full; echo $?")
    assert (done.stdout, done.stderr) == (
        "2\n",
        (
            "error[P634] the output can't be written: No space left on device\n"
            "  fix    make room, or send the output somewhere else\n"
        ),
    )


def test_names_that_the_terminal_can_not_show_are_escaped(shell: Any, folder: Path) -> None:
    (folder / "letters.py").write_text(
        "from drawloom import pipeline, task\n\n@task\ndef say() -> str:\n    return 'é\\U0001f600\\ud800'\n\n"
        "@pipeline\ndef letters() -> str:\n    return say()\n",
        encoding="utf-8",
    )
    done = shell("PYTHONIOENCODING=ascii $drawloom run letters.py:letters -q; echo $?")
    assert done.stdout.splitlines()[-1] == "0"
    assert "result  " in done.stdout


def test_an_interrupt_cancels_the_run_and_ends_with_130(shell: Any, folder: Path) -> None:
    (folder / "slow.py").write_text(
        "import time\nfrom drawloom import pipeline, task\n\n"
        "@task\ndef nap(seconds: float) -> float:\n    open('begun', 'w').close()\n"
        "    time.sleep(seconds)\n    return seconds\n\n"
        "@pipeline\ndef sleepy(seconds: float = 60.0) -> float:\n    return nap(seconds)\n"
    )
    command = [sys.executable, "-m", "drawloom", "run", "slow.py:sleepy", "-q"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not (folder / "begun").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert out.startswith("sleepy cancelled")
    assert error == ""


def test_a_run_in_processes_imports_the_file(shell: Any) -> None:
    done = shell("$drawloom run flows_of_cli.py:twice --n 3 --executor processes -q; echo $?")
    assert done.stdout.splitlines()[1] == "result  12", done.stderr
    assert done.stdout.splitlines()[-1] == "0"


def test_p699_a_fault_of_drawloom_has_no_traceback_unless_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DRAWLOOM_DEBUG", raising=False)
    assert exit_code_for(KeyError("x")) == 70
    assert capsys.readouterr().err == (
        "error[P699] drawloom itself failed: KeyError: 'x'\n"
        "  fix    set DRAWLOOM_DEBUG=1 to see where, and report it: this is a fault of drawloom, not of your pipeline\n"
    )
    monkeypatch.setenv("DRAWLOOM_DEBUG", "1")
    try:
        raise KeyError("x")
    except KeyError as error:
        exit_code_for(error)
    assert "Traceback (most recent call last):" in capsys.readouterr().err


@pytest.mark.parametrize(("group", "first"), [((), "run"), (("catalog",), "export")])
def test_a_group_without_a_command_shows_its_help(drawloom: Any, group: tuple[str, ...], first: str) -> None:
    result = drawloom(*group)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Usage: {' '.join(('drawloom', *group))} [OPTIONS] COMMAND [ARGS]...\n")
    assert f"\nCommands:\n  {first} " in result.stderr
    assert "error[" not in result.stderr
