"""README.md, docs/tutorial.md and docs/control-flow.md do what they say: their files are written, their commands run, their output compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docs/tutorial.md", "docs/control-flow.md"]
FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
FILE = re.compile(r"`([\w./]+\.(?:py|toml|csv))`[^`]*$")


def _blocks(page: str) -> Iterator[tuple[str, str, str]]:
    """(language, the file named just before it or "", text) of each fenced block."""
    end = 0
    for found in FENCE.finditer(page):
        before = page[end : found.start()].strip().rpartition("\n\n")[2]
        named = FILE.search(before)
        end = found.end()
        yield found[1], named[1] if named else "", found[2]


def _commands(console: str) -> Iterator[tuple[str, str]]:
    for step in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, _, expected = step.partition("\n")
        yield command.partition("   # ")[0].strip(), expected.rstrip()


def _matches(expected: str, got: str) -> bool:
    """Whether `got` is `expected` with anything in place of each `...`."""
    return re.fullmatch(".*".join(map(re.escape, expected.split("..."))), got, re.DOTALL) is not None


def _run(command: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DRAWLOOM_")} | {"PATH": path}
    environment |= {"COLUMNS": "100", "DRAWLOOM_CACHE": str(folder / "cache")}
    both: dict[str, int] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}  # in the order a terminal has them
    done = subprocess.run(command, shell=True, cwd=folder, env=environment, text=True, check=False, **both)
    return done.stdout.rstrip()


@pytest.mark.timeout(900)  # the tutorial starts a hundred processes, and a machine may be busy
@pytest.mark.parametrize("name", PAGES)
def test_the_page_does_what_it_says(name: str, tmp_path: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    ran = 0
    for language, file, text in _blocks((ROOT / name).read_text(encoding="utf-8")):
        if language in ("python", "toml", "csv") and file and "..." not in text:
            (tmp_path / file).write_text(text, encoding="utf-8")
        if language != "console":
            continue
        for command, expected in _commands(text):
            if command.startswith("make "):  # CI runs these themselves
                assert command.split()[1] in targets, command
                continue
            got = _run(command, tmp_path)
            assert _matches(expected, got), f"$ {command}\n{got}"
            ran += 1
    assert ran, f"{name} shows no command"


@pytest.mark.parametrize("path", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]), ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{path.name} links to {target}, which isn't there"
