"""A failure for people: the exception, the user's line it came from, the end of the log, what to do next."""

from __future__ import annotations

import re
from typing import Final

from drawloom.catalog.commands import RunAddress, command
from drawloom.catalog.records import FailureInfo
from drawloom.display.formats import one_line, printable

__all__ = ["LOG_LINES", "exception_lines", "exception_text", "log_tail", "next_commands", "raised_at"]

LOG_LINES: Final = 10
_MOST_LINES: Final = 8  # of a message
_FRAME: Final = re.compile(r'^  (?:\| +)?File "(.+)", line (\d+), in (.+)$', re.MULTILINE)
_FIRST_OF_GROUP: Final = re.compile(r"^ *\+-\+-", re.MULTILINE)
# a step has the project's files unpacked from its bundle, in a folder named by the bundle's digest
_BUNDLE: Final = re.compile(r"^.*/bundles/[0-9a-f]{64}/")
# where libraries lie: an installed one, or Python's own
_LIBRARY: Final = re.compile(r"/(?:site|dist)-packages/|/lib(?:64)?/python3\.\d+/|^<frozen ")


def exception_text(info: FailureInfo | None) -> str:
    """`ValueError: 3 is refused` on one line; `lost` where nobody lived to tell."""
    if info is None:
        return "lost"
    name = info.type.rpartition(":")[2]
    return one_line(f"{name}: {info.message}" if info.message else name)


def exception_lines(info: FailureInfo | None) -> list[str]:
    """The same, with the lines a message has below its first: a diagnostic says there where, and how to fix it."""
    if info is None or "\n" not in info.message:
        return [exception_text(info)]
    first, *rest = info.message.splitlines()
    named = one_line(f"{info.type.rpartition(':')[2]}: {first}")
    more = [printable(line if line.startswith("  ") else f"  {line}") for line in rest if line.strip()]
    return [named, *more[:_MOST_LINES], *(["  ..."] if len(more) > _MOST_LINES else [])]


def raised_at(traceback: str) -> str:
    """`file:line, in function` of the innermost frame of a formatted traceback that isn't a library's.

    Args:
        traceback: as `traceback.format_exception` gives it.

    Returns:
        The frame's place; the innermost of all where all are libraries'; "" if there is none.

    >>> raised_at('  File "/lib/python3.11/json/decoder.py", line 3, in decode\\n')
    '/lib/python3.11/json/decoder.py:3, in decode'
    """
    frames = _FRAME.findall(_FIRST_OF_GROUP.split(traceback)[0])
    if not frames:
        return ""
    file, line, function = next((f for f in reversed(frames) if not _LIBRARY.search(f[0])), frames[-1])
    return f"{_BUNDLE.sub('', file)}:{line}, in {function}"


def log_tail(text: str, lines: int = LOG_LINES) -> list[str]:
    """The last lines of a log; where there are more, the first says how many."""
    found = text.splitlines()
    return [f"... {len(found) - lines} lines before", *found[-lines:]] if len(found) > lines else found


def next_commands(run: RunAddress, node: str, index: tuple[int, ...] = ()) -> list[tuple[str, str]]:
    """(command, what it does) for somebody whose node instance failed."""
    retry = [(command("retry", run), "what is left, there, once the cause is gone")] if run.deployed else []
    if not node:
        return [(command("show", run), "what each node did"), *retry]
    place = [node, "--index", ",".join(map(str, index))] if index else [node]
    left = "what is left, here, with your code as it is now" if run.deployed else "what is left, once the cause is gone"
    return [
        (command("logs", run, *place), "all its output and its traceback"),
        (command("debug", run, *place), "that node again, here, with the same inputs"),
        *retry,
        (command("resume", run), left),
    ]
