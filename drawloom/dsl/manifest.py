"""What a function's digest is made of: each function, class, constant, module and file of the user's that it reaches.

Kept beside a program and outside every digest, so that "the code changed" can name which function did, and show how.
The text of functions and classes is kept as it is written; what module-level names hold is kept as a digest alone,
unless it is a number, a truth value or None: an access key is most often a text in such a name.
"""

from __future__ import annotations

import ast
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any, Final

from drawloom.dsl.fingerprint import Reach, fingerprint
from drawloom.dsl.source import Definition, class_definition, function_definition, module_text
from drawloom.ir.canonical import Json, digest_json

__all__ = ["Sources", "source_manifest"]

# Any: the user's names may stand for anything

_SHOWN: Final = (type(None), bool, int, float)  # constants whose value is kept
_SHOWN_CHARACTERS: Final = 40


class Sources(Mapping[str, Json]):
    """The digest of each task's function -> its source manifest, each made when it is asked for.

    Args:
        functions: digest -> the plain function.
    """

    def __init__(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        self._functions = functions
        self._made: dict[str, Json] = {}

    def __getitem__(self, digest: str) -> Json:
        if digest not in self._made:
            self._made[digest] = source_manifest(self._functions[digest])
        return self._made[digest]

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)


def source_manifest(function: Callable[..., Any]) -> Json:
    """What the digest of a function is made of.

    Args:
        function: a plain Python function that has a fingerprint.

    Returns:
        `{"name": "module:qualname", "scope": scope, "parts": [[name, digest, text, kind], ...]}`, the function itself
        first. `kind` is `function`, `class`, `constant`, `module` or `file`; the text is "" where it isn't kept. Two
        parts with equal digests mean the same, whatever their texts are.
    """
    made: Any = function
    reach = Reach()
    reach.function(made)
    parts = _Parts(reach)
    return {
        "name": f"{made.__module__}:{made.__qualname__}",
        "scope": fingerprint(made).scope,
        "parts": parts.all(),
    }


class _Parts:
    """The parts of what a function reaches, each with a digest of its own."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._found: dict[tuple[str, str], list[Json]] = {}  # (kind, name) -> part

    def all(self) -> Json:
        """Every part: functions and classes as they were found, then what names stand for."""
        for thing, form in zip(self._reach.things, self._reach.parts):
            if form[0] in ("function", "class"):
                kind, text = form[0], _function_text(thing) if form[0] == "function" else _class_text(thing)
                self._add(kind, _code_name(thing), digest_json(self._own(form)), text)
        for module, name, value, form in self._reach.named:
            self._named(module, name, value, form)
        return list(self._found.values())

    def _add(self, kind: str, name: str, digest: str, text: str) -> None:
        known, number = name, 1
        while (kind, known) in self._found and self._found[kind, known][1] != digest:
            number += 1  # two that are called the same, such as the functions a decorator makes
            known = f"{name} ({number})"
        self._found.setdefault((kind, known), [known, digest, text, kind])

    def _named(self, module: str, name: str, value: Any, form: Json) -> None:
        head = form[0]
        for path, digest in _files(form, self._reach.parts):
            self._add("file", path, digest, "")
        if head in ("library", "builtin", "wrapped", "bundle") or (head == "part" and self._is_code(form[1])):
            return
        if head == "module":
            shown = value.__name__ if isinstance(value, ModuleType) else module
            self._add("module", shown, form[1], _masked(module_text(sys.modules.get(shown)) or ""))
            return
        text = repr(value) if type(value) in _SHOWN else ""
        shown = f"{name} = {text}" if text and len(text) <= _SHOWN_CHARACTERS else ""
        self._add("constant", f"{module}:{name}", digest_json(self._whole(form, frozenset())), shown)

    def _is_code(self, number: int) -> bool:
        return self._reach.parts[number][0] in ("function", "class")

    def _own(self, form: Json) -> Json:
        """The form of a function or a class, without what has a part of its own."""
        return [self._names(part) if isinstance(part, dict) else part for part in form if not _is_wide(part)]

    def _names(self, names: Mapping[str, Json]) -> Json:
        return {name: self._reference(form) for name, form in names.items()}

    def _reference(self, form: Json) -> Json:
        if form[0] in ("library", "builtin"):
            return form
        if form[0] == "wrapped":
            return [*form[:2], self._reference(form[2])]
        if form[0] == "part" and self._is_code(form[1]):
            return ["part", self._reach.things[form[1]].__qualname__]
        return ["named"]

    def _whole(self, form: Json, inside: frozenset[int]) -> Json:
        """The form of a value with everything in it; functions and classes by name alone."""
        if isinstance(form, dict):
            return {name: self._whole(part, inside) for name, part in form.items()}
        if not isinstance(form, list) or not form:
            return form
        if _is_wide(form):
            return ["widened"]
        if form[0] != "part" or len(form) != 2 or type(form[1]) is not int:
            return [self._whole(part, inside) for part in form]
        if self._is_code(form[1]):
            return ["part", self._reach.things[form[1]].__qualname__]
        if form[1] in inside:
            return ["again"]
        return self._whole(self._reach.parts[form[1]], inside | {form[1]})


def _is_wide(form: Json) -> bool:
    return isinstance(form, list) and form[:1] == ["bundle"]


def _files(form: Json, parts: list[Json]) -> Iterator[tuple[str, str]]:
    """The (path, digest) pairs of the files that a form was widened to, containers followed."""
    waiting, seen = [form], set()
    while waiting:
        part = waiting.pop()
        if _is_wide(part):
            yield from ((path, digest) for path, digest in part[1:])
        elif isinstance(part, list):
            if part[:1] == ["part"] and len(part) == 2 and type(part[1]) is int:
                if part[1] not in seen and parts[part[1]][0] not in ("function", "class"):
                    seen.add(part[1])
                    waiting.append(parts[part[1]])
            else:
                waiting += part
        elif isinstance(part, dict):
            waiting += part.values()


def _code_name(thing: Any) -> str:
    if isinstance(thing, FunctionType):  # its code's name: `functools.wraps` gives a wrapper that of what it wraps
        return f"{thing.__globals__.get('__name__', '')}:{thing.__code__.co_qualname}"
    return f"{thing.__module__}:{thing.__qualname__}"


def _function_text(function: Any) -> str:
    return _text(function_definition(function.__code__))


def _class_text(cls: Any) -> str:
    return _text(class_definition(cls))


def _text(definition: Definition | None) -> str:
    if definition is None:
        return ""
    text = textwrap.dedent(definition.text.removeprefix("if 1:\n"))
    lines = text.rstrip().splitlines(keepends=True)
    ends = getattr(definition.node, "end_lineno", 0) - definition.text.startswith("if 1:\n")
    while len(lines) > ends and (not lines[-1].strip() or lines[-1].startswith("#")):
        lines.pop()  # a comment on what follows, not on this
    return "".join(lines).rstrip() + "\n"


def _masked(text: str) -> str:
    """The text of a module with each text that a module-level name holds taken out of it."""
    data = text.encode("utf-8")  # offsets in a syntax tree count bytes
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found: list[ast.Constant] = []
    for statement in ast.parse(text).body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)) and statement.value is not None:
            parts = ast.walk(statement.value)
            found += [part for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    for part in sorted(found, key=lambda p: (p.lineno, p.col_offset), reverse=True):
        begin = starts[part.lineno - 1] + part.col_offset
        end = starts[(part.end_lineno or part.lineno) - 1] + (part.end_col_offset or 0)
        data = data[:begin] + f"<text {digest_json(part.value)[:12]}>".encode() + data[end:]
    return data.decode("utf-8")
