"""Reasons on the terminal and as JSON: the words that `plan` and `why` share."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, Final

import click

from drawloom.catalog.reasons import Reason
from drawloom.errors import Span

__all__ = ["diff_lines", "heading", "reason_document", "reason_lines", "source_place", "wrapped"]

_STATES: Final = 10  # characters of the longest state and a space
_COLOURS: Final[dict[str, dict[str, Any]]] = {
    "run": {"fg": "yellow"},
    "perhaps": {"fg": "magenta"},
    "cached": {"fg": "cyan"},
    "succeeded": {"fg": "green"},
    "fails": {"fg": "red", "bold": True},
    "failed": {"fg": "red", "bold": True},
    "cancelled": {"fg": "magenta"},
    "skipped": {"dim": True},
}


def heading(state: str, node: str, *more: str) -> str:
    """The line that begins what is told of a node: its state, its id, and what else there is, which may be padded."""
    shown = click.style(state, **_COLOURS.get(state, {})) if _has_colours() else state
    rest = "  ".join(text for text in more if text)
    return f"{shown}{' ' * (_STATES - len(state))}{_plain(node)}  {_plain(rest)}".rstrip()


def source_place(where: Span | None) -> str:
    """The user's file and line, the path as it is shortest: from the working folder, unless that leads upwards."""
    if where is None:
        return ""
    near = os.path.relpath(where.file)
    return f"{where.file if near.startswith(os.pardir) else near}:{where.line}"


def wrapped(text: str, indent: int) -> list[str]:
    """A text indented, and on a terminal wrapped at its width; control characters are shown as escapes."""
    margin = " " * indent
    plain = _plain(text)
    if sys.stdout is None or not sys.stdout.isatty():
        return [f"{margin}{plain}"]
    width = max(shutil.get_terminal_size().columns, indent + 20)
    return textwrap.wrap(
        plain,
        width,
        initial_indent=margin,
        subsequent_indent=f"{margin}  ",
        drop_whitespace=False,
        break_on_hyphens=False,
    ) or [margin]


def _has_colours() -> bool:
    return sys.stdout is not None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def reason_lines(reasons: Iterable[Reason], *, diff: bool = False) -> Iterator[str]:
    """Each reason, and what more there is to say of it, indented."""
    for reason in reasons:
        yield reason.text
        for line in reason.lines:
            yield f"    {line}"
        if diff:
            yield from (f"    {line}" for line in diff_lines(reason))


def diff_lines(reason: Reason) -> Iterator[str]:
    """The unified diffs of the parts of a function that a reason is about."""
    for part in reason.parts:
        yield from part.diff().splitlines()


def reason_document(reason: Reason, *, diff: bool = False) -> dict[str, Any]:
    """A reason as a JSON object."""
    document: dict[str, Any] = {"kind": reason.kind, "text": reason.text}
    for name in ("port", "before", "after", "run"):
        if getattr(reason, name):
            document[name] = getattr(reason, name)
    if reason.nodes:
        document["nodes"] = list(reason.nodes)
    if reason.lines:
        document["lines"] = list(reason.lines)
    if reason.parts:
        document["parts"] = [
            {"kind": part.kind, "name": part.name, "change": part.change, **({"diff": part.diff()} if diff else {})}
            for part in reason.parts
        ]
    return document
