"""Objects of the user's classes, made while a pipeline is traced."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

from drawloom.dsl.place import refusal
from drawloom.dsl.source import is_users, is_users_module
from drawloom.dsl.staging.convert import converted
from drawloom.dsl.staging.lists import made_in
from drawloom.dsl.staging.scopes import current_stage
from drawloom.dsl.staging.values import is_run_time

__all__ = ["is_made_here", "maker", "refuse_hidden"]

# Any: objects of any class


def is_made_here(cls: type) -> bool:
    """Whether objects of a class may be made while a pipeline is traced, and hold run-time values like any other."""
    if type(cls) is not type or not is_users_module(sys.modules.get(cls.__module__)):
        return False
    if getattr(cls, "__new__", None) is not getattr(object, "__new__", None):
        return issubclass(cls, tuple) and hasattr(cls, "_fields")  # a NamedTuple
    if hasattr(cls, "__dataclass_fields__"):
        return not hasattr(cls, "__post_init__")
    made = vars(cls).get("__init__", getattr(cls, "__init__", None))
    return type(made) is FunctionType and is_users(made.__code__.co_filename)


_HARMLESS: Final = frozenset(
    {"__init__", "__call__", "__repr__", "__init_subclass__", "__class_getitem__", "__reduce__", "__set_name__"}
)


def _special_methods(cls: type) -> list[str]:
    """The special methods a class of the user's defines: they run as they are, on what may be a run-time value."""
    written = (
        (name, getattr(value, "__func__", value)) for base in cls.__mro__[:-1] for name, value in vars(base).items()
    )
    return sorted(
        {
            name
            for name, value in written
            if name.startswith("__")
            and name.endswith("__")
            and name not in _HARMLESS
            and type(value) is FunctionType
            and is_users(value.__code__.co_filename)
            and not value.__code__.co_filename.startswith("<")  # what a dataclass is given
        }
    )


def refuse_hidden(cls: type, *values: Any) -> None:
    """Refuse to put run-time values into objects whose special methods can't be staged.

    Raises:
        DefinitionError: one of `values` is a run-time value, and `cls` has such methods (D152).
    """
    found = _special_methods(cls) if any(map(is_run_time, values)) else []
    if found:
        raise refusal(
            "D152",
            f"a run-time value is put into a `{cls.__qualname__}`, whose `{found[0]}` would run while tracing",
            "give the class a method with a name of its own in the place of that, or compute it in a @task",
        )


def maker(cls: type) -> Callable[..., Any]:
    """A class of the user's, its `__init__` converted."""
    made = cls.__init__  # type: ignore[misc]  # a class's own
    own = type(made) is FunctionType and is_users(made.__code__.co_filename)

    def make(*args: Any, **more: Any) -> Any:
        refuse_hidden(cls, *args, *more.values())
        stage = current_stage()
        assert stage is not None
        if not own or hasattr(cls, "__dataclass_fields__"):
            return made_in(stage.tracer, cls(*args, **more))
        new: Any = made_in(stage.tracer, object.__new__(cls))
        converted(made)(new, *args, **more)
        return new

    return make
