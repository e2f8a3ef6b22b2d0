"""What a container is given and what it leaves, as files: which types, and where.

Inputs lie below `/drawloom/in`, results below `/drawloom/out`. Standard library alone: a step loads this module.
"""

from __future__ import annotations

import json
from typing import Final

from drawloom.ir.types import Type

__all__ = ["ROOT", "input_kind", "result_fields", "result_kind"]

ROOT: Final = "/drawloom"  # in the container; `in` and `out` lie there
_TEXTS: Final = ("str", "int", "float", "bool")
_FILES: Final = ("file", "directory")
_RECORDS: Final = ("namedtuple", "dataclass")


def input_kind(type_: Type) -> str:
    """How a value of this type reaches a container: `file`, `directory`, `text`, `json`; "" if it can't.

    >>> from drawloom.ir.types import INT
    >>> input_kind(INT), input_kind(Type("list", (INT,))), input_kind(Type("set", (INT,)))
    ('text', 'json', '')
    """
    return _kind(type_, ("list", "tuple_of", "tuple"))


def result_kind(type_: Type) -> str:
    """How a value of this type is read from what a container left: as `input_kind`."""
    return _kind(type_, ("list",))


def result_fields(type_: Type) -> tuple[tuple[str, Type], ...]:
    """The results of a container as (name, type): the fields of a record; else one of the name ""; none for None."""
    if type_.name == "none":
        return ()
    if type_.name in _RECORDS and not type_.codec:
        return type_.fields
    return (("", type_),)


def _kind(type_: Type, lists: tuple[str, ...]) -> str:
    if type_.codec:
        return ""
    if type_.name in _FILES:
        return type_.name
    if _is_text(type_):
        return "text"
    return "json" if _is_json(type_, lists) else ""


def _is_text(type_: Type) -> bool:
    if type_.name == "literal":
        return all(isinstance(json.loads(value), str) for value in type_.values)
    return type_.name in _TEXTS


def _is_json(type_: Type, lists: tuple[str, ...]) -> bool:
    if type_.codec:
        return False
    if type_.name == "dict" and type_.args[0].name != "str":
        return False
    if type_.name in ("union", "dict", *lists):
        return all(_is_json(inner, lists) for inner in type_.args)
    if type_.name == "literal":
        return all(not isinstance(json.loads(value), dict) for value in type_.values)
    return type_.name in (*_TEXTS, "none")
