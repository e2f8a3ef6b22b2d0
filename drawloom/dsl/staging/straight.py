"""Functions that needn't be converted: they call tasks and pipelines one after the other, and nothing else."""

from __future__ import annotations

import dis
from types import FunctionType, ModuleType
from typing import Any, Final

from drawloom.dsl.pipeline import Pipeline
from drawloom.dsl.task import Task

__all__ = ["is_straight"]

# Any: whatever a name of the user's stands for

_ALLOWED: Final = frozenset(
    {"CACHE", "RESUME", "NOP", "POP_TOP", "COPY", "SWAP", "PUSH_NULL", "PRECALL", "CALL", "KW_NAMES"}
    | {"CALL_KW", "EXTENDED_ARG", "MAKE_CELL", "COPY_FREE_VARS", "LOAD_CONST", "LOAD_FAST"}
    | {"LOAD_FAST_CHECK", "LOAD_FAST_LOAD_FAST", "LOAD_GLOBAL", "LOAD_DEREF", "LOAD_CLOSURE", "LOAD_METHOD"}
    | {"LOAD_ATTR", "STORE_FAST", "STORE_FAST_LOAD_FAST", "STORE_FAST_STORE_FAST", "RETURN_VALUE"}
    | {"RETURN_CONST", "BUILD_TUPLE", "BUILD_LIST", "BUILD_CONST_KEY_MAP", "LIST_EXTEND", "BINARY_OP"}
    | {"UNARY_NEGATIVE", "COMPARE_OP", "STORE_NAME", "LOAD_NAME"}
)
_METHODS: Final = frozenset({"after", "with_options"})


def is_straight(function: FunctionType) -> bool:
    """Whether a function can be traced as it is: no jump, no test, and nothing but tasks and pipelines is called."""
    code = function.__code__
    names: set[str] = set()
    before = ""
    for instruction in dis.get_instructions(code):
        if instruction.opname not in _ALLOWED or _looks_inside(instruction, before):
            return False
        before = instruction.opname
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF"):
            names.add(str(instruction.argval))
    return all(_is_plain(found) for found in _values(function, names))


def _looks_inside(instruction: dis.Instruction, before: str) -> bool:
    """Whether it may change or copy a list, as `+=` and `[*x]` do, or run a property or a method of the user's."""
    name = instruction.opname
    if name == "BINARY_OP":
        return instruction.argrepr.endswith("=")
    if name == "LIST_EXTEND":
        return before != "LOAD_CONST"  # `[1, 2, 3]` is made of a constant
    return name in ("LOAD_METHOD", "LOAD_ATTR") and instruction.argval not in _METHODS


def _values(function: FunctionType, names: set[str]) -> list[Any]:
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    found = []
    for name in names:
        if name in cells:
            try:
                found.append(cells[name].cell_contents)
            except ValueError:
                found.append(None)
        elif name in function.__globals__:
            found.append(function.__globals__[name])
        else:
            found.append(len)  # a built-in function, or nothing
    return found


def _is_plain(value: Any) -> bool:
    if type(value) in (Task, Pipeline):
        return True
    if type(value) is FunctionType:
        return value.__module__.startswith("drawloom.dsl.") and value.__name__ not in _WITH_BODIES
    return not callable(value) and not isinstance(value, ModuleType)


_WITH_BODIES: Final = frozenset({"for_each", "branch", "while_loop", "try_", "bounded"})
