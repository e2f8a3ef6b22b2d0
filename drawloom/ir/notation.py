"""How names, operands and types are written in the text form of a pipeline; `ir.text` has the grammar and the rest."""

from __future__ import annotations

import json
import re
from typing import Final

from drawloom.ir.operands import Apply, Carried, Caught, Const, Field, Item, Operand, Output, Param, Path, RunInfo
from drawloom.ir.types import Type

__all__ = ["cut", "format_name", "format_operand", "format_ref", "format_type", "printable", "type_fields"]

_BARE = re.compile(r"[^\W\d]\w*(?:[/#~-]\w+)*")
_TASK = re.compile(r"[\w.<>-]+(?::[\w.<>-]+)?")
_RESERVED = frozenset({"true", "false", "null"})  # constants
_INFIX: Final = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "and": "and",
    "or": "or",
}
_LONGEST_CONSTANT = 40
_TABLES = ("dataframe", "series", "arrow_table", "polars")


def format_operand(operand: Operand, *, short: bool = False) -> str:
    """The text form of an operand; with `short` a long constant is cut."""
    if isinstance(operand, Const):
        return cut(printable(operand.json), _LONGEST_CONSTANT) if short else printable(operand.json)
    if isinstance(operand, Apply):
        args = [format_operand(a, short=short) for a in operand.args]
        if operand.op in _INFIX and len(args) == 2:
            return f"({args[0]} {_INFIX[operand.op]} {args[1]})"
        return f"{format_name(operand.op)}({', '.join(args)})"
    if isinstance(operand, RunInfo):
        return f"%{format_name(operand.field)}"
    return _base(operand) + _path(operand.path)


def format_type(type_: Type) -> str:
    """The text form of a type with the whole `module:qualname` of classes and the columns of tables."""
    if type_.name == "union":
        text = " | ".join(format_type(a) for a in type_.args)
    elif type_.ref:
        text = format_ref(type_.ref)
    elif type_.name == "tuple_of" and type_.args:
        text = f"tuple[{format_type(type_.args[0])}, ...]"
    elif type_.name in _TABLES and type_.fields:
        text = f"{type_}({type_fields(type_)})"
    elif type_.args:
        text = f"{type_.name}[{', '.join(format_type(a) for a in type_.args)}]"
    else:
        text = printable(str(type_))
    return f"{text} via {format_name(type_.codec)}" if type_.codec else text


def format_name(name: str) -> str:
    """A node's, port's or field's name, in backticks if it could be read as anything else."""
    if _BARE.fullmatch(name) and name not in _RESERVED:
        return name
    return f"`{json.dumps(name)[1:-1].replace('`', chr(92) + 'u0060')}`"


def _base(operand: Param | Output | Item | Carried | Caught) -> str:
    match operand:
        case Param(name):
            return f"${format_name(name)}"
        case Output(node, port):
            return format_name(node) if port == "result" else f"{format_name(node)}:{format_name(port)}"
        case Item(map_id):
            return f"@{format_name(map_id)}"
        case Carried(loop, name):
            return f"@{format_name(loop)}:{format_name(name)}"
        case Caught(node):
            return f"!{format_name(node)}"


def _path(path: Path) -> str:
    return "".join(f".{format_name(s.name)}" if isinstance(s, Field) else f"[{json.dumps(s.key)}]" for s in path)


def format_ref(name: str) -> str:
    """A `module:qualname`, in backticks if it is no such thing."""
    return name if _TASK.fullmatch(name) else format_name(name)


def type_fields(type_: Type) -> str:
    """The fields of a record or the columns of a table, `name: type, ...`."""
    return ", ".join(f"{format_name(name)}: {format_type(t)}" for name, t in type_.fields)


def printable(text: str) -> str:
    """`text` on one line, without control or direction characters; what isn't printable stands as JSON escapes it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] if c != "\x7f" else "\\u007f" for c in text)


def cut(text: str, longest: int) -> str:
    """`text`, or the beginning of it and three dots if it has more than `longest` characters."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
