"""The source of functions, classes and modules, and whose it is: the user's or a library's.

Only the lines of a definition are parsed, not its file: a module of a thousand lines would take longer to parse than a
pipeline of a thousand calls takes to trace.
"""

from __future__ import annotations

import ast
import linecache
import os
import re
import sys
from functools import cache
from types import CodeType
from typing import Any, NamedTuple

__all__ = ["Definition", "class_definition", "function_definition", "is_users", "is_users_module", "module_text"]

# Any: classes and modules are whatever the user's names stand for


class Definition(NamedTuple):
    """A definition: text that can be parsed by itself, and the node in it."""

    text: str
    node: ast.AST


@cache
def _library_folders() -> tuple[str, ...]:
    """The standard library's and drawloom's own. What is installed lies below a folder with a name of its own.

    `sysconfig` would tell, in 3 ms.
    """
    standard = os.path.dirname(os.__file__)
    platform = os.path.join(sys.exec_prefix, sys.platlibdir, f"python{sys.version_info[0]}.{sys.version_info[1]}")
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    folders = {standard, platform, own}
    return tuple(os.path.join(os.path.realpath(folder), "") for folder in sorted(folders))


@cache
def is_users(filename: str) -> bool:
    """Whether a file is the user's: neither the standard library, nor an installed package, nor drawloom itself."""
    if filename.startswith("<frozen"):
        return False
    real = os.path.realpath(filename)
    parts = real.split(os.sep)
    return not (real.startswith(_library_folders()) or "site-packages" in parts or "dist-packages" in parts)


def is_users_module(module: Any) -> bool:
    """Whether a module is the user's. One that is gone or has no file (a notebook) is; built-in ones are not."""
    if module is None:
        return True
    filename = getattr(module, "__file__", None)
    if filename is None:
        return bool(module.__name__ == "__main__")
    return is_users(filename)


def function_definition(code: CodeType) -> Definition | None:
    """The definition of a function by its code object, None if its source isn't there."""
    lines = linecache.getlines(code.co_filename)
    found = _lambda(code, lines) if code.co_name == "<lambda>" else _function(code, lines)
    if found is None and lines:  # the module was loaded again after its file had changed
        linecache.checkcache(code.co_filename)
        lines = linecache.getlines(code.co_filename)
        found = _lambda(code, lines) if code.co_name == "<lambda>" else _function(code, lines)
    return found


def _function(code: CodeType, lines: list[str]) -> Definition | None:
    found = _definition_at(lines, code.co_firstlineno - 1)
    node = found.node if found else None
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or node.name != code.co_name:
        return None
    arguments = node.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return found if names == list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]) else None


def _definition_at(lines: list[str], start: int) -> Definition | None:
    """The `def` or `class` that begins, decorators included, at a line.

    It ends before a line that is indented no more than it is, unless that line lies in brackets or in a text; then what
    is before it doesn't parse, and the next such line is tried.
    """
    if start >= len(lines):
        return None
    indent = len(lines[start]) - len(lines[start].lstrip())
    for end in range(start + 1, len(lines) + 1):
        if end < len(lines):
            line = lines[end]
            if not line.strip() or line.lstrip().startswith("#") or len(line) - len(line.lstrip()) > indent:
                continue
        definition = _parsed("".join(lines[start:end]), indented=bool(indent))
        if definition is not None:
            return definition
    return None


def _parsed(text: str, *, indented: bool) -> Definition | None:
    text = f"if 1:\n{text}" if indented else text  # dedenting would change texts that span lines
    try:
        body: list[Any] = ast.parse(text).body
    except SyntaxError:
        return None
    if indented:
        body = body[0].body
    return Definition(text, body[0]) if len(body) == 1 else None


def _lambda(code: CodeType, lines: list[str]) -> Definition | None:
    """The lambda with the same line and arguments, if there is one only."""
    text = "".join(lines)
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    names = list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Lambda)
        and node.lineno == code.co_firstlineno
        and [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)] == names
    ]
    if len(found) != 1:
        return None
    shown = ast.get_source_segment(text, found[0])
    return Definition(f"({shown})", found[0]) if shown else None


def class_definition(cls: Any) -> Definition | None:
    """The definition of a class of the user's, None if its source isn't there or isn't told apart."""
    text = module_text(sys.modules.get(cls.__module__))
    if text is None or "<locals>" in cls.__qualname__:
        return None
    lines = text.splitlines(keepends=True)
    if "." not in cls.__qualname__:
        heads = [i for i, line in enumerate(lines) if re.match(rf"class\s+{re.escape(cls.__name__)}\b", line)]
        shown = _definition_at(lines, _first_line(lines, heads[0])) if len(heads) == 1 else None
        if shown is not None and isinstance(shown.node, ast.ClassDef) and shown.node.name == cls.__name__:
            return shown
    found = _class_named(ast.parse(text), cls.__qualname__.split("."))
    if found is None:
        return None
    first = min([found.lineno, *(d.lineno for d in found.decorator_list)])
    text = "".join(lines[first - 1 : found.end_lineno])
    return Definition(f"if 1:\n{text}" if text[0].isspace() else text, found)


def _class_named(tree: Any, qualname: list[str]) -> ast.ClassDef | None:
    for part in qualname:
        named = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == part]
        if len(named) != 1:
            return None
        tree = named[0]
    return tree if isinstance(tree, ast.ClassDef) else None


def _first_line(lines: list[str], head: int) -> int:
    """The line of the first decorator of the class whose `class` stands at the margin of the line `head`."""
    first = head
    for i in range(head - 1, -1, -1):
        if lines[i].startswith("@"):
            first = i
        elif lines[i][0] not in " \t\r\n)]}#":  # another statement
            break
    return first


def module_text(module: Any) -> str | None:
    """The source of a module, None if it isn't there."""
    filename = getattr(module, "__file__", None)
    if filename is None:
        return None
    return "".join(linecache.getlines(filename)) or None
