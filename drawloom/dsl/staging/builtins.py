"""Functions of Python's own that are expressions over run-time values, with just what Python makes of them."""

from __future__ import annotations

import builtins
import typing
from collections.abc import Callable
from typing import Any, Final

from drawloom.dsl.constants import holds_handle
from drawloom.dsl.handles import Handle, shown
from drawloom.dsl.place import refusal
from drawloom.dsl.staging.changes import check_change
from drawloom.dsl.staging.lists import has_splice, made_in
from drawloom.dsl.staging.once import Once, taken
from drawloom.dsl.staging.quantified import Answer
from drawloom.dsl.staging.scopes import Stage, current_stage
from drawloom.dsl.staging.texts import fstr, text_of
from drawloom.dsl.staging.values import computed, is_run_time, run_time
from drawloom.ir.iterated import iterated_type

__all__ = ["STAGED"]

# Any: arguments are the user's values, or handles over them


def _ready(stage: Stage, value: Any) -> Any:
    """An argument: an iterator over a run-time list is used up by it."""
    return run_time(stage, taken(value))


def _is_run_time(value: Any) -> bool:
    return isinstance(value, Handle) or holds_handle(value)


def _one(function: Callable[..., Any], op: str) -> Callable[..., Any]:
    """A function of one argument that is an operator."""

    def staged(*args: Any, **more: Any) -> Any:
        stage = current_stage()
        if stage is None:
            return function(*args, **more)
        found = [_ready(stage, arg) for arg in args]
        if not any(isinstance(arg, Handle) for arg in found) and not _inside(function, found):
            return _made(stage, function(*found, **more))
        _refuse_options(function, more)
        if len(found) != 1:
            raise _too_many(function)
        return computed(stage, op, found[0])

    return staged


def _inside(function: Callable[..., Any], args: list[Any]) -> bool:
    """Whether a function looks at the items of its argument, which are run-time values."""
    return function in (builtins.sum, builtins.sorted, builtins.set) and any(map(holds_handle, args))


def _made(stage: Stage, value: Any) -> Any:
    return made_in(stage.tracer, value) if type(value) in (list, dict) else value


def _refuse_options(function: Callable[..., Any], more: dict[str, Any]) -> None:
    if "key" in more:
        raise refusal(
            "D148",
            f"`{function.__name__}(key=...)` is used on a run-time list, but the function would run "
            "inside an expression",
            "use a comprehension that gives what is compared, or a @task",
        )
    if more:
        raise _too_many(function)


def _too_many(function: Callable[..., Any]) -> Exception:
    return refusal(
        "D148",
        f"`{function.__name__}()` is used on a run-time value with further arguments",
        "call it with the value alone, or in a @task",
    )


def _sorted(*args: Any, **more: Any) -> Any:
    """`sorted(...)`; in reverse, equal items stay in their order, as in Python."""
    stage = current_stage()
    if stage is not None and more.get("reverse") is True and set(more) == {"reverse"} and len(args) == 1:
        items = _ready(stage, args[0])
        if isinstance(items, Handle) or holds_handle(items):
            listed = computed(stage, "as_list", items) if isinstance(items, Handle) else items
            return computed(stage, "reversed", computed(stage, "sorted", computed(stage, "reversed", listed)))
    if more.get("reverse") is False:
        del more["reverse"]
    return _in_order(*args, **more)


_in_order = _one(sorted, "sorted")


def _converted_text(function: Callable[..., Any], conversion: str) -> Callable[..., Any]:
    def staged(value: Any) -> Any:
        stage = current_stage()
        found = value if stage is None else run_time(stage, value)
        return fstr("", found, conversion, "", "") if _is_run_time(found) else function(value)

    return staged


def _length(value: Any) -> Any:
    stage = current_stage()
    if stage is None:
        return len(value)
    found = run_time(stage, value)
    if not isinstance(found, Handle):
        return len(found)
    return len(found) if found._dl_type.name in ("tuple", "namedtuple") else computed(stage, "len", found)


def _extreme(function: Callable[..., Any], op: str) -> Callable[..., Any]:
    def staged(*args: Any, **more: Any) -> Any:
        stage = current_stage()
        if stage is None:
            return function(*args, **more)
        found = [_ready(stage, arg) for arg in args]
        if not any(map(_is_run_time, found)):
            return function(*found, **more)
        _refuse_options(function, more)
        return computed(stage, op, found[0] if len(found) == 1 else found)

    return staged


def _iterator(function: Callable[..., Any], op: str) -> Callable[..., Any]:
    """`zip`, `enumerate`, `reversed`."""

    def staged(*args: Any, **more: Any) -> Any:
        stage = current_stage()
        if stage is None:
            return function(*args, **more)
        found = [_ready(stage, arg) for arg in args]
        if not any(isinstance(arg, Handle) for arg in found):
            return made_in(stage.tracer, function(*found, **more))
        if function is builtins.enumerate:
            found = [found[0], more.pop("start", found[1] if len(found) > 1 else 0)]
        if function is builtins.zip and not more.get("strict"):
            more.pop("strict", None)
        _refuse_options(function, more)
        for arg in found[: 1 if function is not builtins.zip else None]:
            _check_iterable(function, arg)
        return Once(computed(stage, op, *found), function.__name__, stage.tracer.block)

    return staged


def _check_iterable(function: Callable[..., Any], value: Any) -> None:
    if isinstance(value, Handle) and iterated_type(value._dl_type) is None:
        raise refusal(
            "D110",
            f"`{function.__name__}()` is called on {shown(value)}, which has no items",
            "pass a list",
        )


def _many(function: Callable[..., Any], op: str) -> Callable[..., Any]:
    """A function of several arguments that is an operator: `range`, `round`."""

    def staged(*args: Any, **more: Any) -> Any:
        stage = current_stage()
        found = args if stage is None else tuple(_ready(stage, arg) for arg in (*args, *more.values()))
        if stage is None or not any(map(_is_run_time, found)):
            return function(*args, **more)
        return computed(stage, op, *found)

    return staged


def _converted(function: Callable[..., Any], op: str) -> Callable[..., Any]:
    """`list`, `tuple`, `set`, `dict`."""
    plain = _one(function, op)

    def staged(*args: Any, **more: Any) -> Any:
        if function is builtins.dict and more and any(isinstance(arg, Handle) for arg in args):
            raise _too_many(function)
        return plain(*args, **more)

    return staged


def _quantified(function: Callable[..., Any], op: str) -> Callable[..., Any]:
    def staged(*args: Any) -> Any:
        if len(args) == 1 and type(args[0]) is Answer:
            return args[0].value
        stage = current_stage()
        if stage is None:
            return function(*args)
        found = [_ready(stage, arg) for arg in args]
        if any(map(_is_run_time, found)):
            return computed(stage, op, *found)
        return function(*found)

    return staged


def _refused(function: Callable[..., Any], what: str, fix: str) -> Callable[..., Any]:
    def staged(*args: Any, **more: Any) -> Any:
        if any(_is_run_time(arg) or has_splice(arg) for arg in (*args, *more.values())):
            raise refusal("D142", f"`{function.__name__}()` {what}, known only at run time", fix)
        return function(*args, **more)

    return staged


def _mapping(function: Callable[..., Any]) -> Callable[..., Any]:
    def staged(*args: Any, **more: Any) -> Any:
        if any(is_run_time(arg) for arg in args):
            raise refusal(
                "D149",
                f"`{function.__name__}()` is given a run-time value, whose items are known only at run time",
                "write a comprehension, or a `for` loop with `break`",
            )
        stage = current_stage()
        if function is next and stage is not None:
            check_change(stage, args[0], "next()")
        made = function(*args, **more)
        return made if stage is None or function is next else made_in(stage.tracer, made)

    return staged


def _cast(_: Any, value: Any) -> Any:
    return value


def _assert_type(value: Any, _: Any) -> Any:
    return value


_VALUE = "needs the value itself"
_TEST_IN_TASK = "test it in a @task, or use `is None`"
# by identity: a user's own `len` is another function
STAGED: Final[dict[int, Callable[..., Any]]] = {
    id(function): staged
    for function, staged in (
        (len, _length),
        (sum, _one(sum, "sum")),
        (sorted, _sorted),
        (repr, _converted_text(repr, "r")),
        (ascii, _converted_text(ascii, "a")),
        (int, _one(int, "int")),
        (float, _one(float, "float")),
        (bool, _one(bool, "bool")),
        (abs, _one(abs, "abs")),
        (str, text_of),
        (min, _extreme(min, "min")),
        (max, _extreme(max, "max")),
        (any, _quantified(any, "any")),
        (all, _quantified(all, "all")),
        (zip, _iterator(zip, "zip")),
        (enumerate, _iterator(enumerate, "enumerate")),
        (reversed, _iterator(reversed, "reversed")),
        (range, _many(range, "range")),
        (round, _many(round, "round")),
        (list, _converted(list, "as_list")),
        (tuple, _converted(tuple, "as_tuple")),
        (set, _converted(set, "as_set")),
        (dict, _converted(dict, "as_dict")),
        *((function, _mapping(function)) for function in (map, filter, next, iter)),
        (isinstance, _refused(isinstance, _VALUE, _TEST_IN_TASK)),
        (type, _refused(type, _VALUE, _TEST_IN_TASK)),
        (id, _refused(id, _VALUE, _TEST_IN_TASK)),
        (hash, _refused(hash, _VALUE, _TEST_IN_TASK)),
        (callable, _refused(callable, _VALUE, _TEST_IN_TASK)),
    )
}
STAGED[id(typing.cast)] = _cast
STAGED[id(typing.assert_type)] = _assert_type
