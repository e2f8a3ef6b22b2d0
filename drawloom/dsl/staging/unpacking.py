"""Taking values apart, by the shape of the target."""

from __future__ import annotations

from typing import Any

from drawloom.dsl.handles import Handle
from drawloom.dsl.place import refusal
from drawloom.dsl.staging.lists import has_splice
from drawloom.dsl.staging.once import taken
from drawloom.dsl.staging.scopes import current_stage
from drawloom.dsl.staging.values import run_time
from drawloom.ir.infer import TypeProblem, path_type
from drawloom.ir.operands import Key

__all__ = ["keys", "star", "unpack"]

# Any: the user's values, or handles over them


def unpack(value: Any, shape: Any) -> Any:
    """A value as the target takes it: a run-time value as a tuple of handles, anything else as it is.

    Args:
        value: what is taken apart.
        shape: a tuple of shapes, None for a name, "*" for a starred target.

    Raises:
        DefinitionError: a starred target would take so many parts as only a run knows (D151).
    """
    if not isinstance(shape, tuple):
        return value
    stage = current_stage()
    if stage is not None:
        value = taken(run_time(stage, value))
    if "*" in shape and (isinstance(value, Handle) or has_splice(value)):
        star(value)
    if isinstance(value, Handle):
        value = _parts(value, len(shape))
    elif any(isinstance(part, tuple) for part in shape) and type(value) in (list, tuple) and len(value) == len(shape):
        value = tuple(value)
    else:
        return value
    return tuple(unpack(part, inner) for part, inner in zip(value, shape, strict=False))


def _parts(value: Handle, count: int) -> tuple[Any, ...]:
    type_ = value._dl_type
    if type_.name in ("tuple", "namedtuple") and len(type_.args or type_.fields) == count:
        return tuple(value)
    whole = value._dl_block.apply("unpack", (value, count))
    return tuple(_part(whole, i) for i in range(count))


def _part(whole: Handle, number: int) -> Any:
    try:
        type_ = path_type(whole._dl_type, (Key(number),))
    except TypeProblem:
        return whole[number]
    made = whole[number]
    return made if made._dl_type.name != "any" else Handle(made._dl_block, made._dl_operand, type_)


def star(value: Any) -> Any:
    """What stands behind a star.

    Raises:
        DefinitionError: how many parts it has is known only at run time (D151).
    """
    if (isinstance(value, Handle) and value._dl_type.name not in ("tuple", "namedtuple")) or has_splice(value):
        raise refusal(
            "D151",
            "a `*` takes a run-time value apart, but how many parts it has is known only at run time",
            "pass the list itself, or take it apart in a @task",
        )
    return value


def keys(value: Any) -> Any:
    """What stands behind two stars in a call.

    Raises:
        DefinitionError: which keys it has is known only at run time (D151).
    """
    if isinstance(value, Handle):
        raise refusal(
            "D151",
            "`**` takes a run-time dict apart, but which keys it has is known only at run time",
            "pass the dict itself, or its items one by one",
        )
    return value
