"""The commands of a section of README, run as they stand there, in a copy of the example."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from drawloom.catalog.catalog import Catalog

__all__ = ["copied_example", "local_versions", "run_section", "versions_of", "with_own"]

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "hotel_rates"


def copied_example(folder: Path) -> Path:
    """The folder of the example, copied."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", ".drawloom"))
    return folder


def with_own(file: Path, own: Mapping[str, str]) -> None:
    """Puts texts of one's own in the places of those that a project file has, as the page asks its reader to."""
    text = file.read_text("utf-8")
    for old, new in own.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, "utf-8")


def run_section(title: str, folder: Path, environment: Mapping[str, str], timeout_seconds: float) -> None:
    """Runs the commands of a section.

    Args:
        title: of the section.
        folder: the copy of the example.
        environment: the variables of the commands.
        timeout_seconds: the longest one of them may take.
    """
    text = (ROOT / "README.md").read_text("utf-8")
    section = text.partition(f"## {title}\n")[2].partition("\n## ")[0]
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found is not None, "README has it"
    first, *commands = found[1].splitlines()
    assert first == "cd examples/hotel_rates"
    assert commands
    for command in commands:
        name, *arguments = shlex.split(command, comments=True)
        assert name == "drawloom"
        done = subprocess.run(
            [sys.executable, "-m", "drawloom", *arguments],
            cwd=folder,
            env={**environment, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def local_versions(folder: Path) -> dict[str, list[str]]:
    """What a local run of the example gives."""
    local = [sys.executable, "-m", "drawloom", "run", "hotel_rates", "--bookings", "hotel_rates.csv", "--quiet"]
    subprocess.run([*local, "--catalog", "here"], cwd=folder, check=True, capture_output=True)
    return versions_of(str(folder / "here"))


def versions_of(store: str) -> dict[str, list[str]]:
    """Artifact -> the digests of its versions; the picture left out, which holds when it was drawn."""
    return {
        artifact.name: [version.digest for version in artifact.versions]
        for artifact in Catalog.open(store, "hotel_rates").artifacts()
        if not artifact.name.endswith("report")
    }
