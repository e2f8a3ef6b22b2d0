"""What a step and the engine that starts it say to each other; both sides share this module, so they can't disagree.

An engine gives order, a boolean, a count, a retry. It starts a step with a run reference, a step id, index vectors and
the number of the attempt; the step answers with an exit code and with one small text file per decision in `--out`.
Standard library alone: a step loads this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from drawloom.ir.canonical import Json

__all__ = [
    "BATCHES",
    "BEGIN",
    "BEGUN",
    "COUNT",
    "DONE",
    "END",
    "FAILED_FINAL",
    "FAILED_RETRY",
    "NEXT",
    "RUN",
    "SKIPPED",
    "TRUE_TEXT",
    "WANTED",
    "arm_output",
    "asked_text",
    "batch_texts",
    "index_text",
    "parse_indices",
    "stub_text",
    "unwritten_text",
]

# Exit codes. Everything else, a signal included, means that the step was lost: nobody can say how far it got.
DONE: Final = 0  # committed, or adopted a commit; the engine goes on
FAILED_RETRY: Final = 75  # (EX_TEMPFAIL) this attempt failed and another may be made
FAILED_FINAL: Final = 76  # the node instance failed for good, and that is committed
SKIPPED: Final = 77  # an input failed; committed as skipped

# Step ids that belong to no node. A node id never holds a colon.
BEGIN: Final = ":begin"
END: Final = ":end"

# Names of the files in `--out`.
RUN: Final = "run"  # written by the begin step: the run reference
BEGUN: Final = "begun"  # and the parts of it, with the bundle that its steps have, as JSON
COUNT: Final = "count"  # a map's number of items, in decimal
BATCHES: Final = "batches"  # a JSON list of the batches of a map's items: `["0:20", "20:35"]`
NEXT: Final = "next"  # a loop's next iteration, in decimal
WANTED: Final = "drawloom-wanted"  # whether the engine is to run what it has of its own; beside it lie its inputs
TRUE_TEXT: Final = ("false", "true")  # how a boolean is written


def arm_output(arm: int) -> str:
    """The name of the file that says whether arm `arm` of a branch or a try is to run (a loop's test is arm 0)."""
    return f"arm-{arm}"


def index_text(index: tuple[int, ...]) -> str:
    """An index vector as the text of a command line.

    >>> index_text((0, 3)), index_text(())
    ('0,3', '-')
    """
    return ",".join(map(str, index)) or "-"


def batch_texts(count: int, size: int) -> list[str]:
    """The batches of so many items, each `start:end` as the last part of an index vector's text.

    >>> batch_texts(5, 2)
    ['0:2', '2:4', '4:5']
    """
    return [f"{start}:{min(start + size, count)}" for start in range(0, count, size)]


def parse_indices(text: str) -> list[tuple[int, ...]]:
    """The index vectors of a command line, `;` between them; the last number of one may be a range, `start:end`.

    >>> parse_indices("0,3;0,4"), parse_indices("-"), parse_indices("0,3:5")
    ([(0, 3), (0, 4)], [()], [(0, 3), (0, 4)])
    """
    return [index for part in text.split(";") for index in _vectors(part)]


def _vectors(part: str) -> list[tuple[int, ...]]:
    if part == "-":
        return [()]
    *outer, last = part.split(",")
    start, _, end = last.partition(":")
    numbers = range(int(start), int(end)) if end else (int(start),)
    return [(*map(int, outer), number) for number in numbers]


def unwritten_text(name: str) -> str:
    """What an engine takes a decision for that a step hasn't written: no items, and no arm."""
    return {COUNT: "0", BATCHES: "[]"}.get(name, TRUE_TEXT[False])


def asked_text(asked: Json) -> str:
    """What the begin step is given as `--run`: base64 of JSON, in which no character means anything to an engine.

    Args:
        asked: what `runtimes.begin` tells of.
    """
    import json  # a step reads this text, and never writes it
    from base64 import b64encode

    return b64encode(json.dumps(asked).encode("ascii")).decode("ascii")


def stub_text() -> str:
    """The text of the bootstrap stub, for `python -c`: how an engine starts a step."""
    from importlib.util import find_spec  # a step never asks

    found = find_spec("drawloom.runtimes.bootstrap")
    origin = found.origin if found is not None else None
    assert origin is not None, "drawloom has its own modules"
    with open(origin, encoding="utf-8") as file:
        return file.read()
