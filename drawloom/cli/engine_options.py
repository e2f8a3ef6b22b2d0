"""Options of an engine's compiler as they are typed, `NAME=TEXT`: what they hold, the compiler's signature says."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from drawloom.errors import Diagnostic, ProjectError

__all__ = ["engine_options"]

# Any: a compiler, and what its options hold

_FLAGS: Final = {"true": True, "false": False}


def engine_options(compile_: Callable[..., Any], texts: Iterable[str]) -> dict[str, Any]:
    """The options of a compiler.

    Args:
        compile_: the compiler's function: an option that takes a list is given several times, a mapping by its keys
            (`env.NAME=TEXT`), a mapping of mappings by both (`tasks.train.memory=8Gi`).
        texts: `NAME=TEXT` each.

    Raises:
        ProjectError: P643, one of them isn't of that form.
    """
    kinds = _kinds(compile_)
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            what = f"`--option {text}` is no option: expected NAME=TEXT"
            raise ProjectError(Diagnostic("P643", what, None, "write `--option store=s3://lake/teams`"))
        first, _, rest = name.partition(".")
        if kinds.get(first) == "nested" and rest:
            owner, inner = _split(rest)
            held = found.setdefault(first, {}).setdefault(owner, {})
            _put(held, inner, value, kinds, text)
        else:
            _put(found, name, value, kinds, text)
    return found


def _put(holder: dict[str, Any], name: str, value: str, kinds: Mapping[str, str], text: str) -> None:
    first, dot, key = name.partition(".")
    kind = kinds.get(first, "text")
    if kind in ("mapping", "nested") and not key:
        what = f"`--option {text}` gives `{first}` no key: it is a mapping"
        raise ProjectError(Diagnostic("P643", what, None, f"write `--option {first}.KEY=TEXT`"))
    if dot:
        held = holder.setdefault(first, {})
        if isinstance(held, dict):
            held[key] = value
    elif kind == "several":
        holder[name] = (*holder.get(name, ()), value)
    elif kind == "flag":
        holder[name] = _FLAGS.get(value, value)
    else:
        holder[name] = value


def _split(rest: str) -> tuple[str, str]:
    """A task's name, which may be `module.name:function`, and what comes after it."""
    module, colon, more = rest.partition(":")
    if colon and "." in more:
        function, _, option = more.partition(".")
        return f"{module}:{function}", option
    name, _, option = rest.partition(".")
    return name, option


def _kinds(compile_: Callable[..., Any]) -> dict[str, str]:
    """Option -> what it holds: `several` values, a `mapping`, a `nested` one, a `flag`; texts are left out."""
    try:
        hints = typing.get_type_hints(compile_)
    except (NameError, TypeError):  # another package's, whose annotations can't be resolved
        return {}
    kinds = {name: _kind(hint) for name, hint in hints.items()}
    return {name: kind for name, kind in kinds.items() if kind}


def _kind(hint: Any) -> str:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        found = [_kind(arg) for arg in args]
        return next((kind for kind in found if kind), "")
    if hint is bool:
        return "flag"
    if not isinstance(origin, type):
        return ""
    if issubclass(origin, Mapping):
        return "nested" if isinstance(typing.get_origin(args[1]), type) else "mapping"
    return "several" if issubclass(origin, Sequence) else ""
