"""Values as the plain texts that programs outside of Python take and give: a container's files, an engine's parameters.

Standard library alone: a step loads this module.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from drawloom.ir.canonical import Json
from drawloom.ir.container import result_fields
from drawloom.ir.envelope import class_by_ref
from drawloom.ir.types import Type

__all__ = ["plain_text", "plain_value", "result_of"]

# Any: values of the user's


def plain_text(value: Any, kind: str) -> str:
    """The text of a value.

    Args:
        value: the value.
        kind: `text` or `json`, as `ir.container.input_kind` gives it.

    Raises:
        ValueError: JSON can't hold it.
    """
    if kind == "json":
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


def plain_value(text: str, type_: Type, kind: str) -> Any:
    """The value of a text.

    Args:
        text: what the program wrote.
        type_: what it is declared to be.
        kind: `text` or `json`, as `ir.container.result_kind` gives it.

    Raises:
        ValueError, RecursionError: the text is none of that type.
    """
    if kind == "json":
        return json.loads(text, parse_constant=_no_constant)
    if type_.name == "int":
        return int(text.strip())
    if type_.name == "float":
        return float(text.strip())
    if type_.name == "bool":
        return _boolean(text.strip().lower())
    return text


def result_of(type_: Type, read: Callable[[str, Type], Any]) -> Any:
    """A task's result, put together of what a program gave.

    Args:
        type_: the type of the result.
        read: gives the value of a field, by its name and type; the name is "" for a result without fields.
    """
    found = {name: read(name, field) for name, field in result_fields(type_)}
    if "" in found:
        return found[""]
    return class_by_ref(type_.ref)(**found) if found else None


def _no_constant(text: str) -> Json:
    raise ValueError(f"{text} is none of its values")


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"
