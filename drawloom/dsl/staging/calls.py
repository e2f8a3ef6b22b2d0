"""What a converted function calls: tasks as they are, the user's functions converted in turn, all else guarded."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import BuiltinMethodType, FunctionType, MethodType
from typing import Any, Final

from drawloom.dsl.constants import holds_handle
from drawloom.dsl.handles import Handle
from drawloom.dsl.pipeline import Pipeline
from drawloom.dsl.place import refusal
from drawloom.dsl.source import is_users, is_users_module
from drawloom.dsl.staging.builtins import STAGED
from drawloom.dsl.staging.convert import converted
from drawloom.dsl.staging.lists import Splice, changing, has_splice
from drawloom.dsl.staging.once import Once, taken
from drawloom.dsl.staging.parts import DictMethod
from drawloom.dsl.staging.raising import StagedException
from drawloom.dsl.staging.scopes import Stage, current_stage
from drawloom.dsl.staging.values import computed, open_ended, run_time
from drawloom.dsl.task import Task

__all__ = ["fn"]

# Any: whatever a user calls

_OWN = "drawloom"
_LIST_CHANGES: Final = ("append", "extend")
_CHANGES: Final[dict[type, frozenset[str]]] = {
    list: frozenset(
        {"insert", "pop", "remove", "clear", "sort", "reverse", "append", "extend", "__setitem__", "__delitem__"}
    ),
    dict: frozenset({"update", "setdefault", "pop", "popitem", "clear"}),
    set: frozenset({"add", "discard", "remove", "pop", "clear", "update"}),
}
_TEXT: Final = ("print", "format", "str.format", "str.format_map", "str.join")


def fn(callee: Any) -> Any:
    """What is to be called in the place of `callee`."""
    kind = type(callee)
    if kind is Task or kind is Pipeline:
        return callee
    stage = current_stage()
    if stage is None or isinstance(callee, Handle):
        return callee
    staged = STAGED.get(id(callee))
    if staged is not None:
        return staged
    if kind is FunctionType:
        return _function(callee)
    if kind is MethodType:
        return _method(callee)
    if kind is BuiltinMethodType and type(callee.__self__) in _CHANGES:
        return _container_method(stage, callee)
    if kind is functools.partial:
        return functools.partial(fn(callee.func), *callee.args, **callee.keywords)
    if isinstance(callee, type) and issubclass(callee, BaseException):
        return _exception(callee)
    if kind is DictMethod:
        return callee
    if isinstance(callee, type) and _is_made_here(callee):
        return _class(callee)
    called = getattr(kind, "__call__", None)  # noqa: B004  # it is the function itself that is wanted
    if type(called) is FunctionType and is_users(called.__code__.co_filename):
        return MethodType(_function(called), callee)
    return _guarded(callee)


def _function(callee: FunctionType) -> Any:
    if callee.__module__ is not None and callee.__module__.partition(".")[0] == _OWN:
        return callee
    if not is_users(callee.__code__.co_filename):
        return _guarded(callee)
    return converted(callee)


def _method(callee: MethodType) -> Any:
    function = callee.__func__
    if type(function) is FunctionType and is_users(function.__code__.co_filename):
        made = _function(function)
        return callee if made is function else MethodType(made, callee.__self__)
    owner = type(callee.__self__)
    if owner in (Task, Pipeline) or owner.__module__.partition(".")[0] == _OWN:
        return callee
    return _guarded(callee)


def _is_made_here(cls: type) -> bool:
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


def special_methods(cls: type) -> list[str]:
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
    found = special_methods(cls) if any(map(_is_run_time, values)) else []
    if found:
        raise refusal(
            "D152",
            f"a run-time value is put into a `{cls.__qualname__}`, whose `{found[0]}` would run while tracing",
            "give the class a method with a name of its own in the place of that, or compute it in a @task",
        )


def _class(cls: type) -> Callable[..., Any]:
    """A class of the user's, its `__init__` converted."""
    made = cls.__init__  # type: ignore[misc]  # a class's own
    own = type(made) is FunctionType and is_users(made.__code__.co_filename)

    def make(*args: Any, **more: Any) -> Any:
        refuse_hidden(cls, *args, *more.values())
        if not own or hasattr(cls, "__dataclass_fields__"):
            return cls(*args, **more)
        new: Any = object.__new__(cls)
        converted(made)(new, *args, **more)
        return new

    return make


def _exception(cls: type[BaseException]) -> Callable[..., Any]:
    def make(*args: Any, **more: Any) -> Any:
        if more:
            return cls(*args, **more)
        return StagedException(cls, args) if any(isinstance(a, Handle) or holds_handle(a) for a in args) else cls(*args)

    return make


# lists, dicts and sets


def _container_method(stage: Stage, callee: Any) -> Any:
    container, name = callee.__self__, callee.__name__
    if name not in _CHANGES[type(container)]:
        return _guarded(callee)
    if type(container) is list and name in _LIST_CHANGES:
        return functools.partial(_grow, stage, container, name)
    check_change(stage, container, f".{name}()")
    return callee


def _grow(stage: Stage, grown: list[Any], name: str, value: Any) -> None:
    """`append` and `extend`."""
    changing(stage.tracer, grown)
    if name == "append":
        grown.append(value)
        return
    value = taken(run_time(stage, value))
    if open_ended(value):
        grown.append(Splice(value if value._dl_type.name == "list" else computed(stage, "as_list", value)))
    else:
        grown.extend(value)


def check_change(stage: Stage, changed: Any, how: str) -> None:
    """Refuse a change that would be made whether or not a run comes here.

    Raises:
        DefinitionError: a region is being recorded, and `changed` is older than it (D144).
    """
    blocks = stage.tracer.open_blocks
    if not blocks or id(changed) in blocks[-1].born:
        return
    raise refusal(
        "D144",
        f"`{how}` stands under a run-time test or loop, but would change the {type(changed).__name__} in any case",
        "assign a local name, or return the changed value from a @task",
    )


# everything else


def _guarded(callee: Any) -> Callable[..., Any]:
    def guarded(*args: Any, **more: Any) -> Any:
        if any(_is_run_time(arg) for arg in args) or any(_is_run_time(arg) for arg in more.values()):
            raise _foreign(callee)
        return callee(*args, **more)

    return guarded


def _is_run_time(value: Any) -> bool:
    return isinstance(value, (Handle, Once)) or holds_handle(value) or has_splice(value)


def _foreign(callee: Any) -> Exception:
    name = _named(callee)
    if isinstance(callee, type):
        return refusal(
            "D152",
            f"`{name}` is made of a run-time value, which it would hide",
            "pass the parts to a @task and make it there",
        )
    if name in _TEXT or name.startswith("logging."):
        return refusal(
            "D143",
            f"`{name}` is given a run-time value, whose text isn't known while the pipeline is traced",
            "use an f-string or `str()`, which are part of the graph, or a @task",
        )
    return refusal(
        "D141",
        f"a run-time value is passed to `{name}`, which runs while the pipeline is traced",
        "put the call in a @task",
    )


def _named(callee: Any) -> str:
    name = getattr(callee, "__qualname__", None) or type(callee).__qualname__
    module = getattr(callee, "__module__", None)
    return f"{module.lstrip('_')}.{name}" if module and module != "builtins" else str(name)
