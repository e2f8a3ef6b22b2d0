"""What a converted function calls: tasks as they are, the user's functions converted in turn, all else guarded."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import BuiltinMethodType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from drawloom.dsl.constants import holds_handle
from drawloom.dsl.handles import Handle
from drawloom.dsl.pipeline import Pipeline
from drawloom.dsl.place import refusal
from drawloom.dsl.source import is_users
from drawloom.dsl.staging.builtins import STAGED
from drawloom.dsl.staging.changes import (
    built_in_method,
    changes_an_argument,
    changing_call,
    is_changeable,
    takes_run_time,
)
from drawloom.dsl.staging.classes import is_made_here, maker
from drawloom.dsl.staging.convert import converted
from drawloom.dsl.staging.lists import made_in
from drawloom.dsl.staging.parts import DictMethod
from drawloom.dsl.staging.raising import StagedException
from drawloom.dsl.staging.scopes import current_stage
from drawloom.dsl.staging.values import is_run_time
from drawloom.dsl.task import Task

__all__ = ["fn"]

# Any: whatever a user calls

_OWN = "drawloom"
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
    if kind is BuiltinMethodType and not isinstance(callee.__self__, ModuleType):
        return _guarded(built_in_method(stage, callee))
    if changes_an_argument(callee):
        return _guarded(changing_call(stage, callee))
    if kind is functools.partial:
        return functools.partial(fn(callee.func), *callee.args, **callee.keywords)
    if isinstance(callee, type) and issubclass(callee, BaseException):
        return _exception(callee)
    if kind is DictMethod:
        return callee
    if isinstance(callee, type) and is_made_here(callee):
        return maker(callee)
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


def _exception(cls: type[BaseException]) -> Callable[..., Any]:
    def make(*args: Any, **more: Any) -> Any:
        if more:
            return cls(*args, **more)
        return StagedException(cls, args) if any(isinstance(a, Handle) or holds_handle(a) for a in args) else cls(*args)

    return make


# everything else


def _guarded(callee: Any) -> Callable[..., Any]:
    def guarded(*args: Any, **more: Any) -> Any:
        if not takes_run_time(callee) and any(is_run_time(arg) for arg in (*args, *more.values())):
            raise _foreign(callee)
        found = callee(*args, **more)
        stage = current_stage()
        return made_in(stage.tracer, found) if stage is not None and is_changeable(found) else found

    return guarded


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
