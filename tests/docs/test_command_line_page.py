"""docs/cli.md names every command and every option there is, and each command once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from drawloom.cli.main import main

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `drawloom ([a-z]+(?: [a-z]+)?)", PAGE, re.MULTILINE)


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(_commands(main))


def test_the_table_has_each_command_once() -> None:
    named = [" ".join(row.split()[: 2 if row.startswith("catalog") else 1]) for row in ROWS]
    assert sorted(named) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_is_named(name: str) -> None:
    for option in COMMANDS[name].params:
        if isinstance(option, click.Option):
            for spelling in (max(names, key=len) for names in (option.opts, option.secondary_opts) if names):
                said = re.search(rf"(?<![\w-]){re.escape(spelling)}(?![\w-])", PAGE)
                assert said or spelling in ("--help", "--output", "--quarantine"), f"{spelling} of {name}"


def test_no_paragraph_and_no_row_stands_twice() -> None:
    for page in [*Path(__file__).parents[2].glob("*.md"), *(Path(__file__).parents[2] / "docs").glob("*.md")]:
        lines = [line for line in page.read_text(encoding="utf-8").splitlines() if len(line) > 60]
        twice = {line for line in lines if lines.count(line) > 1 and not line.startswith(("$ ", "run ", "|---"))}
        assert not twice, f"{page.name}: {twice}"
