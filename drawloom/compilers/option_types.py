"""Options of a compiler as a project file gives them: each held against the type that the compiler declares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from drawloom.errors import CompileError, Diagnostic

__all__ = ["refuse_wrong_types"]

_WORDS = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


def refuse_wrong_types(engine: str, compile_: Callable[..., object], options: Mapping[str, Any]) -> None:
    """Refuses options of another type than the compiler takes; of types it can't look into, nothing is said.

    Raises:
        CompileError: E720.
    """
    if not options:
        return
    hints = get_type_hints(compile_)
    problems = [
        Diagnostic("E720", f"the option `{name}` of the {engine} compiler is {problem}", None, f"give {expected}")
        for name, value in options.items()
        for problem, expected in _misfit(value, hints.get(name, Any))
    ]
    if problems:
        raise CompileError(problems)


def _misfit(value: Any, hint: Any) -> Iterator[tuple[str, str]]:
    """What is wrong with a value, and what was expected; nothing if it fits."""
    if not _fits(value, hint):
        yield repr(value)[:80], _expected(hint)


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if hint in (NoneType, None):
        return value is None
    if hint is float:
        return type(value) in (int, float)
    if hint in (str, bool, int):
        return type(value) is hint
    if origin is tuple:
        return isinstance(value, (tuple, list)) and all(_fits(one, inner[0]) for one in value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key, kept = inner
        return isinstance(value, Mapping) and all(_fits(k, key) and _fits(v, kept) for k, v in value.items())
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return isinstance(value, (tuple, list)) and all(_fits(one, inner[0]) for one in value)
    return True


def _expected(hint: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(_expected(one) for one in inner if one is not NoneType)
    if origin is tuple or (isinstance(origin, type) and issubclass(origin, Sequence)):
        return f"a list, each {_expected(inner[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"a table, each value {_expected(inner[1])}"
    return _WORDS.get(hint, str(hint))
