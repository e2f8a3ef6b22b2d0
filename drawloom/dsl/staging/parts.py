"""Attributes, items, and the methods of dicts."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from drawloom.dsl.handles import Handle
from drawloom.dsl.source import is_users
from drawloom.dsl.staging.convert import converted
from drawloom.dsl.staging.scopes import Stage, current_stage
from drawloom.dsl.staging.values import computed, get_item, run_time
from drawloom.ir.operators import operator_type

__all__ = ["DictMethod", "attribute", "dict_method", "item"]

# Any: the user's values, or handles over them


def attribute(owner: Any, name: str) -> Any:
    """`owner.name`; a property of the user's is converted in turn."""
    stage = current_stage()
    if stage is not None and not isinstance(owner, Handle):
        found = getattr(type(owner), name, None)
        if type(found) is property and type(found.fget) is FunctionType and is_users(found.fget.__code__.co_filename):
            return converted(found.fget)(owner)
    return getattr(owner, name)


def item(container: Any, key: Any) -> Any:
    """`container[key]`."""
    stage = current_stage()
    if stage is None:
        return container[key]
    found = run_time(stage, container)
    if isinstance(key, Handle) and not isinstance(found, Handle):
        return computed(stage, "get", found, key)
    if type(key) is slice and not isinstance(found, Handle) and any(map(_is_handle, (key.start, key.stop, key.step))):
        return computed(stage, "slice", found, key.start, key.stop, key.step)
    return found[key]


def _is_handle(value: Any) -> bool:
    return isinstance(value, Handle)


class DictMethod:
    """A method of a run-time dict."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call

    def __call__(self, *args: Any) -> Any:
        return self.call(*args)


def dict_method(owner: Any, name: str) -> Any:
    """`owner.items`, `.keys`, `.values` or `.get`: of a run-time dict, what gives the expression."""
    stage = current_stage()
    if stage is None or not isinstance(owner, Handle) or owner._dl_type.name not in ("dict", "typeddict"):
        return getattr(owner, name)
    return DictMethod(_get(stage, owner) if name == "get" else _listed(stage, owner, name))


def _listed(stage: Stage, owner: Handle, name: str) -> Callable[..., Any]:
    def method() -> Any:
        return computed(stage, name, owner)

    return method


def _get(stage: Stage, owner: Handle) -> Callable[..., Any]:
    def method(key: Any, default: Any = None) -> Any:
        there = computed(stage, "contains", owner, key)
        found = get_item(stage.tracer.block, owner, key, operator_type("values", [owner._dl_type]).args[0])
        return computed(stage, "select", there, found, default)

    return method
