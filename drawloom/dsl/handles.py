"""Handles: what stands for a run-time value while a pipeline is traced.

A handle is typed by the task's result for a type checker and is none of it at run time: attributes, items and
operators give further handles; whatever needs the value itself is refused with the user's line. A handle is a thin
thing over an operand of the IR; it holds nothing that computes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from drawloom.dsl.place import refusal
from drawloom.dsl.standing import part_may_raise
from drawloom.ir.envelope import decode
from drawloom.ir.infer import TypeProblem, member_type
from drawloom.ir.operands import (
    Apply,
    Carried,
    Caught,
    Const,
    Field,
    Item,
    Key,
    Operand,
    Output,
    Param,
    Reference,
    RunInfo,
)
from drawloom.ir.types import ANY, Type
from drawloom.ir.walk import with_path

if TYPE_CHECKING:
    from drawloom.dsl.blocks import OpenBlock

# Any: a handle may be put wherever a value may

__all__ = ["LEAK_MARK", "Effect", "Handle", "shown"]

LEAK_MARK = "\u27e8run-time value"  # in every repr, so that a text that was made of one can be told
_CHANGES = {
    "list": ("append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse"),
    "dict": ("update", "setdefault", "pop", "popitem", "clear"),
    "set": ("add", "discard", "remove", "pop", "clear", "update"),
}
_CHANGED_IN_PLACE = ("list", "set", "dict", "ndarray", "dataframe", "series", "object")
_SIGNS = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**"}


class Handle:
    """A run-time value: a reference or an expression, its type, and the block it was made in.

    It knows how large an expression it is, since shared parts count each time they are met. There is one class for
    both: of a subclass on its right, Python would ask first, and `a < b` would be `b > a`.
    """

    __slots__ = ("_dl_block", "_dl_depth", "_dl_operand", "_dl_type", "_dl_weight")
    _dl_block: OpenBlock
    _dl_operand: Operand
    _dl_type: Type
    _dl_weight: int
    _dl_depth: int

    def __init__(self, block: OpenBlock, operand: Operand, type_: Type, weight: int = 0, depth: int = 0) -> None:
        _set_block(self, block)
        _set_operand(self, operand)
        _set_type(self, type_)
        _set_weight(self, weight)
        _set_depth(self, depth)

    # parts

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what Python and notebooks probe for; a port is never private
            raise AttributeError(name)
        if name == "after" and "after" not in dict(self._dl_type.fields):
            return self._dl_after
        operand = self._dl_operand
        if isinstance(operand, Const):
            return self._dl_block.known(getattr(decode(json.loads(operand.json)), name))
        if isinstance(operand, (Apply, RunInfo)):
            type_ = self._member(Field(name))
            made = self._dl_block.apply("attr", (self, name))
            return Handle(made._dl_block, made._dl_operand, type_)
        return self._part(operand, Field(name))

    def __getitem__(self, key: Any) -> Any:  # Any: a known key, a handle, or a slice
        if isinstance(key, slice):
            return self._dl_block.apply("slice", (self, key.start, key.stop, key.step))
        operand = self._dl_operand
        if isinstance(operand, Const) and not isinstance(key, Handle):
            # a part that isn't there is an error of the run, where a `try_` may catch it, not of tracing
            with suppress(LookupError, TypeError):
                return self._dl_block.known(decode(json.loads(operand.json))[key])
        if isinstance(operand, Apply) and operand.op == "tuple" == self._dl_type.name and type(key) is int:
            with suppress(IndexError):
                return Handle(self._dl_block, operand.args[key], self._dl_type.args[key])
        if type(key) in (str, int) and not isinstance(operand, (Apply, Const, RunInfo)) and not isinstance(key, Handle):
            return self._part(operand, Key(key))
        made = self._dl_block.apply("get", (self, key))
        if isinstance(key, (str, int)) and isinstance(operand, Apply):
            return Handle(made._dl_block, made._dl_operand, self._member(Key(key)))
        return made

    def _member(self, step: Field | Key) -> Type:
        """The type of a part."""
        if isinstance(step, Field) and step.name in _CHANGES.get(self._dl_type.name, ()):
            raise refusal(
                "D118",
                f"`.{step.name}()` would change {shown(self)} in place",
                "write `x = x + [y]`, which makes a new value" if self._dl_type.name == "list" else _CHANGED,
            )
        whole = self._dl_block.known_type(self._dl_operand, self._dl_type)
        try:
            return member_type(whole, step)
        except TypeProblem as problem:
            if whole.name != "union":  # a test may have told the members apart; `ir.check` has the last word
                raise refusal("D116", problem.what, problem.fix) from None
            return ANY

    def _part(self, operand: Reference, step: Field | Key) -> Handle:
        type_ = self._member(step)
        assert not isinstance(operand, RunInfo)
        part = with_path(operand, (*operand.path, step))
        if part_may_raise(self._dl_type, step):
            self._dl_block.tracer.block.stand(part, type_)
        return Handle(self._dl_block, part, type_)

    def __iter__(self) -> Iterator[Any]:
        """The elements of a tuple of known length; so `a, b = split(table)` works."""
        type_ = self._dl_type
        if type_.name == "namedtuple":
            return iter([getattr(self, name) for name, _ in type_.fields])
        if type_.name == "tuple":
            return iter([self[i] for i in range(len(type_.args))])
        raise refusal(
            "D110",
            f"{shown(self)} is iterated over, but its items are known only at run time",
            "use `for_each(items, body)`, or loop inside a @task",
        )

    def __len__(self) -> int:
        type_ = self._dl_type
        if type_.name not in ("tuple", "namedtuple"):
            _refuse_value(self, "`len()` is taken of {}", "use `length(x)`, which gives a run-time number")
        return len(type_.args) or len(type_.fields)

    # order

    def _dl_after(self, *upstream: object) -> Any:
        self._dl_block.tracer.order_after(self, upstream)
        return self

    # numpy and pandas must leave `array * handle` to us, instead of making an array of handles
    __array_ufunc__ = None
    __pandas_priority__ = 10_000

    def __repr__(self) -> str:
        return f"{LEAK_MARK} {_described(self._dl_operand)}: {self._dl_type}\u27e9"


class Effect(Handle):
    """What a call returns whose task returns nothing: good for `.after(...)` only."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name == "after":
            return self._dl_after
        return super().__getattr__(name)


_set_block = Handle.__dict__["_dl_block"].__set__
_set_operand = Handle.__dict__["_dl_operand"].__set__
_set_type = Handle.__dict__["_dl_type"].__set__
_set_weight = Handle.__dict__["_dl_weight"].__set__
_set_depth = Handle.__dict__["_dl_depth"].__set__


def _refuse_value(handle: Handle, what: str, fix: str) -> NoReturn:
    told = what.format(shown(handle))
    raise refusal("D110", f"{told}, but its value is known only at run time", fix)


def shown(handle: Handle) -> str:
    """A handle in a message: `the result of `train` (Model)`."""
    return f"{_described(handle._dl_operand)} ({handle._dl_type})"


def _described(operand: Operand) -> str:
    if isinstance(operand, Apply):
        return f"an expression (`{operand.op}`)"
    if isinstance(operand, Const):
        return "a known value"
    path = "".join(f".{s.name}" if isinstance(s, Field) else f"[{s.key!r}]" for s in getattr(operand, "path", ()))
    if isinstance(operand, Output):
        return f"the result of `{operand.node}`{path and f' at `{path}`'}"
    if isinstance(operand, Param):
        return f"the parameter `{operand.name}{path}`"
    if isinstance(operand, Item):
        return f"the item of `{operand.map}`{path and f' at `{path}`'}"
    if isinstance(operand, Carried):
        return f"the state of `{operand.loop}`{path and f' at `{path}`'}"
    if isinstance(operand, Caught):
        return f"the failure caught by `{operand.node}`{path and f' at `{path}`'}"
    return f"the run's `{operand.field}`"


def _called_name(handle: Handle) -> str:
    path = getattr(handle._dl_operand, "path", ())
    if path and isinstance(path[-1], Field):
        return f"the method `.{path[-1].name}()` of a run-time value"
    return shown(handle)


# what Python asks of a value and a handle can't answer: (special methods, what is done to it, the fix)
_CHANGED = "make the changed value in a @task and return it"
_UNANSWERED = (
    (
        "bool",
        "{} is used as a condition",
        "use `branch(test, then, otherwise)`, `and_`, `or_`, `not_`, or test inside a @task",
    ),
    ("hash", "{} is used as a dict key or a set item", "build the dict or set in a @task"),
    ("contains", "`in` looks into {}", "use `contains(container, item)`"),
    ("str", "the text of {} is asked for", "make the text in a @task"),
    ("format", "{} is put into an f-string", "make the text in a @task"),
    ("bytes", "the bytes of {} are asked for", "make them in a @task"),
    ("int", "`int()` is called on {}", "convert it in a @task"),
    ("float", "`float()` is called on {}", "convert it in a @task"),
    ("complex", "`complex()` is called on {}", "convert it in a @task"),
    (
        "index",
        "{} is used as an index or a count",
        "index a run-time value with it, or use `for_each`; else do it in a @task",
    ),
    ("round", "`round()` is called on {}", "round it in a @task"),
    ("trunc", "{} is truncated", "convert it in a @task"),
    ("divmod rdivmod", "`divmod()` is called on {}", "use `//` and `%`, or a @task"),
    ("fspath", "{} is used as a path", "open it in a @task"),
    ("reversed", "`reversed()` is called on {}", "reverse it in a @task"),
    ("next", "`next()` is called on {}", "take the item in a @task"),
    ("enter exit", "{} is used in a `with`", "open it in a @task"),
    ("await aiter", "{} is awaited", "a task's result needs no `await`: take it out"),
    ("reduce_ex", "{} is copied or pickled", "give it to a @task instead"),
    ("setitem", "an item of {} is assigned", _CHANGED),
    ("delitem", "an item of {} is deleted", _CHANGED),
    ("setattr", "an attribute of {} is assigned", _CHANGED),
    ("delattr", "an attribute of {} is deleted", _CHANGED),
)


def _unanswered(what: str, fix: str) -> Any:
    def special(self: Handle, *_: object) -> NoReturn:
        _refuse_value(self, what, fix)

    return special


def _install_operators() -> None:
    """`x + y`, `y < x`, `-x`, ... on handles, and a refusal for the operators the IR has no word for."""
    for name in _SIGNS:
        setattr(Handle, f"__{name}__", _binary(name))
        setattr(Handle, f"__r{name}__", _binary(name, swapped=True))
        setattr(Handle, f"__i{name}__", _in_place(name))
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        setattr(Handle, f"__{name}__", _binary(name))
    for name in ("neg", "pos", "abs"):
        setattr(Handle, f"__{name}__", _unary(name))
    for name, sign in (("and", "&"), ("or", "|"), ("xor", "^"), ("lshift", "<<"), ("rshift", ">>"), ("matmul", "@")):
        for prefix in ("", "r", "i"):
            setattr(Handle, f"__{prefix}{name}__", _unsupported(sign))
    setattr(Handle, "__invert__", _unsupported("~"))  # noqa: B010  # so the type checkers leave `~Handle` alone
    for names, what, fix in _UNANSWERED:
        for name in names.split():
            setattr(Handle, f"__{name}__", _unanswered(what, fix))
    setattr(Handle, "__call__", _called)  # noqa: B010


def _called(self: Handle, *_: object, **__: object) -> NoReturn:
    what = f"{_called_name(self)} is called, but it would run on a value that isn't known yet"
    raise refusal("D117", what, "put the call in a @task")


def _binary(op: str, *, swapped: bool = False) -> Any:
    def operator(self: Handle, other: object, *modulus: object) -> Any:
        if modulus:
            raise refusal("D118", f"`pow()` with a modulus is called on {shown(self)}", "compute it in a @task")
        return self._dl_block.apply(op, (other, self) if swapped else (self, other))

    return operator


def _in_place(op: str) -> Any:
    def operator(self: Handle, other: object) -> Any:
        if self._dl_type.name in _CHANGED_IN_PLACE:
            raise refusal(
                "D118",
                f"`{_SIGNS[op]}=` would change {shown(self)} in place",
                f"write `x = x {_SIGNS[op]} y`, which makes a new value",
            )
        return self._dl_block.apply(op, (self, other))

    return operator


def _unary(op: str) -> Any:
    def operator(self: Handle) -> Any:
        return self._dl_block.apply(op, (self,))

    return operator


def _unsupported(sign: str) -> Any:
    words = {"&": "`and_`, or ", "|": "`or_`, or ", "~": "`not_`, or "}

    def operator(self: Handle, *_: object) -> Any:
        raise refusal(
            "D118",
            f"the operator `{sign}` is used on {shown(self)}",
            f"use {words.get(sign, '')}a @task",
        )

    return operator


_install_operators()
