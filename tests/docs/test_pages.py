"""The pages name what there is: docs/cli.md each command once and every option, docs/how-it-works.md every key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from drawloom.catalog import keys
from drawloom.cli.main import cli

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


COMMANDS = dict(_commands(cli))


def test_the_table_has_each_command_once() -> None:
    named = [" ".join(row.split()[: 2 if row.startswith("catalog") else 1]) for row in ROWS]
    assert sorted(named) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_is_named(name: str) -> None:
    for option in COMMANDS[name].params:
        if isinstance(option, click.Option):
            for spelling in (max(names, key=len) for names in (option.opts, option.secondary_opts) if names):
                said = re.search(rf"(?<![\w-]){re.escape(spelling)}(?![\w-])", PAGE)
                assert said or spelling == "--quarantine", f"{spelling} of {name}"


def test_no_line_stands_twice() -> None:
    root = Path(__file__).parents[2]
    for page in [*root.glob("*.md"), *(root / "docs").glob("*.md")]:
        if page.name == "capabilities.md":  # generated: engines may have a feature in one way
            continue
        prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        lines = [line for line in prose.splitlines() if len(line) > 60]
        assert [line for line in lines if lines.count(line) > 1] == [], page.name


def test_how_it_works_has_every_key_of_the_store() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    kinds = re.findall(r"^    ([a-z]+/)", str(keys.__doc__), re.MULTILINE)
    assert kinds
    assert set(kinds) == set(re.findall(r"^\| `([a-z]+/)<", page, re.MULTILINE))


def test_the_readme_names_every_target_and_every_page() -> None:
    root = Path(__file__).parents[2]
    readme = (root / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):.*##", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(targets) == sorted(set(re.findall(r"`make ([a-z-]+)`", readme)) - {""})
    assert {page.name for page in (root / "docs").glob("*.md")} <= set(re.findall(r"docs/([\w-]+\.md)", readme))


def test_decisions_are_numbered_and_have_one_form() -> None:
    pages = sorted((Path(__file__).parents[2] / "docs" / "decisions").glob("*.md"))
    for number, page in enumerate(pages, 1):
        text = page.read_text(encoding="utf-8")
        assert page.name.startswith(f"{number:04}-"), page.name
        assert text.startswith(f"# {number}. "), page.name
        heads = re.findall(r"^\*\*(Problem|Choice|Cost)\.\*\*", text, re.MULTILINE)
        assert heads == ["Problem", "Choice", "Cost"], page.name
