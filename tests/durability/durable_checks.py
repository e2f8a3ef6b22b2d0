"""What must hold of a catalog after anything that may befall it; plain functions over the public interface."""

from __future__ import annotations

import json
import os
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import load_tasks
from click.testing import CliRunner

from drawloom import api
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.run import Run
from drawloom.cli.main import cli
from drawloom.runtimes.progress import SilentProgress

SAMPLES = Path(__file__).parent / "samples"
ITEMS = 60
KILLS = int(os.environ.get("TEST_KILLS", "20"))
SEED = int(os.environ.get("TEST_SEED", "0")) or random.randrange(1 << 30)
UNCACHED = ("journal", "journal_2", "numbers", "numbers_2")
Instance = tuple[str, tuple[int, ...]]


@dataclass
class Told:
    """What a killed process had acknowledged."""

    begun: list[tuple[str, int]] = field(default_factory=list)  # (run, salt)
    done: dict[str, set[Instance]] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, text: str) -> Told:
        told = cls()
        for line in text.splitlines(keepends=True):
            if not line.endswith("\n"):
                break  # it was killed while it wrote
            word, *rest = line.split()
            if word == "begun":
                told.begun.append((rest[0], int(rest[1])))
            elif word == "done":
                index = () if rest[2] == "-" else tuple(map(int, rest[2].split(",")))
                told.done.setdefault(rest[0], set()).add((rest[1], index))
            elif word == "ended":
                assert rest[1] == "succeeded", line
                told.ended.append(rest[0])
        return told


def command(*arguments: str, code: int = 0) -> str:
    """What a command prints; it must end with the exit code `code`."""
    result = CliRunner().invoke(cli, list(arguments), prog_name="drawloom")
    assert result.exit_code == code, (arguments, result.exit_code, result.output)
    assert "P699" not in result.output, result.output
    return result.stdout


def problems_of(catalog: Catalog) -> list[str]:
    found = [str(problem) for problem in catalog.verify()]
    print(*found, sep="\n", end="")  # shown where a test fails
    return found


def check_what_is_there(store: Path, told: Told) -> None:
    """Nothing half-written is seen, and what was acknowledged is there."""
    catalog = Catalog.open(store)
    assert problems_of(catalog) == []
    salts = dict(told.begun)
    for run in told.ended:
        assert catalog.run(run).result == load_tasks.expected(ITEMS, salts[run])
    for run, instances in told.done.items():
        nodes = catalog.run(run).details.nodes
        lost = {(node, index) for node, index in instances if nodes[node].instances.get(index) != "succeeded"}
        assert not lost, f"acknowledged and lost: {sorted(lost)}"
    listed = json.loads(command("runs", "--limit", "1000", "--json", "--catalog", str(store)))["runs"]
    assert {run for run, _ in told.begun} <= {run["run"] for run in listed}
    assert {run["state"] for run in listed} <= {"succeeded", "failed"}
    assert set(told.ended) <= {run["run"] for run in listed if run["state"] == "succeeded"}
    for run, _ in told.begun[-1:]:
        assert run in command("show", run, "--catalog", str(store))
        for node in ("squares", "texts", "result"):
            command("show", run, node, "--catalog", str(store))
            command("logs", run, node, "--catalog", str(store))


def next_run(store: Path, salt: int, journal: Path) -> Run:
    params: dict[str, Any] = {"n": ITEMS, "salt": salt, "path": str(journal)}
    return api.run(load_tasks.work, params, catalog=store, progress=SilentProgress())


def check_next_run(store: Path, told: Told, journal: Path, salt: int) -> None:
    """The next run goes on: the right result, and nothing acknowledged is made again."""
    if told.begun:
        killed, salt = told.begun[-1]
    run = next_run(store, salt, journal)
    assert run.result == load_tasks.expected(ITEMS, salt)
    if told.begun:
        again = {
            (node, index)
            for node, index in told.done.get(killed, set())
            if node not in UNCACHED and run.details.nodes[node].instances.get(index) != "cached"
        }
        assert not again, f"acknowledged and made again: {sorted(again)}"
    assert problems_of(Catalog.open(store)) == []


def leftovers(store: Path) -> list[str]:
    """What killed writers left in the store, made older than any writer pauses, once the store was opened again."""
    folder = store / ".tmp"
    long_ago = time.time() - 3600
    for path in folder.iterdir() if folder.exists() else ():
        os.utime(path, (long_ago, long_ago))
    Catalog.open(store)
    return sorted(os.listdir(folder)) if folder.exists() else []
