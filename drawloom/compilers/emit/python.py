"""Python source as a formatter would leave it: values as literals, calls on one line or one argument a line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["Source", "call", "literal"]

WIDTH: Final = 88  # what Black and Ruff have where nobody says otherwise
_QUOTES: Final = re.compile("['\"]")


class Source(str):
    """A piece of source among values: a name, a call."""

    __slots__ = ()


def literal(value: object, indent: int = 0, used: int = 0) -> str:
    """The source of a value of JSON's kinds, of tuples of them, and of `Source`.

    Args:
        value: the value; nothing in a text of it can end the literal.
        indent: how far the line it begins in is indented.
        used: how much of that line is taken, the indent included.
    """
    if isinstance(value, Source):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        keys = {literal(k): v for k, v in value.items()}
        pairs = [f"{k}: {literal(v, indent + 4, indent + 4 + len(k) + 3)}" for k, v in keys.items()]
        return _joined(pairs, "{", "}", indent, used)
    if isinstance(value, tuple):
        parts = [literal(one, indent + 4, indent + 5) for one in value]
        if len(parts) == 1:
            return f"({parts[0]},)"
        return _joined(parts, "(", ")", indent, used)
    if isinstance(value, Sequence):
        return _joined([literal(one, indent + 4, indent + 5) for one in value], "[", "]", indent, used)
    return repr(value)


def call(function: str, arguments: Mapping[str, object], indent: int = 0, used: int = 0) -> str:
    """The source of a call with keyword arguments; a name that begins with `*` stands for an argument without a name.

    Args:
        function: what is called.
        arguments: name -> value.
        indent, used: as for `literal`.
    """
    parts = []
    for name, value in arguments.items():
        before = "" if name.startswith("*") else f"{name}="
        parts.append(before + literal(value, indent + 4, indent + 4 + len(before) + 1))
    return _joined(parts, f"{function}(", ")", indent, used)


def _text(value: str) -> str:
    quote = "'" if value.count('"') > value.count("'") else '"'
    plain = repr(value.replace("'", "").replace('"', ""))[1:-1] if not _QUOTES.search(value) else None
    body = plain if plain is not None else "".join(_character(one, quote) for one in value)
    return f"{quote}{body}{quote}"


def _character(one: str, quote: str) -> str:
    if one == quote:
        return f"\\{one}"
    return one if one in "'\"" else repr(one)[1:-1]


def _joined(parts: Sequence[str], opened: str, closed: str, indent: int, used: int) -> str:
    short = f"{opened}{', '.join(parts)}{closed}"
    if not parts or ("\n" not in short and used + len(short) <= WIDTH):
        return short
    inner = " " * (indent + 4)
    lines = "".join(f"{inner}{part},\n" for part in parts)
    return f"{opened}\n{lines}{' ' * indent}{closed}"
