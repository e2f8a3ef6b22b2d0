"""Runs a step and writes what it tells its engine as one file of JSON, for one that reads a single file of a container.

    FILE MODULE OPTION...

`{"": {"count": "3"}}`: index vector, "" where the step was given one alone -> name -> text.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from importlib import import_module

__all__ = ["main", "read_texts"]


def main(arguments: Sequence[str]) -> int:
    """Runs the step.

    Args:
        arguments: the file, the module below `drawloom.runtimes`, and that module's options but `--out`.

    Returns:
        The step's exit code.
    """
    file, module, *options = arguments
    with tempfile.TemporaryDirectory(prefix="drawloom-") as out:
        code: int = import_module(f"drawloom.runtimes.{module}").main([*options, "--out", out])
        with open(file, "w", encoding="utf-8") as written:
            json.dump(read_texts(out), written)
    return code


def read_texts(out: str) -> dict[str, dict[str, str]]:
    """What lies in the folder of a step that has ended."""
    told: dict[str, dict[str, str]] = {}
    for folder, _, names in os.walk(out):
        index = os.path.relpath(folder, out).removeprefix(".")
        for name in names:
            with open(os.path.join(folder, name), encoding="utf-8", newline="") as written:
                told.setdefault(index, {})[name] = written.read()
    return told
