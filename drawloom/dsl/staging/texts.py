"""f-strings and `str()`."""

from __future__ import annotations

from typing import Any

from drawloom.dsl.handles import Handle
from drawloom.dsl.place import refusal
from drawloom.dsl.staging.scopes import current_stage
from drawloom.dsl.staging.values import computed, run_time
from drawloom.ir.evaluate import OPERATORS

__all__ = ["fstr", "text_of"]

# Any: parts are the user's values, or handles over them


def fstr(*parts: Any) -> Any:
    """An f-string.

    Args:
        parts: text, then (value, conversion, spec, text) again and again.
    """
    stage = current_stage()
    if stage is not None:
        known = tuple(_shown(run_time(stage, part)) for part in parts)
        if any(isinstance(part, Handle) for part in known):
            return computed(stage, "format", *known)
    return OPERATORS["format"](*parts)


def _shown(value: Any) -> Any:
    """What a value shows as: a failure as its text."""
    return value.message if isinstance(value, Handle) and value._dl_type.name == "failure" else value


def text_of(*args: Any, **more: Any) -> Any:
    """`str(...)`."""
    stage = current_stage()
    if stage is not None and len(args) == 1 and not more:
        value = run_time(stage, args[0])
        if isinstance(value, Handle):
            return _shown(value) if value._dl_type.name == "failure" else computed(stage, "str", value)
    if any(isinstance(arg, Handle) for arg in (*args, *more.values())):
        raise refusal("D143", "`str()` decodes a run-time value", "decode it in a @task")
    return str(*args, **more)
