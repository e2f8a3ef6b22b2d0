"""What an annotation is made of, and how it is called in help texts and errors."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from enum import Enum
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NewType,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    is_typeddict,
)

__all__ = ["container", "describe", "is_optional", "members", "plain", "record_maker", "special_name"]

# drawloom's own value types, known by name so that no codec is loaded to read a number
_SPECIAL: Final = {
    "drawloom.values.files:File": "File",
    "drawloom.values.files:Directory": "Directory",
    "drawloom.values.external:External": "External",
    "drawloom.values.secret:Secret": "Secret",
}


def plain(annotation: Any) -> Any:  # Any: an annotation may be any object
    """The annotation without `Annotated`, type aliases and `NewType` around it."""
    while True:
        if get_origin(annotation) in (Annotated, Required, NotRequired):
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif hasattr(annotation, "__value__"):  # a `type` statement of Python 3.12
            annotation = annotation.__value__
        else:
            return annotation


def members(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of a union, `()` for anything else."""
    bare = plain(annotation)
    if get_origin(bare) in (Union, types.UnionType):
        return get_args(bare)
    return ()


def is_optional(annotation: Any) -> bool:
    """Whether None is among the alternatives."""
    return any(plain(member) in (None, types.NoneType) for member in members(annotation))


def container(annotation: Any) -> Any:
    """The class behind a container (`list` for `list[int]` and for `Sequence[int]`); else the type itself."""
    bare = plain(annotation)
    if _is_named_tuple(bare):
        return None
    origin = get_origin(bare) or bare
    return _ABSTRACT.get(origin, origin) if isinstance(origin, type) else origin


_ABSTRACT: Final[dict[type, type]] = {
    **dict.fromkeys((Sequence, MutableSequence, Iterable), list),
    **dict.fromkeys((Mapping, MutableMapping), dict),
}


def _is_named_tuple(annotation: Any) -> bool:

    return isinstance(annotation, type) and issubclass(annotation, tuple) and hasattr(annotation, "_fields")


def special_name(annotation: Any) -> str:
    """`File`, `Directory`, `External` or `Secret`; "" for any other type."""
    bare = plain(annotation)
    if not isinstance(bare, type):
        return ""
    return _SPECIAL.get(f"{bare.__module__}:{bare.__qualname__}", "")


def describe(annotation: Any) -> str:
    """The annotation as a user would write it, modules left out.

    >>> describe(dict[str, list[int]] | None)
    'dict[str, list[int]] | None'
    """
    bare = plain(annotation)
    if bare in (None, types.NoneType):
        return "None"
    if members(bare):
        return " | ".join(describe(member) for member in members(bare))
    origin, args = get_origin(bare), get_args(bare)
    if origin is Literal:
        return " | ".join(repr(value) for value in args)
    if origin is not None:
        inner = ", ".join("..." if arg is ... else describe(arg) for arg in args)
        return f"{_name(origin)}[{inner or '()'}]"
    if isinstance(bare, type) and issubclass(bare, Enum):
        return f"{bare.__qualname__} ({' | '.join(bare.__members__)})"
    return _name(bare)


def _name(annotation: Any) -> str:
    name: str = getattr(annotation, "__qualname__", None) or str(annotation).removeprefix("typing.")
    return name.rpartition(".<locals>.")[2]


def record_maker(annotation: Any) -> Callable[..., Any] | None:
    """What makes a dataclass, a named tuple or a typed dict from its fields; None for any other type."""
    if isinstance(annotation, type) and (hasattr(annotation, "__dataclass_fields__") or _is_named_tuple(annotation)):
        return annotation
    return dict if is_typeddict(annotation) else None
