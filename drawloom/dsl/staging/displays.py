"""Lists and dicts that are written out."""

from __future__ import annotations

from typing import Any

from drawloom.dsl.constants import holds_handle
from drawloom.dsl.handles import Handle
from drawloom.dsl.place import refusal
from drawloom.dsl.splice import Splice
from drawloom.dsl.staging.for_loops import loop_source
from drawloom.dsl.staging.lists import made_in
from drawloom.dsl.staging.scopes import UNBOUND, current_stage
from drawloom.dsl.staging.values import computed, open_ended, run_time

__all__ = ["listed", "new", "table"]

# Any: items are the user's values, or handles over them


def new(made: Any) -> Any:
    """A list that a function makes."""
    stage = current_stage()
    return made if stage is None else made_in(stage.tracer, made)


def listed(starred: tuple[bool, ...], *items: Any) -> list[Any]:
    """`[a, *b]`.

    Args:
        starred: which of the items are lists to be taken apart.
        items: the items.
    """
    stage = current_stage()
    made: list[Any] = []
    for item, star in zip(items, starred, strict=True):
        found = loop_source(stage, item) if star and stage is not None else item
        if star and open_ended(found):
            made.append(Splice(found))
        elif star:
            made.extend(found)
        else:
            made.append(item)
    if stage is not None:
        made_in(stage.tracer, made)
    return made


def table(*parts: Any) -> Any:
    """`{key: value, **other}`.

    Args:
        parts: key and value in turn; `UNBOUND` is the key of a dict to be taken apart.
    """
    stage = current_stage()
    pairs = list(zip(parts[::2], parts[1::2], strict=True))
    if stage is not None and any(isinstance(key, Handle) or holds_handle(key) for key, _ in pairs):
        if any(key is UNBOUND for key, _ in pairs):
            raise _taken_apart()
        return computed(stage, "dict", *(run_time(stage, part) for part in parts))
    made: dict[Any, Any] = {}
    for key, value in pairs:
        if key is not UNBOUND:
            made[key] = value
        elif isinstance(value, Handle):
            raise _taken_apart()
        else:
            made.update(value)
    return made if stage is None else made_in(stage.tracer, made)


def _taken_apart() -> Exception:
    return refusal(
        "D151",
        "`**` takes a run-time dict apart, but which keys it has is known only at run time",
        "put the dicts together in a @task",
    )
