"""What a step and the engine that starts it say to each other; both sides share this module, so they can't disagree.

An engine gives order, a boolean, a count, a retry. It starts a step with a run reference, a step id, index vectors and
the number of the attempt; the step answers with an exit code and with one small text file per decision in `--out`.
Standard library alone: a step loads this module.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "BEGIN",
    "COUNT",
    "DONE",
    "END",
    "FAILED_FINAL",
    "FAILED_RETRY",
    "RUN",
    "SKIPPED",
    "TRUE_TEXT",
    "arm_output",
    "index_text",
    "parse_indices",
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
COUNT: Final = "count"  # a map's number of items, in decimal
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


def parse_indices(text: str) -> list[tuple[int, ...]]:
    """The index vectors of a command line, `;` between them.

    >>> parse_indices("0,3;0,4"), parse_indices("-")
    ([(0, 3), (0, 4)], [()])
    """
    return [() if part == "-" else tuple(map(int, part.split(","))) for part in text.split(";")]
