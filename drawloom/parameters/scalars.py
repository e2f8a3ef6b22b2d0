"""Types that a single text stands for: numbers, dates, enum members, files."""

from __future__ import annotations

import json
import os
import types
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

from drawloom.parameters.forms import describe, special_name

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["ReadingError", "literal_has_member", "read_literal", "text_reader"]

TextReader = Callable[[str, Any], Any]  # (text, annotation) -> value; Any: an annotation may be any object


class ReadingError(ValueError):
    """A text or tree is no value of the type asked for.

    Args:
        expected: what was asked for.
        got: what was there, shortened.
        path: where in the value, "" for the whole.
        fix: what to write instead, "" if that is plain.
    """

    def __init__(self, expected: str, got: str, path: str = "", fix: str = "") -> None:
        self.expected = expected
        self.got = got if len(got) <= 80 else f"{got[:77]}..."
        self.path = path
        self.fix = fix
        super().__init__(f"expected {expected}, got {self.got}{f' at {path}' if path else ''}")


def text_reader(bare: Any) -> TextReader | None:
    """What reads a text as a value of the type `bare`; None for types with parts, which are written as JSON."""
    if special_name(bare):
        return _read_special
    if get_origin(bare) is Literal:
        return read_literal
    if bare is None:
        return _SCALARS[types.NoneType]
    if not isinstance(bare, type) or get_origin(bare) is not None:
        return None
    return _read_member if issubclass(bare, Enum) else _SCALARS.get(bare) or _imported_reader(bare)


def literal_has_member(bare: Any) -> bool:
    """Whether an enum's member is among the values of the `Literal`."""
    return any(isinstance(value, Enum) for value in get_args(bare))


def read_literal(text: str, bare: Any) -> Any:
    """The value of a `Literal` that `text` stands for: a text itself, a member by its name, others as in JSON.

    Raises:
        ReadingError: it stands for none.
    """
    for value in get_args(bare):
        if text == (value.name if isinstance(value, Enum) else value if isinstance(value, str) else json.dumps(value)):
            return value
    raise ReadingError(describe(bare), repr(text))


def _read_member(text: str, bare: Any) -> Any:
    if text not in bare.__members__:
        raise ReadingError(describe(bare), repr(text), "", f"give a member's name: {', '.join(bare.__members__)}")
    return bare[text]


def _read_special(text: str, bare: Any) -> Any:
    name = special_name(bare)
    if name == "File" and not os.path.isfile(text):
        raise ReadingError("the path of a file", f"{text!r}, {_what_is_there(text)}", "", _PATH_FIX)
    if name == "Directory" and not os.path.isdir(text):
        raise ReadingError("the path of a folder", f"{text!r}, {_what_is_there(text)}", "", _PATH_FIX)
    return bare(text)


_PATH_FIX: Final = "give a path that is there; a relative one counts from the working folder"


def _what_is_there(path: str) -> str:
    return "which isn't there" if not os.path.exists(path) else "a folder" if os.path.isdir(path) else "a file"


def _by(read: Callable[[str], Any], expected: str) -> TextReader:
    def read_scalar(text: str, _: Any) -> Any:
        try:
            return read(text)
        except (ValueError, KeyError, ArithmeticError):  # of which decimal's InvalidOperation is one
            raise ReadingError(expected, repr(text)) from None

    return read_scalar


def _timedelta(text: str) -> timedelta:
    from datetime import timedelta

    from pydantic import TypeAdapter  # the standard library reads no durations

    found: timedelta = TypeAdapter(timedelta).validate_strings(text)
    return found


_SCALARS: Final[dict[Any, TextReader]] = {
    str: lambda text, _: text,
    int: _by(int, "int"),
    float: _by(float, "float"),
    complex: _by(complex, "complex"),
    bool: _by({"true": True, "false": False}.__getitem__, "bool (true or false)"),
    types.NoneType: _by({"null": None}.__getitem__, "None (null)"),
    bytes: lambda text, _: text.encode(),
}


def _imported_reader(bare: type) -> TextReader | None:
    """The reader of a type that is no builtin: its module is imported here by nobody but who has the type already."""
    if bare.__module__ not in ("datetime", "decimal", "uuid"):
        return None
    from datetime import date, datetime, time, timedelta
    from decimal import Decimal
    from uuid import UUID

    readers: dict[type, TextReader] = {
        Decimal: _by(Decimal, "Decimal"),
        UUID: _by(UUID, "UUID"),
        date: _by(date.fromisoformat, "date (2026-01-31)"),
        datetime: _by(datetime.fromisoformat, "datetime (2026-01-31T12:00:00+00:00)"),
        time: _by(time.fromisoformat, "time (12:00:00)"),
        timedelta: _by(_timedelta, "timedelta (PT1H30M, or 01:30:00)"),
    }
    return readers.get(bare)
