"""A probe: a process that an engine starts says whether it reaches the store, and with which Python.

    --store URL --project P --key KEY --out DIR

It reads the object under `--key` and writes what it found beside it, as `KEY-answer`. Standard library alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from drawloom.errors import DrawloomError
from drawloom.ir.protocol import DONE
from drawloom.runtimes.context import open_project
from drawloom.runtimes.step import LOST, read_options

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Reads a probe and answers it; returns an exit code."""
    try:
        options = read_options(arguments, ("store", "project", "key", "out"))
        storage = open_project(options["store"], options["project"])
        found = storage.read(options["key"]).decode("ascii")
        answer = {"read": found, "python": ".".join(map(str, sys.version_info[:3]))}
        storage.create(f"{options['key']}-answer", json.dumps(answer).encode("ascii"))
    except DrawloomError as error:
        print(error, file=sys.stderr)
        return LOST
    print("the store can be read and written")
    return DONE
