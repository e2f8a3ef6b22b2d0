"""docs/cli.md: its example runs as it says, and its tables name what there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click

from drawloom.cli.catalog import catalog
from drawloom.cli.main import COMMANDS, cli
from drawloom.project.file import read_project

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")


def fenced(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def matches(expected: str, got: str) -> bool:
    """Whether `got` is `expected` with anything in place of each `...`."""
    return re.fullmatch(".*".join(map(re.escape, expected.split("..."))), got, re.DOTALL) is not None


def test_the_example_does_what_the_page_says(drawloom: Any, folder: Path) -> None:
    [source] = [text for text in fenced("python") if text.startswith("# squares.py")]
    (folder / "squares.py").write_text(source)
    [console] = fenced("console")
    steps = re.split(r"^\$ drawloom ", console, flags=re.MULTILINE)[1:]
    assert len(steps) == 7
    for step in steps:
        command, _, expected = step.partition("\n")
        result = drawloom(*shlex.split(command))
        assert matches(expected.rstrip(), (result.stdout + result.stderr).rstrip()), (command, result.output)


def test_the_project_file_of_the_page_is_right(tmp_path: Path) -> None:
    [text] = fenced("toml")
    (tmp_path / "drawloom.toml").write_text(text)
    found = read_project(tmp_path / "drawloom.toml").model
    assert (found.project, sorted(found.profiles), found.default_profile) == ("churn", ["laptop", "team"], "laptop")


def test_the_page_names_every_command() -> None:
    named = set(re.findall(r"^\| `drawloom ((?:catalog )?\w+)", PAGE, re.MULTILINE))
    assert named == {name for name in COMMANDS if name != "catalog"} | {f"catalog {name}" for name in catalog.commands}


def test_the_page_names_every_option_of_run() -> None:
    command = cli.get_command(click.Context(cli), "run")
    assert command is not None
    options = {name for p in command.params if isinstance(p, click.Option) for name in (*p.opts, *p.secondary_opts)}
    for option in options - {"-q"}:
        assert option in PAGE, option
